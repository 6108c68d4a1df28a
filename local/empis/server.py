"""One simulated EMPI with several faces: Verato's `postIdentity`, a REST API of no vendor, FHIR `$match`, PIXm.

It knows people by family name and birth date, and is not sure when the given names differ: enough to be asked, far from
a match. `fault` makes it fail the way such services do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.loopback import LoopbackHandler

FAULTS = ("silent", "busy", "error", "denied", "nonsense", "says_no", "retry_later")
_SILENCE = 30.0
_GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
_DOMAIN = "urn:oid:2.16.840.1.113883.3.72.5.9.1"


@dataclass
class SimulatedEmpi:
    """Its people, as (family, birth date, given) by id; its cross-references; the header that opens it."""

    opens_with: str = "Basic c2ltdWxhdGVkOm9ubHk="
    fault: str = ""
    people: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    known_as: dict[str, set[str]] = field(default_factory=dict)  # "<system>|<value>" to ids
    asked: list[Any] = field(default_factory=list)

    def like(self, family: str, born: str, given: str) -> list[tuple[str, bool]]:
        """Ids of those with the name and birth date, and whether it is surely them."""
        alike = [(one, known) for one, known in self.people.items() if known[:2] == (family.lower(), born)]
        return [(one, known[2] == given.lower()) for one, known in alike]

    def enrol(self, family: str, born: str, given: str) -> str:
        one = f"L{len(self.people) + 1:06d}"
        self.people[one] = (family.lower(), born, given.lower())
        return one

    # ----------------------------------------------------------------------------------------------------------- faces

    def post_identity(self, asked: Any) -> Any:
        identity = asked["content"]["identity"]
        name, born = identity["names"][0], identity["datesOfBirth"][0]["dateOfBirth"]
        sure = [one for one, certain in self.like(name["last"], born, name["first"]) if certain]
        link_id = sure[0] if sure else self.enrol(name["last"], born, name["first"])
        said_no = self.fault in ("says_no", "retry_later")
        return {
            "auditId": "a-1", "success": not said_no, "retryableError": self.fault == "retry_later", "errors": [],
            "content": {} if said_no else {"linkId": link_id},
        }  # fmt: skip

    def identities(self, asked: Any) -> Any:
        found = self.like(asked["lastName"], asked["birthDate"], asked["firstName"])
        if not found:
            found = [(self.enrol(asked["lastName"], asked["birthDate"], asked["firstName"]), True)]
        one, certain = max(found, key=lambda each: each[1])
        return {"person": {"enterpriseId": one, "score": 0.9995 if certain else 0.8}}

    def match(self, asked: Any) -> Any:
        patient = next(one["resource"] for one in asked["parameter"] if one["name"] == "resource")
        name = patient["name"][0]
        entries = [
            {
                "resource": {"resourceType": "Patient", "id": one},
                "search": {
                    "mode": "match", "score": 0.99 if certain else 0.7,
                    "extension": [{"url": _GRADE, "valueCode": "certain" if certain else "possible"}],
                },
            }
            for one, certain in self.like(name["family"], patient["birthDate"], name["given"][0])
        ]  # fmt: skip
        return {"resourceType": "Bundle", "type": "searchset", "entry": entries}

    def ihe_pix(self, query: dict[str, list[str]]) -> Any:
        ids = sorted(self.known_as.get(query["sourceIdentifier"][0], ()))
        listed = [
            {"name": "targetIdentifier", "valueIdentifier": {"system": _DOMAIN, "value": one}}
            for one in ids
            if query.get("targetSystem") == [_DOMAIN]
        ]
        return {"resourceType": "Parameters", "parameter": listed}


class _Handler(LoopbackHandler):
    empi: SimulatedEmpi

    def do_POST(self) -> None:
        self._answer()

    do_PUT = do_GET = do_POST

    def _answer(self) -> None:
        empi = self.empi
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if empi.fault == "silent":
            time.sleep(_SILENCE)
        if empi.fault == "denied" or self.headers.get("Authorization") != empi.opens_with:
            self._send(401, b"{}")
        elif empi.fault in ("busy", "error"):
            self._send(429 if empi.fault == "busy" else 500, b"{}")
        elif empi.fault == "nonsense":
            self._send(200, b"<html>it works</html>")
        else:
            self._send(200, json.dumps(self._said(json.loads(body or b"null"))).encode())

    def _said(self, asked: Any) -> Any:
        parts = urlsplit(self.path)
        self.empi.asked.append(asked or parse_qs(parts.query))
        if parts.path.endswith("/v2/postIdentity"):
            return self.empi.post_identity(asked)
        if parts.path.endswith("/identities"):
            return self.empi.identities(asked)
        if parts.path.endswith("/Patient/$match"):
            return self.empi.match(asked)
        return self.empi.ihe_pix(parse_qs(parts.query))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running(empi: SimulatedEmpi) -> Iterator[str]:
    """The simulated EMPI on a free port of the loopback; gives its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"empi": empi}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/empi"
    finally:
        server.shutdown()
        server.server_close()
