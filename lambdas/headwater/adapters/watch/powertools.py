"""Powertools as `Watch`: each note is one JSON line that is log and metric at once. CloudWatch takes the metrics out of
the line by its `_aws` part (Embedded Metric Format), so a step costs one line and no call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Headwater"


class PowertoolsWatch:
    """`Watch` on stdout. `logger` must let INFO through: a line that is filtered out takes its metrics along."""

    def __init__(self, logger: Logger | None = None, *, namespace: str = NAMESPACE) -> None:
        # `location` would always name this file.
        self._logger = logger or Logger(service="headwater", level="INFO", location=None)
        self._namespace = namespace

    def note(self, step: str, outcome: str, *, milliseconds: float = 0.0, **ids: str | int | float) -> None:
        """Metrics `count` and `milliseconds` by step and outcome; for a request that left for an EHR also
        `ehr_milliseconds` and `ehr_unanswered`, by EHR and by EHR and operation.

        The ids lie under `ids`, where no name of theirs can collide with the logger's own.
        """
        line = self._metrics({"count": 1, "milliseconds": milliseconds}, step=step, outcome=outcome)
        if step == "ehr" and outcome != "unsent":
            values = {"ehr_milliseconds": milliseconds, "ehr_unanswered": float(outcome == "unanswered")}
            per_ehr = self._metrics(values, ehr=str(ids["ehr"]), operation=str(ids["operation"]))
            (directive,) = per_ehr.pop("_aws")["CloudWatchMetrics"]
            directive["Dimensions"].append(["ehr"])  # the alarm's: all operations together
            line["_aws"]["CloudWatchMetrics"].append(directive)
            line |= per_ehr
        self._logger.info(f"{step} {outcome}", extra={**line, "ids": ids})

    def _metrics(self, values: dict[str, float], **dimensions: str) -> dict[str, Any]:
        # An empty service keeps POWERTOOLS_SERVICE_NAME from becoming one more dimension.
        metrics = EphemeralMetrics(namespace=self._namespace, service="")
        for dimension, of in dimensions.items():
            metrics.add_dimension(dimension, of)
        for name, value in values.items():
            unit = MetricUnit.Milliseconds if name.endswith("milliseconds") else MetricUnit.Count
            metrics.add_metric(name, unit, value)
        return dict(metrics.serialize_metric_set())
