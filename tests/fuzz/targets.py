"""What random input is thrown at: every parser, both template dialects, the validator, and the whole convert step.

A target takes one `Random`, makes its input of it and lets the code have it. Refusing is fine (`HeadwaterError`); any
other exception is a fault, and so is a value that shows the inside of Python.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random

from headwater.ehrs.profile import CsvDialect, Feed
from headwater.errors import HeadwaterError, Quarantine
from headwater.fhir.references import references
from headwater.fhir.validate import validate
from headwater.formats import read, split, write_request
from headwater.formats.reading import Reading
from headwater.inbound.convert import draft
from headwater.model import WriteRequest
from headwater.templates import Engine, Limits
from headwater.templates.filters import STANDARD
from headwater.templates.loader import Folders
from headwater.templates.microsoft import bundle
from headwater.templates.microsoft import ccda as microsoft_ccda
from headwater.templates.microsoft import hl7v2 as microsoft_hl7v2
from tests.fuzz import inputs
from tests.mappings.examples import PLAIN, engine, envelope

Target = Callable[[Random], None]
_TEMPLATES = {name: f"{name}/any" for name in ("ccda", "csv", "json", "fhir", "fhir-stu3", "fhir-dstu2")}
_TIGHT = Limits(seconds=2, turns=2_000, depth=10, output=200_000, string=100_000, work=2_000_000, items=5_000)
_INSIDE = ("<class '", "<function", "<built-in", "<module", " object at 0x", "__globals__", "__subclasses__")


class Leak(Exception):
    """Output that shows what a template must not see."""


# ------------------------------------------------------------------------------------------------------------- formats


def hl7v2(random: Random) -> None:
    _read("application/hl7-v2", inputs.hl7v2(random), Feed(time_zone=random.choice(("UTC", "America/New_York"))))


def ccda(random: Random) -> None:
    _read("application/cda+xml", inputs.ccda(random), Feed(templates=_TEMPLATES))


def fhir(random: Random) -> None:
    _read(random.choice(("application/fhir+json", "application/fhir+ndjson")), inputs.fhir(random), Feed())


def json(random: Random) -> None:
    _read("application/json", inputs.json_lines(random), Feed(templates=_TEMPLATES))


def csv(random: Random) -> None:
    dialect = CsvDialect(
        delimiter=random.choice((",", ";", "\t", "|")),
        quote=random.choice(('"', "", "'")),
        encoding=random.choice(("utf-8", "windows-1252", "utf-16")),
        header=random.random() < 0.7,
        group_by=random.choice(("", "mrn")),
    )
    _read("text/csv", inputs.csv(random), Feed(templates=_TEMPLATES, csv=dialect))


def request(random: Random) -> None:
    write_request.parse(inputs.damaged(random, (_REQUEST,), inputs.JSON).decode("utf-8", "replace"))


_REQUEST = write_request.dump(
    WriteRequest("any", "observation-create", "p1", {"resourceType": "Observation"}, "lab", "Observation/1", 1)
).encode()


def _read(content_type: str, body: bytes, feed: Feed) -> None:
    messages = split(content_type, body, feed)
    for message in messages[1:20]:
        with suppress(HeadwaterError):
            _looked_through(read(content_type, message, feed))
    for message in messages[:1]:
        _looked_through(read(content_type, message, feed))


def _looked_through(reading: Reading) -> None:
    for value in reading.variables.values():
        for name in ("PID", "MSH", "OBX", "entry", 1, "1", "patient"):
            getattr(value, "lookup", lambda name: None)(name)
    reading.unread()


# ----------------------------------------------------------------------------------------------------------- templates


def house(random: Random) -> None:
    _render(random, "headwater")


def microsoft(random: Random) -> None:
    _render(random, "microsoft")


def _render(random: Random, dialect: str) -> None:
    """Templates made up, or real ones damaged; built as JSON or rendered as text."""
    filters = engine(PLAIN.name).dialect.filters if dialect == "headwater" else {}
    functions = {name: each.function for name, each in filters.items() if name not in STANDARD}
    made = Engine([], dialect=dialect, limits=_TIGHT, filters=functions)
    if random.random() < 0.3:
        sources = {"root": inputs.damaged_template(random, _sources())}
    else:
        names = ("root", "one", "two", "three")
        sources = {name: inputs.template(random, dialect, tuple(made.dialect.filters), names) for name in names[:3]}
    made.folders = _Memory(sources)
    shown = made.build("root", dict(inputs.DATA)) if random.random() < 0.3 else made.render("root", dict(inputs.DATA))
    if any(word in str(shown) for word in _INSIDE):
        raise Leak


class _Memory(Folders):
    """Templates that lie in no folder: a million files would measure the disk."""

    def __init__(self, sources: dict[str, str]) -> None:
        super().__init__([], _TIGHT.source)
        self._sources = sources

    def find(self, name: str) -> Path | None:
        return Path(name) if name in self._sources else None

    def read(self, name: str) -> str:
        return self._sources[name] if name in self._sources else super().read(name)


@cache
def _sources() -> tuple[str, ...]:
    return tuple(path.read_text() for path in sorted(inputs.BASE.rglob("*.liquid")))


def microsoft_message(random: Random) -> None:
    message = microsoft_hl7v2.parse(inputs.hl7v2(random).decode("utf-8", "replace"))
    for segment in message.segments:
        str(segment.drop["fields"])
    message.unread()


def microsoft_document(random: Random) -> None:
    microsoft_ccda.parse(inputs.ccda(random).decode("utf-8", "replace"))


def microsoft_output(random: Random) -> None:
    bundle.parse(inputs.fhir(random).decode("utf-8", "replace"), "root")


# ------------------------------------------------------------------------------------------------------------ the rest


def valid(random: Random) -> None:
    resource = inputs.resource(random)
    list(references(resource))
    issues = validate(resource)
    if issues:
        raise Quarantine(f"invalid.{issues[0].code}", place=issues[0].path)


def convert(random: Random) -> None:
    """The whole step, with the base mappings; what it gives must be there to be checked, never an odd exception."""
    content_type, made = random.choice(_CONVERTED)
    draft(envelope(PLAIN, made(random), content_type), PLAIN, engine(PLAIN.name))


_CONVERTED: tuple[tuple[str, Callable[[Random], bytes]], ...] = (
    ("application/hl7-v2", inputs.hl7v2),
    ("application/hl7-v2", inputs.hl7v2),
    ("application/cda+xml", inputs.ccda),
    ("application/fhir+json", inputs.fhir),
)

# With how often each is chosen: the cheap and the exposed ones more often.
TARGETS: dict[str, tuple[Target, int]] = {
    "hl7v2": (hl7v2, 20),
    "ccda": (ccda, 10),
    "fhir": (fhir, 8),
    "json": (json, 6),
    "csv": (csv, 8),
    "write-request": (request, 6),
    "house-template": (house, 10),
    "microsoft-template": (microsoft, 10),
    "microsoft-hl7v2": (microsoft_message, 8),
    "microsoft-ccda": (microsoft_document, 6),
    "microsoft-output": (microsoft_output, 4),
    "validator": (valid, 8),
    "convert": (convert, 2),
}


def attempt(target: str, seed: int, number: int) -> str:
    """One input: "taken" or the code it was refused with. Any other exception is the caller's to report."""
    try:
        TARGETS[target][0](Random(f"{seed}:{target}:{number}"))
    except HeadwaterError as error:
        return error.code
    return "taken"
