"""Who may sign off a write-back: people of a Cognito user pool, made by an administrator, with a second factor."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.deployment import Deployment

# A clinician decides about proposals, a steward about persons and quarantined messages. They are in the token's
# claim `cognito:groups`, in this order of precedence.
GROUPS = {
    "clinician": "May approve and reject proposed write-backs",
    "registration": "Signs changes of demographics, beside a clinician",
    "steward": "May decide about identities and quarantined messages",
}


class Reviewers(Construct):
    """The user pool and its groups. It is data: the audit log names its users."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment) -> None:
        super().__init__(scope, id)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            user_pool_name=deployment.name("reviewers"),
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            mfa=cognito.Mfa.REQUIRED,
            # An authenticator app; a text message can be redirected (NIST SP 800-63B 5.1.3.3: restricted).
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(min_length=14, temp_password_validity=Duration.days(3)),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        for precedence, (name, what) in enumerate(GROUPS.items()):
            cognito.CfnUserPoolGroup(
                self,
                name.capitalize(),
                user_pool_id=self.pool.user_pool_id,
                group_name=name,
                description=what,
                precedence=precedence,
            )
