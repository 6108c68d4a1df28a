"""`mappings/write-backs.toml` as frozen data: who signs what, whose element it is, how often somebody may be bothered.

The gates ask it; none of them holds a rule of its own. The schema for editors is `mappings/write-backs.schema.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from headwater.ehrs import Condition
from headwater.errors import HeadwaterError
from headwater.formats import toml
from headwater.model import Resource

FILE = "write-backs.toml"


@dataclass(frozen=True, slots=True)
class Tier:
    """How risky a write is: `approvers` different people sign it, within `expires_h` hours of the proposal.

    `role` is a group that one of them must be in besides `clinician`; with `notice` the clinic is told before it is
    sent; only a tier with `batch` may be signed by the dozen.
    """

    name: str
    resource: str
    approvers: int
    expires_h: int
    where: tuple[Condition, ...] = ()
    role: str = ""
    notice: bool = False
    batch: bool = False

    def fits(self, resource: Resource) -> bool:
        kind = fnmatchcase(resource["resourceType"], self.resource)
        return kind and all(condition.holds(resource) for condition in self.where)


@dataclass(frozen=True, slots=True)
class Owned:
    """The elements that an update of this type may `change`, and the lists that it may `add` to."""

    resource: str
    change: tuple[str, ...] = ()
    add: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """Writes and requests, shared by all workers; after `failures` in a row an EHR is left alone for a while."""

    patient_writes_per_h: int
    requests_per_min: int
    failures: int
    pause_s: int
    longest_pause_s: int

    def pause(self, failures: int) -> int:
        """Seconds to leave an EHR alone that has failed so often in a row; 0 while that may be chance."""
        over = failures - self.failures
        return 0 if over < 0 else int(min(self.pause_s * 2 ** min(over, 20), self.longest_pause_s))


@dataclass(frozen=True, slots=True)
class Rung:
    """Whom to `tell` of a proposal that has waited for so many hours."""

    after_h: int
    tell: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Digests: at most `per_shift` to one recipient in `shift_h` hours; the `ladder` is in order of hours."""

    per_shift: int
    shift_h: int
    interruptive: tuple[str, ...]
    ladder: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """When a score has changed enough to be told; see `gates.alert`."""

    dead_band: float
    min_interval_h: int
    purposes: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    bands: tuple[float, ...] = ()
    hysteresis: float = 0.0


@dataclass(frozen=True, slots=True)
class Samd:
    """What marks software as a medical device, as regular expressions and words; see `gates.samd`."""

    purposes: str
    needs: tuple[str, ...]
    directives: tuple[str, ...]
    time_critical: tuple[str, ...]
    inputs: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The size of a payload in bytes, of a string in characters, and markup that no chart must be handed."""

    most_bytes: int
    most_text: int
    forbidden: tuple[str, ...]


@dataclass(frozen=True)  # no slots: cached_property
class WritePolicy:
    version: str
    budget: Budget
    notice: Notice
    samd: Samd
    content: Content
    tiers: tuple[Tier, ...] = field(metadata={"key": "tier"})
    owned: tuple[Owned, ...] = field(metadata={"key": "owned"})
    scores: tuple[Score, ...] = field(metadata={"key": "score"})

    def tier_of(self, resource: Resource) -> Tier:
        return next(tier for tier in self.tiers if tier.fits(resource))

    def tier(self, name: str) -> Tier:
        """By name; a name that the file does not know any more is as strict as its last row."""
        return next((tier for tier in self.tiers if tier.name == name), self.tiers[-1])

    def owned_of(self, resource_type: str) -> Owned:
        return next((row for row in self.owned if row.resource == resource_type), Owned(resource_type))

    def score_of(self, purpose: str, tokens: Iterable[str]) -> Score:
        """The row that names the purpose or a code (`system|code`), else the one that names nothing."""
        known = set(tokens)
        named = (row for row in self.scores if purpose in row.purposes or known & set(row.codes))
        return next(named, self.scores[-1])

    @cached_property
    def directives(self) -> re.Pattern[str]:
        return _any(self.samd.directives)

    @cached_property
    def time_critical(self) -> re.Pattern[str]:
        return _any(self.samd.time_critical)

    @cached_property
    def forbidden(self) -> re.Pattern[str]:
        return _any(self.content.forbidden)


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def load_write_policy(mappings: Path) -> WritePolicy:
    """Read the policy of the mapping asset; raises HeadwaterError('toml.*' | 'policy.incomplete') naming the key."""
    policy = toml.build(WritePolicy, toml.read(mappings / FILE, file=FILE), file=FILE)
    if not policy.tiers or policy.tiers[-1].resource != "*" or policy.tiers[-1].where:
        raise HeadwaterError("policy.incomplete", place=f"{FILE}: tier", hint='the last row must fit all: resource "*"')
    if not policy.scores or policy.scores[-1].purposes or policy.scores[-1].codes:
        raise HeadwaterError("policy.incomplete", place=f"{FILE}: score", hint="the last row must name nothing")
    return policy
