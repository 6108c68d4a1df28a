"""What each EHR that can be written to is sent for the example facts: valid, takeable, findable, the same every time.

`headwater ehrs sent EHR --accept` writes the golden files; then read the diff.
"""

from __future__ import annotations

import pytest

from headwater.ehrs import Precondition
from headwater.ehrs.engines import engine_for
from headwater.fhir.validate import validate
from headwater.outbound.gates.loop import carries
from local.registry.sent import MARKER, Sent, sent
from tests.ehr_servers import MAPPINGS, profiles

WRITABLE = sorted(name for name, ehr in profiles().items() if ehr.write)
ALL = [
    (name, one) for name in WRITABLE for one in sent(profiles()[name], engine_for(MAPPINGS)(profiles()[name]), MAPPINGS)
]
each = pytest.mark.parametrize(("name", "one"), ALL, ids=lambda value: value.name if isinstance(value, Sent) else value)


def test_the_products_whose_documents_declare_a_write_can_be_written_to() -> None:
    assert {"epic", "oracle-millennium", "athenahealth", "redox", "meditech", "eclinicalworks", "canvas", "elation",
            "veradigm", "modmed-ema-proprietary", "us-core-9-write"} <= set(WRITABLE)  # fmt: skip


@pytest.mark.parametrize(
    "name", ["advancedmd", "drchrono", "nextgen-enterprise", "nextgen-office", "openemr", "modmed-ema-certified"]
)
def test_a_product_whose_documents_allow_no_write_says_why(name: str) -> None:
    assert name not in WRITABLE
    assert len(profiles()[name].refused["any"]) > 20


@each
def test_what_the_chart_shall_show_is_valid_fhir_that_the_ehr_takes(name: str, one: Sent) -> None:
    assert validate(one.fact) == []
    assert one.unmet == ()


@each
def test_it_could_be_found_again(name: str, one: Sent) -> None:
    assert one.operation.search(one.fact)[one.operation.reconcile["patient"]] == "Patient/4711"


@each
def test_the_marker_is_sent_exactly_where_one_is_known_to_survive(name: str, one: Sent) -> None:
    assert carries(one.fact, MARKER) is bool(one.operation.marker)
    assert (MARKER.partition(":")[2].encode() in one.payload) is bool(one.operation.marker)


@each
def test_the_bytes_are_the_golden_ones(name: str, one: Sent) -> None:
    assert one.text == one.golden.read_text(encoding="utf-8")


def test_a_row_of_a_golden_file_belongs_to_a_write() -> None:
    kept = set(MAPPINGS.glob("ehrs/*/examples/sent/*"))
    assert kept == {one.golden for _, one in ALL}


def test_an_update_needs_a_precondition() -> None:
    for name in WRITABLE:
        ehr = profiles()[name]
        if any(operations.update for operations in ehr.write.values()):
            assert ehr.api is not None
            assert ehr.api.precondition is not Precondition.NONE, name
