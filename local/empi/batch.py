"""Everybody at once: an initial load, or a whole index matched again, on one machine in bounded memory.

The answers are those of the gate, record after record, in a population of at least so many records; only the
looking-up is done beforehand. Four passes: profiles and keys of the records; pairs that share a key; what each pair
agrees in; then every record against the persons before it. The first three run in several processes, a part of the
records or of the keys at a time, and leave each part in a file: what is there already, because a batch was stopped, is
not done again.
"""

from __future__ import annotations

import gc
import pickle
import signal
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from itertools import chain, islice
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path

import orjson

from headwater.persons.blocking import lookup_keys
from headwater.persons.compare import Levels, compare
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile, profile_of
from headwater.persons.traits import traits_of
from local.empi.batch_gate import BORN, EARLIER, UNNAMED, BatchGate, Matches
from local.empi.parts import Parts, numbers, write_parts

PART = 40_000  # records that a process takes at a time; there are as many parts of the keys, and of the pairs
# Records filed under a key; who looks there when there are more is held, as by a full bucket of the index.
_LARGEST = 100
_LOOKED_UP = 1 << 31  # marks a key under which a record looks but is not filed
_VALUES = attrgetter(*(one.name for one in fields(Profile)))
_Progress = Callable[[str, int, int], None]


def match_all(
    files: Sequence[Path], policy: MatchingPolicy, work: Path, processes: int, tell: _Progress, *, part: int = PART
) -> Matches:
    """Match FHIR Patients, one JSON object a line, in their order. `work` is a folder for some 2 KB a record, empty, or
    left by a batch of the very same records and policy. Raises ValueError for a line that is no Patient with an id."""
    chunks = list(_chunks(files, part))
    with get_context("fork").Pool(processes, _start_process, (policy, work, part, len(chunks))) as pool:
        for done, _ in enumerate(pool.imap_unordered(_profile, chunks), 1):
            tell("records read", done, len(chunks))
        for done, _ in enumerate(pool.imap_unordered(_pair, range(len(chunks))), 1):
            tell("pairs that share a key", done, len(chunks))
        _start(policy, work, part, len(chunks))
        ids, facts, full = _records()
        crowded = replace(policy, population=max(policy.population, len(ids)))
        gate = BatchGate(crowded, facts, full, _profile_at)
        for done, path in enumerate(pool.imap(_compare, range(len(chunks))), 1):
            gate.decide(min(part, len(ids) - (done - 1) * part), *_compared(path))
            tell("records decided", done, len(chunks))
    return Matches(ids, gate.person, gate.state, gate.pairs)


def profiles_in(work: Path) -> Iterator[Profile]:
    """The profiles that a batch has left, in the order of its records."""
    for chunk in range(len(list(work.glob("profiles-*[0-9]")))):
        parts = Parts(work / f"profiles-{chunk}")
        for place in range(len(parts)):
            yield Profile(*pickle.loads(parts[place]))


# ------------------------------------------------------------------------------------------ in each process: its state

_policy: MatchingPolicy
_work: Path
_part: int
_parts: int


