"""A record that is linked: it is checked against itself, because an id may come to mean somebody else (an overlay)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from headwater.errors import Hold
from headwater.fhir.unsaid import without
from headwater.inbound.match.record import decided, linked_to, person_id_of, said, with_record
from headwater.model import Candidates, Decision, Person, SourceRecord, Verdict
from headwater.persons.golden import renewed
from headwater.persons.grade import still_same
from headwater.persons.history import on_the_way
from headwater.persons.policy import MatchingPolicy
from headwater.persons.traits import traits_of
from headwater.ports import PersonIndex

# Senders' clocks and time zones are wrong by hours, not by days.
_CLOCKS_DIFFER_BY = timedelta(days=1)


def news_of_known(
    record: SourceRecord,
    known: Person,
    seen: Candidates,
    keys: Sequence[str],
    index: PersonIndex,
    policy: MatchingPolicy,
    deleted: frozenset[str] = frozenset(),
) -> Person:
    """The person of a record that is linked: the same one with its news, or the one that a steward moved it to.
    `deleted` goes: the news says that there is none."""
    decision = seen.decision
    linked = next(one for one in known.records if one.key == record.key)
    checked = still_same(linked.traits, record.traits, policy)
    if decision and decision.link_to != known.id and (decision.link_to or known.id in decision.apart_from):
        newest = _newest(linked, record, deleted) if checked.verdict is Verdict.SAME else record
        left, person = on_the_way(_without(known, record), _moved_to(newest, seen, decision))
        index.save(person, record_key=record.key, keys=keys, seen=seen, left=left)
        return person
    if checked.verdict is Verdict.SAME:
        seen = replace(seen, decision=None)  # not needed, so it stays open
    elif decision is None or not _answers(decision, record):
        raise Hold("match.overlay", place="Patient", hint=f"the id stays, the person seems another: {said(checked)}")
    person = with_record(known, _newest(linked, record, deleted))
    if person != known or seen.decision:
        index.save(person, record_key=record.key, keys=keys, seen=seen)
    return person


def _moved_to(record: SourceRecord, seen: Candidates, decision: Decision) -> Person:
    """Where a steward's answer put a record that was another's: with the person named, or on its own."""
    if decision.link_to:
        return linked_to(decided(seen), record)
    return Person(person_id_of(record.key, version=decision.version), 1, (record,))


def _without(person: Person, record: SourceRecord) -> Person:
    others = tuple(one for one in person.records if one.key != record.key)
    return replace(person, version=person.version + 1, records=others)


def _answers(decision: Decision, record: SourceRecord) -> bool:
    """Whether the steward can have seen this news: an accepted overlay must not let the next one through."""
    return record.event_time <= datetime.fromisoformat(decision.at) + _CLOCKS_DIFFER_BY


def _newest(linked: SourceRecord, record: SourceRecord, deleted: frozenset[str]) -> SourceRecord:
    """The record with its news; an older event changes nothing, however late it came."""
    if record.event_time < linked.event_time:
        return linked
    patient = renewed(replace(linked, patient=without(linked.patient, deleted)) if deleted else linked, record)
    return replace(record, patient=patient, traits=traits_of(patient), retired=linked.retired)
