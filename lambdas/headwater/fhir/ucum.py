"""Two numbers with units as one: what UCUM (ucum.org) says a unit is made of, for the units that charts use.

An EHR may file 82.5 kg as 181.9 [lb_av] or tell 0.9 g/L as 90 mg/dL: the same fact. A unit that is not known here is
compared by its name alone, so that nothing is taken for equal by a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

# Each unit as a multiple of base units; UCUM's own definitions, exact where they are exact there.
_ATOMS: Mapping[str, tuple[float, str]] = {
    "g": (1.0, "g"), "[lb_av]": (453.59237, "g"), "[oz_av]": (28.349523125, "g"),
    "m": (1.0, "m"), "[in_i]": (0.0254, "m"), "[ft_i]": (0.3048, "m"),
    "L": (1.0, "L"), "l": (1.0, "L"), "mol": (1.0, "mol"), "eq": (1.0, "eq"),
    "s": (1.0, "s"), "min": (60.0, "s"), "h": (3600.0, "s"), "d": (86400.0, "s"),
    "mm[Hg]": (133.322387415, "Pa"), "m[Hg]": (133322.387415, "Pa"), "Pa": (1.0, "Pa"), "bar": (100000.0, "Pa"),
    "U": (1.0, "U"), "[iU]": (1.0, "[iU]"), "[IU]": (1.0, "[iU]"), "%": (0.01, ""), "1": (1.0, ""),
}  # fmt: skip
_PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1, "k": 1e3, "f": 1e-15, "p": 1e-12}
_PREFIXED = frozenset({"g", "m", "L", "l", "mol", "eq", "s", "Pa", "U", "[iU]", "[IU]"})
_TEMPERATURES = {"Cel": (1.0, 273.15), "[degF]": (5 / 9, 459.67 * 5 / 9), "K": (1.0, 0.0)}
_ANNOTATION = re.compile(r"\{[^}]*\}")
_POWER = re.compile(r"10[*^](-?\d+)\Z")
_EXPONENT = re.compile(r"(.*?\D)(-?[1-9])\Z")


class Measure(NamedTuple):
    """A number in base units; `dimension` says which, and is the unit's own name where the unit is not known."""

    number: float
    dimension: str


def measure(number: float, unit: str) -> Measure:
    """`measure(90, "mg/dL") == measure(0.9, "g/L")`, but for the rounding of floats."""
    if unit in _TEMPERATURES:
        scale, offset = _TEMPERATURES[unit]
        return Measure(number * scale + offset, "K")
    known = _factor(unit)
    return Measure(number, f"={unit}") if known is None else Measure(number * known[0], known[1])


def close(one: Measure, other: Measure, *, within: float = 0.005) -> bool:
    """Whether two measures are one but for rounding: the share of the larger by which they may differ."""
    if one.dimension != other.dimension:
        return False
    return abs(one.number - other.number) <= within * max(abs(one.number), abs(other.number))


def same_kind(unit: str, other: str) -> bool:
    """Whether one can be converted into the other; true where either is not known here."""
    dimensions = {measure(1.0, unit).dimension, measure(1.0, other).dimension}
    return len(dimensions) == 1 or any(one.startswith("=") for one in dimensions)


@cache
def _factor(unit: str) -> tuple[float, str] | None:
    """The unit as a multiple of base units, and these as `g/L`-like text; None if a part of it is not known."""
    exponents: dict[str, int] = {}
    factor = 1.0
    for place, part in enumerate(_ANNOTATION.sub("", unit).split("/")):
        sign = -1 if place else 1
        for term in filter(None, part.split(".")):
            read = _term(term)
            if read is None:
                return None
            multiple, base, power = read
            factor *= multiple ** (sign * power)
            if base:
                exponents[base] = exponents.get(base, 0) + sign * power
    return factor, ".".join(f"{base}{power}" for base, power in sorted(exponents.items()) if power)


def _term(term: str) -> tuple[float, str, int] | None:
    if ten := _POWER.match(term):
        return 10.0 ** int(ten[1]), "", 1
    atom = _atom(term)
    if atom is not None:
        return *atom, 1
    raised = _EXPONENT.match(term)
    inner = _atom(raised[1]) if raised else None
    return None if inner is None or raised is None else (*inner, int(raised[2]))


def _atom(name: str) -> tuple[float, str] | None:
    if name in _ATOMS:
        return _ATOMS[name]
    if name[:1] in _PREFIXES and name[1:] in _PREFIXED:
        multiple, base = _ATOMS[name[1:]]
        return _PREFIXES[name[0]] * multiple, base
    return None
