"""docs/mapping-guide.md is true: its files are made and its commands run, in order, and say what the page says."""

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
GUIDE = REPOSITORY / "docs" / "mapping-guide.md"
_BLOCK = re.compile(
    r"(?:^(?P<append>Put at the end of )?`(?P<file>[^`\n]+)`:\n\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
# Another at each run, or after each edit of the base: they are real on the page, and not held against it.
_PASSING = re.compile(r"\d+(?:\.\d+)?(?= ms)|(?<=\.liquid:)\d+:\d+")
_LEFT_OUT = "…"  # alone on a line: any lines


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the mappings that every EHR begins with, as the working folder."""
    shutil.copytree(REPOSITORY / "mappings", tmp_path / "mappings", ignore=shutil.ignore_patterns("ehrs", "empis"))
    (tmp_path / "mappings" / "ehrs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_every_command_of_the_guide_says_what_the_guide_says(checkout: Path, capsys: Any) -> None:
    count = 0
    for block in _BLOCK.finditer(GUIDE.read_text("utf-8")):
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
    assert count > 10


def write(file: Path, text: str, *, append: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a" if append else "x", encoding="utf-8") as out:
        out.write(text)


def steps(block: str) -> Iterator[tuple[str, list[str]]]:
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, *said = part.splitlines()
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
