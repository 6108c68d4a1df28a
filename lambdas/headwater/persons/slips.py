"""Whether two words that differ may be one word with a slip: what `compare` asks of names, dates and numbers.

Edits are optimal string alignment's: one letter wrong, missing or too many, or two neighbours exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

# Jaro-Winkler from which two spellings of a family name may be a slip. For given names it is no use: Jonah and Jonathan
# are alike by it, Jon and Jonathan less so.
_ALIKE = 0.90
_SHORTEST = 4  # letters, from which on a word may have a slip
_LONG = 8  # from which on it may have two


def slip(one: str, other: str) -> bool:
    """Whether two words are one edit apart, two if both are long; words of up to three letters are never a slip."""
    if len(one) >= _LONG and len(other) >= _LONG:
        return edits(one, other, 2)
    if len(one) < _SHORTEST or len(other) < _SHORTEST:
        return False
    # One edit leaves the first or the last letter as it is, and to look at them costs less than to count edits.
    return (one[0] == other[0] or one[-1] == other[-1]) and edits(one, other, 1)


def slip_of_any(name: str, others: Iterable[str]) -> bool:
    """Whether the name is a slip of one of the others; no word may be empty."""
    long, first, last = len(name) >= _LONG, name[0], name[-1]
    # As in `slip`, which is not called for those that differ at both ends; a generator costs more than it looks at.
    for one in others:  # noqa: SIM110
        if (one[0] == first or one[-1] == last or (long and len(one) >= _LONG)) and slip(name, one):
            return True
    return False


def one_slip(a: str, b: str) -> bool:
    """One digit wrong, or two neighbours exchanged, in two texts of the same length."""
    return edits(a, b, 1)


def edits(one: str, other: str, most: int) -> bool:
    """Whether two words are at most so many edits apart."""
    return abs(len(one) - len(other)) <= most and _distance()(one, other, score_cutoff=most) <= most


def alike(one: str, other: str) -> bool:
    """Whether two family names of more than three letters are spelled alike."""
    return min(len(one), len(other)) >= _SHORTEST and _similarity()(one, other, score_cutoff=_ALIKE) >= _ALIKE


@cache
def _distance() -> Callable[..., int]:
    """Loaded when two names first differ, which most messages never do."""
    from rapidfuzz.distance import OSA

    return OSA.distance


@cache
def _similarity() -> Callable[..., float]:
    from rapidfuzz.distance import JaroWinkler

    return JaroWinkler.similarity
