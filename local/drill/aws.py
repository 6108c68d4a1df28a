"""The drill's AWS: one local AWS with the synthesised stacks for all scenarios, and fresh tables and buckets for each.

A scenario that had to share a ledger with another could pass or fail by what the other left there.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from headwater.adapters import clients
from headwater.settings import Settings
from local.aws.clients import CREDENTIALS, REGION, client, resources
from local.aws.deploy import deploy, put_secrets
from local.aws.synth import synthesise

ROOT = Path(__file__).resolve().parents[2]
_ADDRESS = re.compile(r"http://[^/\s]+")


@dataclass(frozen=True, slots=True)
class DrillAws:
    """A deployed local AWS. `settings` are what all functions together have in their environment."""

    endpoint: str
    settings: Settings

    def fresh(self, name: str, mappings: Path) -> Settings:
        """The same settings with tables, buckets and secrets of their own, empty."""
        made: dict[str, Any] = {"mappings": mappings, "ehr_secret_prefix": f"drill/{name}/"}
        dynamodb, s3 = client("dynamodb", self.endpoint), client("s3", self.endpoint)
        for field in fields(Settings):
            known = str(getattr(self.settings, field.name))
            if field.name.endswith("_table") and known:
                made[field.name] = f"{name}-{field.name}"
                _copy_table(dynamodb, known, made[field.name])
            elif field.name.endswith("_bucket") and known:
                made[field.name] = f"drill-{name}-{field.name}".replace("_", "-").lower()
                s3.create_bucket(Bucket=made[field.name])
        return replace(self.settings, **made)

    def connect(self, prefix: str, connections: dict[str, dict[str, str]]) -> None:
        put_secrets(self.endpoint, prefix, connections)


@contextmanager
def running(data: Path) -> Iterator[DrillAws]:
    """A local AWS and a HealthLake stand-in as processes of their own, deployed, until the end of the block."""
    with contextlib.ExitStack() as stack:
        lake = _start(stack, "local.healthlake", "--data", str(data / "healthlake"))
        arguments = ("--data", str(data / "aws"), "--healthlake-url", lake)
        endpoint = _start(stack, "local.aws.moto_server", *arguments)
        deploy(endpoint, synthesise())
        environment = _environment(endpoint)
        before = {name: os.environ.get(name) for name in environment if name.startswith("AWS_")}
        # headwater's adapters make their clients as they do in Lambda: from the process's environment.
        os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
        clients.forget()
        stack.callback(_restore, before)
        yield DrillAws(endpoint, Settings.from_environment(environment))


def _start(stack: contextlib.ExitStack, module: str, *arguments: str) -> str:
    """A process that prints its address when it is ready, and that ends with this one."""
    command = (sys.executable, str(ROOT / "local" / "child.py"), module, *arguments)
    path = f"{ROOT / 'lambdas'}{os.pathsep}{ROOT}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**clean, **CREDENTIALS, "AWS_REGION": REGION, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    stack.callback(_end, process)
    assert process.stdout is not None
    for line in process.stdout:
        if address := _ADDRESS.search(line):
            return address[0]
    raise RuntimeError(f"{module} did not start")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _environment(endpoint: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for function in resources(endpoint, "AWS::Lambda::Function"):
        merged |= function.properties.get("Environment", {}).get("Variables", {})
    aws = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": endpoint}
    return {**merged, **CREDENTIALS, **aws, "HEADWATER_MAPPINGS": str(ROOT / "mappings")}


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    clients.forget()


def _copy_table(dynamodb: Any, known: str, name: str) -> None:
    """A table with the keys and indexes of a deployed one."""
    table = dynamodb.describe_table(TableName=known)["Table"]
    indexes = [
        {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
        for index in table.get("GlobalSecondaryIndexes", ())
    ]
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=table["AttributeDefinitions"],
        KeySchema=table["KeySchema"],
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
