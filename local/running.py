"""The doors of a running local stack: what a test, the command line or a producer needs to talk to it.

A stack writes `stack.json` into its data folder and holds a lock on `stack.lock` as long as it lives, so a second
process can find it and can tell a running stack from the remains of one.
"""

from __future__ import annotations

import base64
import fcntl
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.aws.clients import CREDENTIALS, REGION, client, resources
from local.aws.deploy import outputs
from local.aws.tokens import passwords

ROOT = Path(__file__).resolve().parents[1]


class NotRunning(Exception):
    """There is no local stack on this data folder."""


@dataclass(frozen=True, slots=True)
class Running:
    """A local stack. URLs have no slash at the end; `ehrs` are the simulated EHRs by name."""

    data: Path
    aws: str
    healthlake: str
    poller: str
    api: str
    ehrs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def find(cls, data: Path) -> Running:
        """The stack that runs on a data folder. Raises NotRunning."""
        try:
            with (data / "stack.lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                known = json.loads((data / "stack.json").read_text(encoding="utf-8"))
            except FileNotFoundError:
                raise NotRunning(f"the local stack on {data} is starting: try again in a moment") from None
            return cls(**{**known, "data": data})
        except FileNotFoundError:
            pass
        raise NotRunning(f"no local stack runs on {data}; start one: headwater up")

    def save(self) -> None:
        scratch = self.data / "stack.json.new"
        scratch.write_text(json.dumps(asdict(self) | {"data": str(self.data)}, indent=1), encoding="utf-8")
        scratch.rename(self.data / "stack.json")

    def client(self, service: str) -> Any:
        """A boto3 client of this stack's AWS."""
        return client(service, self.aws)

    def token(self, user: str = "dr.rivera") -> str:
        """An access token for a local user (`local/aws/tokens.py`), good for half an hour."""
        basic = base64.b64encode(f"{user}:{passwords(self.data / 'users')[user]}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        form = b"grant_type=client_credentials"
        request = urllib.request.Request(f"{self.api}/oauth2/token", data=form, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a deployed stack, `headwater-data` for example."""
        return outputs(self.aws, stack)

    def queue_url(self, name: str) -> str:
        """The URL of a queue by its name, `headwater-feed.fifo` for example."""
        return str(self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    def environment(self) -> dict[str, str]:
        """What all functions together have in their environment, for code that wants to see what they see."""
        merged: dict[str, str] = {}
        for function in resources(self.aws, "AWS::Lambda::Function"):
            merged |= function.properties.get("Environment", {}).get("Variables", {})
        return {
            **merged,
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.aws,
            "HEADWATER_MAPPINGS": str(ROOT / "mappings"),
        }

    def tallies(self) -> dict[str, Any]:
        """What the poller counted, by function: invocations, errors, messages received, deleted, failed."""
        found: dict[str, Any] = _get(self.poller)
        return found

    def aws_calls(self) -> dict[str, int]:
        """How often the functions called which AWS operation since the local AWS last started: `sqs.SendMessage`."""
        found: dict[str, int] = _get(f"{self.aws}/_local/calls")["functions"]
        return found

    def charts(self) -> dict[str, list[dict[str, Any]]]:
        """Every resource in the chart of every simulated EHR, as it truly is (not through its API)."""
        return {ehr: [row["resource"] for row in _get(f"{url}/_sim/chart")["rows"]] for ehr, url in self.ehrs.items()}

    def file_patients(self, ehr: str, patients: list[dict[str, Any]]) -> None:
        """Put Patients into a simulated EHR's chart by its back door; those that are there stay as they are."""
        body = json.dumps(patients).encode()
        request = urllib.request.Request(
            f"{self.ehrs[ehr]}/_sim/patients", data=body, headers={"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=60).close()


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)
