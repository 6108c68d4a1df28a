"""docs/mapping-guide.md and docs/analysts.md are true: their files are made and their commands run, in order, and say
what the page says. Run is what is marked as `console`, not what needs a running stack or a mapping that is broken."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cli import main

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = "mappings/base/hl7v2/examples/oru-r01-blood-count.hl7"
_BLOCK = re.compile(
    r"(?:^(?P<append>Put at the end of )?`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
# Another at each run, or after each edit of the base: they are real on the page, and not held against it.
_PASSING = re.compile(r"\d+(?:\.\d+)?(?= ms)|(?<=\.liquid:)\d+:\d+")
_LEFT_OUT = "…"  # alone on a line: any lines


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the mappings that every EHR begins with, and of one EHR, as the working folder; a message in it."""
    shutil.copytree(REPOSITORY / "mappings", tmp_path / "mappings", ignore=shutil.ignore_patterns("ehrs", "empis"))
    shutil.copytree(REPOSITORY / "mappings" / "ehrs" / "epic", tmp_path / "mappings" / "ehrs" / "epic")
    shutil.copy(REPOSITORY / EXAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.mark.parametrize(("page", "at_least"), [("mapping-guide.md", 15), ("analysts.md", 5)])
def test_every_command_of_a_page_says_what_the_page_says(page: str, at_least: int, checkout: Path, capsys: Any) -> None:
    count = 0
    for block in _BLOCK.finditer((REPOSITORY / "docs" / page).read_text("utf-8")):
        if block["file"]:
            write(checkout / block["file"], block["text"], append=bool(block["append"]))
        elif block["kind"] == "console":
            for command, said in steps(block["text"]):
                command, _, result = command.partition(" > ")
                run(command)
                printed = capsys.readouterr()
                shown = printed.err if result else printed.err + printed.out
                assert matches(said, shown.splitlines()), f"{command}\n{shown}"
                count += 1
    assert count >= at_least


def write(file: Path, text: str, *, append: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a" if append else "x", encoding="utf-8") as out:
        out.write(text)


def steps(block: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, *said = part.rstrip().splitlines()
        yield command, said


def run(command: str) -> None:
    program, *words = shlex.split(command)
    if program == "mkdir":
        Path(words[-1]).mkdir(parents=True)
    elif program == "cp":
        shutil.copy(*words)
    else:
        assert program == "headwater"
        main([*words, "--mappings", "mappings"])


def matches(expected: list[str], printed: list[str]) -> bool:
    pattern = "".join(r"(?:.*\n)*" if line == _LEFT_OUT else re.escape(_lasting(line)) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{_lasting(line)}\n" for line in printed)) is not None


def _lasting(line: str) -> str:
    return _PASSING.sub("…", line)
