"""Feed queue → ingest: everything that an EHR or a producer sends comes in here. Beside it, by the clock, follow: what
was stored goes along with a record that has changed hands; and the backfill, for what came before there was a feed.
"""

from __future__ import annotations

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import access
from infra.assets import Assets
from infra.backfill import Backfill
from infra.data import DataStack
from infra.deployment import Deployment
from infra.function import Function, Workshop
from infra.queue import Fifo

# Ten messages, each a handful of calls of some 60 ms to DynamoDB and HealthLake, and room for HealthLake's retries.
INGEST_TIMEOUT = Duration.seconds(60)
INGEST_BATCH = 10
# HealthLake takes 3,000 write units a second and store: about 60 messages a second as transactions of 12 resources.
INGEST_CONCURRENCY = 20
# The longest that Lambda runs: some ten thousand resources at 60 ms each, and the next run goes on.
FOLLOW_TIMEOUT = Duration.minutes(15)


class InboundStack(Stack):
    """`write_queue` is where ingest tells a fact that another EHR should know."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: Deployment,
        assets: Assets,
        data: DataStack,
        write_queue: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id, description="Headwater: feeds in")
        self.feed = Fifo(
            self,
            "feed",
            deployment=deployment,
            key=data.key,
            tell=data.alarms,
            timeout=INGEST_TIMEOUT,
            # Tries that are farther and farther apart (adapters/sqs_batch.py): two hours of an outage lose nothing.
            attempts=12,
            late_after=Duration.minutes(15),
        )
        self._admit(deployment)
        workshop = Workshop.of(self, deployment, data.key, data.alarms, assets)
        self._follow(workshop, data)
        ingest = Function(
            self,
            "ingest",
            workshop=workshop,
            timeout=INGEST_TIMEOUT,
            memory=1024,
            environment={
                **access.ingest_environment(data, deployment),
                "HEADWATER_WRITE_QUEUE_URL": write_queue.queue_url,
            },
        )
        access.ingests(ingest, data, deployment)
        access.sends(ingest, write_queue)
        ingest.reads(self.feed, batch=INGEST_BATCH, concurrency=INGEST_CONCURRENCY)
        backfill = Backfill(self, deployment=deployment, workshop=workshop, data=data)
        CfnOutput(
            self, "BackfillMachineArn", value=backfill.machine.attr_arn, description="What headwater backfill starts"
        )
        CfnOutput(self, "FeedQueueUrl", value=self.feed.messages.queue_url, description="Where producers send to")

    def _follow(self, workshop: Workshop, data: DataStack) -> None:
        follow = Function(
            self,
            "follow",
            workshop=workshop,
            timeout=FOLLOW_TIMEOUT,
            memory=1024,
            environment={
                "HEADWATER_PERSONS_TABLE": data.persons.table_name,
                "HEADWATER_FHIR_ENDPOINT": data.store.attr_datastore_endpoint,
            },
        )
        access.writes_rows(follow, data.persons)
        access.ends_moves(follow, data.persons)
        access.indexes_resources(follow, data.store)
        access.searches_resources(follow, data.store)
        events.Rule(
            self,
            "EveryMinute",
            description="Headwater: what was stored follows its record after a merge or its reverse",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[targets.LambdaFunction(follow.function, retry_attempts=0)],
        )

    def _admit(self, deployment: Deployment) -> None:
        if deployment.producers:
            self.feed.messages.add_to_resource_policy(
                iam.PolicyStatement(
                    sid="Producers",
                    actions=["sqs:SendMessage", "sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
                    principals=[iam.ArnPrincipal(producer) for producer in deployment.producer_arns(Aws.PARTITION)],
                    resources=[self.feed.messages.queue_arn],
                )
            )
