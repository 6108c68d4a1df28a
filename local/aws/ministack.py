"""Sets up ministack in a virtual environment of its own, because it pins another botocore than ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VERSION = "1.5.33"
VENV = Path(__file__).resolve().parents[2] / ".tools" / "ministack-venv"


class MinistackMissing(Exception):
    """ministack could not be installed; the message says what pip said."""


def interpreter() -> Path:
    """The Python that has ministack, set up when it is not there yet. Raises MinistackMissing."""
    python = VENV / "bin" / "python"
    mark = VENV / f".ministack-{VERSION}"
    if not mark.exists():
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"ministack=={VERSION}"]
        for command in ([sys.executable, "-m", "venv", str(VENV)], pip):
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode != 0:
                said = run.stderr[-1500:]
                raise MinistackMissing(f"LOCAL_AWS=ministack needs ministack {VERSION} from PyPI; pip said:\n{said}")
        mark.touch()
    return python
