"""The gate over all records of a batch, one after the other: who is linked to whom so far, and whose the next one is.

It decides as `inbound.match` does; only the candidates and what they agree in were found beforehand.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headwater.model import Grade, Verdict
from headwater.persons.compare import Levels, compare
from headwater.persons.grade import grade_compared, only_one
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import Profile

BORN, UNNAMED = 1, 2  # facts of a record: it states a birth date; what it states is no name
EARLIER = (1 << 32) - 1  # a pair is one number: the later place in the upper half, the earlier one in the lower


@dataclass(frozen=True, slots=True)
class Matches:
    """For each record in order: its id, its person (the place of the person's first record, -1 when held) and whether
    it was linked, new or held; and how many pairs were compared."""

    ids: list[str]
    person: array[int]
    state: list[str]
    pairs: int = 0


class BatchGate:
    """`facts` and `profile` are of records by place; who is in `full` found more candidates than are looked at."""

    def __init__(self, policy: MatchingPolicy, facts: bytes, full: set[int], profile: Callable[[int], Profile]) -> None:
        self.person, self.state, self.pairs = array("l"), list[str](), 0
        self._policy, self._facts, self._full, self._profile = policy, facts, full, profile
        self._members: dict[int, list[int]] = {}  # of persons of several records

    def decide(self, count: int, pairs: Sequence[int], levels_of: Sequence[int], levels: Sequence[Levels]) -> None:
        """The next so many records, from their pairs in order, and for each pair which of the levels are its."""
        alone = [grade_compared([one], self._policy, unnamed=False) for one in levels]
        first, at, end = len(self.person), 0, len(pairs)
        for place in range(first, first + count):
            known: dict[int, int] = {}
            while at < end and pairs[at] >> 32 == place:
                known[pairs[at] & EARLIER] = levels_of[at]
                at += 1
            person, state = self._decided(place, known, levels, alone)
            self.person.append(person)
            self.state.append(state)
        self.pairs += end

    def _decided(
        self, place: int, known: dict[int, int], levels: Sequence[Levels], alone: Sequence[Grade]
    ) -> tuple[int, str]:
        if place in self._full:
            return -1, "held"
        graded: dict[int, Grade] = {}
        for person in dict.fromkeys([self.person[earlier] for earlier in known]):
            if person < 0:
                continue
            if person in self._members or (self._facts[place] | self._facts[person]) & UNNAMED:
                graded[person] = self._grade(place, person, known, levels)
            else:
                graded[person] = alone[known[person]]
        if all(grade.verdict is Verdict.DIFFERENT for grade in graded.values()):
            return (place, "new") if self._facts[place] & BORN else (-1, "held")
        certain = only_one(list(graded.values()), self._policy)
        if certain is None:
            return -1, "held"
        person = list(graded)[certain]
        self._members.setdefault(person, [person]).append(place)
        return person, "linked"

    def _grade(self, place: int, person: int, known: dict[int, int], levels: Sequence[Levels]) -> Grade:
        """Against every record of a person; those that share no key are compared now."""
        members = self._members.get(person, [person])
        pairs = [levels[known[one]] if one in known else self._compared(place, one) for one in members]
        unnamed = any(self._facts[one] & UNNAMED for one in (place, *members))
        return grade_compared(pairs, self._policy, unnamed=unnamed)

    def _compared(self, place: int, other: int) -> Levels:
        return compare(self._profile(place), self._profile(other), self._policy)
