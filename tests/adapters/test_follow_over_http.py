"""A merge and its reverse, from the message to what a user of the FHIR store finds: HL7 v2 through ingest, DynamoDB and
HealthLake's stand-in, whose search lags behind; then follow, with the store failing in the middle."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials

from headwater.adapters.fhir_store.healthlake import HealthLakeFhirStore
from headwater.adapters.inbox.dynamodb import DynamoDbInbox
from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.adapters.person_index.moves import DynamoDbMoves
from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.inbound.follow import SETTLED, Follow
from headwater.inbound.relink import Relink
from headwater.model import Delivery, MessageState, Resource
from headwater.persons.links import Links, Signed
from headwater.persons.policy import load_policy
from headwater.persons.steward import keep_apart
from headwater.pipeline import Ingest
from local.healthlake.server import Manners, serve
from tests.adapters.test_cost_of_a_message import table
from tests.fakes import FakeArchive, FakeClock, FakeQueue, FakeWatch

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"
LAG = 0.2
IMOGEN = "Ravenscroft^Imogen^Claire||19840217|F|||2208 Larkspur Ave^^Dayton^OH^45402||^PRN^PH^^1^937^5550142"
SYSTEM = "https://epic.example.org/identifiers/mrn"


def message(event: str, control: int, *segments: str) -> Delivery:
    structure = {"ADT^A01": "ADT_A01", "ADT^A40": "ADT_A39", "ORU^R01": "ORU_R01"}[event]
    at = f"202611221{control // 60}{control % 60:02d}00"
    head = f"MSH|^~\\&|EPIC|HOSP|HW|HW|{at}||{event}^{structure}|C{control}|P|2.5.1"
    evn = (f"EVN|{event[4:]}|{at}",) if event.startswith("ADT") else ()
    return Delivery("\r".join((head, *evn, *segments)) + "\r", {"ehr": "epic"})


def pid(mrn: str) -> str:
    return f"PID|1||{mrn}^^^EPI^MR||{IMOGEN}"


def admission(mrn: str, control: int) -> Delivery:
    return message("ADT^A01", control, pid(mrn), f"PV1|1|I|W^101^1||||||||||||||||V{mrn}", "AL1|1|DA|7980^Penicillin^L")


def result(mrn: str, control: int, order: str) -> Delivery:
    return message(
        "ORU^R01", control, pid(mrn), f"OBR|1||{order}^LAB|718-7^Hemoglobin^LN|||20261122100000|||||||||||||||||||F",
        "OBX|1|NM|718-7^Hemoglobin^LN||13.2|g/dL|||||F",
    )  # fmt: skip


@dataclass
class Site:
    ingest: Ingest
    follow: Follow
    relink: Relink
    fhir: HealthLakeFhirStore
    clock: FakeClock
    host: str

    def take(self, delivery: Delivery) -> None:
        self.ingest(delivery)
        states = {row.state for state in MessageState for row in self.ingest.inbox.list(state)}
        assert states == {MessageState.STORED}

    def person(self, mrn: str) -> str:
        known = self.ingest.persons.find(f"epic|{SYSTEM}|{mrn}", []).known
        assert known is not None
        return known.id

    def found(self, kind: str, person_id: str) -> set[str]:
        """What a user finds who asks for a patient's resources of a type."""
        time.sleep(LAG)
        answer = self.fhir._call("GET", f"{kind}?patient=Patient%2F{person_id}&_count=100")
        return {entry["resource"]["id"] for entry in answer.json()["entry"]}

    def settle(self) -> None:
        self.follow()
        time.sleep(LAG)
        self.clock.move(SETTLED.total_seconds())
        assert self.follow() == 0

    def down_after(self, updates: int) -> None:
        """The store answers 503 to an update and both its repetitions, so many updates from now."""
        update, left = self.fhir.update, iter(range(updates))

        def failing(resource: Resource) -> bool:
            if next(left, None) is None:
                self.fhir.update = update  # type: ignore[method-assign]
                url = f"{self.host}/_local/refuse?next=3&status=503"
                urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).close()
            return update(resource)

        self.fhir.update = failing  # type: ignore[method-assign]


