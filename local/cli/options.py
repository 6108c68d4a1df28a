"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from local.target import DATA, Target

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"


def add_mappings(command: argparse.ArgumentParser) -> None:
    """--mappings: whose templates, code maps and EHRs count."""
    command.add_argument(
        "--mappings", type=Path, default=MAPPINGS, metavar="DIR", help="the folder of mappings (%(default)s)"
    )


def add_target(command: argparse.ArgumentParser) -> None:
    """--data and --aws: the local stack, or a deployed one."""
    command.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="the local stack's folder (%(default)s)"
    )
    command.add_argument(
        "--aws",
        metavar="PREFIX",
        nargs="?",
        const="headwater",
        help="work on the stacks deployed with this prefix, with your AWS credentials, instead of the local stack",
    )


def target_of(options: argparse.Namespace) -> Target:
    """Raises NotRunning when there is nothing to work on."""
    return Target.deployed(options.aws) if options.aws else Target.local(options.data)
