"""The CloudFormation types that our templates use and moto lacks, so that local and cloud come from one template.

Two sorts. *Real* ones are made through moto's own backends (a secret, a CDK TableV2); *recorded* ones
(`local/aws/recorded.py`) only keep their resolved properties. Lambda is recorded although moto has it, because moto's
event source mapping consumes messages at send time. What is neither is an error that names the resource.

Mechanics of moto 5.2.5: it finds types by `CloudFormationModel.__subclasses__()`, later ones win; their module's name
must contain a dot; its caches must be cleared.
"""

# The signatures are moto's, and so are the arguments that we do not need.
# ruff: noqa: ARG001, ARG002, ARG003

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.custom_model import CustomModel
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models.table import Table
from moto.kms.models import Key
from moto.moto_api._internal import mock_random
from moto.s3.models import FakeBucket
from moto.secretsmanager.models import secretsmanager_backends

from local.aws.moment import mend
from local.aws.recorded import RECORDS, Maker, Properties, Record, Request, makers


def install(healthlake_url: str) -> None:
    """Teach moto the types below. The HealthLake datastore's endpoint lies under `healthlake_url`."""
    for cfn_type, (maker, name_property) in makers(healthlake_url).items():
        _KEPT.append(_recorded_type(cfn_type, maker, name_property))
    _KEPT.extend([_GlobalTable, _Secret, _Bucket, _Key])
    for cache in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cache.cache_clear()
    mend(CustomModel, create_from_cloudformation_json=classmethod(_custom_resource))
    mend(parsing, parse_and_create_resource=_create_or_name)
    mend(CloudFormationBackend, create_stack=_create_or_roll_back)


_KEPT: list[type] = []  # __subclasses__ holds them weakly
_moto_create = parsing.parse_and_create_resource
_moto_create_stack = CloudFormationBackend.create_stack


def _create_or_roll_back(backend: CloudFormationBackend, *args: Any, **kwargs: Any) -> Any:
    """All of a new stack or nothing, as CloudFormation rolls back; moto would leave the first half behind."""
    known = set(backend.stacks)
    try:
        return _moto_create_stack(backend, *args, **kwargs)
    except Exception:
        for stack_id in set(backend.stacks) - known:
            resources = backend.stacks.pop(stack_id).resource_map
            made, wanted = resources._parsed_resources, resources._resource_json_map
            for logical_id in reversed([name for name in made if name in wanted]):
                with suppress(Exception):
                    resources._delete_resource(made[logical_id], wanted[logical_id])
            for name in [name for name, export in backend.exports.items() if export.exporting_stack_id == stack_id]:
                del backend.exports[name]
        raise


def _create_or_name(
    logical_id: str, resource_json: Properties, resources_map: Any, account_id: str, region_name: str
) -> Any:
    """As moto, but an unknown type or a failure is an error that names the resource, never a hole in the stack."""
    cfn_type = resource_json["Type"]
    known = cfn_type in parsing.get_model_map() or cfn_type in parsing.NULL_MODELS or cfn_type.startswith("Custom::")
    if not known:
        raise ValidationError(message=f"{logical_id} ({cfn_type}): not known to local/aws/moto_plugin.py")
    try:
        return _moto_create(logical_id, resource_json, resources_map, account_id=account_id, region_name=region_name)
    except ValidationError:
        raise
    except Exception as error:
        raise ValidationError(message=f"{logical_id} ({cfn_type}): {type(error).__name__}: {error}") from error


class _Made:
    """What all our types have in common. A mixin, because moto sees only direct subclasses of its own model.

    `behind` is moto's own model of what was made, which also knows how to delete it.
    """

    behind: Any = None

    def is_created(self) -> bool:
        return True

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Properties,
        account_id: str,
        region_name: str,
    ) -> Any:
        """Keeps what there is: rows and secrets stay; a changed key schema needs a new data folder."""
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str
    ) -> None:
        if cls.behind is not None:
            cls.behind.delete_from_cloudformation_json(resource_name, cloudformation_json, account_id, region_name)


