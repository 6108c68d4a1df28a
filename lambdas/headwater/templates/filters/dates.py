"""The filter `date`, with strftime's letters. Times keep the zone they came with; one without a zone stays without."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from headwater.templates.errors import FilterError
from headwater.templates.filters import registry
from headwater.templates.runtime import plain, text


def date_(value: Any, format: Any) -> str:
    """`value` is an ISO 8601 date or date-time, or a date object; nil and empty text give empty text."""
    moment = plain(value)
    if moment is None or moment == "":
        return ""
    if not isinstance(moment, date):
        try:
            moment = datetime.fromisoformat(text(moment))
        except ValueError:
            raise FilterError("'date' needs an ISO 8601 date") from None
    return str(moment.strftime(text(format)[:200]))


FILTERS = registry.of({"date": date_})
