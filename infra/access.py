"""What a function may do with each thing, by name: the actions that the adapters call, and no others.

CDK's own grants are wider than the adapters need (`grant_read_write_data` gives Scan, `grant_read_write` Delete).
"""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_healthlake as healthlake
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from infra.data import DataStack
from infra.deployment import Deployment
from infra.function import Function

_READ_ROWS = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
# TransactWriteItems is allowed by the actions of its parts.
_WRITE_ROWS = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem")


def ingest_environment(data: DataStack, deployment: Deployment) -> dict[str, str]:
    """What a function that takes messages in has to find."""
    return {
        "HEADWATER_ARCHIVE_BUCKET": data.archive.bucket_name,
        "HEADWATER_MESSAGES_TABLE": data.messages.table_name,
        "HEADWATER_PERSONS_TABLE": data.persons.table_name,
        "HEADWATER_FHIR_ENDPOINT": data.store.attr_datastore_endpoint,
        "HEADWATER_SALT_SECRET": data.salt.secret_arn,
        "HEADWATER_EMPI": deployment.empi,
        "HEADWATER_EMPI_SECRET_PREFIX": deployment.empi_secret_prefix,
    }


def ingests(function: Function, data: DataStack, deployment: Deployment) -> None:
    """Takes messages in: archive, inbox, persons, store. To tell others of them is not among it."""
    keeps_objects(function, data.archive)
    fetches_objects(function, deployment.pointer_buckets)
    writes_rows(function, data.messages)
    writes_rows(function, data.persons)
    indexes_resources(function, data.store)
    reads_secret(function, data.salt)
    if deployment.empi:
        reads_empi_secret(function, deployment)


def reads_rows(function: Function, table: dynamodb.Table) -> None:
    """Reads by key and by index; never scans."""
    function.allow(*_READ_ROWS, on=[table.table_arn, f"{table.table_arn}/index/*"])


def writes_rows(function: Function, table: dynamodb.Table) -> None:
    """Reads and writes, also in transactions; deletes nothing."""
    reads_rows(function, table)
    function.allow(*_WRITE_ROWS, on=[table.table_arn])


def ends_moves(function: Function, persons: dynamodb.Table) -> None:
    """Takes notes of moves away once they are done: rows under one partition key (`person_index/rows.py`) alone."""
    function.role.add_to_policy(
        iam.PolicyStatement(
            actions=["dynamodb:DeleteItem"],
            resources=[persons.table_arn],
            conditions={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["moves"]}},
        )
    )


def keeps_objects(function: Function, bucket: s3.Bucket) -> None:
    """Puts and gets objects; deletes none. Listing is what makes a missing object a 404 rather than a 403."""
    function.allow("s3:GetObject", "s3:PutObject", on=[bucket.arn_for_objects("*")])
    function.allow("s3:ListBucket", on=[bucket.bucket_arn])


def fetches_objects(function: Function, bucket_names: tuple[str, ...]) -> None:
    """Gets the large messages that producers leave in buckets of their own."""
    if bucket_names:
        function.allow("s3:GetObject", on=[f"arn:{Aws.PARTITION}:s3:::{name}/*" for name in bucket_names])


def indexes_resources(function: Function, store: healthlake.CfnFHIRDatastore) -> None:
    """Transactions of PUTs, and reads by id; no search, no history, no delete.

    Actions: Service Authorization Reference, "Actions, resources, and condition keys for AWS HealthLake".
    """
    function.allow(
        "healthlake:ProcessBundle",
        "healthlake:UpdateResource",
        "healthlake:ReadResource",
        on=[store.attr_datastore_arn],
    )


def searches_resources(function: Function, store: healthlake.CfnFHIRDatastore) -> None:
    """Finds resources by their tags."""
    function.allow("healthlake:SearchWithGet", on=[store.attr_datastore_arn])


def reads_ehr_secrets(function: Function, deployment: Deployment) -> None:
    """The credentials of every EHR and of nothing else. They are made after the stacks: hence a prefix."""
    secrets = f"arn:{Aws.PARTITION}:secretsmanager:{Aws.REGION}:{Aws.ACCOUNT_ID}:secret:{deployment.secret_prefix}*"
    function.allow("secretsmanager:GetSecretValue", on=[secrets])


def reads_empi_secret(function: Function, deployment: Deployment) -> None:
    """The credentials of the one EMPI outside; made after the stacks, so known by name and not by its random ending."""
    name = f"{deployment.empi_secret_prefix}{deployment.empi}"
    secret = f"arn:{Aws.PARTITION}:secretsmanager:{Aws.REGION}:{Aws.ACCOUNT_ID}:secret:{name}-??????"
    function.allow("secretsmanager:GetSecretValue", on=[secret])


def reads_published_keys(function: Function, deployment: Deployment) -> None:
    """The public keys that `headwater ehrs keys rotate` puts into Parameter Store, and no other parameter."""
    parameters = f"arn:{Aws.PARTITION}:ssm:{Aws.REGION}:{Aws.ACCOUNT_ID}:parameter{deployment.keys_prefix}*"
    function.allow("ssm:GetParameter", on=[parameters])


def reads_secret(function: Function, secret: secretsmanager.ISecret) -> None:
    """One secret's value."""
    function.allow("secretsmanager:GetSecretValue", on=[secret.secret_full_arn or secret.secret_arn])


def sends(function: Function, queue: sqs.IQueue) -> None:
    """Sends to one queue; does not read it."""
    function.allow("sqs:SendMessage", on=[queue.queue_arn])


def tells(function: Function, topic: sns.ITopic) -> None:
    """Publishes to one topic; the key that it is encrypted with is every function's already."""
    function.allow("sns:Publish", on=[topic.topic_arn])
