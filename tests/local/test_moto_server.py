from __future__ import annotations

import json
import threading
import time
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.local.conftest import Server


def fifo(server: Server, **attributes: str) -> str:
    name = f"{uuid4().hex}.fifo"
    url: str = server.client("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true", **attributes})[
        "QueueUrl"
    ]
    return url


def send(sqs: Any, url: str, body: str, *, group: str = "g", dedup: str = "") -> dict[str, Any]:
    sent: dict[str, Any] = sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=dedup or body
    )
    return sent


def receive(sqs: Any, url: str, **options: Any) -> list[dict[str, Any]]:
    got: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], **options
    ).get("Messages", [])
    return got


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [message["Body"] for message in messages]


def table(server: Server) -> Any:
    """A client; the table is `t`, empty."""
    dynamodb = server.client("dynamodb")
    if dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName="t")
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


def test_a_fifo_group_comes_back_in_order_after_its_time_out(shared: Server) -> None:
    sqs, url = shared.client("sqs"), fifo(shared, VisibilityTimeout="1")
    for body in "abc":
        send(sqs, url, body)
    assert bodies(receive(sqs, url)) == ["a", "b", "c"]
    assert receive(sqs, url) == []
    assert bodies(receive(sqs, url, WaitTimeSeconds=5)) == ["a", "b", "c"]


def test_a_group_with_a_message_in_flight_is_not_handed_out(shared: Server) -> None:
    sqs, url = shared.client("sqs"), fifo(shared)
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        send(sqs, url, body, group=group)
    assert bodies(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"]) == ["a1"]
    assert bodies(receive(sqs, url)) == ["b1"]


def test_a_repeat_within_five_minutes_is_dropped_even_after_the_first_was_deleted(shared: Server) -> None:
    sqs, url = shared.client("sqs"), fifo(shared)
    send(sqs, url, "a", dedup="1")
    (message,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    send(sqs, url, "a", dedup="1")
    assert receive(sqs, url) == []


def test_sequence_numbers_grow(shared: Server) -> None:
    sqs, url = shared.client("sqs"), fifo(shared)
    numbers = [int(send(sqs, url, body)["SequenceNumber"]) for body in "abc"]
    assert numbers == sorted(set(numbers))


def test_the_dead_letter_queue_fills_in_order_after_max_receive_count(shared: Server) -> None:
    sqs, dead = shared.client("sqs"), fifo(shared)
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = fifo(shared, RedrivePolicy=policy, VisibilityTimeout="1")
    for body in "abc":
        send(sqs, url, body)
    for _ in range(2):
        assert bodies(receive(sqs, url, WaitTimeSeconds=5)) == ["a", "b", "c"]
    assert receive(sqs, url, WaitTimeSeconds=2) == []
    assert bodies(receive(sqs, dead)) == ["a", "b", "c"]


def test_a_long_poll_wakes_when_a_message_arrives_and_holds_nobody_up(shared: Server) -> None:
    sqs, url = shared.client("sqs"), fifo(shared)
    threading.Timer(0.5, lambda: send(shared.client("sqs"), url, "a")).start()
    started = time.monotonic()
    assert bodies(receive(sqs, url, WaitTimeSeconds=10)) == ["a"]
    assert time.monotonic() - started < 3


def test_a_transaction_is_whole_or_not_at_all(shared: Server) -> None:
    dynamodb = table(shared)
    dynamodb.put_item(TableName="t", Item={"pk": {"S": "old"}, "n": {"N": "1"}})
    change = {"TableName": "t", "Key": {"pk": {"S": "old"}}, "UpdateExpression": "SET n = :two"}
    fresh = {"TableName": "t", "Item": {"pk": {"S": "new"}}}
    refused = {"TableName": "t", "Key": {"pk": {"S": "none"}}, "ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Update": {**change, "ExpressionAttributeValues": {":two": {"N": "2"}}}},
                {"Put": fresh},
                {"ConditionCheck": refused},
            ]
        )
    assert dynamodb.scan(TableName="t")["Items"] == [{"pk": {"S": "old"}, "n": {"N": "1"}}]


