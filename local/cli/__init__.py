"""The `headwater` command: the local stack, and the same commands for a deployed one (`--aws`).

One module a command group; each has `add`, which declares it, and functions that take the parsed arguments and give an
exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from headwater.errors import HeadwaterError
from local.cli import (
    audit,
    backfill,
    codes,
    convert,
    coverage,
    drill,
    ehrs,
    empi,
    lint,
    quarantine,
    review,
    run,
    send,
    stack,
    switch,
    templates,
    try_out,
)
from local.stack import StackError
from local.target import NotRunning, Problem

GROUPS = (
    *(run, stack, send, backfill, quarantine, review, switch, audit, drill),
    *(empi, ehrs, convert, try_out, lint, codes, coverage, templates),
)
EPILOG = """\
Start with:   headwater run --auto        the whole way, once, with a demo feed
              headwater up                the local stack until Ctrl-C; then, in another terminal:
              headwater send FILE --ehr epic
              headwater quarantine list
              headwater review list
Mapping:      headwater convert FILE --ehr epic; headwater try mappings/ehrs/epic; headwater lint
              headwater codes wanted
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="headwater",
        description="Feeds in, one person each, FHIR in the store; write-backs out, each signed off by a clinician.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except (HeadwaterError, NotRunning, StackError) as problem:
        print(f"headwater: {problem}", file=sys.stderr)
        return 2
    except Problem as problem:
        print(f"headwater: {problem}", file=sys.stderr)
        return 1
    except FileNotFoundError as problem:
        print(f"headwater: {problem.filename}: no such file", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who reads us has enough: `headwater audit show … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that nobody writes to it at exit
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
