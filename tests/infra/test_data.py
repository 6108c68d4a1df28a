"""What must survive does, and nobody reads it without the key. The emulators drop all of this: hence on templates."""

from __future__ import annotations

import json

import pytest

KEY = {"Fn::GetAtt": ["Key961B73FD", "Arn"]}
STATEFUL = (
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::HealthLake::FHIRDatastore",
    "AWS::Cognito::UserPool",
)


@pytest.mark.parametrize("kind", STATEFUL)
def test_what_holds_data_outlives_its_stack(cloud, kind):
    found = list(cloud.resources(kind))
    assert found
    for _, resource in found:
        assert resource["DeletionPolicy"] == "Retain"
        assert resource["UpdateReplacePolicy"] == "Retain"


def test_only_the_data_stack_holds_data(cloud):
    for stack in ("outbound", "inbound", "watch"):
        for kind in STATEFUL:
            assert list(cloud.resources(kind, stack=stack)) == []


def test_only_the_data_stack_is_protected_from_deletion(cloud):
    manifest = json.loads((cloud.folder / "manifest.json").read_text(encoding="utf-8"))
    stacks = {name: it for name, it in manifest["artifacts"].items() if it["type"] == "aws:cloudformation:stack"}
    protected = {name for name, it in stacks.items() if it["properties"].get("terminationProtection")}
    assert protected == {"headwater-data"}


def test_the_key_rotates(cloud):
    (key,) = cloud.properties("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True


def test_buckets_are_private_versioned_and_encrypted_with_our_key(cloud):
    for bucket in cloud.properties("AWS::S3::Bucket"):
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        assert rule["BucketKeyEnabled"] is True


def test_buckets_speak_tls_1_2_or_later_only(cloud):
    policies = cloud.properties("AWS::S3::BucketPolicy")
    assert {policy["Bucket"]["Ref"] for policy in policies} == {name for name, _ in cloud.resources("AWS::S3::Bucket")}
    for policy in policies:
        denied = [it["Condition"] for it in policy["PolicyDocument"]["Statement"] if it["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in denied
        assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied


def test_the_audit_bucket_keeps_every_entry_for_six_years_against_everybody(cloud):
    (audit,) = (it for it in cloud.properties("AWS::S3::Bucket") if it.get("ObjectLockEnabled"))
    assert audit["ObjectLockConfiguration"] == {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 2192}},
    }


def test_no_lifecycle_rule_deletes_what_was_kept(cloud):
    for bucket in cloud.properties("AWS::S3::Bucket"):
        for rule in bucket["LifecycleConfiguration"]["Rules"]:
            assert not {name for name in rule if name.startswith(("Expiration", "Noncurrent"))}


def test_tables_can_be_put_back_to_any_second_and_not_be_deleted(cloud):
    for table in cloud.properties("AWS::DynamoDB::Table"):
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] is True
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
        assert table["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize(
    ("keys", "listed_by"),
    [
        (["key"], {"by-state": ("state", "updated_at")}),
        (["pk", "sk"], {}),
        (["intent"], {"by-state": ("state", "created_at"), "by-fingerprint": ("fingerprint", "created_at")}),
    ],
    ids=["messages", "persons", "proposals"],
)
def test_the_tables_have_the_keys_and_indexes_that_the_adapters_use(cloud, keys, listed_by):
    (table,) = (
        it
        for it in cloud.properties("AWS::DynamoDB::Table")
        if [key["AttributeName"] for key in it["KeySchema"]] == keys
    )
    assert {it["AttributeType"] for it in table["AttributeDefinitions"]} == {"S"}
    indexes = table.get("GlobalSecondaryIndexes", [])
    assert {it["IndexName"]: tuple(key["AttributeName"] for key in it["KeySchema"]) for it in indexes} == listed_by
    assert all([key["KeyType"] for key in it["KeySchema"]] == ["HASH", "RANGE"] for it in indexes)
    assert all(it["Projection"] == {"ProjectionType": "ALL"} for it in indexes)


def test_the_fhir_store_is_r4_and_encrypted_with_our_key(cloud):
    (store,) = cloud.properties("AWS::HealthLake::FHIRDatastore")
    assert store["DatastoreTypeVersion"] == "R4"
    assert store["SseConfiguration"] == {
        "KmsEncryptionConfig": {"CmkType": "CUSTOMER_MANAGED_KMS_KEY", "KmsKeyId": KEY}
    }


def test_alarms_go_to_an_encrypted_topic_that_cloudwatch_of_this_account_alone_may_use(cloud):
    (topic,) = cloud.properties("AWS::SNS::Topic")
    assert topic["KmsMasterKeyId"] == KEY
    (policy,) = cloud.properties("AWS::SNS::TopicPolicy")
    allowed = [it for it in policy["PolicyDocument"]["Statement"] if it["Effect"] == "Allow"]
    assert [(it["Principal"], it["Condition"]) for it in allowed] == [
        (
            {"Service": "cloudwatch.amazonaws.com"},
            {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        )
    ]


def test_the_key_serves_other_services_only_for_what_is_ours(cloud):
    (key,) = cloud.properties("AWS::KMS::Key")
    others = [it for it in key["KeyPolicy"]["Statement"] if "Service" in it["Principal"]]
    assert len(others) == 2
    assert all(it["Condition"] for it in others)
