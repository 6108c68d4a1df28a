"""tell: the last inbound step. The rules of each EHR say which facts of others it is told; each becomes a request.

A request is only a wish: whether anything may be written, and what, `outbound.propose` decides, and then a clinician.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from headwater.ehrs import Ehr
from headwater.formats import write_request
from headwater.model import Matched, Resource, WriteRequest
from headwater.ports import Queue


def tell(
    matched: Matched,
    stored: Iterable[Resource],
    *,
    origin_ehr: str,
    message_key: str,
    ehrs: Mapping[str, Ehr],
    queue: Queue,
) -> int:
    """Send a write request for every stored fact that another EHR, which knows the person, is to be told; how many."""
    # Only EHRs that know the person are read: there are a hundred more.
    others = [ehrs[name] for name in sorted(matched.known_at - {origin_ehr}) if name in ehrs]
    listeners = [ehr for ehr in others if ehr.rules]
    told = 0
    for resource in stored if listeners else ():
        for ehr in listeners:
            rule = next((rule for rule in ehr.rules if rule.applies(resource, origin_ehr)), None)
            if rule is None:
                continue
            origin_ref = f"{resource['resourceType']}/{resource['id']}"
            request = WriteRequest(ehr.name, rule.intent, matched.person_id, resource, origin_ehr, origin_ref)
            dedup = hashlib.sha256(f"{ehr.name}|{origin_ref}|{message_key}".encode()).hexdigest()
            queue.send(write_request.dump(request), group=f"{ehr.name}.{matched.person_id}", dedup=dedup)
            told += 1
    return told
