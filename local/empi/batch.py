"""Everybody at once: an initial load, or a whole index matched again, on one machine in bounded memory.

The answers are those of the gate, record after record; only the looking-up is done beforehand. Four passes: profiles
and keys of the records; pairs that share a key; what each pair agrees in; then every record against the persons before
it. Profiles, keys and pairs lie in files, split so that a part fits into memory; all passes but the last run on as many
processes as there are cores, and the last keeps up with the third.
"""

from __future__ import annotations

import json
import mmap
import pickle
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from headwater.model import Grade, Verdict
from headwater.persons.blocking import lookup_keys, profile_keys
from headwater.persons.compare import Levels, compare
from headwater.persons.grade import grade_compared, only_one
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of
from headwater.persons.traits import traits_of

_CHUNK = 5_000  # records that a process takes at a time
_SPLITS = 64  # files that keys and pairs are split into
_LARGEST = 100  # records that may share a key; who shares a larger one is held, as by a full bucket of the index
_LOOKED_UP = 1 << 31  # marks a key under which a record looks but is not filed
_Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Matches:
    """For each record in order: its id, its person (the place of the person's first record, -1 when held) and whether
    it was linked, new or held; and how many pairs were compared."""

    ids: list[str] = field(default_factory=list)
    person: array[int] = field(default_factory=lambda: array("l"))
    state: list[str] = field(default_factory=list)
    pairs: int = 0


def match_all(lines: Iterable[bytes], policy: MatchingPolicy, work: Path, processes: int, tell: _Progress) -> Matches:
    """Match FHIR Patients, one JSON object a line, in their order. `work` is an empty folder for some 2 KB a record."""
    result = Matches()
    with get_context("fork").Pool(processes, _start, (policy, work)) as pool:
        _profile_all(pool, lines, work, result, tell)
        count, full = len(result.ids), set[int]()
        for done, found in enumerate(pool.imap_unordered(_pair, range(_SPLITS)), 1):
            full |= found
            tell("pairs that share a key", done, _SPLITS)
        deciding = _Deciding(work, policy, full, result)
        size = _range_size(count)
        for part, compared in enumerate(pool.imap(_compare, range(_SPLITS))):
            deciding.decide(range(min(count, part * size), min(count, (part + 1) * size)), *compared)
            tell("records decided", min(count, (part + 1) * size), count)
    return result


# ------------------------------------------------------------------------------------------ in each process: its state

_policy: MatchingPolicy
_work: Path


def _start(policy: MatchingPolicy, work: Path) -> None:
    global _policy, _work
    _policy, _work = policy, work


# ------------------------------------------------------------------------------------------------- profiles and keys


def _profile_all(pool: Any, lines: Iterable[bytes], work: Path, result: Matches, tell: _Progress) -> None:
    offsets = array("Q", [0])
    files = [(work / f"keys-{split}").open("wb") for split in range(_SPLITS)]
    with (work / "profiles").open("wb") as profiles:
        for ids, made, keys in pool.imap(_profile, _chunks(lines)):
            result.ids += ids
            for one in made:
                profiles.write(one)
                offsets.append(offsets[-1] + len(one))
            for split, entries in keys.items():
                entries.tofile(files[split])
            tell("records read", len(result.ids), 0)
    for file in files:
        file.close()
    with (work / "offsets").open("wb") as file:
        offsets.tofile(file)


