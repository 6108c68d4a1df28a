"""match: one certain person, or Hold; never a guess, never somebody else's facts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headwater.errors import Hold, Quarantine, Refuse, Retry
from headwater.inbound.match import match, person_id_of, record_of
from headwater.model import Converted, Matched, Resource
from headwater.persons.policy import MatchingPolicy, load_policy
from headwater.persons.steward import keep_apart, link
from tests.fakes_persons import InMemoryPersonIndex

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MAPPINGS = Path(__file__).parents[2] / "mappings"
KINDS = "http://terminology.hl7.org/CodeSystem/v2-0203"


def identifier(system: str, value: str, kind: str = "MR") -> Resource:
    return {"system": system, "value": value, "type": {"coding": [{"system": KINDS, "code": kind}]}}


def patient(authority: str = "urn:north", mrn: str = "1001", **changes: Any) -> Resource:
    """Jonathan, as one EHR has him; None leaves an element out."""
    stated: Resource = {
        "resourceType": "Patient",
        "id": f"src-{mrn}",
        "identifier": [identifier(authority, mrn)],
        "name": [{"use": "official", "family": "Quintero", "given": ["Jonathan", "Paul"]}],
        "birthDate": "1971-04-23",
        "gender": "male",
        "telecom": [{"system": "phone", "value": "(713) 234-5678", "use": "home"}],
        "address": [{"use": "home", "line": ["120 Oak Street"], "city": "Houston", "postalCode": "77002"}],
    }
    return {name: value for name, value in (stated | changes).items() if value is not None}


def named(given: str, family: str = "Quintero", **rest: Any) -> list[Resource]:
    return [{"use": "official", "family": family, "given": given.split(), **rest}]


def converted(subject: Resource, *others: Resource, minutes: int = 0) -> Converted:
    return Converted("ADT_A08", (subject, *others), NOON + timedelta(minutes=minutes))


@pytest.fixture(scope="module")
def policy() -> MatchingPolicy:
    return load_policy(MAPPINGS)


class Gate:
    """The step with its index: `gate(patient(), ehr="south")`."""

    def __init__(self, policy: MatchingPolicy) -> None:
        self.policy, self.index = policy, InMemoryPersonIndex(bucket_limit=3)

    def __call__(self, subject: Resource, *others: Resource, ehr: str = "north", minutes: int = 0) -> Matched:
        return match(converted(subject, *others, minutes=minutes), ehr, self.index, self.policy)

    def held(self, subject: Resource, *, ehr: str = "north", minutes: int = 0) -> Hold:
        before = copy.deepcopy(self.index.persons)
        with pytest.raises(Hold) as raised:
            self(subject, ehr=ehr, minutes=minutes)
        assert self.index.persons == before, "a held message changes nobody"
        return raised.value

    def key(self, subject: Resource, ehr: str = "north") -> str:
        return record_of(converted(subject), ehr, self.policy).key


@pytest.fixture
def gate(policy: MatchingPolicy) -> Gate:
    return Gate(policy)


STEWARD: dict[str, Any] = {"by": "steward@example.org", "at": NOON, "reason": "telephoned"}
SOUTH = ("urn:south", "S-9")


# ------------------------------------------------------------------------------------------------- linking a new record


def test_a_first_record_founds_a_person(gate: Gate) -> None:
    matched = gate(patient())
    assert matched.link_version == 1
    assert matched.known_at == {"north"}
    assert gate.index.find(gate.key(patient()), []).known is not None


def test_a_replay_makes_the_same_person(gate: Gate, policy: MatchingPolicy) -> None:
    assert gate(patient()).person_id == gate(patient()).person_id == Gate(policy)(patient()).person_id
    assert len(gate.index.persons) == 1


def test_the_same_message_again_writes_nothing(gate: Gate) -> None:
    gate(patient())
    gate(patient())
    assert gate.index.saves == 1


@pytest.mark.parametrize("given", ["Jonathan", "JONATHAN P", "Jon", "Jonathan Paul"])
def test_jon_at_another_ehr_is_jonathan(gate: Gate, given: str) -> None:
    first = gate(patient())
    second = gate(patient(*SOUTH, name=named(given)), ehr="south")
    assert second.person_id == first.person_id
    assert second.link_version == 2
    assert second.known_at == {"north", "south"}


def test_somebody_else_is_a_new_person(gate: Gate) -> None:
    one = gate(patient())
    other = gate(
        patient(*SOUTH, name=named("Walter", "Brandt"), birthDate="1950-12-30", telecom=None, address=None), ehr="south"
    )
    assert one.person_id != other.person_id


def test_name_and_birth_date_alone_are_enough_where_a_policy_says_so_and_nobody_else_has_the_name(
    gate: Gate, policy: MatchingPolicy
) -> None:
    gate.policy = replace(policy, thresholds=replace(policy.thresholds, alone=0.99))
    first = gate(patient())
    second = gate(patient(*SOUTH, telecom=None, address=None, name=named("Jonathan")), ehr="south")
    assert second.person_id == first.person_id


def test_name_and_birth_date_alone_are_held_where_another_has_the_name(gate: Gate, policy: MatchingPolicy) -> None:
    gate.policy = replace(policy, thresholds=replace(policy.thresholds, alone=0.99))
    gate(patient())
    gate(patient(mrn="1009", birthDate="1971-11-02", telecom=None, address=None))
    hold = gate.held(patient(*SOUTH, telecom=None, address=None, name=named("Jonathan")), ehr="south")
    assert hold.code == "match.possible"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": named("Nathaniel")}, "twin"),
        ({"name": named("Jonathan Paul", suffix=["Jr"])}, "generations"),
        ({"name": named("Joanna"), "gender": "female"}, "sex and given name"),
        ({"name": named("Baby Boy")}, "newborn"),
    ],
)
def test_a_veto_beats_everything_that_agrees(gate: Gate, changes: Resource, why: str) -> None:
    gate(patient(name=named("Jonathan Paul", suffix=["Sr"])))
    hold = gate.held(patient(*SOUTH, **changes), ehr="south")
    assert hold.code == "match.possible"
    assert f"veto: {'a twin' if why == 'twin' else ''}" in hold.hint
    assert why in hold.hint


def test_a_second_live_mrn_of_one_authority_is_held(gate: Gate) -> None:
    gate(patient())
    assert "two live MRNs of one authority" in gate.held(patient(mrn="1002", telecom=None, address=None)).hint


def test_a_second_live_mrn_is_linked_when_everything_else_agrees(gate: Gate) -> None:
    first = gate(patient())
    assert gate(patient(mrn="1002")).person_id == first.person_id


def test_whoever_has_neither_a_birth_date_nor_anybody_like_them_is_held(gate: Gate) -> None:
    assert gate.held(patient(birthDate=None)).code == "match.too_little"


def test_two_persons_that_both_fit_are_held(gate: Gate) -> None:
    gate(patient())
    key = gate.key(patient("urn:west", "W-1"), "west")
    keep_apart(gate.index, key, [person_id_of(gate.key(patient()))], **STEWARD)
    gate(patient("urn:west", "W-1"), ehr="west")
    assert len(gate.index.persons) == 2
    hold = gate.held(patient(*SOUTH), ehr="south")
    assert all(person_id in hold.hint for person_id in gate.index.persons)


def test_a_hold_names_persons_and_evidence_but_no_values(gate: Gate) -> None:
    gate(patient())
    hold = gate.held(patient(*SOUTH, name=named("Nathaniel")), ehr="south")
    assert "birth date equal" in hold.hint
    for value in ("Quintero", "quintero", "1971", "234-5678", "Oak", "77002", "S-9", "Nathaniel"):
        assert value not in str(hold)


def test_an_over_full_bucket_is_held_and_never_a_new_person(gate: Gate) -> None:
    for number, (given, family) in enumerate(
        [("Ana", "Ruiz"), ("Bo", "Chang"), ("Cyd", "Doherty"), ("Eve", "Falk")], start=1
    ):
        gate(
            patient(
                mrn=f"N{number}", name=named(given, family), birthDate=f"19{number}0-0{number}-11", gender=None,
                telecom=[{"system": "phone", "value": "713-999-1234"}], address=None,
            )
        )  # fmt: skip
    newcomer = patient(
        mrn="N9",
        name=named("Gil", "Hopper"),
        birthDate="2001-05-17",
        telecom=[{"system": "phone", "value": "7139991234"}],
    )
    assert gate.held(newcomer).code == "match.too_many"
    keep_apart(gate.index, gate.key(newcomer), [], **STEWARD)
    assert gate(newcomer).link_version == 1


@pytest.mark.parametrize(
    "identifiers",
    [None, [], [identifier("urn:north", "00000")], [identifier("urn:north", "unknown")], [identifier("u", "1", "SS")]],
)
def test_a_patient_without_a_record_number_is_held(gate: Gate, identifiers: list[Resource] | None) -> None:
    assert gate.held(patient(identifier=identifiers)).code == "match.no_identifier"


def test_the_record_number_does_not_depend_on_the_order_of_the_identifiers(gate: Gate) -> None:
    ids = [identifier("urn:north", "E5", "PI"), identifier("urn:north", "1001", "MR"), identifier("urn:x", "7", "PT")]
    keys = {gate.key(patient(identifier=order)) for order in (ids, ids[::-1])}
    assert keys == {"north|urn:north|1001"}


def test_a_patient_of_whom_nothing_is_said_is_held(gate: Gate) -> None:
    assert gate.held(patient(name=None, birthDate=None)).code == "match.too_little"


def test_a_patient_with_more_phones_than_a_human_is_held(gate: Gate) -> None:
    phones = [{"system": "phone", "value": f"71323{number:05}"} for number in range(100)]
    assert gate.held(patient(telecom=phones)).code == "match.too_much"


@pytest.mark.parametrize("subjects", [(), (patient(), patient(mrn="2"))])
def test_a_message_must_be_about_one_patient(gate: Gate, subjects: tuple[Resource, ...]) -> None:
    with pytest.raises(Quarantine) as raised:
        match(Converted("ADT_A01", subjects, NOON), "north", gate.index, gate.policy)
    assert raised.value.code == "match.not_one_patient"


def test_a_stolen_race_is_retried_and_then_finds_the_winner(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[..., Any] = gate.index.find

    def overtaken(*args: Any, **named: Any) -> Any:
        seen = find(*args, **named)
        monkeypatch.undo()
        gate(patient())
        return seen

    monkeypatch.setattr(gate.index, "find", overtaken)
    with pytest.raises(Retry):
        gate(patient(*SOUTH), ehr="south")
    assert gate(patient(*SOUTH), ehr="south").person_id == gate(patient()).person_id


# ---------------------------------------------------------------------------------------------------- a known record


def test_an_honest_update_goes_through(gate: Gate) -> None:
    first = gate(patient())
    moved = patient(
        address=[{"line": ["9 Elm Ct"], "postalCode": "10001"}], telecom=[{"system": "phone", "value": "212-555-7788"}]
    )
    second = gate(moved, minutes=5)
    assert (second.person_id, second.link_version) == (first.person_id, 1)
    assert second.resources[0]["address"] == moved["address"]


def test_a_newborn_gets_its_name(gate: Gate) -> None:
    first = gate(patient(name=named("Baby Boy"), birthDate="2026-11-01"))
    assert gate(patient(name=named("Leo"), birthDate="2026-11-01"), minutes=5).person_id == first.person_id


@pytest.mark.parametrize(
    "changes",
    [
        {"name": named("Walter", "Brandt"), "birthDate": "1950-12-30"},
        {"name": named("Walter", "Brandt"), "birthDate": "1950-12-30", "telecom": None, "address": None},
        {"name": named("Nathaniel"), "multipleBirthBoolean": True},
        {"name": named("Maria", "Quintero"), "birthDate": "1969-01-15", "gender": "female"},
    ],
)
def test_an_id_that_comes_to_mean_somebody_else_is_held(gate: Gate, changes: Resource) -> None:
    gate(patient())
    assert gate.held(patient(**changes), minutes=5).code == "match.overlay"


def test_a_message_that_says_little_is_no_overlay_and_erases_nothing(gate: Gate) -> None:
    gate(patient())
    sparse = gate(patient(telecom=None, address=None, gender=None, birthDate=None), minutes=5)
    golden = sparse.resources[0]
    assert golden["birthDate"] == "1971-04-23"
    assert golden["address"] == patient()["address"]


def test_older_news_does_not_overwrite_newer(gate: Gate) -> None:
    gate(patient(telecom=[{"system": "phone", "value": "713-888-0001"}]), minutes=10)
    late = gate(patient(), minutes=5)
    assert late.resources[0]["telecom"] == [{"system": "phone", "value": "713-888-0001"}]
    assert gate.index.saves == 1


# --------------------------------------------------------------------------------------------------- what comes out


def test_the_patient_becomes_the_golden_one_and_references_follow(gate: Gate) -> None:
    gate(patient())
    visit = {
        "resourceType": "Encounter", "id": "e1", "subject": {"reference": "Patient/src-S-9"},
        "participant": [{"individual": {"reference": "Practitioner/p"}}],
    }  # fmt: skip
    matched = gate(patient(*SOUTH), visit, ehr="south")
    golden, encounter = matched.resources
    assert golden["id"] == matched.person_id
    assert {entry["value"] for entry in golden["identifier"]} == {"1001", "S-9"}
    assert encounter["id"] == "e1"
    assert encounter["subject"] == {"reference": f"Patient/{matched.person_id}"}
    assert encounter["participant"] == visit["participant"]
    assert visit["subject"] == {"reference": "Patient/src-S-9"}, "what was given stays as it was"


# ------------------------------------------------------------------------------------------------- a steward's answer


def test_a_possible_match_that_a_steward_confirms_is_linked_on_release(gate: Gate) -> None:
    first, twin = gate(patient()), patient(*SOUTH, name=named("Nathaniel"))
    gate.held(twin, ehr="south")
    decision = link(gate.index, gate.key(twin, "south"), first.person_id, **STEWARD)
    assert decision.version == 1
    assert gate(twin, ehr="south").person_id == first.person_id
    assert gate.index.decisions(decision.record_key) == (decision,)


def test_a_possible_match_that_a_steward_denies_is_a_new_person_on_release(gate: Gate) -> None:
    first, twin = gate(patient()), patient(*SOUTH, name=named("Nathaniel"))
    gate.held(twin, ehr="south")
    keep_apart(gate.index, gate.key(twin, "south"), [first.person_id], **STEWARD)
    released = gate(twin, ehr="south")
    assert released.person_id != first.person_id
    assert gate(twin, ehr="south", minutes=1).person_id == released.person_id


def test_an_overlay_that_a_steward_accepts_goes_through_once(gate: Gate) -> None:
    twin = {"multipleBirthBoolean": True}
    first, other = gate(patient()), patient(name=named("Nathaniel"), **twin)
    gate.held(other, minutes=5)
    link(gate.index, gate.key(other), first.person_id, **STEWARD)
    gate(patient(), minutes=1)  # news that needs no answer does not use it up
    assert gate(other, minutes=5).person_id == first.person_id
    assert gate.held(patient(name=named("Zacharias"), **twin), minutes=6).code == "match.overlay"


def test_an_answer_does_not_accept_an_overlay_that_came_days_later(gate: Gate) -> None:
    first = gate(patient())
    link(gate.index, gate.key(patient()), first.person_id, **STEWARD)
    other = patient(name=named("Walter", "Brandt"), birthDate="1950-12-30")
    assert gate.held(other, minutes=3 * 24 * 60).code == "match.overlay"


def test_an_overlay_that_a_steward_denies_is_split_off(gate: Gate) -> None:
    first = gate(patient())
    gate(patient(*SOUTH), ehr="south")
    other = patient(name=named("Walter", "Brandt"), birthDate="1950-12-30")
    gate.held(other, minutes=5)
    keep_apart(gate.index, gate.key(other), [first.person_id], **STEWARD)
    split = gate(other, minutes=5)
    assert split.person_id != first.person_id
    assert split.known_at == {"north"}
    remaining = gate.index.persons[first.person_id]
    assert [record.ehr for record in remaining.records] == ["south"]
    assert remaining.version == 3, "who hangs on the old link sees that it changed"


def test_a_record_that_was_linked_wrongly_is_moved(gate: Gate) -> None:
    gate(patient())
    wrong = gate(patient(*SOUTH), ehr="south")
    right = gate(patient("urn:west", "W-1", name=named("Walter", "Brandt"), birthDate="1950-12-30"), ehr="west")
    link(gate.index, gate.key(patient(*SOUTH), "south"), right.person_id, **STEWARD)
    moved = gate(patient(*SOUTH), ehr="south")
    assert moved.person_id == right.person_id
    assert gate(patient(*SOUTH), ehr="south", minutes=1).person_id == right.person_id
    assert "south" not in {record.ehr for record in gate.index.persons[wrong.person_id].records}


def test_a_moved_record_keeps_its_newest_demographics(gate: Gate) -> None:
    gate(patient())
    gate(patient(*SOUTH), ehr="south")
    gate(patient(*SOUTH, telecom=[{"system": "phone", "value": "713-888-0001"}]), ehr="south", minutes=10)
    right = gate(patient("urn:west", "W-1", name=named("Walter", "Brandt"), birthDate="1950-12-30"), ehr="west")
    link(gate.index, gate.key(patient(*SOUTH), "south"), right.person_id, **STEWARD)
    gate(patient(*SOUTH), ehr="south", minutes=5)
    record = next(one for one in gate.index.persons[right.person_id].records if one.ehr == "south")
    assert record.traits.phones == ("713-888-0001",)


def test_a_decision_about_a_person_that_is_gone_is_held(gate: Gate) -> None:
    first, twin = gate(patient()), patient(*SOUTH, name=named("Nathaniel"))
    link(gate.index, gate.key(twin, "south"), first.person_id, **STEWARD)
    del gate.index.persons[first.person_id]
    with pytest.raises(Hold) as raised:
        gate(twin, ehr="south")
    assert raised.value.code == "match.decision_stale"


@pytest.mark.parametrize(
    ("person_id", "steward", "code"),
    [
        ("nobody", STEWARD, "steward.person_unknown"),
        ("", STEWARD | {"by": " "}, "steward.unsigned"),
        ("", STEWARD | {"reason": ""}, "steward.unsigned"),
    ],
)
def test_a_decision_needs_a_person_a_name_and_a_reason(
    gate: Gate, person_id: str, steward: dict[str, Any], code: str
) -> None:
    known = gate(patient()).person_id
    with pytest.raises(Refuse) as raised:
        link(gate.index, "south|urn:south|S-9", person_id or known, **steward)
    assert raised.value.code == code
    assert not gate.index.decisions("south|urn:south|S-9")
