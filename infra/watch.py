"""What a person on call looks at: one dashboard with a row per step, and the alarms that belong to no single queue.

Queues and functions carry their own alarms (`queue.py`, `function.py`). Here are the ones about the work itself: an EHR
that answers slowly, and proposals that nobody decides about.
"""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.alarm import alarm
from infra.data import DataStack
from infra.deployment import METRICS_NAMESPACE, Deployment

# The way of a message, and the Lambda (Powertools' dimension `service`) in which each step runs.
STEPS = {
    "accept": "ingest",
    "convert": "ingest",
    "match": "ingest",
    "store": "ingest",
    "tell": "ingest",
    "propose": "propose",
    "review": "review",
    "send": "send",
}

FIVE_MINUTES = Duration.minutes(5)

# The client-side wall clock of one call to an EHR, time-outs included.
EHR_SLOW_MILLISECONDS = 10_000

# Half of a working day without one decision, while proposals come in.
UNDECIDED = Duration.hours(4)


class WatchStack(Stack):
    """It holds nothing that cannot be made again at any time."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, data: DataStack) -> None:
        super().__init__(scope, id, description="Headwater: what a person on call looks at")
        board = cloudwatch.Dashboard(
            self, "Board", dashboard_name=deployment.name("way"), default_interval=Duration.hours(6)
        )
        for step in STEPS:
            board.add_widgets(*_row(step))
        board.add_widgets(_queues(deployment))
        for ehr in deployment.ehrs:
            p99 = _metric("ehr_milliseconds", {"ehr": ehr}, "p99")
            alarm(
                self,
                f"Ehr{ehr}Slow",
                p99,
                above=EHR_SLOW_MILLISECONDS,
                periods=3,
                tell=data.alarms,
                because=f"{ehr}: one call in a hundred takes longer than {EHR_SLOW_MILLISECONDS / 1000:.0f} s.",
            )
        if deployment.ehrs:
            board.add_widgets(_ehrs(deployment.ehrs))


def _metric(name: str, dimensions: dict[str, str], statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=FIVE_MINUTES,
    )


def _row(step: str) -> tuple[cloudwatch.IWidget, ...]:
    return ()


def _queues(deployment: Deployment) -> cloudwatch.IWidget:
    return cloudwatch.TextWidget(markdown="queues")


def _ehrs(ehrs: tuple[str, ...]) -> cloudwatch.IWidget:
    return cloudwatch.TextWidget(markdown="ehrs")
