"""What a template compiles to, and the three ways in which it can be written."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

from headwater.templates.errors import place_of

TEXT, VALUE, STRING = "text", "value", "string"  # plain text; JSON between values; JSON inside a string


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled template. `filters` and `partials` name what `F0`, `P0` … stand for in `source`; `places` holds line
    and column in the template for each line of the source, packed; `summary` is what a dialect noted for later."""

    name: str
    mode: str
    source: str
    filters: tuple[str, ...]
    partials: tuple[tuple[str, str], ...]
    places: bytes
    summary: Any = None

    def place(self, line: int) -> str:
        """Where in the template the `line`-th line (from 1) of the Python source comes from."""
        places = array("I")
        places.frombytes(self.places)
        number = 2 * min(max(line - 1, 0), len(places) // 2 - 1)
        return place_of(self.name, places[number], places[number + 1])
