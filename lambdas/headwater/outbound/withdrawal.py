"""Taking back what was filed: no EHR rolls back, so that a wrong row is marked as entered in error by one more update.

It goes the way of every update: examined, signed by somebody else than who asked for it, read back.
"""

from __future__ import annotations

import orjson

from headwater.errors import Refuse
from headwater.model import Proposal, Resource, WriteRequest

PURPOSE = "withdrawal"
# Types whose `status` says so by itself (FHIR R4); of problems and allergies other elements must go too, by hand.
_BY_STATUS = ("Observation", "DocumentReference", "Immunization", "MedicationStatement", "Procedure")


def withdrawal(proposal: Proposal, author: str) -> WriteRequest:
    """Raises Refuse('review.no_way_back') for a type that a person must take back in the EHR itself."""
    if proposal.resource_type not in _BY_STATUS:
        hint = "mark it as entered in error in the EHR itself"
        raise Refuse("review.no_way_back", place=proposal.resource_type, hint=hint)
    filed: Resource = orjson.loads(proposal.fact or proposal.payload)
    about: Resource = {**filed, "status": "entered-in-error"}
    about["subject"] = {"reference": f"Patient/{proposal.person_id}"}
    kept = ("resourceType", "status", "subject", "code", "category", "type")
    return WriteRequest(
        to=proposal.ehr,
        intent=PURPOSE,
        person_id=proposal.person_id,
        resource={name: about[name] for name in kept if name in about},
        origin_ehr=proposal.origin_ehr,
        origin_ref=f"withdrawal/{proposal.intent}",
        updates=proposal.filed_ref.split("/_history/")[0],
        author=author,
        withdraws=proposal.intent,
    )
