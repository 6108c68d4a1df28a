"""What can go wrong, named by what happens next.

Every error carries a stable `code` (`<step>.<what>`, for example `convert.template_missing`), a `place` that a person
can go to (`PID-7`, `hl7v2/ADT_A01.liquid:12:5`, `Observation.valueQuantity.value`) and a `hint` that says what to do.
None of them ever holds a value out of a message: errors are logged and shown, and a value may be PHI.
"""

from __future__ import annotations


class HeadwaterError(Exception):
    """Base of all errors that Headwater raises on purpose."""

    def __init__(self, code: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(code, place, hint)
        self.code = code
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        where = f" at {self.place}" if self.place else ""
        what_to_do = f": {self.hint}" if self.hint else ""
        return f"{self.code}{where}{what_to_do}"


class Retry(HeadwaterError):
    """The same bytes may well succeed later: a throttle, a time-out, a peer that is down.

    `after` is the number of seconds to wait before the next try; None leaves it to the queue.
    """

    def __init__(self, code: str, *, place: str = "", hint: str = "", after: int | None = None) -> None:
        super().__init__(code, place=place, hint=hint)
        self.after = after


class Quarantine(HeadwaterError):
    """This message will never succeed as it is: set it aside, let a person mend the mapping or the feed, release it."""


class Hold(HeadwaterError):
    """Only a person can decide: an identity that is not certain, an outcome that cannot be proven."""


class Refuse(HeadwaterError):
    """A write-back that must not be made; the code is what the producer and the reviewer are shown."""
