"""CloudFormation types that only keep their resolved properties on the laptop, whatever emulates the rest of AWS.

Functions, event source mappings, Cognito, the HTTP API, alarms, the FHIR store: the poller, the runtime and the API
stand-in read the records from `GET /_local/resources` and behave accordingly. Imports nothing of an emulator; ids come
from `uuid4`, which `moment` makes repeatable where there is a journal.
"""

# A maker takes the request whether it needs it or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

Properties = dict[str, Any]


@dataclass(slots=True)
class Record:
    """A recorded resource: `physical_id` is what Ref gives, `attributes` what GetAtt gives."""

    type: str
    stack: str
    logical_id: str
    physical_id: str
    properties: Properties
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What CloudFormation asks to be made: `name` is the given or generated name, `place` `region:account`."""

    type: str
    logical_id: str
    stack: str
    name: str
    properties: Properties
    place: str


Maker = Callable[[Request], tuple[str, Mapping[str, str]]]

RECORDS: dict[tuple[str, str], Record] = {}  # by (stack, logical id)


def records() -> list[dict[str, Any]]:
    return [asdict(record) for record in RECORDS.values()]


def _named(request: Request) -> tuple[str, Mapping[str, str]]:
    return request.name, {"Id": request.name, "Name": request.name}


def _numbered(request: Request) -> tuple[str, Mapping[str, str]]:
    identity = uuid4().hex[:10]
    return identity, dict.fromkeys(("Id", "ApiId", "IntegrationId", "RouteId", "AuthorizerId"), identity)


def _arn(service: str, kind: str) -> Maker:
    def make(request: Request) -> tuple[str, Mapping[str, str]]:
        return request.name, {"Arn": f"arn:aws:{service}:{request.place}:{kind}{request.name}"}

    return make


def _layer(request: Request) -> tuple[str, Mapping[str, str]]:
    arn = f"arn:aws:lambda:{request.place}:layer:{request.name}:1"
    return arn, {"LayerVersionArn": arn}


def _version(request: Request) -> tuple[str, Mapping[str, str]]:
    arn = f"arn:aws:lambda:{request.place}:function:{_function_name(request)}:1"
    return arn, {"Version": "1", "FunctionArn": arn}


def _alias(request: Request) -> tuple[str, Mapping[str, str]]:
    arn = f"arn:aws:lambda:{request.place}:function:{_function_name(request)}:{request.properties['Name']}"
    return arn, {"AliasArn": arn}


def _function_name(request: Request) -> str:
    """From a name or an ARN, with or without a version."""
    name = str(request.properties["FunctionName"])
    return name.split(":")[6] if name.startswith("arn:") else name.split(":")[0]


def _api(request: Request) -> tuple[str, Mapping[str, str]]:
    identity = uuid4().hex[:10]
    region = request.place.split(":")[0]
    return identity, {
        "ApiId": identity,
        "ApiEndpoint": f"https://{identity}.execute-api.{region}.amazonaws.com",
    }


def _user_pool(request: Request) -> tuple[str, Mapping[str, str]]:
    region, account = request.place.split(":")
    identity = f"{region}_{uuid4().hex[:9]}"
    provider = f"cognito-idp.{region}.amazonaws.com/{identity}"
    return identity, {
        "Arn": f"arn:aws:cognito-idp:{region}:{account}:userpool/{identity}",
        "UserPoolId": identity,
        "ProviderName": provider,
        "ProviderURL": f"https://{provider}",
    }


def _user_pool_client(request: Request) -> tuple[str, Mapping[str, str]]:
    identity = uuid4().hex[:26]
    return identity, {"ClientId": identity, "Name": request.name}


def _datastore(healthlake_url: str) -> Maker:
    def make(request: Request) -> tuple[str, Mapping[str, str]]:
        identity = uuid4().hex
        return identity, {
            "DatastoreId": identity,
            "DatastoreArn": f"arn:aws:healthlake:{request.place}:datastore/fhir/{identity}",
            "DatastoreEndpoint": f"{healthlake_url}/datastore/{identity}/r4/",
            "DatastoreStatus": "ACTIVE",
        }

    return make


def makers(healthlake_url: str) -> dict[str, tuple[Maker, str]]:
    """By type: how it is made, and the property that names it. The FHIR store lies under `healthlake_url`."""
    return {
        "AWS::ApiGatewayV2::Api": (_api, ""),
        "AWS::ApiGatewayV2::Authorizer": (_numbered, ""),
        "AWS::ApiGatewayV2::Integration": (_numbered, ""),
        "AWS::ApiGatewayV2::Route": (_numbered, ""),
        "AWS::ApiGatewayV2::Stage": (_named, "StageName"),
        "AWS::CDK::Metadata": (_named, ""),
        "AWS::CloudWatch::Alarm": (_arn("cloudwatch", "alarm:"), "AlarmName"),
        "AWS::CloudWatch::CompositeAlarm": (_arn("cloudwatch", "alarm:"), "AlarmName"),
        "AWS::CloudWatch::Dashboard": (_named, "DashboardName"),
        "AWS::Cognito::UserPool": (_user_pool, ""),
        "AWS::Cognito::UserPoolClient": (_user_pool_client, "ClientName"),
        "AWS::Cognito::UserPoolDomain": (_named, "Domain"),
        "AWS::Cognito::UserPoolGroup": (_named, "GroupName"),
        "AWS::Cognito::UserPoolResourceServer": (_named, "Identifier"),
        "AWS::Events::Rule": (_arn("events", "rule/"), "Name"),
        "AWS::HealthLake::FHIRDatastore": (_datastore(healthlake_url), "DatastoreName"),
        "AWS::Lambda::Alias": (_alias, ""),
        "AWS::Lambda::EventInvokeConfig": (_numbered, ""),
        "AWS::Lambda::EventSourceMapping": (_numbered, ""),
        "AWS::Lambda::Function": (_arn("lambda", "function:"), "FunctionName"),
        "AWS::Lambda::LayerVersion": (_layer, "LayerName"),
        "AWS::Lambda::Permission": (_numbered, ""),
        "AWS::Lambda::Version": (_version, ""),
        "AWS::Logs::MetricFilter": (_named, "FilterName"),
        "AWS::Logs::QueryDefinition": (_numbered, ""),
        "AWS::S3::BucketPolicy": (lambda request: (str(request.properties["Bucket"]), {}), ""),
        "AWS::SNS::Subscription": (_numbered, ""),
        "AWS::SNS::TopicPolicy": (_numbered, ""),
        "AWS::SQS::QueuePolicy": (_numbered, ""),
        "AWS::Scheduler::Schedule": (_arn("scheduler", "schedule/default/"), "Name"),
        "AWS::StepFunctions::StateMachine": (_arn("states", "stateMachine:"), "StateMachineName"),
    }
