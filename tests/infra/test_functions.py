"""The Lambdas that templates name are the handlers that exist, made one way, told what they need and nothing else."""

from __future__ import annotations

import re

import pytest

from infra.deployment import ROOT

HANDLERS = {file.stem for file in (ROOT / "lambdas" / "handlers").glob("*.py")} - {"__init__"}

EVERYWHERE = {
    "HEADWATER_MAPPINGS",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_TRACE_DISABLED",
}
LEDGER = {"HEADWATER_PROPOSALS_TABLE", "HEADWATER_AUDIT_BUCKET", "HEADWATER_PERSONS_TABLE"}
OUTBOUND = {*LEDGER, "HEADWATER_NOTICES_TOPIC"}
INBOUND = {
    "HEADWATER_ARCHIVE_BUCKET",
    "HEADWATER_MESSAGES_TABLE",
    "HEADWATER_PERSONS_TABLE",
    "HEADWATER_FHIR_ENDPOINT",
    "HEADWATER_SALT_SECRET",
    "HEADWATER_EMPI",
    "HEADWATER_EMPI_SECRET_PREFIX",
}
NEEDS = {
    "ingest": {*INBOUND, "HEADWATER_WRITE_QUEUE_URL"},
    "backfill": INBOUND,
    "follow": {"HEADWATER_PERSONS_TABLE", "HEADWATER_FHIR_ENDPOINT"},
    "propose": {*OUTBOUND, "HEADWATER_EHR_SECRET_PREFIX"},
    "review": {*OUTBOUND, "HEADWATER_EHR_SECRET_PREFIX", "HEADWATER_SEND_QUEUE_URL", "HEADWATER_WRITE_QUEUE_URL"},
    "remind": {*OUTBOUND, "HEADWATER_SEND_QUEUE_URL"},
    "keys": {"HEADWATER_KEYS_PREFIX"},
    "send": {*OUTBOUND, "HEADWATER_EHR_SECRET_PREFIX", "HEADWATER_SEND_QUEUE_URL"},
}


def test_the_templates_name_every_handler_that_exists_and_no_other(cloud):
    named = [it["Handler"] for it in cloud.properties("AWS::Lambda::Function")]
    assert sorted(named) == sorted(f"handlers.{name}.handler" for name in HANDLERS)


def test_every_function_runs_on_arm64_and_the_newest_python(cloud):
    for function in cloud.properties("AWS::Lambda::Function"):
        assert function["Architectures"] == ["arm64"]
        assert function["Runtime"] == "python3.14"


def test_every_layer_is_for_that_runtime(cloud):
    for layer in cloud.properties("AWS::Lambda::LayerVersion"):
        assert layer["CompatibleArchitectures"] == ["arm64"]
        assert layer["CompatibleRuntimes"] == ["python3.14"]


def test_code_mappings_and_dependencies_are_three_assets_shared_by_all_functions(cloud):
    code = {it["Code"]["S3Key"] for it in cloud.properties("AWS::Lambda::Function")}
    layers = {it["Content"]["S3Key"] for it in cloud.properties("AWS::Lambda::LayerVersion")}
    assert (len(code), len(layers), len(code | layers)) == (1, 2, 3)
    for function in cloud.properties("AWS::Lambda::Function"):
        assert len(function["Layers"]) == 2


@pytest.mark.parametrize("name", sorted(NEEDS))
def test_a_function_is_told_only_what_it_needs(cloud, name):
    assert set(cloud.function(name)["Environment"]["Variables"]) == EVERYWHERE | NEEDS[name]


def test_settings_reads_every_variable_that_the_templates_set_and_the_other_way_round(cloud):
    source = (ROOT / "lambdas" / "headwater" / "settings.py").read_text(encoding="utf-8")
    given = {
        variable
        for function in cloud.properties("AWS::Lambda::Function")
        for variable in function["Environment"]["Variables"]
        if variable.startswith("HEADWATER_")
    }
    assert set(re.findall(r"HEADWATER_[A-Z_]+", source)) == given


def test_powertools_speaks_in_one_namespace_and_does_not_trace(cloud):
    for name in HANDLERS:
        variables = cloud.function(name)["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == name
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Headwater"
        assert variables["POWERTOOLS_TRACE_DISABLED"] == "true"
        # Metrics ride on INFO lines: a higher level would silence the dashboard.
        assert variables["POWERTOOLS_LOG_LEVEL"] == "INFO"


def test_the_environment_is_encrypted_with_our_key(cloud):
    for function in cloud.properties("AWS::Lambda::Function"):
        assert "Key" in function["KmsKeyArn"]["Fn::ImportValue"]


def test_logs_are_encrypted_and_end_one_day(cloud):
    for log in cloud.properties("AWS::Logs::LogGroup"):
        assert "Key" in log["KmsKeyId"]["Fn::ImportValue"]
        assert log["RetentionInDays"] >= 90
        # The key's policy lets CloudWatch Logs encrypt for exactly this prefix.
        assert log["LogGroupName"].startswith("/headwater/")


def test_every_function_writes_to_a_log_group_of_its_own(cloud):
    groups = [it["LoggingConfig"]["LogGroup"]["Ref"] for it in cloud.properties("AWS::Lambda::Function")]
    assert len(set(groups)) == len(HANDLERS)
