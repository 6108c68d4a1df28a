"""The one way a Lambda is made: code + mappings + dependencies, environment, role, logs and alarms.

The role starts empty. It may write its own log, and each stack adds what the function needs, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.alarm import alarm
from infra.assets import RUNTIME, Assets
from infra.deployment import METRICS_NAMESPACE, Deployment
from infra.queue import Fifo


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every function of a stack is made with."""

    deployment: Deployment
    key: kms.IKey
    tell: sns.ITopic
    code: lambda_.Code
    layers: tuple[lambda_.ILayerVersion, ...]

    @classmethod
    def of(cls, stack: Stack, deployment: Deployment, key: kms.IKey, tell: sns.ITopic, assets: Assets) -> Workshop:
        """Makes the two layers of a stack."""

        def layer(id: str, code: lambda_.Code, what: str) -> lambda_.LayerVersion:
            return lambda_.LayerVersion(
                stack,
                id,
                code=code,
                description=what,
                compatible_runtimes=[RUNTIME],
                compatible_architectures=[lambda_.Architecture.ARM_64],
            )

        layers = (
            layer("Mappings", assets.mappings.code(), "Headwater's mappings, at /opt/mappings"),
            layer("Dependencies", assets.dependencies.code(), "Headwater's Python dependencies, at /opt/python"),
        )
        return cls(deployment, key, tell, assets.code.code(), layers)


class Function(Construct):
    """The Lambda of one handler: `handlers/<name>.py`, named `<prefix>-<name>`."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        workshop: Workshop,
        timeout: Duration,
        memory: int,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, f"{name.capitalize()}Function")
        deployment, key = workshop.deployment, workshop.key
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"{deployment.log_prefix}{name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {name} may do",
        )
        log.grant_write(self.role)
        # DynamoDB, S3, SQS, Secrets Manager and HealthLake use the key in the name of whoever calls them.
        key.grant(self.role, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
        self.function = lambda_.Function(
            self,
            "Lambda",
            function_name=deployment.name(name),
            description=f"Headwater: {name}",
            handler=f"handlers.{name}.handler",
            code=workshop.code,
            layers=list(workshop.layers),
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory,
            timeout=timeout,
            role=self.role,
            log_group=log,
            environment={**_everywhere(name), **environment},
            environment_encryption=key,
        )
        self._watch(name, timeout, workshop.tell)

    def allow(self, *actions: str, on: list[str]) -> None:
        """Lets the function do `actions` on the ARNs of `on`, and nothing more."""
        self.role.add_to_policy(iam.PolicyStatement(actions=list(actions), resources=on))

    def reads(self, queue: Fifo, *, batch: int, concurrency: int) -> None:
        """Feeds the function from a queue. A batch may fail in part: what is not reported as failed is deleted.

        `concurrency` bounds how many message groups are worked on at a time, and so the load on what lies behind.
        """
        self.function.add_event_source(
            sources.SqsEventSource(
                queue.messages, batch_size=batch, max_concurrency=concurrency, report_batch_item_failures=True
            )
        )

    def _watch(self, name: str, timeout: Duration, tell: sns.ITopic) -> None:
        minute = Duration.minutes(1)
        errors = self.function.metric_errors(period=minute)
        throttles = self.function.metric_throttles(period=minute)
        slowest = self.function.metric_duration(period=minute, statistic="Maximum")
        limit = 0.9 * timeout.to_milliseconds()
        alarm(self, "Errors", errors, above=0, tell=tell, because=f"{name} crashed: see its log for the error code.")
        alarm(self, "Throttled", throttles, above=0, periods=5, tell=tell, because=f"{name} has no concurrency left.")
        alarm(self, "Slow", slowest, above=limit, tell=tell, because=f"{name} runs for nearly its whole time-out.")


def _everywhere(name: str) -> dict[str, str]:
    return {
        "HEADWATER_MAPPINGS": "/opt/mappings",
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
