"""Handlers that behave well and badly on command, for the tests of the local runtime and poller."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


def echo(event: Any, context: Any) -> Any:
    """Gives back what it got and what it was told; obeys `do`."""
    match event.get("do") if isinstance(event, dict) else None:
        case "raise":
            raise ValueError("as asked")
        case "sleep":
            time.sleep(event["seconds"])
        case "exit":
            os._exit(3)
    return {
        "event": event,
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "left": context.get_remaining_time_in_millis(),
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "mappings": os.environ["HEADWATER_MAPPINGS"],
        "own": os.environ.get("OWN", ""),
    }


def consume(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Notes each batch in a file, then obeys the bodies: fail, raise, sleep, exit, else success."""
    bodies = [json.loads(record["body"]) for record in event["Records"]]
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps({"at": time.time(), "event": event}) + "\n")
    for body in bodies:
        match body.get("do"):
            case "raise":
                raise ValueError("as asked")
            case "sleep":
                time.sleep(body["seconds"])
            case "exit":
                os._exit(3)
    failed = [r["messageId"] for r, body in zip(event["Records"], bodies, strict=True) if body.get("do") == "fail"]
    return {"batchItemFailures": [{"itemIdentifier": identity} for identity in failed]}


broken = None
