"""Write queue → propose ⟶ a clinician ⟶ review API → send queue → send: nothing reaches an EHR by another way."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra import access
from infra.assets import Assets
from infra.data import DataStack
from infra.deployment import Deployment
from infra.function import Function, Workshop
from infra.queue import Fifo
from infra.review_api import REVIEW_TIMEOUT, ReviewApi

PROPOSE_TIMEOUT = Duration.seconds(60)
# An EHR may take half a minute to answer, and is asked up to three times: look, write, read back.
SEND_TIMEOUT = Duration.seconds(120)
SEND_ATTEMPTS = 20
SEND_CONCURRENCY = 10
REMIND_TIMEOUT = Duration.seconds(120)


class OutboundStack(Stack):
    """The write queue, the send queue, and the three functions around them."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, assets: Assets, data: DataStack) -> None:
        super().__init__(scope, id, description="Headwater: write-backs out")
        self._deployment, self._data = deployment, data
        self._workshop = Workshop.of(self, deployment, data.key, data.alarms, assets)
        self.write = self._queue("write", PROPOSE_TIMEOUT, attempts=12, late_after=Duration.minutes(15))
        # Twenty attempts of growing distance: an EHR that is down for a night loses nothing.
        self.send = self._queue("send", SEND_TIMEOUT, attempts=SEND_ATTEMPTS, late_after=Duration.hours(1))
        self._propose()
        self._send()
        self._review()
        self._remind()

    def _queue(self, name: str, timeout: Duration, *, attempts: int, late_after: Duration) -> Fifo:
        return Fifo(
            self,
            name,
            deployment=self._deployment,
            key=self._data.key,
            tell=self._data.alarms,
            timeout=timeout,
            attempts=attempts,
            late_after=late_after,
        )

    def _function(self, name: str, timeout: Duration, environment: dict[str, str]) -> Function:
        """A function that keeps the ledger and the audit log, as all of this stack do."""
        data = self._data
        made = Function(
            self,
            name,
            workshop=self._workshop,
            timeout=timeout,
            memory=512,
            environment={
                "HEADWATER_PROPOSALS_TABLE": data.proposals.table_name,
                "HEADWATER_PERSONS_TABLE": data.persons.table_name,
                "HEADWATER_AUDIT_BUCKET": data.audit.bucket_name,
                "HEADWATER_NOTICES_TOPIC": data.alarms.topic_arn,
                **environment,
            },
        )
        access.writes_rows(made, data.proposals)
        access.reads_rows(made, data.persons)
        access.keeps_objects(made, data.audit)
        access.tells(made, data.alarms)
        return made

    def _propose(self) -> None:
        propose = self._function("propose", PROPOSE_TIMEOUT, self._ehrs())
        access.reads_ehr_secrets(propose, self._deployment)
        propose.reads(self.write, batch=10, concurrency=10)

    def _send(self) -> None:
        send = self._function("send", SEND_TIMEOUT, {**self._ehrs(), **self._send_queue()})
        access.reads_ehr_secrets(send, self._deployment)
        # One at a time: each may need the whole time-out, and a batch shares it. Reading the queue already allows
        # ChangeMessageVisibility, by which send says when an EHR that is down should be tried again.
        send.reads(self.send, batch=1, concurrency=SEND_CONCURRENCY)

    def _review(self) -> None:
        keys = self._keys()
        asked_again = {"HEADWATER_WRITE_QUEUE_URL": self.write.messages.queue_url}
        review = self._function("review", REVIEW_TIMEOUT, {**self._ehrs(), **self._send_queue(), **asked_again})
        access.reads_ehr_secrets(review, self._deployment)
        access.sends(review, self.send.messages)
        access.sends(review, self.write.messages)
        api = ReviewApi(
            self,
            "Api",
            deployment=self._deployment,
            key=self._data.key,
            tell=self._data.alarms,
            pool=self._data.reviewers.pool,
            review=review.function,
            keys=keys.function,
        )
        CfnOutput(self, "WriteQueueUrl", value=self.write.messages.queue_url, description="Where write requests go")
        CfnOutput(self, "ReviewApiUrl", value=api.url, description="Where clinicians decide")
        CfnOutput(self, "KeysUrl", value=f"{api.url}keys/", description="Where EHRs fetch our JWK Sets: <url><ehr>")
        CfnOutput(self, "ReviewClientId", value=api.client_id, description="The Cognito app client of the review API")

    def _keys(self) -> Function:
        """Not one of the ledger's: what answers strangers must not be able to read a chart or a secret."""
        keys = Function(
            self,
            "keys",
            workshop=self._workshop,
            timeout=Duration.seconds(10),
            memory=256,
            environment={"HEADWATER_KEYS_PREFIX": self._deployment.keys_prefix},
        )
        access.reads_published_keys(keys, self._deployment)
        return keys

    def _remind(self) -> None:
        remind = self._function("remind", REMIND_TIMEOUT, self._send_queue())
        access.sends(remind, self.send.messages)
        events.Rule(
            self,
            "EveryQuarter",
            description="Headwater: digests of what waits, expiry of what nobody signed",
            schedule=events.Schedule.rate(Duration.minutes(15)),
            targets=[targets.LambdaFunction(remind.function, retry_attempts=0)],
        )

    def _ehrs(self) -> dict[str, str]:
        return {"HEADWATER_EHR_SECRET_PREFIX": self._deployment.secret_prefix}

    def _send_queue(self) -> dict[str, str]:
        return {"HEADWATER_SEND_QUEUE_URL": self.send.messages.queue_url}
