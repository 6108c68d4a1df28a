"""The review API: an HTTP API that lets nobody in without a reviewer's token, in front of one function; and beside it
the one address that is open, where EHRs fetch our public keys from a function that can read nothing else.
"""

from __future__ import annotations

import json

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.alarm import alarm
from infra.deployment import Deployment

# An HTTP API gives an integration at most 30 s.
REVIEW_TIMEOUT = Duration.seconds(29)


class ReviewApi(Construct):
    """Every path goes to the function, which finds the reviewer and the groups in the token's claims."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: Deployment,
        key: kms.IKey,
        tell: sns.ITopic,
        pool: cognito.UserPool,
        review: lambda_.Function,
        keys: lambda_.Function,
    ) -> None:
        super().__init__(scope, id)
        client = cognito.UserPoolClient(
            self,
            "Client",
            user_pool=pool,
            user_pool_client_name=deployment.name("review"),
            auth_flows=cognito.AuthFlow(user_srp=True),
            generate_secret=False,
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            access_token_validity=Duration.minutes(30),
            id_token_validity=Duration.minutes(30),
            # A shift.
            refresh_token_validity=Duration.hours(12),
        )
        api = apigateway.HttpApi(
            self,
            "Http",
            api_name=deployment.name("review"),
            description="Headwater: the review of proposed write-backs",
            create_default_stage=False,
        )
        api.add_routes(
            path="/{proxy+}",
            methods=[apigateway.HttpMethod.ANY],
            integration=integrations.HttpLambdaIntegration("Review", review),
            authorizer=authorizers.HttpUserPoolAuthorizer("Reviewers", pool, user_pool_clients=[client]),
        )
        # Open to everybody: an EHR fetches our public keys here to check our signatures by (RFC 7517).
        api.add_routes(
            path="/keys/{ehr}",
            methods=[apigateway.HttpMethod.GET],
            integration=integrations.HttpLambdaIntegration("Keys", keys),
        )
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=api,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=50, burst_limit=100),
            detailed_metrics_enabled=True,
        )
        self._log_access(stage, deployment, key)
        self.url = stage.url
        self.client_id = client.user_pool_client_id
        alarm(
            self,
            "ServerErrors",
            api.metric_server_error(period=Duration.minutes(1), statistic="Sum"),
            above=0,
            tell=tell,
            because="The review API answered 5xx: clinicians cannot decide. See the log of review.",
        )

    def _log_access(self, stage: apigateway.HttpStage, deployment: Deployment, key: kms.IKey) -> None:
        """Who called what, when, and with what outcome. Not the address's query, where a search could stand."""
        log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"{deployment.log_prefix}review-access",
            retention=logs.RetentionDays.ONE_YEAR,
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        told = ("requestId", "requestTime", "httpMethod", "path", "status", "responseLatency", "authorizer.claims.sub")
        line = json.dumps({name: f"$context.{name}" for name in told})
        settings = apigateway.CfnStage.AccessLogSettingsProperty(destination_arn=log.log_group_arn, format=line)
        default = stage.node.default_child
        assert isinstance(default, apigateway.CfnStage)
        default.access_log_settings = settings
