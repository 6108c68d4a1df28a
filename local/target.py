"""What a command works on: the local stack that runs, or the stacks deployed with your AWS credentials.

Both give the same things: the `App` that the functions have, from their own environment, boto3 clients, the feed queue
and the review API. So a command cannot tell them apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headwater.adapters import clients
from headwater.bootstrap import App
from headwater.settings import Settings
from local.aws.tokens import USERS
from local.running import NotRunning, Running

DATA = Path(".local")
POINTER_FOLDER = "inbox"  # in the archive bucket: what `send` leaves there when it is too large for SQS
FUNCTIONS = ("ingest", "follow", "propose", "review", "send", "keys")

__all__ = ["DATA", "NotRunning", "Problem", "Target"]


class Problem(Exception):
    """The review API said no, or cannot be asked; the message is its code and hint, or what to do."""


class _Unwatched:
    """No log line and no metric: a command says itself what it did, to who called it."""

    def note(self, step: str, outcome: str, *, milliseconds: float = 0.0, **ids: str | int | float) -> None: ...


@dataclass(frozen=True)
class Target:
    """`environment` is what all functions have together; `review_url` and `tokens` open the review API;
    `backfill_machine` is an ARN."""

    environment: Mapping[str, str]
    feed_queue_url: str
    review_url: str
    running: Running | None = None
    backfill_machine: str = ""

    @classmethod
    def local(cls, data: Path) -> Target:
        """The stack that runs on a folder. Raises NotRunning."""
        running = Running.find(data.resolve())
        environment = running.environment()
        # headwater's adapters make their clients as they do in Lambda: from the process's environment.
        os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
        clients.forget()
        inbound = running.outputs("headwater-inbound")
        return cls(environment, inbound["FeedQueueUrl"], running.api, running, inbound["BackfillMachineArn"])

    @classmethod
    def deployed(cls, prefix: str) -> Target:
        """The stacks that were deployed with this prefix. Raises NotRunning when your credentials find none."""
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        environment: dict[str, str] = {"HEADWATER_MAPPINGS": str(Path("mappings").resolve())}
        try:
            for name in FUNCTIONS:
                found = boto3.client("lambda").get_function_configuration(FunctionName=f"{prefix}-{name}")
                variables: dict[str, str] = found.get("Environment", {}).get("Variables", {})
                environment = {**variables, **environment}
            outputs = {
                output["OutputKey"]: output["OutputValue"]
                for stack in ("inbound", "outbound")
                for described in boto3.client("cloudformation").describe_stacks(StackName=f"{prefix}-{stack}")["Stacks"]
                for output in described.get("Outputs", [])
            }
        except (BotoCoreError, ClientError) as error:
            raise NotRunning(f"no stacks with the prefix {prefix} were found: {error}") from error
        machine = outputs.get("BackfillMachineArn", "")
        return cls(environment, outputs["FeedQueueUrl"], outputs["ReviewApiUrl"].rstrip("/"), backfill_machine=machine)

    @cached_property
    def app(self) -> App:
        app = App(Settings.from_environment(self.environment))
        app.watch = _Unwatched()
        return app

    def client(self, service: str) -> Any:
        """A boto3 client, the one that headwater's own adapters use."""
        return clients.client(service)

    def leave(self, body: bytes, name: str) -> str:
        """Put a message that is too large for SQS where ingest can fetch it; gives its `s3://` location."""
        bucket = self.app.settings.archive_bucket
        key = f"{POINTER_FOLDER}/{hashlib.sha256(body).hexdigest()}/{name}"
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def message_states(self) -> dict[str, str]:
        """Every message's state by its key: one scan, for watching; decisions read the inbox."""
        return self._states(self.app.settings.messages_table, "key")

    def proposal_states(self) -> dict[str, str]:
        """Every proposal's state by its intent: one scan, for watching."""
        return self._states(self.app.settings.proposals_table, "intent")

    def _states(self, table: str, key: str) -> dict[str, str]:
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=table,
                ProjectionExpression="#key, #state",
                ExpressionAttributeNames={"#key": key, "#state": "state"},
            )
        )
        rows = (row for page in pages for row in page["Items"] if "state" in row)
        # Switches lie beside the intents, and no intent has a # in it.
        return {row[key]["S"]: row["state"]["S"] for row in rows if "#" not in row[key]["S"]}

    def resource_counts(self) -> dict[str, int]:
        """How many current resources of each type the FHIR store holds, as the stand-in tells."""
        if self.running is None:
            return {}
        with urllib.request.urlopen(f"{self.running.healthlake}/_local/stats", timeout=30) as answer:
            stores = json.load(answer)["datastores"]
        counts: dict[str, int] = {}
        for by_type in stores.values():
            for kind, count in by_type.items():
                counts[kind] = counts.get(kind, 0) + count
        return counts

    def review(self, user: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One call of the review API as this user. Raises Problem."""
        request = urllib.request.Request(
            self.review_url + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self._token(user)}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Problem(_said(error)) from None
        except urllib.error.URLError as error:
            raise Problem(f"the review API at {self.review_url} does not answer: {error.reason}") from None

    def _token(self, user: str) -> str:
        if self.running is None:
            token = os.environ.get("HEADWATER_REVIEW_TOKEN", "")
            if not token:
                raise Problem("set HEADWATER_REVIEW_TOKEN to an access token of the user pool (docs/deploy.md)")
            return token
        if user not in USERS:
            raise Problem(f"no local user {user}: {', '.join(USERS)}")
        tokens: dict[str, str] = self.__dict__.setdefault("_tokens", {})
        if user not in tokens:
            tokens[user] = self.running.token(user)
        return tokens[user]


def _said(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read())
        return f"{problem['code']}: {problem['hint']}" if problem.get("hint") else str(problem["code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code}"
