"""Every code that a message can end with is explained to the person who meets it, and some test makes it happen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from headwater.templates import errors as template_errors

ROOT = Path(__file__).resolve().parents[1]
ERRORS = {"Quarantine", "Hold", "Retry", "Refuse", "TemplateError", "calling"}
# Of an EMPI outside: made of what happened (adapters/empi/profile.py, inbound/match/outside.py).
MADE = {f"match.empi_{what}" for what in ("silent", "refused", "unreadable", "possible", "disagrees")}
INBOUND = ("accept.", "archive.", "convert.", "match.", "receive.", "store.")


def raised() -> Iterator[str]:
    """The codes of all errors that the package makes, where they are written down, and those of templates."""
    for path in sorted((ROOT / "lambdas" / "headwater").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    yield code.value
    yield from (value for value in vars(template_errors).values() if isinstance(value, str) and "." in value[:9])


CODES = sorted({code for code in raised() if code.startswith(INBOUND)} | MADE)
STEWARDS = sorted({code for code in raised() if code.startswith("steward.")})


@cache
def every_test() -> str:
    return "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")) if path != Path(__file__))


def test_the_codes_are_found() -> None:
    assert len(CODES) > 40


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_explained(code: str) -> None:
    assert f"`{code}`" in (ROOT / "docs" / "quarantine.md").read_text()


@pytest.mark.parametrize("code", STEWARDS)
def test_what_a_steward_is_refused_is_explained(code: str) -> None:
    assert f"`{code}`" in (ROOT / "docs" / "stewards.md").read_text()


@pytest.mark.parametrize("code", [*CODES, *STEWARDS])
def test_a_code_is_made_to_happen_by_a_test(code: str) -> None:
    assert code.replace(".", r"\.") in every_test() or code in every_test() or code in MADE, "no test names it"


def test_the_page_explains_no_code_that_is_gone() -> None:
    words = (ROOT / "docs" / "quarantine.md").read_text().split("`")[1::2]
    assert {word for word in words if word.startswith(INBOUND) and " " not in word} <= set(CODES)
