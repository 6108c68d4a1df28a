"""History out of S3: a Step Functions Distributed Map over a folder of files, each batch by the `backfill` function.

    waves, one after the other   folders, the oldest first: the next begins when all of the last one is through
      files, lanes side by side  a Distributed Map over the objects of one folder
        batch                    the function, again and again while files of the batch are left

Nothing here reaches the write queue. What the results say, a line a batch, is read by `headwater backfill`.
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra import access
from infra.alarm import alarm
from infra.data import DataStack
from infra.deployment import Deployment
from infra.function import Function, Workshop

# The longest that Lambda runs: a file of sixty thousand messages takes many such turns (headwater/inbound/backfill.py).
TIMEOUT = Duration.minutes(15)
# Of the 262,144 bytes that a state may hand on: the report needs room beside the keys.
BYTES_A_BATCH = 100_000
# Shared by all who use the store: when one file in a hundred cannot get through, it is not about files.
TOLERATED_PERCENT = 1.0
FOLDER = "backfill"  # in the archive bucket: <run>/results, and <run>/files for what came from a laptop


class Backfill(Construct):
    """The state machine `<prefix>-backfill` and its function."""

    def __init__(self, scope: Construct, *, deployment: Deployment, workshop: Workshop, data: DataStack) -> None:
        super().__init__(scope, "Backfill")
        self.function = self._function(workshop, data, deployment)
        name = deployment.name("backfill")
        self.role = self._role(name, deployment, data)
        self.machine = stepfunctions.CfnStateMachine(
            self,
            "Machine",
            state_machine_name=name,
            state_machine_type="STANDARD",
            role_arn=self.role.role_arn,
            definition_string=Stack.of(self).to_json_string(
                definition(self.function.function.function_arn, data.archive.bucket_name)
            ),
            # Keys of files are input, and a producer may have put a name into one.
            encryption_configuration=stepfunctions.CfnStateMachine.EncryptionConfigurationProperty(
                type="CUSTOMER_MANAGED_KMS_KEY", kms_key_id=data.key.key_arn, kms_data_key_reuse_period_seconds=900
            ),
        )
        # Step Functions looks whether the role may use the key when it makes the machine.
        self.machine.node.add_dependency(self.role)
        self._watch(data)

    def _function(self, workshop: Workshop, data: DataStack, deployment: Deployment) -> Function:
        """Allowed what ingest is, but for the queues: whoever cannot reach the write queue tells nobody."""
        function = Function(
            self,
            "backfill",
            workshop=workshop,
            timeout=TIMEOUT,
            memory=1024,
            environment=access.ingest_environment(data, deployment),
        )
        access.ingests(function, data, deployment)
        return function

    def _role(self, name: str, deployment: Deployment, data: DataStack) -> iam.Role:
        """https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html"""
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "states.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            description="What the backfill's state machine may do",
        )
        states = f"arn:{Aws.PARTITION}:states:{Aws.REGION}:{Aws.ACCOUNT_ID}"
        buckets = [f"arn:{Aws.PARTITION}:s3:::{bucket}" for bucket in deployment.pointer_buckets]
        allowed: tuple[tuple[tuple[str, ...], list[str]], ...] = (
            (("lambda:InvokeFunction",), [self.function.function.function_arn]),
            # A Distributed Map's batches are executions of the machine itself.
            (("states:StartExecution",), [f"{states}:stateMachine:{name}"]),
            (("states:DescribeExecution", "states:StopExecution"), [f"{states}:execution:{name}:*"]),
            (("states:RedriveExecution",), [f"{states}:execution:{name}/*"]),
            (("s3:ListBucket",), [data.archive.bucket_arn, *buckets]),
            (
                ("s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload"),
                [data.archive.arn_for_objects(f"{FOLDER}/*")],
            ),
            (("kms:Decrypt", "kms:GenerateDataKey"), [data.key.key_arn]),
        )
        for actions, things in allowed:
            role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=things))
        return role

    def _watch(self, data: DataStack) -> None:
        for metric, what in (("ExecutionsFailed", "failed"), ("ExecutionsTimedOut", "ran out of time")):
            alarm(
                self,
                metric,
                cloudwatch.Metric(
                    namespace="AWS/States",
                    metric_name=metric,
                    dimensions_map={"StateMachineArn": self.machine.attr_arn},
                    statistic="Sum",
                    period=Duration.minutes(5),
                ),
                above=0,
                tell=data.alarms,
                because=f"A backfill {what}: give the same command again once the cause is mended (docs/backfill.md).",
            )


def definition(function_arn: str, archive: str) -> dict[str, Any]:
    """The machine in Amazon States Language. Its input is what `headwater backfill` makes: `run`, `ehr`,
    `content_type`, `lanes`, `files_a_batch` and `waves`, each with `bucket` and `prefix`."""
    return {
        "Comment": "Headwater: history out of S3, told to nobody",
        "StartAt": "Waves",
        "States": {
            "Waves": {
                "Type": "Map",
                "ItemsPath": "$.waves",
                "MaxConcurrency": 1,
                "ItemSelector": {
                    "run.$": "$.run",
                    "ehr.$": "$.ehr",
                    "content_type.$": "$.content_type",
                    "lanes.$": "$.lanes",
                    "files_a_batch.$": "$.files_a_batch",
                    "bucket.$": "$$.Map.Item.Value.bucket",
                    "prefix.$": "$$.Map.Item.Value.prefix",
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Files",
                    "States": {"Files": _files(function_arn, archive)},
                },
                "ResultPath": None,
                "End": True,
            }
        },
    }


def _files(function_arn: str, archive: str) -> dict[str, Any]:
    """One wave. A batch that is given up does not end the others, unless there are too many of them."""
    return {
        "Type": "Map",
        "Label": "Files",
        "ItemReader": {
            "Resource": f"arn:{Aws.PARTITION}:states:::s3:listObjectsV2",
            "Parameters": {"Bucket.$": "$.bucket", "Prefix.$": "$.prefix"},
        },
        "ItemBatcher": {
            "MaxItemsPerBatchPath": "$.files_a_batch",
            "MaxInputBytesPerBatch": BYTES_A_BATCH,
            "BatchInput": {
                "run.$": "$.run",
                "ehr.$": "$.ehr",
                "content_type.$": "$.content_type",
                "bucket.$": "$.bucket",
            },
        },
        "MaxConcurrencyPath": "$.lanes",
        "ToleratedFailurePercentage": TOLERATED_PERCENT,
        "ItemProcessor": {
            # Not EXPRESS, which ends after five minutes and cannot be gone on with where it stopped.
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Batch",
            "States": _batch(function_arn),
        },
        "ResultWriter": {
            "Resource": f"arn:{Aws.PARTITION}:states:::s3:putObject",
            "Parameters": {"Bucket": archive, "Prefix.$": f"States.Format('{FOLDER}/{{}}/results', $.run)"},
        },
        "End": True,
    }


def _batch(function_arn: str) -> dict[str, Any]:
    return {
        "Batch": {
            "Type": "Task",
            "Resource": function_arn,
            "TimeoutSeconds": int(TIMEOUT.to_seconds()) + 60,
            "Retry": [
                {"ErrorEquals": ["Quarantine"], "MaxAttempts": 0},  # a mistake in the input
                {"ErrorEquals": ["Retry"], "MaxAttempts": 0},  # it has waited for two hours by itself
                {
                    "ErrorEquals": ["States.ALL"],  # a crash, a time-out, no concurrency left
                    "IntervalSeconds": 30,
                    "BackoffRate": 2,
                    "MaxAttempts": 5,
                    "JitterStrategy": "FULL",
                },
            ],
            "Next": "Left?",
        },
        "Left?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.Items[0]", "IsPresent": False, "Next": "Through"},
                {"Variable": "$.Wait", "NumericGreaterThan": 0, "Next": "Pause"},
            ],
            "Default": "Batch",
        },
        "Pause": {"Type": "Wait", "SecondsPath": "$.Wait", "Next": "Batch"},
        "Through": {"Type": "Succeed"},
    }
