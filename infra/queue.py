"""The one way a queue is made: FIFO, encrypted, TLS only, with dead letters and the alarms of both."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.alarm import alarm
from infra.deployment import Deployment

# "Set the source queue's visibility timeout to at least six times the function timeout"
# (AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping").
VISIBILITY_PER_TIMEOUT = 6

# The longest that SQS keeps a message: a weekend and a holiday must not lose one.
RETENTION = Duration.days(14)

# What SQS takes at most, said aloud because docs/producers.md promises it. A larger message comes by pointer.
LARGEST_MESSAGE_BYTES = 1_048_576


class Fifo(Construct):
    """A FIFO queue (`messages`) and its dead letters (`dead`), named `<prefix>-<name>.fifo` and
    `<prefix>-<name>-dead.fifo`.

    `timeout` is that of the function that reads it; `late_after` is the age of the oldest message that wakes somebody.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        deployment: Deployment,
        key: kms.IKey,
        tell: sns.ITopic,
        timeout: Duration,
        attempts: int,
        late_after: Duration,
    ) -> None:
        super().__init__(scope, f"{name.capitalize()}Queue")
        self.dead = self._queue("Dead", deployment.name(f"{name}-dead.fifo"), key)
        self.messages = self._queue(
            "Messages",
            deployment.name(f"{name}.fifo"),
            key,
            visibility_timeout=Duration.seconds(VISIBILITY_PER_TIMEOUT * int(timeout.to_seconds())),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=attempts, queue=self.dead),
        )
        alarm(
            self,
            "DeadLetters",
            self.dead.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum"),
            above=0,
            tell=tell,
            because=f"{name}: a message failed {attempts} times. Find out why, then redrive the dead letters.",
        )
        alarm(
            self,
            "Late",
            self.messages.metric_approximate_age_of_oldest_message(period=Duration.minutes(1), statistic="Maximum"),
            above=late_after.to_seconds(),
            periods=5,
            tell=tell,
            because=f"{name}: the oldest message waits longer than {late_after.to_human_string()}.",
        )

    def _queue(
        self,
        id: str,
        name: str,
        key: kms.IKey,
        *,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            queue_name=name,
            fifo=True,
            # Producers say what a repeat is: two patients may send the same bytes, and one message two envelopes.
            content_based_deduplication=False,
            # High throughput: order and repeats are per message group, and so is the limit of 300 calls a second.
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            data_key_reuse=Duration.hours(1),
            enforce_ssl=True,
            max_message_size_bytes=LARGEST_MESSAGE_BYTES,
            retention_period=RETENTION,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
        )