def _start_process(policy: MatchingPolicy, work: Path, part: int, parts: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which a pool ends it, whatever its parent does about that signal
    gc.disable()  # nothing here refers to itself, and looking for what does takes a third of the time
    _start(policy, work, part, parts)


def _start(policy: MatchingPolicy, work: Path, part: int, parts: int) -> None:
    global _policy, _work, _part, _parts
    _policy, _work, _part, _parts = policy, work, part, parts
    _profiles.cache_clear()
    _profile_at.cache_clear()


# ------------------------------------------------------------------------------------------------- profiles and keys


@dataclass(frozen=True, slots=True)
class _Chunk:
    """`_part` records (the last one: the rest) from an offset of the first file on."""

    number: int
    files: Sequence[Path]
    offset: int

    def lines(self) -> Iterator[bytes]:
        first, *rest = self.files
        with first.open("rb") as file:
            file.seek(self.offset)
            yield from islice(filter(bytes.strip, chain(file, _lines(rest))), _part)


def _lines(files: Sequence[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            yield from file


def _chunks(files: Sequence[Path], part: int) -> Iterator[_Chunk]:
    """Where each part of the records begins."""
    count = 0
    for number, path in enumerate(files):
        offset = 0
        for line in _lines([path]):
            if line.strip():
                if count % part == 0:
                    yield _Chunk(count // part, files[number:], offset)
                count += 1
            offset += len(line)


def _profile(chunk: _Chunk) -> None:
    """Write the profiles, the ids and facts, and the keys of a chunk by their hashes: keys as 64 bits, and places."""
    if (path := _work / f"keys-{chunk.number}").exists():
        return
    first, ids, facts = chunk.number * _part, [], bytearray()
    profiles: list[bytes] = []
    keys = [array("Q") for _ in range(_parts)]
    for place, line in enumerate(chunk.lines(), first):
        record_id, profile = _read(line, place)
        ids.append(record_id)
        facts.append(BORN * bool(profile.birth_date) | UNNAMED * profile.unnamed)
        profiles.append(pickle.dumps(_VALUES(profile), pickle.HIGHEST_PROTOCOL))
        for key in lookup_keys(profile, _policy):
            value = int(key[-16:], 16)
            # With a birth date a record looks among the names of those without one, but is not filed there.
            looks_only = key.startswith("names:") and profile.birth_date is not None
            keys[value % _parts].extend((value, place | _LOOKED_UP if looks_only else place))
    write_parts(_work / f"profiles-{chunk.number}", profiles)
    write_parts(_work / f"records-{chunk.number}", (orjson.dumps(ids), bytes(facts)))
    write_parts(path, map(array.tobytes, keys))


def _records() -> tuple[list[str], bytes, set[int]]:
    """Of all records, in their order: ids and facts; and the places of those that found a key full."""
    ids: list[str] = []
    facts, full = bytearray(), set[int]()
    for part in range(_parts):
        records = Parts(_work / f"records-{part}")
        ids += orjson.loads(records[0])
        facts += records[1]
        full.update(numbers("Q", Parts(_work / f"pairs-{part}")[_parts]))
    return ids, bytes(facts), full


def _read(line: bytes, place: int) -> tuple[str, Profile]:
    try:
        patient = orjson.loads(line)
        return str(patient["id"]), profile_of(traits_of(patient), _policy)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"record {place + 1} is no FHIR Patient with an id ({type(error).__name__})") from None


# ------------------------------------------------------------------------------------------------------------- pairs


def _pair(split: int) -> None:
    """Write the pairs of one part of the keys by the part of the later record, and who found a key full."""
    if (path := _work / f"pairs-{split}").exists():
        return
    alone: dict[int, int] = {}  # most keys are one record's
    buckets: dict[int, list[int]] = {}
    for chunk in range(_parts):
        entries = iter(numbers("Q", Parts(_work / f"keys-{chunk}")[split]))
        for value, entry in zip(entries, entries, strict=True):
            if (first := alone.setdefault(value, entry)) != entry:
                buckets.setdefault(value, [first]).append(entry)
    pairs = [array("Q") for _ in range(_parts)]
    full = array("Q")
    for bucket in buckets.values():
        _pairs_of(bucket, pairs, full)
    write_parts(path, map(array.tobytes, (*pairs, full)))


def _pairs_of(bucket: Sequence[int], pairs: Sequence[array[int]], full: array[int]) -> None:
    """The pairs of one bucket, in which places rise: the later record looks, the earlier one is filed."""
    filed: list[int] = []
    for entry in bucket:
        place = entry & ~_LOOKED_UP
        if len(filed) > _LARGEST:
            full.append(place)
            continue
        if filed:
            pairs[place // _part].extend([place << 32 | earlier for earlier in filed])
        if entry == place:
            filed.append(place)


# -------------------------------------------------------------------------------------------------------- comparisons


@cache
def _profiles(chunk: int) -> Parts:
    return Parts(_work / f"profiles-{chunk}")


@lru_cache(maxsize=1 << 15)
def _profile_at(place: int) -> Profile:
    return Profile(*pickle.loads(_profiles(place // _part)[place % _part]))


def _compare(part: int) -> Path:
    """Write (pair, number of its levels) in the order of the later record, and the levels, for one part of them."""
    if (path := _work / f"compared-{part}").exists():
        return path
    found: set[int] = set()
    for split in range(_parts):
        found.update(numbers("Q", Parts(_work / f"pairs-{split}")[part]))
    known: dict[Levels, int] = {}
    pairs, levels_of = array("Q", sorted(found)), array("I")
    for pair in pairs:
        levels = compare(_profile_at(pair >> 32), _profile_at(pair & EARLIER), _policy)
        levels_of.append(known.setdefault(levels, len(known)))
    write_parts(path, (pairs.tobytes(), levels_of.tobytes(), pickle.dumps([tuple(levels) for levels in known])))
    return path


def _compared(path: Path) -> tuple[array[int], array[int], list[Levels]]:
    compared = Parts(path)
    levels = [Levels._make(one) for one in pickle.loads(compared[2])]
    return numbers("Q", compared[0]), numbers("I", compared[1]), levels
