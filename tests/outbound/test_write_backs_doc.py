"""docs/write-backs.md names every code that a person may meet on a write-back, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from headwater.ehrs import Next

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "write-backs.md").read_text(encoding="utf-8")
STEPS = ("propose", "concept", "identity", "loop", "subject", "content", "ownership", "alert", "samd", "duplicate",
         "conflict", "review", "send")  # fmt: skip
CODE = re.compile(rf"\b(?:{'|'.join(STEPS)})\.[a-z_]+\b")
PATHS = {"subject.reference"}  # of elements, which look the same
FOLDERS = ("lambdas/headwater/outbound", "lambdas/headwater/ehrs", "lambdas/headwater/adapters/ehr")
FILES = ("lambdas/headwater/formats/write_request.py",)


def raised() -> set[str]:
    """Every code that stands as text in the code of the outbound steps."""
    files = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")] + [ROOT / file for file in FILES]
    texts = [text for file in files for text in re.findall(r'"([^"\n]*)"', file.read_text(encoding="utf-8"))]
    codes = {text for text in texts if CODE.fullmatch(text)} - PATHS
    return codes | {f"send.{one}" for one in Next if one is not Next.READ_BACK}


def test_every_code_is_explained() -> None:
    assert sorted(raised() - set(CODE.findall(DOC))) == []


def test_no_code_is_explained_that_does_not_exist() -> None:
    assert sorted(set(CODE.findall(DOC)) - raised()) == []


def test_every_row_of_refusals_says_what_to_do() -> None:
    rows = [line for line in DOC.splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert all(cell.strip() for row in rows for cell in row.strip("|").split("|"))
