"""What one write-back costs in AWS calls, from the request to FILED, with the real adapters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from headwater.adapters.audit.s3 import S3AuditLog
from headwater.adapters.brakes.dynamodb import DynamoDbBrakes
from headwater.adapters.proposals.dynamodb import DynamoDbProposals
from headwater.model import ProposalState
from tests.adapters.conftest import AUDIT, PROPOSALS, Calls
from tests.outbound.conftest import CLINICIAN, Desk, desk, mappings, wish

__all__ = ["desk", "mappings"]  # fixtures


@pytest.fixture
def real(desk: Desk, table: Callable[[str, str, str], Any], client: Callable[[str], Any]) -> Desk:
    """The desk of the outbound tests, its ledger, brakes and audit log in AWS."""
    dynamodb, s3 = table(PROPOSALS, "intent", "created_at"), client("s3")
    s3.create_bucket(Bucket=AUDIT)
    desk.proposals = DynamoDbProposals(dynamodb, PROPOSALS)  # type: ignore[assignment]
    desk.brakes = DynamoDbBrakes(dynamodb, PROPOSALS)  # type: ignore[assignment]
    desk.audit = S3AuditLog(s3, AUDIT)  # type: ignore[assignment]
    return desk


def test_what_a_write_back_costs_step_by_step(real: Desk, calls: Calls) -> None:
    cost: dict[str, Counter[str]] = {}

    def counted(step: str, work: Callable[[], Any]) -> Any:
        with calls.counted() as seen:
            result = work()
        cost[step] = Counter(seen)
        return result

    proposal = counted("propose", lambda: real.propose(wish()))
    counted("show", lambda: real.review.show(CLINICIAN, proposal.intent))
    counted("approve", lambda: real.review.approve(CLINICIAN, proposal.intent, proposal.payload_hash))
    filed = counted("send", lambda: real.send(proposal.intent))
    assert filed.state is ProposalState.FILED, filed.reason

    rows = {step: {name: n for name, n in one.items() if name.startswith("dynamodb.")} for step, one in cost.items()}
    assert rows == {
        # Told before? How is the EHR? Known? Refused before? Written.
        "propose": {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 1, "dynamodb.GetItem": 2, "dynamodb.PutItem": 1},
        "show": {"dynamodb.GetItem": 1},
        "approve": {"dynamodb.GetItem": 1, "dynamodb.PutItem": 1},
        # The row, the brakes, the EHR's and the patient's budget; sending, accepted, filed.
        "send": {"dynamodb.GetItem": 1, "dynamodb.BatchGetItem": 1, "dynamodb.UpdateItem": 2, "dynamodb.PutItem": 3},
    }
    audit = {step: one.total() - sum(rows[step].values()) for step, one in cost.items()}
    # The first entry looks for a chain that is not there; send reads the chain of three before bytes leave.
    assert audit == {"propose": 2, "show": 1, "approve": 1, "send": 7}


def test_what_a_repeat_costs(real: Desk, calls: Calls) -> None:
    real.propose(wish())
    with calls.counted() as seen:
        real.propose(wish())
    assert Counter(seen) == {"dynamodb.Query": 1}
