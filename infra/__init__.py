"""What exists in AWS. It names the Lambdas' code by string and folder and never imports it (house rule 7)."""

from __future__ import annotations

import os

# CDK runs its TypeScript core in a `node` child process (jsii), which paints a banner on every start under Node 20.
# `make synth` brings its own Node 22; tests and `python app.py` are content with the 20 at hand. The value is the major
# version to be silent about, and it must be set before aws_cdk is first imported: hence here.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