def test_transactions_of_many_threads_count_right(shared: Server) -> None:
    dynamodb = table(shared)
    dynamodb.put_item(TableName="t", Item={"pk": {"S": "count"}, "n": {"N": "0"}})
    won: list[int] = []

    def add(worker: int) -> None:
        mine = shared.client("dynamodb")
        for step in range(10):
            seen = mine.get_item(TableName="t", Key={"pk": {"S": "count"}}, ConsistentRead=True)["Item"]["n"]["N"]
            update = {
                "TableName": "t",
                "Key": {"pk": {"S": "count"}},
                "UpdateExpression": "SET n = :new",
                "ConditionExpression": "n = :seen",
                "ExpressionAttributeValues": {":new": {"N": str(int(seen) + 1)}, ":seen": {"N": seen}},
            }
            put = {"TableName": "t", "Item": {"pk": {"S": f"{worker}-{step}"}}}
            try:
                mine.transact_write_items(TransactItems=[{"Update": update}, {"Put": put}])
                won.append(1)
            except mine.exceptions.TransactionCanceledException:
                pass

    threads = [threading.Thread(target=add, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    items = dynamodb.scan(TableName="t", ConsistentRead=True)["Items"]
    count = next(int(item["n"]["N"]) for item in items if item["pk"]["S"] == "count")
    assert count == len(won) == len(items) - 1
    assert count >= 10


def test_a_repeated_request_token_is_one_transaction(shared: Server) -> None:
    dynamodb = table(shared)
    put = {"TableName": "t", "Item": {"pk": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(pk)"}
    for _ in range(2):
        dynamodb.transact_write_items(TransactItems=[{"Put": put}], ClientRequestToken="same")
    assert dynamodb.scan(TableName="t", Select="COUNT")["Count"] == 1


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_in_the_middle(server: Server) -> None:
    url = fifo(server)
    server.client("s3").create_bucket(Bucket="archive")
    table(server)
    acknowledged: list[str] = []

    def work(worker: int) -> None:
        sqs, dynamodb, s3 = (server.client(service) for service in ("sqs", "dynamodb", "s3"))
        for step in range(1000):
            key = f"{worker}-{step}"
            try:
                s3.put_object(Bucket="archive", Key=key, Body=key.encode())
                dynamodb.put_item(TableName="t", Item={"pk": {"S": key}})
                send(sqs, url, key, group=str(worker))
            except (BotoCoreError, ClientError):
                return
            acknowledged.append(key)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60  # of a machine that does much else
    while len(acknowledged) < 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    server.kill()
    for thread in threads:
        thread.join()
    server.start()
    s3, dynamodb, sqs = (server.client(service) for service in ("s3", "dynamodb", "sqs"))
    assert len(acknowledged) >= 30
    rows = {item["pk"]["S"] for item in dynamodb.scan(TableName="t")["Items"]}
    assert set(acknowledged) <= rows
    for key in acknowledged:
        assert s3.get_object(Bucket="archive", Key=key)["Body"].read() == key.encode()
    queued = []
    while messages := receive(sqs, url):
        queued += bodies(messages)
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert set(acknowledged) <= set(queued)
    assert len(queued) == len(set(queued))
    for worker in "012":
        mine = [int(key.split("-")[1]) for key in queued if key.startswith(f"{worker}-")]
        assert mine == sorted(mine)


def test_after_a_kill_receipt_handles_flight_and_counts_are_as_before(server: Server) -> None:
    sqs, url = server.client("sqs"), fifo(server, VisibilityTimeout="15")
    for body, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        send(sqs, url, body, group=group)
    first = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)["Messages"][0]
    received_at = time.monotonic()
    server.kill()
    server.start()
    sqs = server.client("sqs")
    assert bodies(receive(sqs, url)) == ["b1"], "a1 is still in flight, and so its group is held"
    send(sqs, url, "a1", group="a")  # a repeat of what was sent before the kill
    again = receive(sqs, url, WaitTimeSeconds=20)
    assert bodies(again) == ["a1", "a2"]
    assert again[0]["Attributes"]["ApproximateReceiveCount"] == "2"
    assert again[0]["MessageId"] == first["MessageId"]
    assert time.monotonic() - received_at >= 14.5
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])  # the old handle still names it


def test_generated_ids_and_secrets_survive_a_kill(server: Server) -> None:
    secret = server.client("secretsmanager").create_secret(Name="s", SecretString="open sesame")
    key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
    cipher = server.client("kms").encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    upload = server.client("s3")
    upload.create_bucket(Bucket="bucket")
    part = upload.create_multipart_upload(Bucket="bucket", Key="big")["UploadId"]
    server.kill()
    server.start()
    assert server.client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"] == "open sesame"
    assert server.client("kms").decrypt(CiphertextBlob=cipher)["Plaintext"] == b"text"
    s3 = server.client("s3")
    etag = s3.upload_part(Bucket="bucket", Key="big", UploadId=part, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        Bucket="bucket", Key="big", UploadId=part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    assert s3.get_object(Bucket="bucket", Key="big")["Body"].read() == b"x"


def test_a_torn_last_line_of_the_journal_is_dropped(server: Server) -> None:
    table(server).put_item(TableName="t", Item={"pk": {"S": "a"}})
    server.kill()
    journal = server.data / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"number":99,"at":17')
    server.start()
    assert journal.read_bytes() == whole
    server.client("dynamodb").put_item(TableName="t", Item={"pk": {"S": "b"}})
    server.kill()
    server.start()
    assert server.client("dynamodb").scan(TableName="t", Select="COUNT")["Count"] == 2


def test_reads_and_empty_receives_leave_no_line(shared: Server) -> None:
    sqs, url = shared.client("sqs"), fifo(shared)
    before = (shared.data / "journal.jsonl").read_bytes()
    receive(sqs, url)
    sqs.list_queues()
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    shared.client("s3").list_buckets()
    assert (shared.data / "journal.jsonl").read_bytes() == before
