"""The house dialect's filters, by family: text, numbers, lists, dates."""

from __future__ import annotations

from headwater.templates.filters import dates, lists, numbers, strings
from headwater.templates.filters.registry import Filter

STANDARD: dict[str, Filter] = {**strings.FILTERS, **numbers.FILTERS, **lists.FILTERS, **dates.FILTERS}

__all__ = ["STANDARD", "Filter"]
