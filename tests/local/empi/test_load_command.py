"""headwater empi load: refuses what does not fit, says what it costs, and a steward can work with what it made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headwater.adapters.person_index.dynamodb import DynamoDbPersonIndex
from headwater.inbound.relink import Relink
from headwater.model import Delivery, MessageState, Person
from headwater.persons.links import Links
from headwater.pipeline import Ingest
from local.cli import empi_load, empi_relink, empi_steward, main
from tests.fakes import FakeArchive, FakeClock, FakeFhirStore, FakeInbox, FakeQueue, FakeWatch
from tests.local.empi.batches import EHRS, ENGINE_FOR, POLICY, Batch, people, rows_of

SIGNED = ["--by", "steward", "--reason", "called the patient"]


class Desk:
    """A way whose index is a table in moto, as `Target` for the commands; its queue is taken through at once."""

    def __init__(self, client: Any) -> None:
        self._client, self.feed_queue_url, self.inbox, fhir = client, "queue", FakeInbox(), FakeFhirStore()
        self.persons = DynamoDbPersonIndex(client, "loaded")
        ports: dict[str, Any] = {
            "ehrs": EHRS, "engine_for": ENGINE_FOR, "policy": POLICY, "archive": FakeArchive(), "inbox": self.inbox,
            "persons": self.persons,
        }  # fmt: skip
        self._ingest = Ingest(**ports, fhir=fhir, write_queue=FakeQueue(), watch=FakeWatch(), clock=FakeClock())
        relink = Relink(links=Links(index=self.persons, policy=POLICY), fhir=fhir)
        self.settings = SimpleNamespace(persons_table="loaded", empi="")
        self.app = SimpleNamespace(**ports, settings=self.settings, relink=relink)

    def client(self, name: str) -> Any:
        return self._client if name == "dynamodb" else SimpleNamespace(send_message=self._sent)

    def _sent(self, *, MessageBody: str, MessageAttributes: dict[str, Any], MessageGroupId: str, **rest: Any) -> None:
        assert len(MessageGroupId) <= 128
        self._ingest(Delivery(MessageBody, {name: each["StringValue"] for name, each in MessageAttributes.items()}))

    def held(self) -> list[str]:
        return [key for key, record in self.inbox.records.items() if record.state is MessageState.HELD]

    def all_persons(self) -> list[Person]:
        ids = [pk.partition("#")[2] for pk, sk in rows_of(self._client, "loaded") if sk == "person"]
        return [person for one in ids if (person := self.persons.get(one))]


@pytest.fixture(scope="module")
def matched(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return Batch(tmp_path_factory.mktemp("matched"), people(31, 20))


@pytest.fixture
def desk(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(dynamodb)
    for module in (empi_load, empi_steward, empi_relink):
        monkeypatch.setattr(module, "target_of", lambda options: made)
    monkeypatch.setenv("COLUMNS", "250")
    return made


def load(matched: Batch, *more: str) -> int:
    return main(["empi", "load", str(matched.table), "--of", str(matched.folder), *more])


def test_a_steward_works_with_what_was_loaded(desk: Desk, matched: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(matched) == 0
    said = capsys.readouterr().out
    held = desk.held()
    planned = said.split()[0]
    assert f"{planned} persons added, 0 were there, 0 the feed had met; {len(desk.inbox.records)} records" in said
    assert held
    assert main(["empi", "queue"]) == 0
    assert f"{len(held)} wait" in capsys.readouterr().out
    assert main(["empi", "show", held[0]]) == 0

    one, other = [person for person in desk.all_persons() if len(person.records) > 1][:2]
    born = str(one.records[0].traits.birth_date)
    assert main(["empi", "find", "--family", one.records[0].traits.family[0], "--born", born]) == 0
    assert one.id in capsys.readouterr().out
    assert main(["empi", "history", one.id]) == 0
    assert "founded" in capsys.readouterr().out
    assert main(["empi", "merge", one.id, other.id, *SIGNED]) == 0
    assert len(getattr(desk.persons.get(other.id), "records", ())) == len(one.records) + len(other.records)
    assert main(["empi", "unmerge", one.id, *SIGNED]) == 0
    assert getattr(desk.persons.get(one.id), "records", ()) == one.records
    assert main(["empi", "split", one.id, "1", *SIGNED]) == 0
    assert len(getattr(desk.persons.get(one.id), "records", ())) == len(one.records) - 1


def test_who_is_held_by_the_batch_is_released_by_a_steward(desk: Desk, matched: Batch) -> None:
    assert load(matched) == 0
    possible = [key for key in desk.held() if desk.inbox.records[key].error_code == "match.possible"]
    before = {person.id for person in desk.all_persons()}
    assert main(["empi", "unlink", possible[0], *SIGNED]) == 0
    assert desk.inbox.records[possible[0]].state is MessageState.STORED
    assert len({person.id for person in desk.all_persons()} - before) == 1


def test_a_dry_run_says_what_it_costs_and_writes_nothing(
    desk: Desk, matched: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(matched, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "write units" in said
    assert "US$ 0.00" in said
    assert not desk.all_persons()
    assert not desk.inbox.records


def test_a_table_of_another_policy_is_refused(
    desk: Desk, matched: Batch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "who.csv"
    table.write_bytes(matched.table.read_bytes())
    figures = json.loads(matched.table.with_suffix(".json").read_text())
    assert figures["policy"] == POLICY.digest
    for wrong in (figures | {"policy": "3:0123456789abcdef"}, {"records": 1}):
        table.with_suffix(".json").write_text(json.dumps(wrong))
        assert main(["empi", "load", str(table), "--of", str(matched.folder)]) == 2
        assert "match again" in capsys.readouterr().err
    assert not desk.all_persons()


def test_more_records_than_the_policy_knows_of_are_refused(
    desk: Desk, matched: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.app.policy = replace(POLICY, population=12)
    assert load(matched) == 2
    assert "population.records" in capsys.readouterr().err
    assert not desk.all_persons()


def test_where_an_empi_outside_decides_nothing_is_loaded(desk: Desk, matched: Batch) -> None:
    desk.settings.empi = "verato"
    assert load(matched) == 2
    assert not desk.all_persons()


def test_a_file_is_an_ehrs(desk: Desk, matched: Batch, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(matched, "--source", "epic=nowhere", "--dry-run") == 2
    assert "--source epic=EHR" in capsys.readouterr().err
    assert load(matched, "--source", "epic=athenahealth") == 0
    assert {record.ehr for person in desk.all_persons() for record in person.records} == {"athenahealth"}


def test_what_is_newer_than_the_files_replaces_what_they_say(desk: Desk, matched: Batch) -> None:
    assert load(matched, "--as-of", "2026-06-30T12:00:00+02:00") == 0
    times = {record.event_time.isoformat() for person in desk.all_persons() for record in person.records}
    assert times == {"2026-06-30T10:00:00+00:00"}
