"""ministack in the place of moto: `LOCAL_AWS=ministack`, for soak runs. Runs in ministack's own virtual environment.

Only SQS, DynamoDB, S3, Secrets Manager and what their templates need are ministack's. Functions, event source mappings,
the HTTP API and the FHIR store are recorded as they are on moto, so that the same poller and runtime run the handlers.
Imports nothing but ministack and the standard library. Facts are of ministack 1.5.33 (MIT).
"""

# The signatures are ministack's, and so are the arguments that we do not need.
# ruff: noqa: ARG001

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

from local.aws.clients import ACCOUNT, REGION
from local.aws.recorded import RECORDS, Maker, Properties, Record, Request, makers, records

Scope = MutableMapping[str, Any]
Send = Callable[[Scope], Awaitable[None]]
Receive = Callable[[], Awaitable[Scope]]

CALLS: dict[str, Counter[str]] = {"functions": Counter(), "others": Counter()}


def handler(cfn_type: str, maker: Maker, name_property: str) -> dict[str, Any]:
    """ministack's provisioner of a recorded type."""

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, str]]:
        name = str(properties.get(name_property) or f"{stack}-{logical_id}")
        request = Request(cfn_type, logical_id, stack, name, properties, f"{REGION}:{ACCOUNT}")
        physical_id, attributes = maker(request)
        RECORDS[stack, logical_id] = Record(cfn_type, stack, logical_id, physical_id, properties, dict(attributes))
        return physical_id, dict(attributes)

    def update(
        physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str = ""
    ) -> tuple[str, dict[str, str]]:
        record = next(r for r in RECORDS.values() if (r.stack, r.type, r.physical_id) == (stack, cfn_type, physical_id))
        record.properties = new
        return physical_id, record.attributes

    def delete(physical_id: str, properties: Properties) -> None:
        for key in [key for key, r in RECORDS.items() if (r.type, r.physical_id) == (cfn_type, physical_id)]:
            del RECORDS[key]

    return {"create": create, "update": update, "delete": delete}


def with_local_pages(application: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Any:
    """ministack's ASGI application with `/_local/…` in front, and its calls counted."""

    async def application_and_pages(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_local/"):
            pages = {"/_local/resources": records(), "/_local/calls": CALLS}
            body = json.dumps(pages.get(scope["path"], {"state": "ready"})).encode()
            kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": kind})
            await send({"type": "http.response.body", "body": body})
            return
        if scope["type"] == "http":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            _count(headers, scope["method"])
        await application(scope, receive, send)

    return application_and_pages


def _count(headers: dict[str, str], method: str) -> None:
    parts = headers.get("authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    service = parts[3] if len(parts) > 3 else "unsigned"
    operation = headers.get("x-amz-target", "").rpartition(".")[2] or method
    who = "functions" if "exec-env/AWS_Lambda" in headers.get("user-agent", "") else "others"
    CALLS[who][f"{service}.{operation}"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description="ministack with our CloudFormation types")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="scratch folder")
    parser.add_argument("--healthlake-url", required=True)
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "GATEWAY_PORT": str(options.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(options.data),
        "LOG_LEVEL": "WARNING",
    }
    # Only now: ministack reads its environment when it is imported.
    app: Any = import_module("ministack.app")
    provisioners: Any = import_module("ministack.services.cloudformation.provisioners")

    for cfn_type, (maker, name_property) in makers(options.healthlake_url.rstrip("/")).items():
        provisioners._RESOURCE_HANDLERS[cfn_type] = handler(cfn_type, maker, name_property)
    app.app = with_local_pages(app.app)
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main()
