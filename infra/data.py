"""What must survive: the key, the buckets, the FHIR store, the tables, the reviewers, and who is told of alarms.

Nothing here goes with its stack: everything is retained, and the stack is protected from deletion.
"""

from __future__ import annotations

from aws_cdk import Aws, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_healthlake as healthlake
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.deployment import Deployment
from infra.reviewers import Reviewers

BY_STATE = "by-state"
BY_FINGERPRINT = "by-fingerprint"


class DataStack(Stack):
    """One key encrypts it all, so that one switch can make it all unreadable."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment) -> None:
        super().__init__(
            scope,
            id,
            description="Headwater: what must survive",
            termination_protection=True,
        )
        self.key = self._key(deployment)
        self.archive = self._bucket("Archive")
        self.audit = self._bucket(
            "Audit",
            object_lock_enabled=True,
            # Compliance: not even the account's root can shorten it or delete a version before.
            object_lock_default_retention=s3.ObjectLockRetention.compliance(
                Duration.days(deployment.audit_retention_days)
            ),
        )
        self.messages = self._table("Messages", "key", listed_by="updated_at")
        self.persons = self._table("Persons", "pk", sort="sk")
        self.proposals = self._table("Proposals", "intent", listed_by="created_at")
        # The same fact again, whatever its ids and units: loops and repeats are found by it.
        self.proposals.add_global_secondary_index(
            index_name=BY_FINGERPRINT, partition_key=_text("fingerprint"), sort_key=_text("created_at")
        )
        self.salt = self._salt()
        self.store = self._store(deployment)
        self.reviewers = Reviewers(self, "Reviewers", deployment=deployment)
        self.alarms = self._topic(deployment)
        self._tell_names()

    def _key(self, deployment: Deployment) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description="Headwater: everything at rest",
            alias=f"alias/{deployment.prefix}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        everything = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        groups = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:{deployment.log_prefix}*"
        grants = (
            # CloudWatch Logs encrypts only for the log groups whose names are ours.
            ("logs", everything, {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}),
            # An alarm can speak to an encrypted topic only if CloudWatch may use its key.
            ("cloudwatch", ["kms:Decrypt", "kms:GenerateDataKey*"], {"StringEquals": _this_account()}),
        )
        for service, allowed, conditions in grants:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=allowed,
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    resources=["*"],
                    conditions=conditions,
                )
            )
        if deployment.producers:
            # A producer of another account needs the key to send; SQS asks for it in the producer's name.
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    principals=[iam.ArnPrincipal(producer) for producer in deployment.producer_arns(Aws.PARTITION)],
                    resources=["*"],
                    conditions={"StringEquals": {"kms:ViaService": f"sqs.{Aws.REGION}.amazonaws.com"}},
                )
            )
        return key

    def _bucket(
        self,
        id: str,
        *,
        object_lock_enabled: bool | None = None,
        object_lock_default_retention: s3.ObjectLockRetention | None = None,
    ) -> s3.Bucket:
        return s3.Bucket(
            self,
            id,
            versioned=True,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_lock_enabled=object_lock_enabled,
            object_lock_default_retention=object_lock_default_retention,
            removal_policy=RemovalPolicy.RETAIN,
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7)),
                # Replay and audit need the bytes within milliseconds, but seldom.
                s3.LifecycleRule(
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transition_after=Duration.days(90)
                        )
                    ]
                ),
            ],
        )

    def _table(self, id: str, key: str, *, sort: str | None = None, listed_by: str | None = None) -> dynamodb.Table:
        # Not TableV2: with a customer's key it cannot be synthesised without a region.
        table = dynamodb.Table(
            self,
            id,
            partition_key=_text(key),
            sort_key=_text(sort) if sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        if listed_by:
            table.add_global_secondary_index(
                index_name=BY_STATE, partition_key=_text("state"), sort_key=_text(listed_by)
            )
        return table

    def _salt(self) -> secretsmanager.Secret:
        """Keys the hashes under which persons are filed (docs/empi.md). A new one would make every person unknown."""
        return secretsmanager.Secret(
            self,
            "Salt",
            description="Headwater: keys the blocking hashes of the person index; never change it",
            encryption_key=self.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _store(self, deployment: Deployment) -> healthlake.CfnFHIRDatastore:
        encryption = healthlake.CfnFHIRDatastore.KmsEncryptionConfigProperty(
            cmk_type="CUSTOMER_MANAGED_KMS_KEY", kms_key_id=self.key.key_arn
        )
        store = healthlake.CfnFHIRDatastore(
            self,
            "Store",
            datastore_name=deployment.name("store"),
            datastore_type_version="R4",
            sse_configuration=healthlake.CfnFHIRDatastore.SseConfigurationProperty(kms_encryption_config=encryption),
        )
        store.apply_removal_policy(RemovalPolicy.RETAIN)
        return store

    def _topic(self, deployment: Deployment) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", master_key=self.key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": _this_account()},
            )
        )
        for address in deployment.alarm_emails:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        return topic

    def _tell_names(self) -> None:
        """Generated names that a person at a command line needs."""
        names = {
            "KeyArn": self.key.key_arn,
            "ArchiveBucket": self.archive.bucket_name,
            "AuditBucket": self.audit.bucket_name,
            "MessagesTable": self.messages.table_name,
            "PersonsTable": self.persons.table_name,
            "ProposalsTable": self.proposals.table_name,
            "StoreEndpoint": self.store.attr_datastore_endpoint,
            "ReviewerPoolId": self.reviewers.pool.user_pool_id,
            "AlarmTopicArn": self.alarms.topic_arn,
        }
        for name, value in names.items():
            CfnOutput(self, name, value=value)


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _this_account() -> dict[str, str]:
    return {"aws:SourceAccount": Aws.ACCOUNT_ID}
