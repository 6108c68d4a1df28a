"""Names for made-up people: common ones weighted by rank, rare ones put together, so that namesakes are as frequent as
they are in a real city. The lists stand in names.txt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path


@cache
def listed(section: str) -> tuple[str, ...]:
    """The names of one section of names.txt, in its order."""
    text = Path(__file__).with_name("names.txt").read_text(encoding="utf-8")
    return tuple(text.partition(f"[{section}]\n")[2].partition("[")[0].split())


def given(chance: random.Random, sex: str, *, spanish: bool) -> str:
    return _ranked(chance, listed(f"spanish_{sex}" if spanish and chance.random() < 0.8 else sex))


def family(chance: random.Random, *, spanish: bool) -> str:
    if spanish:
        return _ranked(chance, listed("spanish_family"))
    if chance.random() < 0.35:
        return _ranked(chance, listed("family"))
    return chance.choice(listed("starts")) + chance.choice(listed("ends"))


def street(chance: random.Random) -> str:
    return chance.choice(listed("streets"))


def _ranked(chance: random.Random, names: Sequence[str]) -> str:
    """The first names of a list oftener than the last, about as 1/(rank + 10)."""
    size = len(names)
    return names[min(size - 1, int(10 * ((1 + size / 10) ** chance.random() - 1)))]
