"""The way in, from a delivery to the store and the write queue: real mappings, everything else in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.errors import Retry
from headwater.formats.write_request import parse
from headwater.inbound.accept import message_key
from headwater.model import Delivery, MessageState, Outcome
from headwater.persons.policy import load_policy
from headwater.pipeline import Ingest
from local.demo.feed import Demo, Sending, make
from tests.fakes import FakeArchive, FakeClock, FakeFhirStore, FakeInbox, FakeQueue, FakeWatch
from tests.fakes_persons import InMemoryPersonIndex

MAPPINGS = Path(__file__).resolve().parents[1] / "mappings"
EHRS = load(MAPPINGS)
ENGINE_FOR = engine_for(MAPPINGS)
POLICY = load_policy(MAPPINGS)


class Way:
    """An `Ingest` and the memory it stands on."""

    def __init__(self) -> None:
        self.archive, self.inbox, self.fhir = FakeArchive(), FakeInbox(), FakeFhirStore()
        self.persons, self.queue, self.watch = InMemoryPersonIndex(), FakeQueue(), FakeWatch()
        self.ingest = Ingest(
            ehrs=EHRS, engine_for=ENGINE_FOR, policy=POLICY, archive=self.archive, inbox=self.inbox,
            persons=self.persons, fhir=self.fhir, write_queue=self.queue, watch=self.watch, clock=FakeClock(),
        )  # fmt: skip

    def take(self, body: bytes | str, ehr: str = "epic", **attributes: str) -> None:
        text = body.decode("latin-1") if isinstance(body, bytes) else body
        self.ingest(Delivery(text, {"ehr": ehr, **attributes}))

    def states(self) -> list[str]:
        return [record.state.value for record in self.inbox.records.values()]

    def reasons(self) -> list[str]:
        return [f"{record.error_code} at {record.error_place}" for record in self.inbox.records.values()]


@pytest.fixture
def way() -> Way:
    return Way()


@pytest.fixture(scope="module")
def demo() -> Demo:
    return make(MAPPINGS, people=12, seed=3)


def first(demo: Demo, kind: bytes, ehr: str = "epic") -> Sending:
    return next(one for one in demo.sendings if one.ehr == ehr and kind in one.body and one.expect == "stored")


def test_every_message_of_the_demo_ends_as_it_should(way: Way, demo: Demo) -> None:
    for sending in demo.sendings:
        way.take(sending.body, sending.ehr)
    ends = {record.archive_key.rsplit("/", 1)[1]: record.state for record in way.inbox.records.values()}
    assert MessageState.ACCEPTED not in ends.values()
    assert sum(state is MessageState.QUARANTINED for state in ends.values()) == 5
    patients = [one for one in way.fhir.resources.values() if one["resourceType"] == "Patient"]
    people = {(chart.human.birth_date, chart.human.phone) for chart in demo.charts}
    assert len(patients) == len(people)


def test_two_ehrs_that_know_one_person_make_write_requests(way: Way, demo: Demo) -> None:
    for sending in demo.sendings:
        way.take(sending.body, sending.ehr)
    requests = [parse(body) for body in way.queue.bodies]
    assert requests
    for request in requests:
        assert request.to != request.origin_ehr
        assert request.resource["subject"]["reference"] == f"Patient/{request.person_id}"
        assert f"Patient/{request.person_id}" in way.fhir.resources


def test_the_same_bytes_again_change_nothing(way: Way, demo: Demo) -> None:
    message = first(demo, b"ORU^R01")
    way.take(message.body)
    before, sent = way.fhir.transactions, len(way.queue.sent)
    way.take(message.body)
    assert (way.fhir.transactions, len(way.queue.sent)) == (before, sent)
    assert "accept.seen_before" in way.watch.outcomes


def test_what_died_on_the_way_is_taken_through_again_with_the_same_result(way: Way, demo: Demo) -> None:
    message = first(demo, b"ORU^R01")
    way.fhir.down = Retry("store.throttled")
    with pytest.raises(Retry):
        way.take(message.body)
    assert way.states() == ["accepted"]
    way.fhir.down = None
    way.take(message.body)
    assert way.states() == ["stored"]
    assert all(len(versions) == 1 for versions in way.fhir.history.values())


def test_a_batch_goes_on_as_its_messages_and_a_bad_one_harms_no_other(way: Way, demo: Demo) -> None:
    good = first(demo, b"ADT^A").body.decode().strip("\r")
    other = first(demo, b"ORU^R01").body.decode().strip("\r")
    bad = good.replace("ADT^A", "ZZZ^Z", 1)
    batch = "\r".join(["FHS|^~\\&|LAB", "BHS|^~\\&|LAB", good, bad, other, "BTS|3", "FTS|1", ""])
    way.take(batch)
    assert sorted(way.states()) == ["forwarded", "quarantined", "stored", "stored"]
    way.take(batch)
    assert len(way.inbox.records) == 4


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("GET / HTTP/1.1", "convert.not_hl7 at MSH"),
        ("MSH|^~\\&|A|B", "convert.truncated at MSH-9"),
        ("MSH|^~\\&|A|B|C|D|20261101||ZZZ^Z99|1|P|2.5\rPID|1||1^^^EPI^MR", "convert.template_missing at MSH-9"),
        ("MSH|^~\\&|A|B|C|D|20261101||ADT^A01|1|P|2.5\rEVN|A01|20261101", "convert.patient_missing at PID"),
        ("", "convert.not_hl7 at MSH"),
    ],
)
def test_bad_input_is_set_aside_with_the_place_and_its_bytes(way: Way, body: str, reason: str) -> None:
    way.take(body)
    assert way.reasons() == [reason]
    (record,) = way.inbox.records.values()
    assert way.archive.objects[record.archive_key] == body.encode()


def test_a_sender_whose_feed_nobody_has_described_is_set_aside(way: Way, demo: Demo) -> None:
    """Its times would be read in no zone in particular, and its ids would have no system."""
    way.take(first(demo, b"ADT^A").body, ehr="meditech")
    assert way.reasons() == ["accept.feed_undeclared at ehrs/meditech/ehr.toml: feed"]
    assert way.fhir.resources == {}


def test_a_slip_in_the_sender_s_own_files_sets_its_messages_aside_with_the_place(
    way: Way, demo: Demo, tmp_path: Path
) -> None:
    (tmp_path / "ehrs/epic").mkdir(parents=True)
    (tmp_path / "ehrs/epic/ehr.toml").write_text('title = "T"\nfamly = "f"\n')
    way.ingest = replace(way.ingest, ehrs=load(tmp_path))
    way.take(first(demo, b"ADT^A").body)
    assert way.reasons() == ["toml.unknown_key at ehrs/epic/ehr.toml: famly"]


def test_an_acknowledgement_is_noted_and_nothing_of_it_is_stored(way: Way) -> None:
    for code in ("AA", "CA"):
        way.take(f"MSH|^~\\&|EPIC|HOSP|HW|HW|20261122120000||ACK^A01^ACK|{code}|P|2.5.1\rMSA|{code}|C77\r")
    assert way.states() == ["noted", "noted"]
    assert not way.fhir.resources
    assert not way.persons.persons


def test_an_acknowledgement_that_says_no_is_for_a_person_to_see(way: Way) -> None:
    for code in ("AE", "AR"):
        way.take(f"MSH|^~\\&|EPIC|HOSP|HW|HW|20261122120000||ACK^A01^ACK|{code}|P|2.5.1\rMSA|{code}|C77\r")
    assert way.states() == ["quarantined", "quarantined"]
    assert way.reasons() == ["convert.message_refused at MSA-1"] * 2
    hints = [record.error_hint.partition(":")[0] for record in way.inbox.records.values()]
    assert hints == ["fatal-error", "transient-error"]


def test_an_answer_about_a_patient_goes_the_way_of_all_news(way: Way) -> None:
    way.take(
        "MSH|^~\\&|EPIC|HOSP|HW|HW|20261122120000||ORL^O22^ORL_O22|9|P|2.5.1\rMSA|AA|C77\r"
        "PID|1||4711^^^EPI^MR||Ravenscroft^Imogen||19840217|F\r"
        "ORC|OK|P1^HW|F1^LAB\rOBR|1|P1^HW|F1^LAB|718-7^Hemoglobin^LN\r"
    )
    assert way.states() == ["stored"]


def test_a_patient_without_a_number_is_held(way: Way, demo: Demo) -> None:
    message = next(one for one in demo.sendings if one.expect == "held")
    way.take(message.body)
    assert way.states() == ["held"]
    assert not way.fhir.history


def test_a_released_message_goes_the_same_way_in(way: Way, demo: Demo) -> None:
    message = first(demo, b"ADT^A")
    way.take(message.body)
    (key,) = way.inbox.records
    way.inbox.close(key, MessageState.QUARANTINED, at="2026-11-22T12:00:00+00:00", code="convert.invalid")
    way.take(message.body)
    assert way.states() == ["quarantined"]
    way.inbox.close(key, MessageState.ACCEPTED, at="2026-11-22T12:01:00+00:00")
    way.take(message.body)
    assert way.states() == ["stored"]


def test_a_slip_in_our_own_code_is_quarantine_not_a_loop(way: Way, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("Okonkwo")

    monkeypatch.setattr("headwater.pipeline.convert", broken)
    way.take(first(demo, b"ADT^A").body)
    (record,) = way.inbox.records.values()
    assert record.error_code == "convert.crashed"
    assert "Okonkwo" not in repr(record)


def test_no_value_of_a_message_reaches_the_log(way: Way, demo: Demo) -> None:
    for sending in demo.sendings:
        way.take(sending.body, sending.ehr)
    said = repr(way.watch.notes) + repr(
        [(r.error_code, r.error_place, r.error_hint) for r in way.inbox.records.values()]
    )
    values = {value for chart in demo.charts for value in (chart.human.family, chart.human.phone, chart.human.street)}
    values |= {chart.mrn for chart in demo.charts} | {chart.human.ssn for chart in demo.charts if chart.human.ssn}
    assert [value for value in values if value in said] == []


def archived(demo: Demo) -> list[Sending]:
    """What a platform team has as files: of known senders. ASCII, for `Way.take` is not about encodings."""
    return [one for one in demo.sendings if one.ehr in EHRS and one.body.isascii()]


def history(way: Way, *bodies: bytes, ehr: str = "epic", run: str = "epic-1") -> list[Outcome]:
    """Messages that a backfill brings."""
    outcomes: list[Outcome] = []
    for number, body in enumerate(bodies):
        location = f"s3://drop/{len(way.inbox.records)}.{number}"
        way.archive.elsewhere[location] = body
        delivery = Delivery("-", {"ehr": ehr, "content-location": location}, backfill=run)
        outcomes += way.ingest.outcomes(delivery)
    return outcomes


def test_a_backfill_stores_what_the_feed_stores_and_tells_nobody(way: Way, demo: Demo) -> None:
    live = Way()
    for sending in archived(demo):
        live.take(sending.body, sending.ehr)
        history(way, sending.body, ehr=sending.ehr)
    assert live.queue.sent
    assert way.queue.sent == []
    assert way.fhir.resources == live.fhir.resources
    assert way.archive.objects == live.archive.objects
    assert [(it.key, it.state, it.error_code) for it in way.inbox.records.values()] == [
        (it.key, it.state, it.error_code) for it in live.inbox.records.values()
    ]
    assert {it.backfill for it in way.inbox.records.values()} == {"epic-1"}


def test_history_that_a_person_releases_by_the_feed_is_still_told_to_nobody(way: Way, demo: Demo) -> None:
    for sending in archived(demo):
        history(way, sending.body, ehr=sending.ehr)
    for sending in archived(demo):
        key = message_key(sending.ehr, sending.body)
        way.inbox.close(key, MessageState.ACCEPTED, at="2026-11-22T12:00:00+00:00")
        way.take(sending.body, sending.ehr)
    assert MessageState.ACCEPTED not in {it.state for it in way.inbox.records.values()}
    assert way.queue.sent == []


def test_a_backfill_gives_an_outcome_a_message_and_can_go_on_after_any(way: Way, demo: Demo) -> None:
    good = first(demo, b"ADT^A").body.decode().strip("\r")
    bad = good.replace("ADT^A", "ZZZ^Z", 1)
    other = first(demo, b"ORU^R01").body.decode().strip("\r")
    batch = "\r".join(["FHS|^~\\&|LAB", "BHS|^~\\&|LAB", good, bad, other, "BTS|3", "FTS|1", ""])
    way.archive.elsewhere["s3://drop/b"] = batch.encode()
    delivery = Delivery("-", {"ehr": "epic", "content-location": "s3://drop/b"}, backfill="epic-1")
    begun = way.ingest.outcomes(delivery)
    assert [next(begun).state.value, next(begun).code] == ["stored", "convert.template_missing"]
    assert [(it.state.value, it.seen) for it in way.ingest.outcomes(delivery, skip=2)] == [("stored", False)]
    assert list(way.ingest.outcomes(delivery, skip=3)) == []
    assert [(it.state.value, it.seen) for it in way.ingest.outcomes(delivery)] == [("forwarded", True)]
    assert {it.backfill for it in way.inbox.records.values()} == {"epic-1"}