def _chunks(lines: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    rest, first = iter(lines), 0
    while chunk := list(islice(rest, _CHUNK)):
        yield first, chunk
        first += len(chunk)


def _profile(chunk: tuple[int, list[bytes]]) -> tuple[list[str], list[bytes], dict[int, array[int]]]:
    """(ids, profiles, key and place by split): keys as 64 bits of their hash, places with `_LOOKED_UP`."""
    first, lines = chunk
    ids, made = [], []
    keys: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
    for place, line in enumerate(lines, first):
        patient = json.loads(line)
        profile = profile_of(traits_of(patient), _policy)
        ids.append(str(patient["id"]))
        made.append(pickle.dumps(tuple(profile), pickle.HIGHEST_PROTOCOL))
        filed = set(profile_keys(profile, _policy))
        for key in lookup_keys(profile, _policy):
            # The kind counts too: two kinds may hash alike by chance, but not by rule.
            value = int(key.rpartition(":")[2][:16], 16)
            keys[value % _SPLITS].extend((value, place if key in filed else place | _LOOKED_UP))
    return ids, made, dict(keys)


# ------------------------------------------------------------------------------------------------------------- pairs


def _range_size(count: int) -> int:
    return max(1, -(-count // _SPLITS))


def _pair(split: int) -> set[int]:
    """Write the pairs of one split of the keys by the range of the later record; the records of keys too large."""
    entries = array("Q")
    path = _work / f"keys-{split}"
    entries.frombytes(path.read_bytes())
    path.unlink()
    buckets: dict[int, list[int]] = {}
    for at in range(0, len(entries), 2):
        buckets.setdefault(entries[at], []).append(entries[at + 1])
    with (_work / "offsets").open("rb") as file:
        file.seek(0, 2)
        size = _range_size(file.tell() // 8 - 1)
    pairs: defaultdict[int, array[int]] = defaultdict(lambda: array("I"))
    full: set[int] = set()
    for places in buckets.values():
        if len(places) > _LARGEST:
            full.update(place & ~_LOOKED_UP for place in places)
        elif len(places) > 1:
            _pairs_of(places, size, pairs)
    for part, found in pairs.items():
        with (_work / f"pairs-{part}-{split}").open("wb") as file:
            found.tofile(file)
    return full


def _pairs_of(places: Sequence[int], size: int, pairs: defaultdict[int, array[int]]) -> None:
    """(later, earlier) of one bucket, in which places rise: the later record looks, the earlier one is filed."""
    filed: list[int] = []
    for entry in places:
        place = entry & ~_LOOKED_UP
        if filed:
            into = pairs[place // size]
            for earlier in filed:
                into.extend((place, earlier))
        if entry == place:
            filed.append(place)


# -------------------------------------------------------------------------------------------------------- comparisons


class _Profiles:
    """Profiles by place, out of one mapped file that all processes share."""

    def __init__(self, work: Path) -> None:
        self._offsets = array("Q")
        self._offsets.frombytes((work / "offsets").read_bytes())
        with (work / "profiles").open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.of = lru_cache(maxsize=1 << 15)(self._of)

    def _of(self, place: int) -> Profile:
        return Profile(*pickle.loads(self._bytes[self._offsets[place] : self._offsets[place + 1]]))


@lru_cache(maxsize=1)
def _profiles(work: Path) -> _Profiles:
    return _Profiles(work)


def _compare(part: int) -> tuple[array[int], list[Levels]]:
    """((later, earlier, which levels) in the order of the later record, the levels) of one range of records."""
    found: set[tuple[int, int]] = set()
    for path in _work.glob(f"pairs-{part}-*"):
        entries = array("I")
        entries.frombytes(path.read_bytes())
        path.unlink()
        found.update(zip(entries[::2], entries[1::2], strict=True))
    profile = _profiles(_work).of
    numbers: dict[Levels, int] = {}
    compared = array("I")
    for later, earlier in sorted(found):
        levels = compare(profile(later), profile(earlier), _policy)
        compared.extend((later, earlier, numbers.setdefault(levels, len(numbers))))
    return compared, list(numbers)


# ----------------------------------------------------------------------------------------------------------- decisions


class _Deciding:
    """The gate over places: who is linked to whom so far."""

    def __init__(self, work: Path, policy: MatchingPolicy, full: set[int], result: Matches) -> None:
        self._profile = _profiles(work).of
        self._policy = policy
        self._full = full
        self._result = result
        self._members: dict[int, list[int]] = {}  # of persons of several records

    def decide(self, places: range, compared: array[int], levels: Sequence[Levels]) -> None:
        at, end = 0, len(compared)
        self._result.pairs += end // 3
        for place in places:
            known: dict[int, Levels] = {}
            while at < end and compared[at] == place:
                known[compared[at + 1]] = levels[compared[at + 2]]
                at += 3
            person, state = self._decided(place, known)
            self._result.person.append(person)
            self._result.state.append(state)

    def _decided(self, place: int, known: dict[int, Levels]) -> tuple[int, str]:
        if place in self._full:
            return -1, "held"
        person_of = self._result.person
        persons = list(dict.fromkeys(person_of[earlier] for earlier in known if person_of[earlier] >= 0))
        grades = [self._grade(place, person, known) for person in persons]
        likely = [at for at, grade in enumerate(grades) if grade.verdict is not Verdict.DIFFERENT]
        if not likely:
            return (place, "new") if self._profile(place).birth_date else (-1, "held")
        certain = only_one([grades[at] for at in likely], self._policy)
        if certain is None:
            return -1, "held"
        person = persons[likely[certain]]
        self._members.setdefault(person, [person]).append(place)
        return person, "linked"

    def _grade(self, place: int, person: int, known: dict[int, Levels]) -> Grade:
        """Against every record of a person; those that share no key are compared now."""
        mine = self._profile(place)
        members = self._members.get(person, [person])
        pairs = [known.get(one) or compare(mine, self._profile(one), self._policy) for one in members]
        unnamed = mine.unnamed or any(self._profile(one).unnamed for one in members)
        return grade_compared(pairs, self._policy, unnamed=unnamed)
