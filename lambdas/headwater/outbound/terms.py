"""`mappings/terms/`: the little terminology that a write-back is checked against, as tables that an analyst extends.

What is not in a table is not guessed: it is then neither confirmed nor contradicted, and a reviewer's eye decides.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from headwater.errors import HeadwaterError
from headwater.model import Resource

NONE_KNOWN = "none"  # the class of "no known allergies"
_GAPS = re.compile(r"[^a-z0-9]+")
_STRENGTH = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Term:
    """One row: a code, the words that may name it (folded), and what it means there: a unit, an ingredient, a class."""

    system: str
    code: str
    words: tuple[str, ...]
    means: str

    def named_in(self, text: str) -> bool:
        """Whether one of its names stands in a folded text, as whole words."""
        return any(f" {words} " in f" {text} " for words in self.words)


class Terms:
    """The tables of one mapping asset, each read when it is first asked for."""

    def __init__(self, mappings: Path) -> None:
        self._folder = mappings / "terms"

    def contradicts(self, coding: Mapping[str, str], text: str = "") -> bool:
        """Whether a coding's display, or the text beside it, names another concept than its code does."""
        known = self._concepts.get((coding.get("system", ""), coding.get("code", "")))
        if known is None:
            return False
        display, beside = fold(coding.get("display", "")), fold(text)
        if display and not known.named_in(display):
            return True
        # What stands beside may be a lab's own word; only one that names something else is a contradiction.
        return bool(beside) and not known.named_in(beside) and any(one.named_in(beside) for one in self._all_concepts)

    def unit_of(self, coding: Mapping[str, str]) -> str:
        """A UCUM unit that the concept is told in; empty if not known."""
        known = self._concepts.get((coding.get("system", ""), coding.get("code", "")))
        return known.means if known else ""

    def ingredients(self, concept: Resource) -> frozenset[str]:
        """The ingredients of a medication: by its codes, else by the names in its texts, else the words before a
        strength (`lisinopril 10 MG Oral Tablet`)."""
        found = self._meanings("ingredients", concept)
        parts = (part for text in _texts(concept) for part in text.split("/") if _STRENGTH.search(part))
        leading = {fold(_STRENGTH.split(part, maxsplit=1)[0]) for part in parts}
        return found or frozenset(leading - {""})

    def allergen_classes(self, concept: Resource) -> frozenset[str]:
        """The classes of an allergen; `none` for a record of no known allergies."""
        return self._meanings("allergens", concept)

    def _meanings(self, table: str, concept: Resource) -> frozenset[str]:
        terms: tuple[Term, ...] = getattr(self, f"_{table}")
        codes = {(one.get("system", ""), one.get("code", "")) for one in concept.get("coding", [])}
        by_code = frozenset(term.means for term in terms if (term.system, term.code) in codes)
        texts = [fold(text) for text in _texts(concept)]
        return by_code or frozenset(term.means for term in terms if any(term.named_in(text) for text in texts))

    @cached_property
    def _all_concepts(self) -> tuple[Term, ...]:
        return self._read("concepts", "unit")

    @cached_property
    def _concepts(self) -> Mapping[tuple[str, str], Term]:
        return {(term.system, term.code): term for term in self._all_concepts}

    @cached_property
    def _ingredients(self) -> tuple[Term, ...]:
        return self._read("ingredients", "ingredient")

    @cached_property
    def _allergens(self) -> tuple[Term, ...]:
        return self._read("allergens", "class")

    def _read(self, table: str, means: str) -> tuple[Term, ...]:
        with (self._folder / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            if reader.fieldnames != ["system", "code", "words", means]:
                hint = f"the columns are system,code,words,{means}"
                raise HeadwaterError("policy.terms_malformed", place=f"terms/{table}.csv:1", hint=hint)
            return tuple(_term(row, means) for row in reader)


def fold(text: str) -> str:
    """Lower case, and one space for everything that is no letter or digit."""
    return _GAPS.sub(" ", text.casefold()).strip()


def _term(row: Mapping[str, str], means: str) -> Term:
    words = tuple(filter(None, (fold(one) for one in row["words"].split("|"))))
    return Term(row["system"], row["code"], words, row[means])


def _texts(concept: Resource) -> Iterator[str]:
    displays: Iterable[object] = (coding.get("display", "") for coding in concept.get("coding", []))
    yield from (str(text) for text in (concept.get("text", ""), *displays) if text)
