"""The golden pairs of a mapping folder: each `examples/<name>.hl7` and the `<name>.json` that it is to become.

What changes with every edit of a mapping (its version in Provenance) is left out of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError
from headwater.model import Converted
from local.analyst.differences import Difference, differences
from local.analyst.mappings import PLAIN, Mappings, content_type, error_of, format_of

# The base's examples are of a sender that has nothing special but a place on earth.
_TEMPLATES = {"csv": "csv/roster", "json": "json/vitals"}
SENDER = replace(PLAIN, feed=replace(PLAIN.feed, time_zone="America/New_York", templates=_TEMPLATES))
_SENT = "sent"  # what goes out to an EHR is no message of it: `headwater ehrs sent`
_RESULTS = ".json"


@dataclass(frozen=True, slots=True)
class Example:
    """One pair of files, and the folder's name under `ehrs/`; no name for the base."""

    message: Path
    ehr: str

    @property
    def expected(self) -> Path:
        return self.message.with_suffix(_RESULTS)

    def __str__(self) -> str:
        return f"{self.ehr or 'base'}/{self.message.name}"


@dataclass(frozen=True, slots=True)
class Tried:
    """An example as it is made now. `made` is None if nothing was, `expected` None if there is no expectation yet."""

    example: Example
    made: dict[str, Any] | None
    expected: dict[str, Any] | None
    error: dict[str, str] | None

    @property
    def differences(self) -> list[Difference]:
        return list(differences(self.expected or {}, self.made or {}))

    @property
    def passes(self) -> bool:
        return self.made is not None and self.made == self.expected

    def accept(self) -> None:
        """Make what came out the expectation."""
        text = json.dumps(self.made, ensure_ascii=False, indent=1)
        self.example.expected.write_text(f"{text}\n", encoding="utf-8")


def examples(mappings: Path, folder: Path) -> Iterator[Example]:
    """The examples under `folder`: an EHR's, the base, or all of `mappings`.

    Raises HeadwaterError('analyst.folder') if it is not a part of `mappings`.
    """
    mappings, folder = mappings.resolve(), folder.resolve()
    if not folder.is_dir() or not folder.is_relative_to(mappings):
        raise HeadwaterError("analyst.folder", place=str(folder), hint=f"name a folder of {mappings}")
    for message in sorted(folder.rglob("*")):
        folders = message.parts[:-1]
        if "examples" not in folders or _SENT in folders or message.suffix == _RESULTS or not message.is_file():
            continue
        top, name, *_ = message.relative_to(mappings).parts
        yield Example(message, name if top == "ehrs" else "")


def sender_of(message: Path, mappings: Path) -> Ehr:
    """Who sent an example of the base. CSV and JSON say nothing of themselves: `lab-chemistry.csv` is for `csv/lab`."""
    folder = {".csv": "csv", ".jsonl": "json"}.get(message.suffix, "")
    template = f"{folder}/{message.stem.partition('-')[0]}"
    if not (mappings / "base" / f"{template}.liquid").is_file():
        return SENDER
    return replace(SENDER, feed=replace(SENDER.feed, templates={**_TEMPLATES, folder: template}))


def try_out(example: Example, mappings: Mappings) -> Tried:
    """Convert one example, checked as in the pipeline."""
    expected = json.loads(example.expected.read_text("utf-8")) if example.expected.exists() else None
    try:
        ehr = mappings.ehr(example.ehr) if example.ehr else sender_of(example.message, mappings.folder)
        body = example.message.read_bytes()
        made = written(mappings.convert(body, ehr, content_type(format_of(example.message, body), ehr)))
    except HeadwaterError as error:
        return Tried(example, None, expected, error_of(error))
    return Tried(example, made, expected, None)


def written(converted: Converted) -> dict[str, Any]:
    """A conversion as its JSON file has it."""
    resources: list[dict[str, Any]] = json.loads(json.dumps(converted.resources))
    for agent in resources[-1]["agent"]:
        if agent["who"].get("identifier", {}).get("system") == "urn:headwater:mappings":
            del agent["who"]["identifier"], agent["who"]["display"]
    return {
        "kind": converted.kind,
        "event_time": converted.event_time.isoformat(),
        "unread": list(converted.unread),
        "resources": resources,
    }
