"""One person whom two EHRs know, a chart to write into, and the three outbound steps on fakes of the same ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from headwater.ehrs import Ehr, load
from headwater.ehrs.engines import engine_for
from headwater.formats import write_request
from headwater.model import Person, Proposal, ProposalState, Resource, SourceRecord, WriteRequest
from headwater.outbound.policy import WritePolicy, load_write_policy
from headwater.outbound.propose import Propose
from headwater.outbound.remind import Remind
from headwater.outbound.review import Review, Reviewer
from headwater.outbound.send import Send
from headwater.outbound.terms import Terms
from headwater.persons.policy import MatchingPolicy, load_policy
from headwater.persons.traits import traits_of
from headwater.templates.engine import Engine
from tests.fakes import FakeAuditLog, FakeBrakes, FakeClock, FakeNotices, FakeProposals, FakeQueue, FakeWatch
from tests.outbound.chart_ehr import ChartEhr

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
SOURCE, TARGET = "epic", "oracle-millennium"
CLINICIAN = Reviewer("dr.rivera", frozenset({"clinician"}))
COLLEAGUE = Reviewer("dr.chen", frozenset({"clinician"}))
REGISTRAR = Reviewer("r.okafor", frozenset({"clinician", "registration"}))


class Persons:
    """The part of the EMPI that outbound reads."""

    def __init__(self, person: Person) -> None:
        self.person: Person | None = person

    def get(self, person_id: str) -> Person | None:
        return self.person if self.person and self.person.id == person_id else None

    def move(self, ehr: str, to: str) -> None:
        """The records of one EHR become those of another."""
        assert self.person is not None
        records = tuple(replace(one, ehr=to) if one.ehr == ehr else one for one in self.person.records)
        self.person = replace(self.person, records=records)


@dataclass
class Desk:
    """The outbound steps and everything they stand on."""

    ehrs: Mapping[str, Ehr]
    policy: MatchingPolicy
    persons: Persons
    chart: ChartEhr
    engine_for: Callable[[Ehr], Engine]
    clock: FakeClock = field(default_factory=FakeClock)
    proposals: FakeProposals = field(default_factory=FakeProposals)
    audit: FakeAuditLog = field(default_factory=FakeAuditLog)
    queue: FakeQueue = field(default_factory=FakeQueue)
    brakes: FakeBrakes = field(default_factory=FakeBrakes)
    notices: FakeNotices = field(default_factory=FakeNotices)
    write_queue: FakeQueue = field(default_factory=FakeQueue)
    rules: WritePolicy = field(default_factory=lambda: load_write_policy(MAPPINGS))
    terms: Terms = field(default_factory=lambda: Terms(MAPPINGS))
    watch: FakeWatch = field(default_factory=FakeWatch)

    def propose(self, body: str) -> Proposal:
        step = Propose(
            ehrs=self.ehrs, engine_for=self.engine_for, apis=lambda _: self.chart, index=self.persons,
            policy=self.policy, rules=self.rules, terms=self.terms, proposals=self.proposals, brakes=self.brakes,
            audit=self.audit, notices=self.notices, watch=self.watch, clock=self.clock,
        )  # fmt: skip
        return step(body)

    @property
    def review(self) -> Review:
        return Review(
            ehrs=self.ehrs, apis=lambda _: self.chart, policy=self.policy, proposals=self.proposals, audit=self.audit,
            index=self.persons, rules=self.rules,
            write_queue=self.write_queue, send_queue=self.queue, notices=self.notices, watch=self.watch,
            clock=self.clock,
        )  # fmt: skip

    def send(self, intent: str, *, receives: int = 1) -> Proposal:
        step = Send(
            ehrs=self.ehrs, apis=lambda _: self.chart, index=self.persons, policy=self.policy, rules=self.rules,
            proposals=self.proposals, brakes=self.brakes, audit=self.audit, notices=self.notices, watch=self.watch,
            clock=self.clock,
        )  # fmt: skip
        return step(intent, receives=receives)

    def remind(self) -> None:
        Remind(
            proposals=self.proposals, brakes=self.brakes, audit=self.audit, notices=self.notices,
            send_queue=self.queue, rules=self.rules, watch=self.watch, clock=self.clock,
        )()  # fmt: skip

    def approved(self, body: str = "") -> Proposal:
        """A proposal that has all the signatures it needs."""
        proposal = self.propose(body or wish())
        assert proposal.state is ProposalState.PROPOSED, proposal.reason
        for reviewer in (CLINICIAN, REGISTRAR)[: proposal.approvers]:
            proposal = self.review.approve(reviewer, proposal.intent, proposal.payload_hash, seen=proposal.flags)
        assert proposal.state is ProposalState.APPROVED
        return proposal

    def events(self, intent: str) -> list[str]:
        return [str(entry["event"]) for entry in self.audit.read(intent)]


def patient(system: str, mrn: str, **changes: Any) -> Resource:
    return {
        "resourceType": "Patient",
        "id": f"p-{mrn}",
        "identifier": [
            {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
             "system": system, "value": mrn},
            {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "SS"}]},
             "system": "http://hl7.org/fhir/sid/us-ssn", "value": "219-38-4471"},
        ],
        "name": [{"family": "Okonkwo-Reyes", "given": ["Marisol", "Adaeze"]}],
        "gender": "female",
        "birthDate": "1974-08-19",
        "telecom": [{"system": "phone", "value": "614-555-0147"}],
        "address": [{"line": ["812 Larkmoor Ave"], "city": "Columbus", "state": "OH", "postalCode": "43215"}],
        **changes,
    }  # fmt: skip


def observation(**changes: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "id": "obs-1",
        "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                  "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}]},
        "subject": {"reference": "Patient/person-1"},
        "effectiveDateTime": "2026-11-20T08:15:00-05:00",
        "valueQuantity": {"value": 112.5, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
        **changes,
    }  # fmt: skip


def wish(resource: Resource | None = None, **changes: Any) -> str:
    """A write request; `changes` are fields of `WriteRequest`."""
    request = WriteRequest(
        TARGET, "final-lab-result", "person-1", resource or observation(), SOURCE, "Observation/obs-1"
    )
    return write_request.dump(replace(request, **changes))


@pytest.fixture(scope="session")
def mappings() -> tuple[Mapping[str, Ehr], MatchingPolicy, Callable[[Ehr], Engine]]:
    ehrs = load(MAPPINGS)
    return ehrs, load_policy(MAPPINGS), engine_for(MAPPINGS)


@pytest.fixture
def desk(mappings: tuple[Mapping[str, Ehr], MatchingPolicy, Callable[[Ehr], Engine]]) -> Desk:
    ehrs, policy, engine_for = mappings
    seen = datetime(2026, 11, 1, tzinfo=UTC)
    records = tuple(
        SourceRecord(f"{name}|{ehrs[name].patient.identifier_system}|{mrn}", name, traits_of(resource), seen, resource)
        for name, mrn in ((SOURCE, "E1009"), (TARGET, "M77120"))
        for resource in [patient(ehrs[name].patient.identifier_system, mrn)]
    )
    chart = ChartEhr([patient(ehrs[TARGET].patient.identifier_system, "M77120")])
    return Desk(ehrs, policy, Persons(Person("person-1", 2, records)), chart, engine_for)