def _recorded_type(cfn_type: str, maker: Maker, name_property: str) -> type[CloudFormationModel]:
    class Recorded(_Made, CloudFormationModel):
        def __init__(self, record: Record) -> None:
            self.record = record
            RECORDS[record.stack, record.logical_id] = record

        @property
        def physical_resource_id(self) -> str:
            return self.record.physical_id

        def get_cfn_attribute(self, attribute_name: str) -> str:
            if attribute_name not in self.record.attributes:
                raise ValidationError(message=f"{self.record.logical_id} ({cfn_type}) has no {attribute_name} locally")
            return self.record.attributes[attribute_name]

        def delete(self, account_id: str, region_name: str) -> None:
            RECORDS.pop((self.record.stack, self.record.logical_id), None)

        @staticmethod
        def cloudformation_name_type() -> str:
            return name_property

        @staticmethod
        def cloudformation_type() -> str:
            return cfn_type

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **kwargs: Any
        ) -> Recorded:
            stack = kwargs["StackId"].split("/")[1]
            properties = cloudformation_json["Properties"]
            request = Request(
                cfn_type, kwargs["LogicalId"], stack, str(resource_name), properties, f"{region_name}:{account_id}"
            )
            physical_id, attributes = maker(request)
            return cls(Record(cfn_type, stack, request.logical_id, physical_id, properties, dict(attributes)))

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Properties,
            account_id: str,
            region_name: str,
        ) -> Any:
            original_resource.record.properties = cloudformation_json["Properties"]
            return original_resource

    Recorded.__name__ = Recorded.__qualname__ = cfn_type.replace("::", "")
    return Recorded


def _custom_resource(
    cls: Any,
    /,
    resource_name: str,
    cloudformation_json: Properties,
    account_id: str,
    region_name: str,
    **kwargs: Any,
) -> Any:
    """Done at once: there is no docker here to run the provider's Lambda in."""
    resource = cls(region_name, "local", kwargs["LogicalId"], resource_name)
    resource.set_data({})
    return resource


# ----------------------------------------------------------------------------------------------------- real types


class _GlobalTable(_Made, CloudFormationModel):
    """CDK's TableV2, made as moto's table; only the first replica's view exists here."""

    behind = Table

    @staticmethod
    def cloudformation_name_type() -> str:
        return "TableName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::DynamoDB::GlobalTable"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **kwargs: Any
    ) -> Table:
        given = cloudformation_json["Properties"]
        wanted = {key: given[key] for key in ("TableName", "KeySchema", "AttributeDefinitions") if key in given}
        wanted["BillingMode"] = "PAY_PER_REQUEST"
        wanted["GlobalSecondaryIndexes"] = [
            {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
            for index in given.get("GlobalSecondaryIndexes", [])
        ]
        if "StreamSpecification" in given:
            wanted["StreamSpecification"] = {"StreamEnabled": True, **given["StreamSpecification"]}
        return Table.create_from_cloudformation_json(
            resource_name, {"Properties": wanted}, account_id, region_name, **kwargs
        )


class _Secret(_Made, CloudFormationModel):
    """A secret with its given or a generated value."""

    def __init__(self, arn: str) -> None:
        self.arn = arn

    @property
    def physical_resource_id(self) -> str:
        return self.arn

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **kwargs: Any
    ) -> _Secret:
        value = cloudformation_json["Properties"].get("SecretString") or mock_random.get_random_string(32)
        secret, _ = secretsmanager_backends[account_id][region_name]._add_secret(resource_name, secret_string=value)
        return cls(secret.arn)


class _Bucket(_Made, CloudFormationModel):
    """moto's bucket, with the versioning and Object Lock that moto's CloudFormation drops."""

    behind = FakeBucket

    @staticmethod
    def cloudformation_name_type() -> str:
        return "BucketName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::S3::Bucket"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **kwargs: Any
    ) -> FakeBucket:
        properties = cloudformation_json["Properties"]
        bucket = FakeBucket.create_from_cloudformation_json(
            resource_name, cloudformation_json, account_id, region_name, **kwargs
        )
        bucket.versioning_status = properties.get("VersioningConfiguration", {}).get("Status")
        bucket.object_lock_enabled = str(properties.get("ObjectLockEnabled")).lower() == "true"
        rule = properties.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
        bucket.default_lock_mode = rule.get("Mode", "")
        bucket.default_lock_days = int(rule.get("Days", 0))
        bucket.default_lock_years = int(rule.get("Years", 0))
        return bucket


class _Key(_Made, CloudFormationModel):
    """moto's key, with its policy as the text that moto's own KMS calls expect."""

    behind = Key

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::KMS::Key"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Properties, account_id: str, region_name: str, **kwargs: Any
    ) -> Key:
        given = cloudformation_json["Properties"]
        properties = {**given, "KeyPolicy": json.dumps(given["KeyPolicy"])} if "KeyPolicy" in given else given
        return Key.create_from_cloudformation_json(
            resource_name, {**cloudformation_json, "Properties": properties}, account_id, region_name, **kwargs
        )
