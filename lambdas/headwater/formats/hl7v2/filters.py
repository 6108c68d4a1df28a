"""What a template for HL7 v2 may say beyond Liquid: times, identifiers' systems, code maps, groups of segments.

Filters are made for one EHR, since its authorities and its code maps are behind them; those that need the message's
time zone take the render's state. They take parts of a message, which mostly are texts, and give text, parts, None, or
plain JSON values; none of them raises for what a message holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from headwater.formats.codes import CodeMaps
from headwater.formats.hl7v2 import durations, groups, values
from headwater.formats.hl7v2.codings import Codings
from headwater.formats.hl7v2.systems import ContentIds, Systems


class Sender(Protocol):
    """What the filters need to know of an EHR: `headwater.ehrs.Ehr` is one."""

    @property
    def name(self) -> str: ...

    @property
    def feed(self) -> SendersFeed: ...


class SendersFeed(Protocol):
    """`authorities` gives the system URI of a namespace or OID; `time_zone` is an IANA name."""

    @property
    def time_zone(self) -> str: ...

    @property
    def authorities(self) -> Mapping[str, str]: ...


def filters(sender: Sender, codes: CodeMaps, content_ids: ContentIds) -> Mapping[str, Callable[..., Any]]:
    """All of them, by the name that templates call them by. `content_ids` is `headwater.fhir.ids.content_ids`."""
    systems = Systems(sender.name, sender.feed.authorities, codes, content_ids)
    codings = Codings(sender.name, codes)
    return {**values.FILTERS, **durations.FILTERS, **groups.FILTERS, **systems.filters(), **codings.filters()}
