"""boto3's clients, each made once a process and when first asked for: a client costs 15 to 145 ms of CPU to make.

Retries are the standard mode's, with few attempts: what still fails goes back to the queue, where waiting is free.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=3,
    read_timeout=20,
    tcp_keepalive=True,
)


@cache
def _session() -> Any:
    return boto3.Session()


@cache
def client(service: str) -> Any:
    """The client of a service, always the same one."""
    return _session().client(service, config=_CONFIG)


def forget() -> None:
    """Drop what was made, for a process that turns to another AWS: the command line does, a Lambda never."""
    client.cache_clear()
    _session.cache_clear()


def credentials() -> Any:
    """botocore's credentials, which renew themselves; None where there are none."""
    return _session().get_credentials()


def dynamodb() -> Any:
    return client("dynamodb")


def s3() -> Any:
    return client("s3")


def secretsmanager() -> Any:
    return client("secretsmanager")


def ssm() -> Any:
    return client("ssm")


def sqs() -> Any:
    return client("sqs")


def sns() -> Any:
    return client("sns")
