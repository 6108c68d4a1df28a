"""A role may do what its adapters call, on the things that are its own, and the list is written here to be read."""

from __future__ import annotations

import json
import re

import pytest

from headwater.adapters.person_index.rows import MOVES
from infra.deployment import ROOT

READS_ROWS = {"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"}
WRITES_ROWS = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"}
OBJECTS = {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
CONSUMES = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
}
EVERY_ROLE = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
}
LEDGER = READS_ROWS | WRITES_ROWS | OBJECTS
OUTBOUND = LEDGER | {"sns:Publish"}
INBOUND = (
    LEDGER
    | {"healthlake:ProcessBundle", "healthlake:UpdateResource", "healthlake:ReadResource"}
    | {"secretsmanager:GetSecretValue"}
)
ALLOWED = {
    "ingest": INBOUND | CONSUMES | {"sqs:SendMessage"},
    "backfill": INBOUND,
    "follow": READS_ROWS
    | WRITES_ROWS
    | {"dynamodb:DeleteItem", "healthlake:SearchWithGet"}
    | {"healthlake:ProcessBundle", "healthlake:UpdateResource", "healthlake:ReadResource"},
    "propose": OUTBOUND | CONSUMES | {"secretsmanager:GetSecretValue"},
    "review": OUTBOUND | {"sqs:SendMessage", "secretsmanager:GetSecretValue"},
    "keys": {"ssm:GetParameter"},
    "remind": OUTBOUND | {"sqs:SendMessage"},
    "send": OUTBOUND | CONSUMES | {"secretsmanager:GetSecretValue"},
}

# What a call of boto3 needs (Service Authorization Reference). A new call in an adapter needs a line here.
CALLS = {
    "batch_get_item": {"dynamodb:BatchGetItem"},
    "get_item": {"dynamodb:GetItem"},
    "put_item": {"dynamodb:PutItem"},
    "query": {"dynamodb:Query"},
    "transact_get_items": {"dynamodb:GetItem"},
    "transact_write_items": WRITES_ROWS | {"dynamodb:DeleteItem"},
    "update_item": {"dynamodb:UpdateItem"},
    "get_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "list_object_versions": {"s3:ListBucket"},  # by people who check the log, not by functions
    "publish": {"sns:Publish"},
    "put_object": {"s3:PutObject"},
    "change_message_visibility_batch": {"sqs:ChangeMessageVisibility"},
    "send_message": {"sqs:SendMessage"},
    "get_parameter": {"ssm:GetParameter"},
    "get_secret_value": {"secretsmanager:GetSecretValue"},
}


def _statements(cloud, handler=None):
    """Every statement of the policies of one function's role, or of all roles."""
    wanted = None if handler is None else cloud.function(handler)["Role"]["Fn::GetAtt"][0]
    found = [
        statement
        for policy in cloud.properties("AWS::IAM::Policy")
        if wanted is None or {"Ref": wanted} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert found
    return found


def _listed(value):
    return value if isinstance(value, list) else [value]


def _resources(cloud, handler, action):
    """The ARNs, as JSON text, on which a function may do an action."""
    return {
        json.dumps(resource)
        for statement in _statements(cloud, handler)
        if action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }


@pytest.mark.parametrize("handler", sorted(ALLOWED))
def test_a_function_may_do_exactly_this(cloud, handler):
    actions = {action for statement in _statements(cloud, handler) for action in _listed(statement["Action"])}
    assert actions == ALLOWED[handler] | EVERY_ROLE


def test_no_policy_names_every_resource(cloud):
    for statement in _statements(cloud):
        assert "*" not in _listed(statement["Resource"])


def test_roles_have_no_managed_policy_and_trust_one_service_each(cloud):
    trusted = []
    for role in cloud.properties("AWS::IAM::Role"):
        assert "ManagedPolicyArns" not in role
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        trusted.append(trust["Principal"]["Service"])
    assert sorted(trusted) == ["lambda.amazonaws.com"] * len(ALLOWED) + ["states.amazonaws.com"]


def test_every_function_has_a_role_of_its_own(cloud):
    roles = [json.dumps(it["Role"]) for it in cloud.properties("AWS::Lambda::Function")]
    assert len(roles) == len(set(roles)) == len(ALLOWED)


def test_only_inbound_writes_persons(cloud):
    for handler in ("propose", "review", "send"):
        (table,) = _resources(cloud, handler, "dynamodb:PutItem")
        assert "Proposals" in table
    for handler in ("ingest", "backfill", "follow"):
        assert any("Persons" in table for table in _resources(cloud, handler, "dynamodb:PutItem"))


def test_no_row_is_deleted_but_the_notes_of_moves_that_are_done(cloud):
    (deleting,) = (it for it in _statements(cloud) if "dynamodb:DeleteItem" in _listed(it["Action"]))
    assert deleting["Action"] == "dynamodb:DeleteItem"
    assert deleting["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [MOVES]}}
    assert deleting in _statements(cloud, "follow")


def test_outbound_reads_the_secrets_of_ehrs_and_no_others(cloud):
    for handler in ("propose", "review", "send"):
        (secrets,) = _resources(cloud, handler, "secretsmanager:GetSecretValue")
        assert ":secret:headwater/ehrs/*" in secrets


def test_ingest_cannot_touch_the_audit_log_nor_the_others_the_archive(cloud):
    assert all("Archive" in bucket for bucket in _resources(cloud, "ingest", "s3:PutObject"))
    for handler in ("propose", "review", "send"):
        assert all("Audit" in bucket for bucket in _resources(cloud, handler, "s3:PutObject"))


def test_ingest_reads_the_salt_and_no_ehr_secret(cloud):
    (secret,) = _resources(cloud, "ingest", "secretsmanager:GetSecretValue")
    assert "Salt" in secret


def test_ingest_reaches_one_fhir_store(cloud):
    (store,) = _resources(cloud, "ingest", "healthlake:ProcessBundle")
    assert "StoreDatastoreArn" in store


def test_the_review_function_may_be_invoked_by_its_api_alone(cloud):
    permissions = [it for it in cloud.properties("AWS::Lambda::Permission") if not _by_the_clock(it)]
    assert {it["Principal"] for it in permissions} == {"apigateway.amazonaws.com"}
    routes = {"{proxy+}" if "{proxy+}" in json.dumps(it["SourceArn"]) else "keys" for it in permissions}
    assert (len(permissions), routes) == (2, {"{proxy+}", "keys"})


def _by_the_clock(permission):
    """Of remind's or follow's own rule."""
    if permission["Principal"] != "events.amazonaws.com":
        return False
    function, rule = json.dumps(permission["FunctionName"]), json.dumps(permission["SourceArn"])
    assert ("Remind" in function and "EveryQuarter" in rule) or ("Follow" in function and "EveryMinute" in rule)
    return True


def test_who_answers_strangers_reads_public_keys_and_nothing_else(cloud):
    (parameters,) = _resources(cloud, "keys", "ssm:GetParameter")
    assert ":parameter/headwater/keys/*" in parameters


def test_whatever_an_adapter_calls_is_allowed_to_some_function():
    source = "".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "lambdas" / "headwater" / "adapters").rglob("*.py")
    )
    calls = set(re.findall(r"\b(?:_client|sqs)\.(?!get_paginator\b)([a-z_0-9]+)\(", source))
    calls |= set(re.findall(r'get_paginator\(\s*"([a-z_0-9]+)"', source))
    assert calls <= CALLS.keys()
    assert {action for call in calls for action in CALLS[call]} <= set().union(*ALLOWED.values())
