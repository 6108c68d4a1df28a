"""The one way an alarm is made: it tells the alarm topic, also when it is over, and silence is health.

Silence is health because every metric here counts something that happened; no traffic at night is not an incident.
"""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct


def alarm(
    scope: Construct,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    above: float,
    tell: sns.ITopic,
    because: str,
    periods: int = 1,
    of_them: int | None = None,
) -> cloudwatch.Alarm:
    """An alarm when `metric` is greater than `above` in `of_them` of the last `periods` periods, all if not said;
    `because` says what to do."""
    made = cloudwatch.Alarm(
        scope,
        name,
        metric=metric,
        threshold=above,
        evaluation_periods=periods,
        datapoints_to_alarm=of_them,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=because,
    )
    action = actions.SnsAction(tell)
    made.add_alarm_action(action)
    made.add_ok_action(action)
    return made
