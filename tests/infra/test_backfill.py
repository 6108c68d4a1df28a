"""The backfill's state machine: oldest first, a bounded share of the store, restartable, no way to the write queue."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile

import boto3
import pytest
from cfnlint.api import ManualArgs, lint
from moto import mock_aws
from moto.awslambda_simple.models import lambda_simple_backends
from moto.stepfunctions.parser.asl.parse.asl_parser import ASLParserException
from moto.stepfunctions.parser.asl.static_analyser.static_analyser import StaticAnalyser

from headwater.inbound import backfill as step
from infra import backfill
from infra.deployment import ROOT
from local.backfill.plan import Order


@pytest.fixture(scope="module")
def machine(cloud):
    (one,) = cloud.properties("AWS::StepFunctions::StateMachine")
    return one


@pytest.fixture(scope="module")
def definition(machine):
    """As Step Functions reads it; what only AWS knows stands as `?`."""
    whole = machine["DefinitionString"]
    parts = whole["Fn::Join"][1] if isinstance(whole, dict) else [whole]
    return json.loads("".join(part if isinstance(part, str) else "?" for part in parts))


def _statements(cloud, of):
    (document,) = (
        it["PolicyDocument"]
        for it in cloud.properties("AWS::IAM::Policy", stack="inbound")
        if it["Roles"] == [{"Ref": of}]
    )
    return document["Statement"]


def test_waves_come_one_after_the_other_and_lanes_are_bounded_by_the_input(definition):
    waves = definition["States"]["Waves"]
    assert waves["MaxConcurrency"] == 1
    files = waves["ItemProcessor"]["States"]["Files"]
    assert files["MaxConcurrencyPath"] == "$.lanes"
    assert files["ItemBatcher"]["MaxItemsPerBatchPath"] == "$.files_a_batch"
    given = Order("epic-1", "epic", "", "history", "").input(["2021/"], 8, 100)
    selected = {path.removeprefix("$.") for path in waves["ItemSelector"].values() if path.startswith("$.")}
    assert selected | {"waves"} == set(given)
    assert files["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert 0 < files["ToleratedFailurePercentage"] < 5


def test_a_batch_and_its_report_fit_into_what_a_state_may_hand_on(definition):
    batcher = definition["States"]["Waves"]["ItemProcessor"]["States"]["Files"]["ItemBatcher"]
    examples = step.EXAMPLES * 1_500
    assert 2 * batcher["MaxInputBytesPerBatch"] + examples < 262_144  # as items, and once more if all of them fail


def test_a_batch_is_handed_in_again_while_files_are_left(definition):
    states = definition["States"]["Waves"]["ItemProcessor"]["States"]["Files"]["ItemProcessor"]["States"]
    assert states["Batch"]["Next"] == "Left?"
    through, pause = states["Left?"]["Choices"]
    assert through == {"Variable": "$.Items[0]", "IsPresent": False, "Next": "Through"}
    assert (pause["Variable"], states[pause["Next"]]["SecondsPath"]) == ("$.Wait", "$.Wait")
    assert states["Left?"]["Default"] == states["Pause"]["Next"] == "Batch"
    assert states["Batch"]["TimeoutSeconds"] > backfill.TIMEOUT.to_seconds()


def _literal():
    """The definition with names in the place of what only a deployment knows."""
    text = json.dumps(backfill.definition("arn:aws:lambda:us-east-1:123456789012:function:backfill", "archive"))
    return json.loads(re.sub(r"\$\{Token\[[^}]*\}", "aws", text))


def test_the_definition_is_amazon_states_language_to_cfn_lint():
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/backfill", "Definition": _literal()}
    template = {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    assert lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"])) == []
    template["Resources"]["Machine"]["Properties"]["Definition"]["States"]["Waves"]["Next"] = "Nowhere"
    assert lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"])) != []  # it does look


def test_the_definition_is_amazon_states_language_to_moto():
    """moto has Step Functions' whole grammar but for ItemBatcher, and refuses what it does not derive."""
    known = _literal()
    del known["States"]["Waves"]["ItemProcessor"]["States"]["Files"]["ItemBatcher"]
    StaticAnalyser().analyse(json.dumps(known))
    known["States"]["Waves"]["ItemSelecter"] = known["States"]["Waves"].pop("ItemSelector")
    with pytest.raises(ASLParserException):
        StaticAnalyser().analyse(json.dumps(known))


