"""Every queue keeps order, drops nothing silently and speaks TLS; every mapping reports what failed."""

from __future__ import annotations

import pytest

# queue → (the handler that reads it, how often a message is tried)
WAYS = {"feed": ("ingest", 12), "write": ("propose", 12), "send": ("send", 20)}


def _mapping(cloud, queue):
    logical_id, _ = cloud.queue(queue)
    (one,) = (
        it
        for it in cloud.properties("AWS::Lambda::EventSourceMapping")
        if it["EventSourceArn"] == {"Fn::GetAtt": [logical_id, "Arn"]}
    )
    return one


def test_there_are_three_queues_and_their_dead_letters(cloud):
    names = {it["QueueName"] for it in cloud.properties("AWS::SQS::Queue")}
    assert names == {f"headwater-{queue}{dead}.fifo" for queue in WAYS for dead in ("", "-dead")}


def test_every_queue_is_high_throughput_fifo_without_content_based_deduplication(cloud):
    for queue in cloud.properties("AWS::SQS::Queue"):
        assert queue["FifoQueue"] is True
        assert queue["ContentBasedDeduplication"] is False
        assert queue["DeduplicationScope"] == "messageGroup"
        assert queue["FifoThroughputLimit"] == "perMessageGroupId"


def test_every_queue_is_encrypted_with_our_key_and_keeps_messages_for_fourteen_days(cloud):
    for queue in cloud.properties("AWS::SQS::Queue"):
        assert queue["KmsMasterKeyId"]["Fn::ImportValue"].startswith("headwater-data:ExportsOutputFnGetAttKey")
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_every_queue_refuses_requests_without_tls(cloud):
    denying = set()
    for policy in cloud.properties("AWS::SQS::QueuePolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}}):
                assert statement["Principal"] == {"AWS": "*"}
                assert statement["Action"] == "sqs:*"
                denying |= {queue["Ref"] for queue in policy["Queues"]}
    assert denying == {name for name, _ in cloud.resources("AWS::SQS::Queue")}


@pytest.mark.parametrize("queue", WAYS)
def test_a_message_that_fails_too_often_goes_to_the_dead_letters(cloud, queue):
    dead, _ = cloud.queue(f"{queue}-dead")
    _, properties = cloud.queue(queue)
    assert properties["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]},
        "maxReceiveCount": WAYS[queue][1],
    }


@pytest.mark.parametrize("queue", WAYS)
def test_a_message_stays_invisible_for_six_times_the_functions_timeout(cloud, queue):
    _, properties = cloud.queue(queue)
    assert properties["VisibilityTimeout"] >= 6 * cloud.function(WAYS[queue][0])["Timeout"]


@pytest.mark.parametrize("queue", WAYS)
def test_each_queue_feeds_its_function_and_takes_partial_batch_responses(cloud, queue):
    mapping = _mapping(cloud, queue)
    (reader,) = (
        resource["Properties"]
        for name, resource in cloud.resources("AWS::Lambda::Function")
        if mapping["FunctionName"] == {"Ref": name}
    )
    assert reader["Handler"] == f"handlers.{WAYS[queue][0]}.handler"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] <= 20
    # Lambda refuses a batching window on FIFO queues.
    assert "MaximumBatchingWindowInSeconds" not in mapping


def test_ingest_takes_ten_messages_at_a_time_and_send_at_most_five(cloud):
    assert _mapping(cloud, "feed")["BatchSize"] == 10
    assert _mapping(cloud, "send")["BatchSize"] <= 5


def test_a_message_may_be_as_large_as_the_producers_guide_says(cloud):
    for queue in cloud.properties("AWS::SQS::Queue"):
        assert queue["MaximumMessageSize"] == 1024 * 1024
