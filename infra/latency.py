"""When an EHR counts as slow: the numbers of the alarm, for CloudWatch and who does without it (`local.latency`)."""

from __future__ import annotations

# The client-side wall clock of a request to an EHR, unanswered ones at their deadline.
SLOW_MILLISECONDS = 10_000
PERCENTILE = 99
PERIOD_S = 60
# Three slow minutes of the last five: rung within five minutes, and one slow answer at night wakes nobody.
PERIODS = 5
SLOW_PERIODS = 3
