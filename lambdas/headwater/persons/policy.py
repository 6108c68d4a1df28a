"""`mappings/matching.toml`, its weights and its lists of names, read once into frozen data: what is compared,
what it weighs, where the thresholds are, which values are to be taken for nothing. How the figures came: docs/empi.md.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from headwater.errors import HeadwaterError

FILE = "matching.toml"
WEIGHTS = "matching-weights.json"  # written by `headwater empi train`
NICKNAMES = "nicknames.txt"
GIVEN_NAMES = "given-names.txt"


@dataclass(frozen=True, slots=True)
class Ignore:
    """Values that say nothing: what registration desks type when they do not know. Normalised forms."""

    names: frozenset[str]
    unidentified: frozenset[str]
    newborn_names: frozenset[str]
    birth_dates: frozenset[str]
    phones: frozenset[str]
    emails: frozenset[str]
    ssns: frozenset[str]
    identifiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidences: SAME from `same`, or from `link` for a record and a person, but only from `despite` when there is a
    caution, and from `alone` when name and birth date are equal and no other candidate has the name; POSSIBLE from
    `possible`; from `rival` a second candidate stops a link. An update whose record keeps its
    id is an overlay below `overlay`, where `overlay_shift` (log odds) says how much likelier the same id makes it."""

    same: float
    link: float
    alone: float
    despite: float
    possible: float
    rival: float
    overlay: float
    overlay_shift: float


@dataclass(frozen=True, slots=True, eq=False)  # known by identity, because grades are remembered by it
class MatchingPolicy:
    """Everything that decides, as data.

    `weights` are log odds by comparison and level; `calibration` are (log odds, confidence) points of a rising line;
    `record_kinds` are the types of id that name a record, the best one first; `nicknames` give for a name every name it
    may stand for; `given_names` are those that many have from birth; `salt` keys the blocking hashes and must never
    change while an index is in use. `population` are the records of all sources of the index together,
    `calibrated_on` those of the sets that confidence was measured on.
    """

    version: str
    thresholds: Thresholds
    ignore: Ignore
    record_kinds: tuple[str, ...]
    member_kinds: frozenset[str]
    rule_confidence: float
    nicknames: Mapping[str, frozenset[str]]
    given_names: frozenset[str] = frozenset()
    salt: bytes = b""
    intercept: float = 0.0
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    calibration: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    population: int = 1
    calibrated_on: int = 1

    @property
    def crowding(self) -> float:
        """How many times as many strangers there are for each record as where confidence was measured; never fewer,
        because an index grows."""
        return max(1.0, self.population / self.calibrated_on)

    @property
    def digest(self) -> str:
        """`<version>:<SHA-256>` of all that grades a pair: two policies with one digest give any two records one grade
        in a population of one size. The salt is a secret, and the size is an index's own; neither is in it."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("salt", "population")}
        text = json.dumps(told, default=_plain, sort_keys=True)
        return f"{self.version}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def load_policy(mappings: Path, *, salt: str = "") -> MatchingPolicy:
    """Read the policy of the mapping asset; raises HeadwaterError('policy.unreadable') naming file and key."""
    table, weighed = _read(mappings / FILE), _read(mappings / WEIGHTS)
    place = FILE
    try:
        thresholds = Thresholds(**{name: float(value) for name, value in table["thresholds"].items()})
        ignore = Ignore(**{one.name: frozenset(map(str, table["ignore"][one.name])) for one in fields(Ignore)})
        policy = MatchingPolicy(
            version=str(table["version"]),
            thresholds=thresholds,
            ignore=ignore,
            record_kinds=tuple(map(str, table["identifiers"]["records"])),
            member_kinds=frozenset(table["identifiers"]["members"]),
            rule_confidence=float(table["rules"]["confidence"]),
            nicknames=read_nicknames((mappings / NICKNAMES).read_text(encoding="utf-8").splitlines()),
            given_names=frozenset(_words((mappings / GIVEN_NAMES).read_text(encoding="utf-8").splitlines())),
            salt=(salt or str(table["blocking"]["salt"])).encode(),
            population=_positive(table["population"]["records"]),
        )
        place = WEIGHTS
        return reweighed(policy, weighed)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise HeadwaterError("policy.unreadable", place=place, hint=f"{type(error).__name__}: {error}") from None


def reweighed(policy: MatchingPolicy, weighed: Mapping[str, Any]) -> MatchingPolicy:
    """The policy with the weights of a weights file; raises KeyError, TypeError or ValueError when they are none."""
    return replace(
        policy,
        intercept=float(weighed["intercept"]),
        calibrated_on=_positive(weighed["records"]),
        weights={name: _numbers(levels) for name, levels in weighed["weights"].items()},
        calibration=_rising((float(score), float(sure)) for score, sure in weighed["calibration"]),
    )


def read_nicknames(lines: Iterable[str]) -> dict[str, frozenset[str]]:
    """Lines `formal: nickname nickname …` to name → the names it may stand for, both ways.

    Only formal ↔ nickname: two nicknames of one name are no evidence (Nick and Cole are both Nicholas), and neither
    are two names that share a nickname (Christian and Christopher).
    """
    names: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        formal, _, short = line.partition("#")[0].partition(":")
        for nickname in short.split():
            names[formal.strip()].add(nickname)
            names[nickname].add(formal.strip())
    return {name: frozenset(others) for name, others in names.items()}


def _words(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from line.partition("#")[0].split()


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        table: dict[str, Any] = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:  # TOML, JSON and Unicode errors are ValueErrors
        raise HeadwaterError("policy.unreadable", place=path.name, hint=str(error)) from None
    return table


def _plain(value: Any) -> object:
    return sorted(value) if isinstance(value, frozenset) else asdict(value)


def _numbers(levels: Mapping[str, float]) -> dict[str, float]:
    return {level: float(weight) for level, weight in levels.items()}


def _positive(records: object) -> int:
    if not isinstance(records, int) or records < 1:
        raise ValueError(f"no number of records: {records}")
    return records


def _rising(points: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    line = tuple(points)
    pairs = list(pairwise(line))
    if not line or any(left[0] >= right[0] or left[1] > right[1] for left, right in pairs):
        raise ValueError("score.calibration must rise")
    return line
