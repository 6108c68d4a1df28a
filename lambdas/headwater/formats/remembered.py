"""What was worked out of texts that come again and again in a feed: its wards, its staff, its codes, its systems."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

LONGEST = 500  # of a text; HL7's names of authorities and coding systems are 199 at most (chapter 2A.36)
_MOST = 5000
T = TypeVar("T")


class Remembered(dict[Any, T], Generic[T]):
    """A function of texts that is asked by subscript, `uris["NPI"]` or `uris["", "1.2.3", "ISO"]`, and then remembers;
    called, it works out anew. Only texts and None are remembered, and when there are too many, all are forgotten.

    `notes` counts what the function does besides: what it told somebody about, it must tell again."""

    def __init__(self, function: Callable[..., T], notes: Callable[[], int] | None = None) -> None:
        super().__init__()
        self._function = function
        self._notes = notes
        functools.update_wrapper(self, function)

    def __call__(self, *said: Any) -> T:
        return self._function(*said)

    def __missing__(self, said: Any) -> T:
        texts = said if said.__class__ is tuple else (said,)
        before = self._notes and self._notes()
        found = self._function(*texts)
        for text in texts:
            if text is not None and (text.__class__ is not str or len(text) > LONGEST):
                return found
        if not self._notes or self._notes() == before:
            if len(self) >= _MOST:
                self.clear()
            self[said] = found
        return found
