"""How this laptop's programs talk to the local AWS: boto3 clients with an endpoint and credentials that open nothing.

moto and the CDK recognise a local endpoint by the word `localhost`, so URLs say it instead of 127.0.0.1.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REGION = "us-east-1"
ACCOUNT = "123456789012"

# Not secret: the local AWS checks no signature. They keep a process from finding real credentials by accident.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local"}


@dataclass(frozen=True, slots=True)
class Resource:
    """A recorded resource of a deployed template: `physical_id` is Ref, `attributes` GetAtt, `properties` resolved."""

    type: str
    stack: str
    logical_id: str
    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, str]


def client(service: str, endpoint: str) -> Any:
    """A boto3 client of the local AWS at `endpoint`. It does not repeat a failed call: a failure here is a finding."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50),
    )


def resources(endpoint: str, cfn_type: str = "") -> list[Resource]:
    """What the local AWS recorded from the templates, of one type or all."""
    with urllib.request.urlopen(f"{endpoint}/_local/resources", timeout=30) as answer:
        found = [Resource(**record) for record in json.load(answer)]
    return [resource for resource in found if cfn_type in ("", resource.type)]
