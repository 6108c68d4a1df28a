"""What a platform engineer may choose, and that choosing it does what docs/deploy.md says."""

from __future__ import annotations

import json

import pytest

ROLE = "arn:aws:iam::111122223333:role/interface-engine"


@pytest.fixture(scope="module")
def chosen(synthesise):
    return synthesise(
        prefix="acceptance",
        audit_retention_days="30",
        producers=f"{ROLE},444455556666",
        pointer_buckets=["large-messages"],
        alarm_emails="oncall@example.org",
        empi="verato",
    )


def _producers(cloud):
    statements = [
        statement
        for policy in cloud.properties("AWS::SQS::QueuePolicy", stack="inbound")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    return [(statement["Action"], json.dumps(statement["Principal"])) for statement in statements]


def test_the_prefix_is_in_every_name(chosen):
    for queue in chosen.properties("AWS::SQS::Queue"):
        assert queue["QueueName"].startswith("acceptance-")
    for function in chosen.properties("AWS::Lambda::Function"):
        assert function["FunctionName"].startswith("acceptance-")
    assert "headwater-" not in json.dumps({name: it["Resources"] for name, it in chosen.templates.items()})


def test_the_prefix_is_in_the_names_of_secrets(chosen):
    assert chosen.function("send")["Environment"]["Variables"]["HEADWATER_EHR_SECRET_PREFIX"] == "acceptance/ehrs/"
    policies = json.dumps(chosen.properties("AWS::IAM::Policy", stack="outbound"))
    assert ":secret:acceptance/ehrs/*" in policies


def test_a_trial_may_keep_its_audit_log_for_less(chosen):
    (audit,) = (it for it in chosen.properties("AWS::S3::Bucket") if it.get("ObjectLockEnabled"))
    assert audit["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Days"] == 30


def test_nobody_else_may_send_unless_named(cloud):
    assert _producers(cloud) == []


def test_a_named_producer_may_send_to_the_feed_queue_and_do_nothing_else(chosen):
    ((actions, principals),) = _producers(chosen)
    assert set(actions) == {"sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"}
    assert ROLE in principals
    assert ":iam::444455556666:root" in principals


def test_a_named_producer_may_use_the_key_by_way_of_sqs_alone(chosen):
    (key,) = chosen.properties("AWS::KMS::Key")
    (statement,) = (it for it in key["KeyPolicy"]["Statement"] if ROLE in json.dumps(it["Principal"]))
    assert statement["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Join"][1][0] == "sqs."


def test_ingest_reads_the_buckets_that_were_named(chosen):
    policies = json.dumps(chosen.properties("AWS::IAM::Policy", stack="inbound"))
    assert ":s3:::large-messages/*" in policies


def test_alarms_are_mailed(chosen):
    (subscription,) = chosen.properties("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "oncall@example.org")


def test_an_empi_outside_is_named_and_its_one_secret_may_be_read(chosen, cloud):
    variables = chosen.function("ingest")["Environment"]["Variables"]
    assert (variables["HEADWATER_EMPI"], variables["HEADWATER_EMPI_SECRET_PREFIX"]) == ("verato", "acceptance/empis/")
    may = json.dumps(chosen.properties("AWS::IAM::Policy", stack="inbound"))
    assert ":secret:acceptance/empis/verato-??????" in may
    assert cloud.function("ingest")["Environment"]["Variables"]["HEADWATER_EMPI"] == ""
    assert "/empis/" not in json.dumps(cloud.properties("AWS::IAM::Policy", stack="inbound"))
