"""boto3's clients, each made once a process and when first asked for: a client costs 15 to 145 ms of CPU to make.

Retries are the standard mode's, with few attempts: what still fails goes back to the queue, where waiting is free.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.session import get_session

from headwater.adapters.dynamodb_answers import Readers
from headwater.adapters.dynamodb_requests import write_here

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=3, read_timeout=20, tcp_keepalive=True
)


def session_of(**account: str) -> Any:
    """A boto3 session that reads DynamoDB's answers fast; what `account` does not say is the environment's."""
    core = get_session()
    core.register_component("response_parser_factory", Readers())
    return boto3.Session(botocore_session=core, **account)


def client_of(session: Any, service: str, **where: str) -> Any:
    """A client as every function has it; `where` may be an `endpoint_url`."""
    # DynamoDB looks through every request itself; botocore's looking beforehand costs as much as signing it.
    own = Config(user_agent=_name(), parameter_validation=service != "dynamodb")
    made = session.client(service, config=_CONFIG.merge(own), **where)
    if service == "dynamodb":
        write_here(made.meta.events)
    return made


@cache
def _name() -> str:
    """Who we say we are. A name that is given stands; botocore's own is put together anew for each request, 0.1 ms."""
    return f"headwater {get_session().user_agent()}"


@cache
def _session() -> Any:
    return session_of()


@cache
def client(service: str) -> Any:
    """The client of a service, always the same one."""
    return client_of(_session(), service)


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
