"""Runs a module as a process that cannot outlive its parent: `python local/child.py MODULE ARGS…`.

Standard input is a pipe whose other end only the parent holds. When the parent is gone, however it went (SIGKILL too),
the pipe closes and the child ends. Ctrl-C is left to the supervisor, so that a terminal's SIGINT to the whole group
does not end the children in disorder.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _die_with_parent(lifeline: int) -> None:
    while os.read(lifeline, 1024):
        pass
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifeline = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123  the descriptor is wanted, not a path
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True, name="lifeline").start()
    sys.path[0] = os.getcwd()  # noqa: PTH109  as `python -m` has it; this file's own folder must not be on the path
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
