"""The pages are true where a machine can tell: what they tell a reader to type, to open and to look for is there.

Outputs of commands are held by `tests/local/test_mapping_pages.py`, codes of messages by `tests/test_error_codes.py`,
those of write-backs by `tests/outbound/test_write_backs_doc.py`, deployment by `tests/infra/test_deploy_guide.py`.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from headwater.ehrs import Next, load
from headwater.ehrs.engines import engine_for
from local.cli import parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|(?<=[ (]))(?:\$ )?(?:\w+=\w+ )?(?:\.venv/bin/)?headwater (?=[a-z-])")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|toml|json|csv|txt|md|liquid)|\w+\.py")
NO_SHELL = {"python", "json", "toml", "csv", "liquid"}
CODE = re.compile(r"[a-z]+\.[a-z_]+")
# Where a page's paths begin: at the top, or in the room that the page is about.
ROOMS = ("", "lambdas", "lambdas/headwater", "mappings", "mappings/base", "mappings/base/hl7v2", "mappings/base/ccda",
         "mappings/ehrs/epic", "docs", "local")  # fmt: skip
TOPS = {"bench", "docs", "infra", "lambdas", "local", "mappings", "requirements", "tests"}
STEPS = {"accept", "alert", "archive", "audit", "concept", "conflict", "content", "convert", "duplicate", "ehrs",
         "follow", "identity", "ledger", "lint", "loop", "match", "ownership", "policy", "propose", "receive", "review",
         "samd", "send", "steward", "store", "subject", "toml"}  # fmt: skip
# What a reader makes while following a page, what a run leaves, and names that only might be.
MADE = ("mappings/ehrs/riverside/", "mappings/ehrs/lakeside/", "mappings/ehrs/hilltop/", "mappings/ehrs/st-marys/",
        "mappings/ehrs/X/", "inbound/", "users/", "new/", "codes/marital.csv", "hl7v2/_ADT_A01.liquid",
        "DataType/", "ehrs/epic/")  # fmt: skip


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each code block."""
    yield from FENCE.findall(page.read_text("utf-8"))


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def inline(page: Path) -> list[str]:
    """What stands between backticks in a page's text; `\\|` is how a table's cell writes `|`."""
    return [it.replace("\\|", "|") for it in INLINE.findall(prose(page))]


# ---------------------------------------------------------------------------------------------------------- commands


class Wrong(Exception):
    """What argparse says of a command."""


def every_parser(of: argparse.ArgumentParser, name: str = "headwater") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    groups = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    yield name, of
    for group in groups:
        for word, below in group.choices.items():
            yield from every_parser(below, f"{name} {word}")


@cache
def commands() -> dict[str, argparse.ArgumentParser]:
    """Every parser of the real command by its words; a mistake raises instead of ending the process."""

    def refuse(message: str) -> NoReturn:
        raise Wrong(message)

    every = dict(every_parser(parser()))
    for one in every.values():
        one.error = refuse  # type: ignore[method-assign]
    return every


LEAVES = [name for name, one in commands().items() if not any(it.startswith(f"{name} ") for it in commands())]


def shown(page: Path) -> Iterator[str]:
    """Every command line of a page, from the word after `headwater` on."""
    for kind, text in fences(page):
        for line in text.replace("\\\n", " ").splitlines() if kind != "python" else ():
            if found := COMMAND.match(line.strip()):
                yield line.strip()[found.end() :]
    for text in inline(page):
        if found := COMMAND.match(text):
            yield text[found.end() :]


def words(command: str) -> list[str]:
    """As a shell would cut it, up to its first pipe, redirection, comment or explanation; `[WORD …]` is a word and
    `show|rotate` is `show`."""
    command = re.split(r" {3,}| #|; | [|<>] ", command)[0]
    command = re.sub(r"(?<=\s)\[|\](?=\s|$)|(?<=\w)\|[a-z]+", "", command).rstrip(" ,.:)")
    return shlex.split(command)


def fault(command: str) -> str:
    """What is wrong with it, if anything; one that is named without all it needs is still that command."""
    try:
        commands()["headwater"].parse_args(words(command))
    except Wrong as problem:
        if "arguments are required" not in str(problem) and "one of the arguments" not in str(problem):
            return f"headwater {command}: {problem}"
    except SystemExit:  # --help
        pass
    return ""


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_command_that_is_shown_is_one(page: Path) -> None:
    assert [said for said in map(fault, shown(page)) if said] == []