@pytest.fixture
def site(client: Callable[[str], Any], tmp_path: Path) -> Iterator[Site]:
    server = serve(tmp_path, manners=Manners(search_lag=LAG))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    host = f"http://localhost:{server.server_port}"
    fhir = HealthLakeFhirStore(f"{host}/datastore/0123456789abcdef/r4/", Credentials("test", "test"), "us-east-1")
    dynamodb = client("dynamodb")
    messages = table(dynamodb, "messages", "key")
    persons = DynamoDbPersonIndex(dynamodb, table(dynamodb, "persons", "pk", "sk"))
    clock, watch, policy = FakeClock(), FakeWatch(), load_policy(MAPPINGS)
    ingest = Ingest(
        ehrs=load(MAPPINGS), engine_for=engine_for(MAPPINGS), policy=policy, archive=FakeArchive(),
        inbox=_Listed(dynamodb, messages), persons=persons, fhir=fhir, write_queue=FakeQueue(), watch=watch,
        clock=clock,
    )  # fmt: skip
    follow = Follow(index=persons, moves=DynamoDbMoves(dynamodb, "persons"), fhir=fhir, watch=watch, clock=clock)
    yield Site(ingest, follow, Relink(links=Links(index=persons, policy=policy), fhir=fhir), fhir, clock, host)
    server.shutdown()
    thread.join()
    server.server_close()
    server.stand_in.versions.close()


class _Listed(DynamoDbInbox):
    """Of a table without its index: what was closed is remembered here."""

    def close(self, key: str, state: MessageState, **why: Any) -> None:
        super().close(key, state, **why)
        self.__dict__.setdefault("closed", {})[key] = state

    def list(self, state: MessageState, *, limit: int = 100) -> Any:
        found = [self.get(key) for key, closed in self.__dict__.get("closed", {}).items() if closed is state]
        return found[:limit]


def test_an_ehrs_merge_and_a_stewards_reverse_of_it(site: Site) -> None:
    site.take(admission("M33", 1))
    site.take(result("M33", 2, "L1"))
    old = site.person("M33")
    now = site.clock()
    keep_apart(site.ingest.persons, f"epic|{SYSTEM}|M44", [old], by="steward", at=now, reason="thought to be two")
    site.take(admission("M44", 3))
    site.take(result("M44", 4, "L2"))
    stays = site.person("M44")
    assert stays != old
    before = {person: site.found("Observation", person) for person in (old, stays)}
    assert [len(found) for found in before.values()] == [1, 1]

    site.take(message("ADT^A40", 5, pid("M44"), "MRG|M33^^^EPI^MR"))
    time.sleep(LAG)
    site.down_after(2)
    assert site.follow() == 1
    assert (site.found("AllergyIntolerance", old), site.found("Observation", old)) == (set(), before[old]), "half of it"
    site.settle()
    assert site.found("Observation", stays) == before[old] | before[stays]
    for kind in ("Observation", "DiagnosticReport", "ServiceRequest", "Encounter", "AllergyIntolerance"):
        assert site.found(kind, old) == set(), kind
    assert len(site.found("Encounter", stays)) == len(site.found("AllergyIntolerance", stays)) == 2

    site.take(result("M33", 6, "L3"))  # the retired number still speaks
    assert len(site.found("Observation", stays)) == 3
    site.relink.unmerge(old, Signed("steward", site.clock(), "twins after all"))
    site.settle()
    assert site.found("Observation", stays) == before[stays]
    assert site.found("Observation", old) > before[old]
    assert len(site.found("Observation", old)) == 2
    assert not any(person.moving for one in (old, stays) if (person := site.ingest.persons.get(one)))
