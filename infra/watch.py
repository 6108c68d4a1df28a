"""What a person on call looks at: one dashboard with a row per step, and the alarms that belong to no single queue.

Queues and functions carry their own alarms (`queue.py`, `function.py`). Here are the ones about the work itself: an EHR
that answers slowly, and proposals that nobody looks at. The metrics are those of the port `Watch`: `count` and
`milliseconds` by `step` and `outcome`, `ehr_milliseconds` by `ehr` and by `ehr` and `operation`. Everything is found by
name, so that this stack holds on to no other and can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra import latency
from infra.alarm import alarm
from infra.data import DataStack
from infra.deployment import METRICS_NAMESPACE, Deployment

# The way of a message. Where one waits before a step, its queue stands in the same row.
STEPS = ("accept", "convert", "match", "store", "tell", "follow", "propose", "review", "send")
QUEUE_BEFORE = {"accept": "feed", "propose": "write", "send": "send"}
FUNCTIONS = ("ingest", "backfill", "follow", "propose", "review", "send", "keys")

FIVE_MINUTES = Duration.minutes(5)
HEIGHT = 5
FULL_WIDTH = 24

# A night shift may pass without a review; a day shift may not.
UNREVIEWED = Duration.hours(12)


class WatchStack(Stack):
    """The dashboard `<prefix>-way` and the alarms about EHRs and reviewers."""

    def __init__(self, scope: Construct, id: str, *, deployment: Deployment, data: DataStack) -> None:
        super().__init__(scope, id, description="Headwater: what a person on call looks at")
        board = cloudwatch.Dashboard(
            self, "Board", dashboard_name=deployment.name("way"), default_interval=Duration.hours(6)
        )
        for step in STEPS:
            board.add_widgets(*_row(step, deployment))
        board.add_widgets(*_last_row(deployment))
        for ehr in deployment.ehrs:
            alarm(
                self,
                f"Slow-{ehr}",
                _ehr_p99(ehr),
                above=latency.SLOW_MILLISECONDS,
                periods=latency.PERIODS,
                of_them=latency.SLOW_PERIODS,
                tell=data.alarms,
                because=f"{ehr}: one request in a hundred takes longer than {latency.SLOW_MILLISECONDS // 1000} s.",
            )
        alarm(
            self,
            "Unreviewed",
            _unreviewed(deployment),
            above=0,
            tell=data.alarms,
            because="Proposals came in for twelve hours and nobody looked: can clinicians reach the review API?",
        )
        alarm(
            self,
            "Unfollowed",
            _metric(METRICS_NAMESPACE, "count", {"step": "follow", "outcome": "failed"}, "Sum", period=FIVE_MINUTES),
            above=0,
            periods=6,
            tell=data.alarms,
            because="What was stored does not follow a merge for half an hour, and nothing is written back of these "
            "persons: headwater empi follow names them, the log of follow has the code (docs/stewards.md).",
        )


def _row(step: str, deployment: Deployment) -> Sequence[cloudwatch.IWidget]:
    """What came out of a step, how long it took, and what waits before it: a queue, or the people who review."""
    queue = QUEUE_BEFORE.get(step)
    width = FULL_WIDTH // (3 if queue or step == "review" else 2)
    row = [
        _graph(f"{step}: outcomes", [_by_outcome(step, "count", "Sum")], width, stacked=True),
        _graph(f"{step}: p99, ms", [_by_outcome(step, "milliseconds", "p99")], width),
    ]
    if queue:
        row.append(_graph(f"before {step}: the {queue} queue", _waiting(deployment, queue), width))
    elif step == "review":
        row.append(_graph("before review: calls of the review API", [_review_calls(deployment, FIVE_MINUTES)], width))
    return row


def _last_row(deployment: Deployment) -> Sequence[cloudwatch.IWidget]:
    lambdas = [
        _metric("AWS/Lambda", name, {"FunctionName": deployment.name(function)}, "Sum", f"{function}: {name}")
        for function in FUNCTIONS
        for name in ("Errors", "Throttles")
    ]
    p99s = [_by_operation(statistic) for statistic in ("p50", "p95", "p99")]
    return [
        _graph("Functions: errors and throttles", lambdas, 8),
        _graph("Messages by final state", [_by_outcome("ingest", "count", "Sum")], 8, stacked=True),
        _graph("EHRs, by operation: p50, p95, p99, ms", p99s, 8),
    ]


def _waiting(deployment: Deployment, queue: str) -> list[cloudwatch.IMetric]:
    name, dead = deployment.name(f"{queue}.fifo"), deployment.name(f"{queue}-dead.fifo")
    visible = "ApproximateNumberOfMessagesVisible"
    return [
        _metric("AWS/SQS", visible, {"QueueName": name}, "Maximum", "waiting"),
        _metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}, "Maximum", "oldest, s"),
        _metric("AWS/SQS", visible, {"QueueName": dead}, "Maximum", "dead letters"),
    ]


def _by_outcome(step: str, name: str, statistic: str) -> cloudwatch.MathExpression:
    """One line per outcome that there ever was; outcomes are error codes too, so they cannot be listed here."""
    search = f'{{{METRICS_NAMESPACE},outcome,step}} MetricName="{name}" step="{step}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{search}', '{statistic}', {int(FIVE_MINUTES.to_seconds())})",
        label="",
        using_metrics={},
        period=FIVE_MINUTES,
    )


def _by_operation(statistic: str) -> cloudwatch.MathExpression:
    """One line per EHR and operation that was ever asked for."""
    search = f'{{{METRICS_NAMESPACE},ehr,operation}} MetricName="ehr_milliseconds"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{search}', '{statistic}', {int(FIVE_MINUTES.to_seconds())})",
        label="",
        using_metrics={},
        period=FIVE_MINUTES,
    )


def _unreviewed(deployment: Deployment) -> cloudwatch.MathExpression:
    """1 when proposals came and nobody called the review API, else 0."""
    proposed = _metric(METRICS_NAMESPACE, "count", {"step": "propose", "outcome": "proposed"}, "Sum", period=UNREVIEWED)
    return cloudwatch.MathExpression(
        expression="IF(FILL(proposed, 0) > 0 AND FILL(calls, 0) == 0, 1, 0)",
        label="unreviewed",
        using_metrics={"proposed": proposed, "calls": _review_calls(deployment, UNREVIEWED)},
        period=UNREVIEWED,
    )


def _review_calls(deployment: Deployment, period: Duration) -> cloudwatch.Metric:
    return _metric("AWS/Lambda", "Invocations", {"FunctionName": deployment.name("review")}, "Sum", period=period)


def _ehr_p99(ehr: str) -> cloudwatch.Metric:
    """All operations together, by the minute; unanswered requests count at their deadline."""
    minute = Duration.seconds(latency.PERIOD_S)
    return _metric(METRICS_NAMESPACE, "ehr_milliseconds", {"ehr": ehr}, f"p{latency.PERCENTILE}", period=minute)


def _metric(
    namespace: str,
    name: str,
    dimensions: dict[str, str],
    statistic: str,
    label: str | None = None,
    period: Duration = FIVE_MINUTES,
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        label=label,
        period=period,
    )


def _graph(
    title: str, metrics: Sequence[cloudwatch.IMetric], width: int, *, stacked: bool = False
) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=width, height=HEIGHT, stacked=stacked)
