"""What templates may say beyond Liquid, of all formats: those of HL7 v2 and C-CDA are in their rooms; here are times of
the feed's zone, dates as people write them, plain data out of nodes. None of them raises for what a message holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from headwater.formats.ccda import filters as ccda
from headwater.formats.codes import CodeMaps
from headwater.formats.hl7v2 import filters as hl7v2
from headwater.formats.hl7v2 import times
from headwater.formats.hl7v2.filters import Sender
from headwater.formats.hl7v2.systems import ContentIds
from headwater.formats.tree import Node, Nodes, plain


class LocalTimes:
    """Times as texts (HL7's digits or ISO 8601), those without an offset in the feed's zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def filters(self) -> Mapping[str, Callable[..., Any]]:
        return {
            "local_datetime": self.date_time,
            "local_instant": self.instant,
            "local_start": self.start,
            "local_clock": self.clock,
            "interval": self.interval,
            "parse_date": parse_date,
        }

    def date_time(self, value: Any) -> str | None:
        """FHIR dateTime; None for what is no time."""
        return times.date_time(_text(value), self._zone)

    def instant(self, value: Any) -> str | None:
        """FHIR instant; None unless day and time of day are known."""
        moment = times.read(_text(value))
        return moment.instant(self._zone) if moment else None

    def clock(self, value: Any, pattern: Any) -> str | None:
        """A FHIR dateTime as the feed's people write it: strftime's `pattern` in the feed's zone; a bare day stays that
        day. None for what is neither."""
        try:
            moment = datetime.fromisoformat(_text(value))
        except ValueError:
            return None
        return (moment.astimezone(self._zone) if moment.tzinfo else moment).strftime(str(pattern))

    def start(self, value: Any) -> str | None:
        """FHIR instant at which what the time says began: of a day its midnight."""
        moment = times.read(_text(value))
        return moment.aware(self._zone).isoformat() if moment else None

    def interval(self, value: Any) -> dict[str, str] | None:
        """FHIR Period of a CDA IVL_TS (`low`, `high`; a lone `value` or `center` is when it began). An end before the
        start is a mistake of the sender's, and is left out."""
        if not isinstance(value, Node | Nodes):
            return None
        low, high = (value.lookup(name) for name in ("low", "high"))
        begins = low if isinstance(low, Node) else value.lookup("center") or value
        start = self.date_time(begins.lookup("value"))
        end = self.date_time(high.lookup("value")) if isinstance(high, Node) else None
        if start and end and end[: len(start)] < start[: len(end)]:
            end = None
        return {name: said for name, said in (("start", start), ("end", end)) if said} or None


def parse_date(value: Any, pattern: Any) -> str | None:
    """FHIR date of a text that is written as `pattern` says (`%m/%d/%Y`, strptime's letters); None if it is not."""
    try:
        return datetime.strptime(_text(value).strip(), str(pattern)).date().isoformat()
    except ValueError:
        return None


def pairs(value: Any) -> list[list[Any]]:
    """The members of an object as [name, value], for objects whose names are data."""
    return [[name, value.lookup(name)] for name in value.names()] if isinstance(value, Node) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value)


PLAIN_FILTERS: Mapping[str, Callable[..., Any]] = {"data": plain, "pairs": pairs}


def filters(sender: Sender, codes: CodeMaps, content_ids: ContentIds) -> Mapping[str, Callable[..., Any]]:
    """Every filter that a format brings, by the name that templates call it by, made for one EHR. `content_ids` is
    `headwater.fhir.ids.content_ids`."""
    return {
        **hl7v2.filters(sender, codes, content_ids),
        **ccda.filters(sender, codes, content_ids),
        **LocalTimes(ZoneInfo(sender.feed.time_zone)).filters(),
        **PLAIN_FILTERS,
    }
