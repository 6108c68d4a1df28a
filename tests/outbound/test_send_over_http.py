"""propose, review and send against simulated EHRs: real HTTP, real OAuth, the profile's own templates and bad days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from headwater.errors import Retry
from headwater.model import Proposal, ProposalState
from tests.ehr_servers import Site, running
from tests.outbound.chart_ehr import ChartEhr
from tests.outbound.conftest import CLINICIAN, Desk, patient, wish

ORIGIN = {"oracle-millennium": "epic", "epic": "oracle-millennium"}
MRN = {"oracle-millennium": "M77120", "epic": "E1009"}


@pytest.fixture(params=["oracle-millennium", "epic"])
def site(request: pytest.FixtureRequest, tmp_path: Path, desk: Desk) -> Iterator[Site]:
    with running(request.param, tmp_path) as one:
        name = request.param
        one.simulated.back_door.file(patient(desk.ehrs[name].patient.identifier_system, MRN[name]))
        desk.chart = cast("ChartEhr", one.api(read_timeout_s=5))
        yield one


def approved(desk: Desk, site: Site) -> Proposal:
    name = site.simulated.ehr.name
    proposal = desk.propose(wish(to=name, origin_ehr=ORIGIN[name]))
    assert proposal.state is ProposalState.PROPOSED, proposal.reason
    return desk.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash)


def run(desk: Desk, site: Site, intent: str) -> Proposal:
    """Bring the intent again, after each wait that was asked for, on both sides' clocks, until it is final."""
    for _ in range(100):
        try:
            return desk.send(intent)
        except Retry as retry:
            desk.clock.move(retry.after or 30)
            site.simulated.clock.advance(retry.after or 30)
    raise AssertionError("never final")


def posts(site: Site) -> int:
    return len(site.chart()["arrivals"])


@pytest.mark.parametrize(
    ("fault", "most_posts"),
    [
        (None, 1),
        ({"fault": "drop_after_commit", "on": "POST Observation"}, 1),
        ({"fault": "drop_before_commit", "on": "POST Observation"}, 2),
        ({"fault": "commit_after", "delay_s": 95}, 1),
        ({"fault": "search_lag", "delay_s": 60}, 1),
        ({"fault": "status", "on": "POST", "code": 503}, 2),
        ({"fault": "status", "on": "POST", "code": 429, "retry_after": 30}, 2),
        ({"fault": "status", "on": "POST", "code": 401}, 2),
        ({"fault": "status", "on": "TOKEN", "code": 503}, 1),
    ],
    ids=lambda value: value["fault"] + str(value.get("code", "")) if isinstance(value, dict) else str(value),
)
def test_the_fact_is_in_the_chart_once_whatever_happens(
    desk: Desk, site: Site, fault: dict[str, Any] | None, most_posts: int
) -> None:
    proposal = approved(desk, site)
    if fault and fault.get("on") == "TOKEN":
        site.ask("POST", "/_sim/tokens/revoke")
    if fault:
        site.fault(**fault)
    filed = run(desk, site, proposal.intent)
    assert (filed.state, len(site.rows()), posts(site)) == (ProposalState.FILED, 1, most_posts)
    row = site.rows()[0]
    assert (row["posted"], row["copies"]) == (most_posts, 1)
    payload = json.loads(proposal.payload)
    assert {key: row["resource"][key] for key in payload} == payload


def test_a_merged_patient_stops_the_write_on_either_chart(desk: Desk, site: Site) -> None:
    proposal = approved(desk, site)
    site.simulated.back_door.file({"resourceType": "Patient", "id": "survivor"})
    site.fault(fault="patient_merge_redirect", **{"from": f"p-{MRN[site.simulated.ehr.name]}", "to": "survivor"})
    # The look before the write meets the redirect first: nothing is sent, and a steward is told.
    stopped = desk.send(proposal.intent)
    assert stopped.state is ProposalState.NEEDS_HUMAN
    assert stopped.reason in ("send.patient_moved", "identity.search_refused")
    assert (site.rows(), posts(site)) == ([], 0)


def test_a_200_with_an_error_inside_is_no_success(desk: Desk, site: Site) -> None:
    proposal = approved(desk, site)
    site.fault(fault="http200_with_entry_error", on="POST")
    assert run(desk, site, proposal.intent).state is ProposalState.FAILED
    assert (site.rows(), posts(site)) == ([], 1)


def test_what_the_ehr_threw_away_is_not_filed(desk: Desk, site: Site) -> None:
    proposal = approved(desk, site)
    site.fault(fault="silent_discard", after_s=0, status=202)
    assert run(desk, site, proposal.intent).state is ProposalState.NEEDS_HUMAN
    assert posts(site) == 1


def test_a_value_that_the_ehr_dropped_is_an_incident(desk: Desk, site: Site) -> None:
    proposal = approved(desk, site)
    site.fault(fault="ignore_fields", fields=["valueQuantity"])
    filed = run(desk, site, proposal.intent)
    assert filed.state is ProposalState.NEEDS_HUMAN
    assert any("valueQuantity" in path for path in filed.differences)


def test_a_vendor_s_duplicate_answer_is_never_resent(desk: Desk, site: Site) -> None:
    if site.simulated.ehr.name != "epic":
        site.fault(fault="operation_outcome", on="POST", code="99999", status=400)
        expected = ProposalState.FAILED
    else:
        site.fault(fault="operation_outcome", on="POST", code="59141", status=400)
        expected = ProposalState.NEEDS_HUMAN
    assert run(desk, site, approved(desk, site).intent).state is expected
    assert posts(site) == 1
