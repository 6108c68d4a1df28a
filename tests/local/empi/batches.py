"""Records as one EHR's file, matched at once, and the same ones taken through the gate one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headwater.adapters.person_index.load import DynamoDbLoad
from headwater.ehrs import load
from headwater.ehrs.engines import engine_for
from headwater.errors import Hold
from headwater.inbound.convert import convert
from headwater.inbound.match import match
from headwater.model import Envelope
from headwater.persons.policy import load_policy
from headwater.ports import PersonIndex
from local.cli import main
from local.empi.index_load import Load
from local.empi.load import CONTENT_TYPE, Message, Source
from local.empi.patients import patient_of
from local.empi.population import population
from local.empi.truth import Known

MAPPINGS = Path(__file__).resolve().parents[3] / "mappings"
POLICY, EHRS = load_policy(MAPPINGS), load(MAPPINGS)
ENGINE_FOR = engine_for(MAPPINGS)
EPIC = EHRS["epic"]
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def people(seed: int, count: int) -> list[Known]:
    return population(seed, count, POLICY)[0]


def source_of(path: Path, records: Iterable[Known]) -> Source:
    """The records as a file of Epic's."""
    lines = (f"{json.dumps(patient_of(one.traits, one.id))}\n" for one in records)
    path.write_text("".join(lines), encoding="utf-8")
    return Source(path, EPIC, ENGINE_FOR(EPIC), JUNE)


class Batch:
    """`table` says who is one person, as `headwater empi match` found it."""

    def __init__(self, folder: Path, records: Sequence[Known]) -> None:
        self.folder, self.table, self._records = folder, folder / "who.csv", len(records)
        self.source = source_of(folder / "epic.ndjson", records)
        assert main(["empi", "match", "--data", str(folder), "--out", str(self.table), "--processes", "1"]) == 0
        self.messages = [message for _, message in self.source.messages()]

    def load(self, index: DynamoDbLoad) -> Load:
        """Prepared, and yet to be run."""
        folder = self.folder / f"work-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        loading = Load(index, POLICY, folder, threads=1, tell=lambda *_: None)
        loading.prepare([self.source], self.table, self._records)
        return loading


def through_the_gate(index: PersonIndex, messages: Iterable[Message]) -> list[Message]:
    """Those that it holds."""
    held = []
    for message in messages:
        try:
            match(convert(Envelope("epic/x", "epic", CONTENT_TYPE, message.body, ""), EPIC, ENGINE_FOR(EPIC)), "epic",
                  index, POLICY)  # fmt: skip
        except Hold:
            held.append(message)
    return held


def rows_of(dynamodb: Any, table: str, *, but: str = "rev") -> dict[tuple[str, str], Any]:
    """Everything but how often it was written; sets have no order."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table)
    return {
        (row["pk"]["S"], row["sk"]["S"]): {
            name: {kind: sorted(inside) if kind == "SS" else inside for kind, inside in value.items()}
            for name, value in row.items()
            if name != but
        }
        for page in pages
        for row in page["Items"]
    }
