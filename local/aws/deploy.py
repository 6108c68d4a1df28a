"""The stacks of the synthesised templates, made on the local AWS as `cdk deploy` makes them in the cloud.

Doing it again is harmless: a stack whose template is unchanged is left alone. After that every resource of every
template is looked for, because a half-made stack that calls itself complete is worse than none.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.aws.clients import client
from local.aws.synth import Template

TAG = "headwater:template"
DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
SETTLE_SECONDS = 60.0


class DeployError(Exception):
    """A stack could not be made as its template says; names the stack and the resource."""


def deploy(endpoint: str, templates: Iterable[Template]) -> dict[str, str]:
    """Make or update the stacks in the given order; gives what was done by stack: created, updated, unchanged.

    Raises DeployError.
    """
    cloudformation = client("cloudformation", endpoint)
    done = {}
    for template in templates:
        try:
            done[template.stack] = _apply(cloudformation, template)
        except ClientError as error:
            raise DeployError(f"{template.stack}: {error.response['Error'].get('Message', error)}") from error
        _check(cloudformation, endpoint, template)
    return done


def put_secrets(endpoint: str, prefix: str, secrets: Mapping[str, Mapping[str, Any]]) -> None:
    """Put each EHR's connection into Secrets Manager as JSON, named `<prefix><ehr>`, as an operator would."""
    manager = client("secretsmanager", endpoint)
    for ehr, connection in secrets.items():
        name, value = f"{prefix}{ehr}", json.dumps(connection, sort_keys=True)
        try:
            known = manager.get_secret_value(SecretId=name)["SecretString"]
        except ClientError:
            manager.create_secret(Name=name, SecretString=value)
            continue
        if known != value:
            manager.put_secret_value(SecretId=name, SecretString=value)


def outputs(endpoint: str, stack: str) -> dict[str, str]:
    """A stack's outputs by key."""
    described = client("cloudformation", endpoint).describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _apply(cloudformation: Any, template: Template) -> str:
    body = json.dumps(template.body, sort_keys=True, separators=(",", ":"))
    tag = {"Key": TAG, "Value": hashlib.sha256(body.encode()).hexdigest()}
    wanted = {
        "StackName": template.stack,
        "TemplateBody": body,
        "Tags": [tag],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    known = _describe(cloudformation, template.stack)
    if known is None:
        cloudformation.create_stack(**wanted)
        _settle(cloudformation, template.stack)
        return "created"
    if tag in known.get("Tags", []):
        return "unchanged"
    cloudformation.update_stack(**wanted)
    _settle(cloudformation, template.stack)
    return "updated"


def _settle(cloudformation: Any, stack: str) -> None:
    """Until the stack is done; moto is at once, ministack works on in the background. Names what failed."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (status := (_describe(cloudformation, stack) or {}).get("StackStatus", "")).endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise DeployError(f"{stack}: still {status}")
        time.sleep(0.1)
    if status not in DONE:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [e for e in events if e["ResourceStatus"].endswith("_FAILED")]
        reasons = "; ".join(f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed)
        raise DeployError(f"{stack}: {status}: {reasons}")


def _describe(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    try:
        found: list[dict[str, Any]] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError:
        return None
    return found[0] if found and found[0]["StackStatus"] != "DELETE_COMPLETE" else None


def _check(cloudformation: Any, endpoint: str, template: Template) -> None:
    status = (_describe(cloudformation, template.stack) or {}).get("StackStatus", "missing")
    if status not in DONE:
        raise DeployError(f"{template.stack}: is {status}")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=template.stack)
    made = {
        r["LogicalResourceId"]: r.get("PhysicalResourceId", "")
        for page in pages
        for r in page["StackResourceSummaries"]
    }
    for name, resource in template.body["Resources"].items():
        if "Condition" in resource:
            continue
        physical_id = made.get(name)
        if not physical_id or not _exists(endpoint, resource["Type"], physical_id):
            raise DeployError(f"{template.stack}: {name} ({resource['Type']}) was not made")


def _exists(endpoint: str, cfn_type: str, physical_id: str) -> bool:
    """Whether the service itself knows the resource; types that it is not asked for count as made."""
    probe = _PROBES.get(cfn_type)
    if probe is None:
        return True
    service, ask = probe
    try:
        ask(client(service, endpoint), physical_id)
    except (BotoCoreError, ClientError):
        return False
    return True


_PROBES: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "AWS::DynamoDB::Table": ("dynamodb", lambda c, name: c.describe_table(TableName=name)),
    "AWS::DynamoDB::GlobalTable": ("dynamodb", lambda c, name: c.describe_table(TableName=name)),
    "AWS::KMS::Key": ("kms", lambda c, name: c.describe_key(KeyId=name)),
    "AWS::S3::Bucket": ("s3", lambda c, name: c.head_bucket(Bucket=name)),
    "AWS::SecretsManager::Secret": ("secretsmanager", lambda c, name: c.describe_secret(SecretId=name)),
    "AWS::SNS::Topic": ("sns", lambda c, name: c.get_topic_attributes(TopicArn=name)),
    "AWS::SQS::Queue": ("sqs", lambda c, name: c.get_queue_attributes(QueueUrl=name, AttributeNames=["QueueArn"])),
}
