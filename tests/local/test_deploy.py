from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.aws.clients import resources
from local.aws.deploy import DeployError, deploy, outputs, put_secrets
from local.aws.synth import Template, read_assembly
from tests.local.conftest import Server


def template(prefix: str, **more: Any) -> Template:
    """A queue, a function fed from it, and a FHIR store, as CDK writes them."""
    body = {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"{prefix}.fifo", "FifoQueue": True}},
            "Store": {"Type": "AWS::HealthLake::FHIRDatastore", "Properties": {"DatastoreTypeVersion": "R4"}},
            "Audit": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketName": f"{prefix}-audit",
                    "ObjectLockEnabled": True,
                    "VersioningConfiguration": {"Status": "Enabled"},
                },
            },
            "Policy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Audit"},
                    "PolicyDocument": {
                        "Statement": [
                            {
                                "Effect": "Deny",
                                "Principal": "*",
                                "Action": "s3:*",
                                "Resource": "*",
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        ]
                    },
                },
            },
            "Ingest": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": f"{prefix}-ingest",
                    "Handler": "handlers.ingest.handler",
                    "Timeout": 60,
                    "Environment": {
                        "Variables": {
                            "QUEUE": {"Ref": "Queue"},
                            "ENDPOINT": {"Fn::GetAtt": ["Store", "DatastoreEndpoint"]},
                        }
                    },
                },
            },
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "FunctionName": {"Ref": "Ingest"},
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "BatchSize": 10,
                    "FunctionResponseTypes": ["ReportBatchItemFailures"],
                },
            },
            **more,
        },
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": f"{prefix}-url"}}},
    }
    return Template(prefix, body)


def fresh() -> str:
    return f"t{uuid4().hex[:12]}"


def test_recorded_functions_and_mappings_have_resolved_properties(shared: Server) -> None:
    prefix = fresh()
    assert deploy(shared.endpoint, [template(prefix)]) == {prefix: "created"}
    found = {r.logical_id: r for r in resources(shared.endpoint) if r.stack == prefix}
    variables = found["Ingest"].properties["Environment"]["Variables"]
    url = f"{shared.endpoint}/123456789012/{prefix}.fifo"
    assert variables == {"QUEUE": url, "ENDPOINT": found["Store"].attributes["DatastoreEndpoint"]}
    assert variables["ENDPOINT"].startswith("http://hl/datastore/")
    assert found["Mapping"].properties["EventSourceArn"] == f"arn:aws:sqs:us-east-1:123456789012:{prefix}.fifo"
    assert found["Mapping"].properties["FunctionName"] == f"{prefix}-ingest"


def test_a_recorded_mapping_does_not_consume_messages(shared: Server) -> None:
    prefix = fresh()
    deploy(shared.endpoint, [template(prefix)])
    sqs, url = shared.client("sqs"), outputs(shared.endpoint, prefix)["Url"]
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="1")
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_deploying_again_leaves_all_as_it_is(shared: Server) -> None:
    prefix = fresh()
    made = template(prefix)
    deploy(shared.endpoint, [made])
    before = resources(shared.endpoint)
    assert deploy(shared.endpoint, [made]) == {prefix: "unchanged"}
    assert resources(shared.endpoint) == before


def test_a_changed_template_updates_the_functions_and_keeps_the_data(shared: Server) -> None:
    prefix = fresh()
    made = template(prefix)
    deploy(shared.endpoint, [made])
    shared.client("s3").put_object(Bucket=f"{prefix}-audit", Key="k", Body=b"kept")
    changed = Template(prefix, json.loads(json.dumps(made.body)))
    changed.body["Resources"]["Ingest"]["Properties"]["Timeout"] = 30
    assert deploy(shared.endpoint, [changed]) == {prefix: "updated"}
    (function,) = [r for r in resources(shared.endpoint, "AWS::Lambda::Function") if r.stack == prefix]
    assert function.properties["Timeout"] == 30
    assert shared.client("s3").get_object(Bucket=f"{prefix}-audit", Key="k")["Body"].read() == b"kept"


def test_a_stack_reads_the_exports_of_another(shared: Server) -> None:
    prefix = fresh()
    reader = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": f"{prefix}-reader",
            "Handler": "h.h",
            "Environment": {"Variables": {"URL": {"Fn::ImportValue": f"{prefix}-url"}}},
        },
    }
    second = Template(f"{prefix}-2", {"Resources": {"Reader": reader}})
    deploy(shared.endpoint, [template(prefix), second])
    (function,) = [r for r in resources(shared.endpoint, "AWS::Lambda::Function") if r.stack == f"{prefix}-2"]
    assert function.properties["Environment"]["Variables"]["URL"].endswith(f"{prefix}.fifo")


def test_object_lock_holds_as_the_template_says(shared: Server) -> None:
    prefix = fresh()
    deploy(shared.endpoint, [template(prefix)])
    lock = shared.client("s3").get_object_lock_configuration(Bucket=f"{prefix}-audit")
    assert lock["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"


@pytest.mark.parametrize(
    "bad",
    [
        {"Type": "AWS::Kinesis::Nonsense", "Properties": {}},
        {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "no spaces allowed"}},
        {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Fn::GetAtt": ["Store", "Nothing"]}}},
    ],
    ids=["unknown type", "refused by the service", "unknown attribute"],
)
def test_a_resource_that_cannot_be_made_is_an_error_that_names_it(shared: Server, bad: dict[str, Any]) -> None:
    prefix = fresh()
    with pytest.raises(DeployError, match=prefix) as raised:
        deploy(shared.endpoint, [template(prefix, Broken=bad)])
    assert "Broken" in str(raised.value) or "Nothing" in str(raised.value)
    assert deploy(shared.endpoint, [template(prefix)])[prefix] == "created", "the remains are not in the way"


def test_secrets_are_put_once_and_changed_when_they_change(shared: Server) -> None:
    prefix = f"{fresh()}/ehrs/"
    secrets = shared.client("secretsmanager")
    for connection in ({"base_url": "a"}, {"base_url": "a"}, {"base_url": "b"}):
        put_secrets(shared.endpoint, prefix, {"epic": connection})
    assert json.loads(secrets.get_secret_value(SecretId=f"{prefix}epic")["SecretString"]) == {"base_url": "b"}
    versions = secrets.list_secret_version_ids(SecretId=f"{prefix}epic", IncludeDeprecated=True)["Versions"]
    assert len(versions) == 2


def test_stacks_come_in_the_order_of_their_dependencies(tmp_path: Path) -> None:
    needed: dict[str, list[str]] = {"watch": ["data", "inbound"], "inbound": ["outbound"], "outbound": ["data"]}
    needed["data"] = []
    artifacts = {
        name: {
            "type": "aws:cloudformation:stack",
            "dependencies": needs,
            "properties": {"templateFile": "t.json", "stackName": name},
        }
        for name, needs in needed.items()
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    rules = {"CheckBootstrapVersion": {}}
    body = {"Resources": {"M": {"Type": "AWS::CDK::Metadata"}}, "Rules": rules, "Parameters": {"BootstrapVersion": {}}}
    (tmp_path / "t.json").write_text(json.dumps(body))
    found = read_assembly(tmp_path)
    assert [t.stack for t in found] == ["data", "outbound", "inbound", "watch"]
    assert found[0].body == {"Resources": {}, "Parameters": {}}
