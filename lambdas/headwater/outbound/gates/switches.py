"""switches: what a person has stopped, stays stopped: everything, an EHR, a kind of intent, a patient. A code for which
an EHR's build has no place is stopped too: that the sender learns from its answers.

Asked right before bytes may leave, without a cache: a switch works within the seconds that one write takes.
"""

from __future__ import annotations

from headwater.ehrs import Ehr
from headwater.errors import Retry
from headwater.model import Brake, Resource
from headwater.outbound.chart import codes_of
from headwater.outbound.policy import Budget

ALL = "all"
CODE = "code/"


def scopes(ehr: str, resource_type: str, purpose: str, patient_ref: str, resource: Resource) -> tuple[str, ...]:
    """Every switch that would hold this write: `all`, `ehr/<ehr>`, `kind/<type or purpose>`, the two together,
    `patient/<ehr>/<id>` and `code/<ehr>/<type>/<system|code>`."""
    kinds = (resource_type, purpose)
    return (
        ALL,
        f"ehr/{ehr}",
        *(f"kind/{kind}" for kind in kinds),
        *(f"ehr/{ehr}/kind/{kind}" for kind in kinds),
        f"patient/{ehr}/{patient_ref.rsplit('/', 1)[-1]}",
        *(code_scope(ehr, resource_type, token) for token in sorted(codes_of(resource))),
    )


def code_scope(ehr: str, resource_type: str, token: str) -> str:
    return f"{CODE}{ehr}/{resource_type}/{token}"


def switches(brake: Brake, ehr: str, wait_s: int) -> None:
    """Raises Retry('send.switched_off' | 'send.ehr_closed') with the seconds to wait."""
    if brake.switches:
        hint = f"stopped at {brake.switches[0].scope} by {brake.switches[0].by}; see headwater switch list"
        raise Retry("send.switched_off", place=ehr, hint=hint, after=wait_s)
    if brake.closed_s > 0:
        raise Retry("send.ehr_closed", place=ehr, after=max(int(brake.closed_s) + 1, 1))


def pace(ehr: Ehr, budget: Budget) -> tuple[float, int]:
    """Requests a second, and how many at once; the EHR's own pace goes before the general one.

    A tenth at once and nine tenths as a steady flow: in no window of the EHR's are there more than it allows.
    """
    requests, seconds = (ehr.pace.requests, ehr.pace.seconds) if ehr.pace else (budget.requests_per_min, 60)
    return 0.9 * requests / seconds, max(requests // 10, 1)
