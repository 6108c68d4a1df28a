"""One kind of EMPI as a folder `mappings/empis/<name>`: how it is asked and how its answer is to be read; and what this
deployment knows of it (where it is, who we are there) as a secret `headwater/empis/<name>`. docs/empi.md explains both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import orjson

from headwater.adapters.ehr.connection import is_safe
from headwater.adapters.ehr.http import Exchange, Timeouts, exchange
from headwater.errors import HeadwaterError, Hold

FILE = "empi.toml"
TRANSPORTS = ("rest", "fhir-match", "pixm")
TIMEOUTS = Timeouts(connect=3, read=8)


@dataclass(frozen=True, slots=True)
class EmpiProfile:
    """`path` follows the base URL. `template` renders what a `rest` API is sent; `said_yes`, `retry_later`, `link_id`
    and `score` are paths into its answer (`content.linkId`). A score is certain from `certain_from` and possible from
    `possible_from`. `target_system` is the identifier domain whose ids name persons, for PIXm."""

    name: str
    transport: str
    path: str
    title: str = ""
    source: str = ""
    method: str = "POST"
    template: str = "request"
    said_yes: str = ""
    retry_later: str = ""
    link_id: str = ""
    score: str = ""
    certain_from: float = 1.0
    possible_from: float = 0.5
    target_system: str = ""

    @classmethod
    def read(cls, mappings: Path, name: str) -> EmpiProfile:
        """Raises HeadwaterError('empi.unreadable') naming file and key."""
        place = f"empis/{name}/{FILE}"
        try:
            told = tomllib.loads((mappings / "empis" / name / FILE).read_text("utf-8"))
        except FileNotFoundError:
            _wrong(place, "there is no such file: HEADWATER_EMPI names a folder of mappings/empis")
        except ValueError:
            _wrong(place, "not TOML")
        flat = {key: value for key, value in told.items() if not isinstance(value, dict)}
        for table in ("request", "answer"):
            flat |= told.get(table, {})
        unknown = flat.keys() - {one.name for one in fields(cls)} | {one for one in ("name",) if one in flat}
        missing = {"transport", "path"} - flat.keys()
        if unknown or missing:
            _wrong(place, f"unknown or missing: {', '.join(sorted(unknown | missing))}")
        if flat["transport"] not in TRANSPORTS:
            _wrong(place, f"transport is one of {', '.join(TRANSPORTS)}")
        return cls(name=name, **flat)


@dataclass(frozen=True, slots=True)
class Access:
    """Where an EMPI is and the headers that open it (`{"Authorization": "Basic …"}`)."""

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, secret: str, *, place: str) -> Access:
        """Raises HeadwaterError('empi.unreadable') without a word of the secret."""
        try:
            told = orjson.loads(secret)
            access = cls(told["base_url"].rstrip("/"), dict(told.get("headers", {})))
        except (ValueError, KeyError, TypeError, AttributeError):
            _wrong(place, 'expected {"base_url": "https://…", "headers": {…}}')
        if not is_safe(access.base_url):
            _wrong(place, "base_url must be https without user, query or fragment; http on localhost only")
        return access


@dataclass(frozen=True, slots=True)
class Line:
    """The line to one EMPI: sends one request, gives the JSON of a good answer, and holds the message for any other."""

    profile: EmpiProfile
    access: Access
    timeouts: Timeouts = TIMEOUTS

    def ask(self, method: str, path: str, *, content_type: str = "", body: bytes | None = None) -> Any:
        accepted = content_type or "application/json"
        headers = {**self.access.headers, "Accept": accepted, **({"Content-Type": accepted} if body else {})}
        url = f"{self.access.base_url}{path}"
        return self._read(exchange(method, url, headers=headers, timeouts=self.timeouts, body=body))

    def _read(self, said: Exchange) -> Any:
        if said.status == 0 or said.status == 429 or said.status >= 500:
            self.silent()
        if not 200 <= said.status < 300:
            raise self.held("refused", f"it answered {said.status}: look at the secret and at what it was sent")
        try:
            return orjson.loads(said.body)
        except orjson.JSONDecodeError:
            raise self.held("unreadable", "its answer is no JSON") from None

    def silent(self) -> NoReturn:
        raise self.held("silent", "no answer in time: release the message when it is back")

    def held(self, what: str, hint: str) -> Hold:
        return Hold(f"match.empi_{what}", place=self.profile.name, hint=hint)


def _wrong(place: str, hint: str) -> NoReturn:
    raise HeadwaterError("empi.unreadable", place=place, hint=hint)
