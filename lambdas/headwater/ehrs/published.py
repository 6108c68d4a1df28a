"""What public sources say of a product, with how sure they are. No step acts on it.

It stands beside `[api]` and `[write]`, which the steps do act on, so that the person who writes those sees what is
known and what is not. `headwater ehrs` shows it, and says from it why an EHR cannot be written to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class WriteSurface(StrEnum):
    """What is published about writing over FHIR. Only a table `[write.…]` lets anything be written."""

    DECLARED = "declared"  # a document lists types that it takes
    NONE = "none"  # a document says that it takes nothing
    UNKNOWN = "unknown"  # looked for and not found, which is not a no: refused all the same


class Confidence(StrEnum):
    """How far a statement can be trusted; of several words in a source the weakest counts."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNSTATED = "unstated"  # said somewhere, without a word on how sure it is
    UNKNOWN = "unknown"  # looked for and not found


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement about a product: `about` is a dotted name such as `auth.token_lifetime_s`."""

    about: str
    says: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Published:
    """A product as public sources show it.

    `base_urls` are patterns: `{tenant}` and the like differ from customer to customer. `flags` say what is doubtful
    about what the developer published. `creates` and `updates` are the FHIR R4 types that a document declares. `why`
    says on what `write` rests, `sources` where all of it was read.
    """

    developer: str
    write: WriteSurface
    confidence: Confidence
    why: str
    sources: tuple[str, ...]
    products: tuple[str, ...] = ()
    base_urls: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    creates: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = field(default=(), metadata={"key": "fact"})
