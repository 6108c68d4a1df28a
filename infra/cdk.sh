#!/usr/bin/env bash
# The pinned CDK CLI on the pinned Node, which `tools.sh` installs: `infra/cdk.sh diff`, `infra/cdk.sh deploy --all`.
# jsii starts `node` from the PATH too, so the app runs on the same one.
set -euo pipefail
cd "$(dirname "$0")/.."
infra/tools.sh

# Synthesis asks nobody: neither AWS nor the CLI's own telemetry and version check.
export CDK_DISABLE_CLI_TELEMETRY=true CDK_DISABLE_VERSION_CHECK=true
PATH="$PWD/.tools/node_modules/.bin:$PATH" exec cdk "$@"