@pytest.mark.parametrize("name", commands())
def test_every_example_in_a_help_text_is_a_command(name: str) -> None:
    examples = re.findall(r"(?:^|[ ;])headwater (.*)", commands()[name].epilog or "", re.M)
    assert [said for said in map(fault, examples) if said] == []


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_is_on_some_page(name: str) -> None:
    pages = [page for page in PAGES if page.name != "CHANGELOG.md"]
    assert any(re.search(rf"{name}\b", page.read_text("utf-8")) for page in pages)


@pytest.mark.parametrize("name", commands())
def test_every_argument_of_a_command_says_what_it_is_for(name: str) -> None:
    actions = [it for it in commands()[name]._actions if not isinstance(it, argparse._SubParsersAction)]
    assert [action.dest for action in actions if not action.help] == []


def test_every_make_target_that_is_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {
        target
        for page in PAGES
        for text in [*inline(page), *(line for _, text in fences(page) for line in text.splitlines())]
        for target in re.findall(r"^(?:git pull && )?make ([a-z]+)", text.strip())
    }
    assert len(named) > 5
    assert named <= targets


# ----------------------------------------------------------------------------------------------- links, paths, names


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ +(.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in LINK.findall(prose(page)):
        address, _, anchor = link.partition("#")
        if "://" in address:
            continue
        target = (page.parent / address).resolve() if address else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_readme_leads_to_every_page() -> None:
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= set(LINK.findall((ROOT / "README.md").read_text("utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    named = {word for text in inline(page) for word in text.split()}
    named |= {word for kind, text in fences(page) if kind not in NO_SHELL for word in re.split(r"[\s\"'()]+", text)}
    paths = {it for it in named if FILE.fullmatch(it) or (PATH.fullmatch(it) and it.split("/")[0] in TOPS)}
    sought = {it for it in paths if not f"{it}/".startswith(MADE)}
    assert sorted(it for it in sought if not any((ROOT / room / it).exists() for room in ROOMS)) == []


@cache
def sources() -> str:
    folders = ("lambdas", "local", "infra")
    return "\n".join(file.read_text("utf-8") for top in folders for file in sorted((ROOT / top).rglob("*.py")))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_environment_variable_that_is_named_is_known(page: Path) -> None:
    named = set(re.findall(r"\b(?:HEADWATER|LOCAL)_[A-Z_]+\b", page.read_text("utf-8")))
    assert [name for name in sorted(named) if name not in sources()] == []


@cache
def codes() -> set[str]:
    """What stands in the code as text and looks like an error's code, and those that are made of two parts."""
    written = set(re.findall(r'"([a-z]+\.[a-z_]+)"', sources()))
    written |= {f"toml.{what}" for what in ("unknown_key", "missing_key", "wrong_type")}
    made = {f"match.empi_{what}" for what in ("silent", "refused", "unreadable", "possible", "disagrees")}
    return written | made | {f"send.{one}" for one in Next}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_code_of_an_error_that_is_named_exists(page: Path) -> None:
    steps = {code.split(".")[0] for code in codes()} & STEPS
    named = {text for text in inline(page) if CODE.fullmatch(text) and text.split(".")[0] in steps}
    assert sorted(named - codes()) == []


def test_every_code_that_is_raised_is_explained() -> None:
    package = "\n".join(file.read_text("utf-8") for file in (ROOT / "lambdas").rglob("*.py"))
    raised = re.findall(r'(?:Error|Quarantine|Hold|Retry|Refuse|calling)\(\s*"([a-z_]+\.[a-z_]+)"', package)
    explained = {text for page in PAGES for text in inline(page)}
    assert sorted(set(raised) - explained) == []


def test_every_filter_that_a_template_may_use_is_explained() -> None:
    mappings = ROOT / "mappings"
    known = engine_for(mappings)(load(mappings)["epic"]).dialect.filters
    pages = "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("formats.md", "templates.md"))
    explained = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", FENCE.sub("", pages)))))
    assert sorted(set(known) - explained) == []


# ---------------------------------------------------------------------------------------------------------- the look


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_has_one_title_and_skips_no_level(page: Path) -> None:
    levels = [len(marks) for marks in re.findall(r"^(#+) ", prose(page), re.M)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in itertools.pairwise(levels))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_page_says_first_for_whom_it_is(page: Path) -> None:
    title, _, rest = page.read_text("utf-8").partition("\n\n")
    assert title.startswith("# For ") or rest.startswith("For ")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    """GitHub drops what is too much; a `|` in a cell has to be written `\\|`, also between backticks."""
    odd = []
    for table in re.findall(r"(?:^\|.*\n)+", prose(page), re.M):
        rows = [len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()]
        odd += [row for row, cells in zip(table.splitlines(), rows, strict=True) if cells != rows[0]]
        assert re.fullmatch(r"\|(?: ?:?-+:? ?\|)+", table.splitlines()[1]), table.splitlines()[0]
    assert odd == []