def test_a_batch_runs_through_its_states_on_moto_as_its_answers_say(monkeypatch):
    """A machine that carries states out goes on until no file is left, with a pause where one is asked for."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    known = {"BatchInput": {}, "Part": 0, "Tries": 0, "Report": {}}
    left, waits, done = ({**known, "Items": items, "Wait": wait} for items, wait in (([1], 0), ([1], 1), ([], 0)))
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}):
        function = _function_that_answers(left, waits, done)
        states = boto3.client("stepfunctions", "us-east-1")
        machine = states.create_state_machine(
            name="batch",
            definition=json.dumps({"StartAt": "Batch", "States": backfill._batch(function)}),
            roleArn=_role("states"),
        )["stateMachineArn"]
        given = json.dumps({"BatchInput": {}, "Items": [1, 2]})
        execution = states.start_execution(stateMachineArn=machine, input=given)["executionArn"]
        while (ended := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.05)
        events = states.get_execution_history(executionArn=execution)["events"]
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", done)
    entered = [it["stateEnteredEventDetails"]["name"] for it in events if "stateEnteredEventDetails" in it]
    assert entered == ["Batch", "Left?", "Batch", "Left?", "Pause", "Batch", "Left?", "Through"]


def _function_that_answers(*answers):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as zipped:
        zipped.writestr("a.py", "")
    made = boto3.client("lambda", "us-east-1").create_function(
        FunctionName="backfill", Runtime="python3.14", Role=_role("lambda"), Handler="a.b",
        Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    backend = lambda_simple_backends["123456789012"]["us-east-1"]
    backend.lambda_simple_results_queue = [json.dumps(answer) for answer in answers]
    return made["FunctionArn"]


def _role(service):
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return boto3.client("iam").create_role(RoleName=service, AssumeRolePolicyDocument=policy)["Role"]["Arn"]


def test_the_function_has_no_way_to_tell_anybody(cloud):
    assert not [name for name in cloud.function("backfill")["Environment"]["Variables"] if "QUEUE" in name]
    role = cloud.function("backfill")["Role"]["Fn::GetAtt"][0]
    assert "sqs:" not in json.dumps(_statements(cloud, role))


def test_the_function_stops_by_itself_before_its_alarm_says_that_it_is_slow():
    assert backfill.TIMEOUT.to_milliseconds() - step.RESERVE < 0.9 * backfill.TIMEOUT.to_milliseconds()


def test_the_machine_may_run_its_batches_list_files_and_write_results_and_nothing_else(cloud, machine):
    statements = _statements(cloud, machine["RoleArn"]["Fn::GetAtt"][0])
    allowed = {}
    for statement in statements:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            allowed[action] = json.dumps(statement["Resource"])
    assert set(allowed) == {
        "lambda:InvokeFunction",
        *("states:StartExecution", "states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"),
        *("s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"),
        *("kms:Decrypt", "kms:GenerateDataKey"),
    }
    assert "headwater-backfill" in allowed["states:StartExecution"]
    assert f"/{backfill.FOLDER}/*" in allowed["s3:PutObject"]
    assert "BackfillFunction" in allowed["lambda:InvokeFunction"]


def test_the_buckets_of_producers_can_be_listed(synthesise):
    cloud = synthesise(pointer_buckets="history-of-north")
    (machine,) = cloud.properties("AWS::StepFunctions::StateMachine")
    role = machine["RoleArn"]["Fn::GetAtt"][0]
    assert ":s3:::history-of-north" in json.dumps(_statements(cloud, role))


def test_what_it_keeps_is_encrypted_with_our_key(machine):
    assert machine["EncryptionConfiguration"]["Type"] == "CUSTOMER_MANAGED_KMS_KEY"


def test_somebody_is_told_when_a_run_ends_badly(cloud):
    metrics = {it.get("MetricName") for it in cloud.properties("AWS::CloudWatch::Alarm", stack="inbound")}
    assert {"ExecutionsFailed", "ExecutionsTimedOut"} <= metrics


def test_the_page_is_there():
    assert (ROOT / "docs" / "backfill.md").exists()
