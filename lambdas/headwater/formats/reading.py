"""What every incoming format gives `convert`, and what it may ask of the feed it came by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from headwater.errors import Quarantine
from headwater.model import Resource


class Dialect(Protocol):
    """How a sender writes CSV; `headwater.ehrs.profile.CsvDialect` is one."""

    @property
    def delimiter(self) -> str: ...

    @property
    def quote(self) -> str: ...

    @property
    def encoding(self) -> str: ...

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def header(self) -> bool: ...

    @property
    def group_by(self) -> str: ...


class Feed(Protocol):
    """What reading needs to know of a sender; `headwater.ehrs.profile.Feed` is one."""

    @property
    def time_zone(self) -> str: ...

    @property
    def message_types(self) -> Mapping[str, str]: ...

    @property
    def templates(self) -> Mapping[str, str]: ...

    @property
    def csv(self) -> Dialect: ...


class Format(Protocol):
    """A format's module."""

    def split(self, body: bytes, feed: Feed) -> list[bytes]: ...

    def read(self, body: bytes, feed: Feed) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One message, read.

    `template` is what to render, with `variables`; without one, `resources` are FHIR R4 of the sender's own making,
    each with the `fullUrl` it had in its Bundle. `event_time` is None if only the template can tell; `about_patient` is
    False if there is surely nobody. `places` say in errors where `template`, `patient`, `identity` and `time` are to be
    looked for. `unread` is asked after rendering. `message_id` and `sent_at` are the sender's number and time of it.
    `speaks_of` says of a part (`DG1`, `PV1-7`) whether the message speaks of it, `deletes` whether it says that there
    is none; None where what a message leaves out is not there.
    """

    kind: str
    template: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    event_time: datetime | None = None
    about_patient: bool = True
    resources: Sequence[tuple[str, Resource]] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    unread: Callable[[], tuple[str, ...]] = tuple
    message_id: str = ""
    sent_at: datetime | None = None
    speaks_of: Callable[[str], bool] | None = None
    deletes: Callable[[str], bool] | None = None

    def place(self, of: str) -> str:
        return self.places.get(of, self.template or self.kind)


def named(feed: Feed, format: str, default: str = "") -> str:
    """The template that the feed names for a format. Raises Quarantine('convert.template_missing')."""
    template = feed.templates.get(format, default)
    if not template:
        hint = f'name the template that reads it: [feed.templates] {format} = "{format}/…"'
        raise Quarantine("convert.template_missing", place="feed.templates", hint=hint)
    return template
