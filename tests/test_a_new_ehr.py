"""Adding an EHR of a known transport is one new folder: the one in docs/ehrs.md is made here, and nothing else is."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import orjson
import pytest

from headwater.ehrs import Next, load
from headwater.ehrs.engines import engine_for
from headwater.ehrs.render import render
from headwater.inbound.convert import convert
from headwater.inbound.tell import tell
from headwater.model import Envelope, Matched, Person, ProposalState, SourceRecord
from headwater.outbound import chart
from headwater.persons.policy import load_policy
from headwater.persons.traits import traits_of
from infra.deployment import writable_ehrs
from local.registry.sent import MARKER, PERSON
from local.registry.standing import slips, why_not_read, why_not_written
from tests.adapters.ehr.vendor_server import vendor
from tests.fakes import FakeQueue
from tests.outbound.chart_ehr import ChartEhr
from tests.outbound.conftest import CLINICIAN, Desk, Persons, observation, patient, wish

ROOT = Path(__file__).parents[1]
MRN = "https://lakeside.example.org/identifiers/mrn"
RESULT = "\r".join(
    (
        r"MSH|^~\&|LAB|LAKESIDE|HUB|HEADWATER|20260301090000||ORU^R01^ORU_R01|L-1|P|2.5.1",
        "PID|1||L4471^^^^MR||Fennimore^Odile||19680203|F",
        "OBR|1|ORD1|LAB1|GLU^Glucose^LKSLAB|||20260301081500|||||||||||||||20260301085500||LAB|F",
        "OBX|1|NM|GLU^Glucose^LKSLAB||5.4|mmol/L|3.9-5.5||||F|||20260301081500",
        "",
    )
)


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """The mappings, and in them the folder of the guide."""
    mappings = tmp_path / "mappings"
    shutil.copytree(ROOT / "mappings", mappings, ignore=shutil.ignore_patterns("ehrs", "examples"))
    shutil.copytree(ROOT / "mappings/ehrs/epic", mappings / "ehrs/epic")
    guide = (ROOT / "docs/ehrs.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w+\n(.*?)^```", guide, flags=re.MULTILINE | re.DOTALL)
    files = {
        match[1]: block for block in blocks if (match := re.search(r"mappings/(ehrs/(?:lakeside|hilltop)/\S+)", block))
    }
    assert len(files) == 8
    for name, block in files.items():
        # A CSV has no comments: the line that says where the file is stays in the guide.
        text = block.partition("\n")[2] if name.endswith(".csv") else block
        (mappings / name).parent.mkdir(parents=True, exist_ok=True)
        (mappings / name).write_text(text, encoding="utf-8")
    return mappings


def test_the_new_folder_is_sound_readable_and_writable(mappings: Path) -> None:
    assert slips(mappings, "lakeside") == []
    ehr = load(mappings)["lakeside"]
    assert (why_not_read(ehr), why_not_written(ehr)) == ("", "")
    assert "lakeside" in writable_ehrs(mappings)


def test_its_messages_are_converted_with_its_codes_ids_and_time(mappings: Path) -> None:
    ehr = load(mappings)["lakeside"]
    envelope = Envelope("lakeside/1", "lakeside", "application/hl7-v2", RESULT.encode(), archive_key="raw/lakeside/1")
    resources = convert(envelope, ehr, engine_for(mappings)(ehr)).resources
    by_type = {resource["resourceType"]: resource for resource in resources}
    assert {"system": MRN, "value": "L4471"}.items() <= by_type["Patient"]["identifier"][0].items()
    codes = {(one["system"], one["code"]) for one in by_type["Observation"]["code"]["coding"]}
    assert {("http://loinc.org", "2345-7"), ("urn:lakeside:lab", "GLU")} <= codes
    assert by_type["Observation"]["effectiveDateTime"] == "2026-03-01T08:15:00-06:00"


def test_it_is_written_to_with_its_own_bytes_and_proven(mappings: Path) -> None:
    desk = desk_of(mappings)
    proposal = desk.propose(wish(to="lakeside"))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    payload = orjson.loads(proposal.payload)
    assert payload["subject"] == {"reference": "Patient/p-L4471"}
    assert payload["note"][0]["text"].startswith("headwater:")
    assert "id" not in payload
    approved = desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)
    assert desk.send(approved.intent).state is ProposalState.FILED
    refused = desk.propose(wish(observation(resourceType="DiagnosticReport"), to="lakeside"))
    assert refused.reason.startswith("propose.operation_unknown")


def test_it_is_told_of_others_facts_when_its_rules_say_so(mappings: Path) -> None:
    rules = mappings / "ehrs/lakeside/outbound/rules.toml"
    matched = Matched("person-1", 1, (), known_at=frozenset({"epic", "lakeside", "unheard-of"}))

    def told() -> list[str]:
        queue = FakeQueue()
        tell(matched, [observation()], origin_ehr="epic", message_key="k", ehrs=load(mappings), queue=queue)
        return [json.loads(body)["to"] for body in queue.bodies]

    assert told() == []
    shutil.copy(mappings / "ehrs/epic/outbound/rules.toml", rules)
    assert told() == ["lakeside"]


def test_a_hospital_that_runs_it_says_only_what_differs(mappings: Path) -> None:
    (mappings / "ehrs/st-marys").mkdir()
    (mappings / "ehrs/st-marys/ehr.toml").write_text('like = "lakeside"\n[feed]\ntime_zone = "America/Denver"\n')
    assert slips(mappings, "st-marys") == []
    one = load(mappings)["st-marys"]
    assert one.operation("Observation") == load(mappings)["lakeside"].operation("Observation")
    assert writable_ehrs(mappings) == ("epic", "hilltop", "lakeside", "st-marys")


def test_a_vendor_s_own_api_is_written_to_and_read_back_by_the_folder_alone(mappings: Path) -> None:
    """The problem of the examples as a form, over HTTP, and out of the vendor's list again."""
    assert slips(mappings, "hilltop") == []
    ehr = load(mappings)["hilltop"]
    operation = ehr.operation("Condition")
    resource = json.loads((ROOT / "mappings/base/outbound/examples/Condition.json").read_text())
    templates = engine_for(mappings)(ehr)
    fact, payload = render(
        templates, operation, ehr.site, resource=resource, patient="Patient/9", person=PERSON, marker=MARKER
    )
    assert operation.unmet(fact) == ()
    with vendor() as there:
        there.says("POST /rest/patients/9/problems", {"ok": True, "id": 5})
        api = there.api_of(ehr, templates.build)
        assert api.create("Condition", payload, patient="Patient/9").headers["Location"] == "Condition/9.5"
        filed = {key: value[0] for key, value in parse_qs(there.asked[0].body).items()}
        assert filed == {"snomed": "38341003", "since": "03/02/2024", "remark": MARKER}
        there.says("GET /rest/patients/9/problems", {"problems": [{"id": 5, **filed}]})
        read = api.read("Condition/9.5").body or {}
        assert chart.differences(read, fact) == ()
        there.says("POST /rest/patients/9/problems", {"ok": False, "error": "no such code"})
        refused = api.create("Condition", payload, patient="Patient/9")
    assert ehr.react(refused, operation).next is Next.FAIL


def desk_of(mappings: Path) -> Desk:
    """One person whom the new EHR and another know."""
    ehrs = load(mappings)
    seen = datetime(2026, 3, 1, tzinfo=UTC)
    charts = {"epic": "E1009", "lakeside": "L4471"}
    there = {name: patient(ehrs[name].patient.identifier_system, mrn) for name, mrn in charts.items()}
    records = tuple(
        SourceRecord(f"{name}|{ehrs[name].patient.identifier_system}|{charts[name]}", name, traits_of(one), seen, one)
        for name, one in there.items()
    )
    persons = Persons(Person("person-1", 2, records))
    return Desk(ehrs, load_policy(mappings), persons, ChartEhr([there["lakeside"]]), engine_for(mappings))
