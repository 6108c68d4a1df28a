"""train: what was counted becomes weights that a policy reads, and no confidence that the cases do not prove."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headwater.persons.policy import WEIGHTS, load_policy, reweighed
from local.empi import bench, train
from local.empi.arrivals import arrivals, blocked_pairs
from local.empi.population import population

POLICY = load_policy(Path(__file__).resolve().parents[3] / "mappings")
RECORDS, _ = population(5, 600, POLICY)


def test_every_record_arrives_once_and_finds_only_who_was_there_before() -> None:
    there: dict[str, int] = {}
    for arrival in arrivals(RECORDS, POLICY):
        assert arrival.returning == (arrival.record.person in there)
        assert {person: len(linked) for person, linked in arrival.candidates.items()}.items() <= there.items()
        there[arrival.record.person] = there.get(arrival.record.person, 0) + 1
    assert sum(there.values()) == len(RECORDS)


def test_a_pair_is_compared_once_however_many_keys_it_shares() -> None:
    pairs = [frozenset((one.id, other.id)) for one, other in blocked_pairs(RECORDS, POLICY)]
    assert len(set(pairs)) == len(pairs)
    assert all(len(pair) == 2 for pair in pairs)


def test_confidence_rises_and_claims_no_more_than_the_cases_prove() -> None:
    cells = {name: (("ssn", name),) for name in ("a", "b", "c")}
    weights = {"ssn": {"a": 0.0, "b": 1.0, "c": 2.0}}
    table = {cells["a"]: [900, 100], cells["b"]: [950, 50], cells["c"]: [0, 5000]}
    line = train._calibration(table, 0.0, weights)
    assert line == [(0.5, pytest.approx(150 / 2001, abs=1e-6)), (2.0, pytest.approx(5000 / 5001, abs=1e-6))]


def test_trained_weights_are_read_again_and_match_people_they_never_saw(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    weighed = train.train([RECORDS], [population(6, 600, POLICY)[0]], POLICY)
    train.write(weighed, tmp_path)
    policy = reweighed(POLICY, json.loads((tmp_path / WEIGHTS).read_text()))
    gate = bench.measure_gate(population(7, 600, POLICY)[0], policy)
    assert gate.right / gate.returning > 0.5
    assert gate.linked - gate.right <= 1
