"""Reads the folders of `mappings/ehrs/`, each when it is first asked for, and refuses a file with a slip in it.

There are more than a hundred, and a Lambda meets a few: it pays for those alone. That all of them are sound is for
`headwater ehrs check` and the tests to say, before anything is deployed.

A site that runs a known product is a folder whose `ehr.toml` says `like = "<folder>"` and what differs: tables are
merged, anything else replaces. Rules are never inherited, so that nothing is told to a site that did not ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from headwater.ehrs.operation import SEARCHED, Operation, Transport
from headwater.ehrs.profile import Ehr, Precondition, Rule
from headwater.errors import HeadwaterError
from headwater.formats import toml


@dataclass(frozen=True, slots=True)
class _Rules:
    """`outbound/rules.toml`."""

    tell: tuple[Rule, ...] = ()


class Ehrs(Mapping[str, Ehr]):
    """Every EHR under `mappings/ehrs/`, by folder name, sorted.

    Whether one is known is for the folders to say; its files are read when it is taken out, once. That raises
    HeadwaterError('toml.*' | 'ehrs.*') whose place names file and key.
    """

    def __init__(self, mappings: Path) -> None:
        self._mappings = mappings
        self._made: dict[str, Ehr] = {}

    def __getitem__(self, name: str) -> Ehr:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = _load_one(self._mappings, name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @cached_property
    def _names(self) -> Mapping[str, None]:
        """A dict, as a set that keeps its order."""
        folders = sorted((self._mappings / "ehrs").iterdir())
        return dict.fromkeys(folder.name for folder in folders if (folder / "ehr.toml").is_file())


def load(mappings: Path) -> Ehrs:
    """The EHRs of a mapping asset; nothing is read yet."""
    return Ehrs(mappings)


def _load_one(mappings: Path, name: str) -> Ehr:
    file = f"ehrs/{name}/ehr.toml"
    table, folders = _inherit(mappings, name, ())
    for key in ("name", "folders", "rules"):
        if key in table:
            raise HeadwaterError("toml.unknown_key", place=f"{file}: {key}", hint="the folder says it")
    ehr = replace(toml.build(Ehr, table, file=file), name=name, folders=folders, rules=_rules(mappings, name))
    _check_feed(ehr, file)
    for place, row in enumerate(ehr.retry):
        if not (row.status or row.issue or row.text):
            raise HeadwaterError("ehrs.retry", place=f"{file}: retry[{place}]", hint="name status, issue or text")
    if ehr.write and ehr.api is None:
        raise HeadwaterError("toml.missing_key", place=f"{file}: api", hint="what may be written needs an API")
    for resource_type, operations in ehr.write.items():
        for name_, operation in (("create", operations.create), ("update", operations.update)):
            if operation:
                _check_operation(operation, mappings, ehr, f"{file}: write.{resource_type}.{name_}")
        if operations.update and ehr.api and ehr.api.precondition is Precondition.NONE:
            hint = "an update without a precondition would overwrite what nobody has seen"
            raise HeadwaterError("ehrs.precondition", place=f"{file}: api.precondition", hint=hint)
    for resource_type, rows in ehr.rows.items():
        _check_template(rows.template, mappings, ehr.folders, f"{file}: rows.{resource_type}.template")
    return ehr


def _inherit(mappings: Path, name: str, heirs: tuple[str, ...]) -> tuple[toml.Table, tuple[str, ...]]:
    """The table of `name` laid over those that it is `like`, and the folders in the order of look-up."""
    file = f"ehrs/{name}/ehr.toml"
    table = toml.read(mappings / file, file=file)
    like = table.pop("like", None)
    if like is None:
        return table, (name,)
    if not isinstance(like, str) or not (mappings / f"ehrs/{like}/ehr.toml").is_file() or like in (name, *heirs):
        raise HeadwaterError("ehrs.like", place=f"{file}: like", hint="expected another folder under ehrs/, no circle")
    base, folders = _inherit(mappings, like, (*heirs, name))
    return _laid_over(base, table), (name, *folders)


def _laid_over(base: Mapping[str, object], top: Mapping[str, object]) -> toml.Table:
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _rules(mappings: Path, name: str) -> tuple[Rule, ...]:
    file = f"ehrs/{name}/outbound/rules.toml"
    if not (mappings / file).is_file():
        return ()
    tells = toml.build(_Rules, toml.read(mappings / file, file=file), file=file).tell
    for place in (place for place, rule in enumerate(tells) if rule.to):
        raise HeadwaterError("toml.unknown_key", place=f"{file}: tell[{place}].to", hint="the folder says it")
    return tuple(replace(rule, to=name) for rule in tells)


def _check_feed(ehr: Ehr, file: str) -> None:
    """What a type cannot say."""
    try:
        ZoneInfo(ehr.feed.time_zone)
    except (KeyError, ValueError, OSError):  # KeyError: ZoneInfoNotFoundError
        raise HeadwaterError("ehrs.time_zone", place=f"{file}: feed.time_zone", hint="expected an IANA name") from None
    delimiter, quote = ehr.feed.csv.delimiter, ehr.feed.csv.quote
    if len(delimiter) != 1 or len(quote) > 1 or delimiter == quote or {delimiter, quote} & {"\r", "\n"}:
        hint = "delimiter and quote are one character each and differ; an empty quote means that there is none"
        raise HeadwaterError("ehrs.csv", place=f"{file}: feed.csv", hint=hint)
    if ehr.feed.default_authority and not ehr.feed.system_of(""):
        raise HeadwaterError("ehrs.authority", place=f"{file}: feed.default_authority", hint="not in feed.authorities")


def _check_operation(operation: Operation, mappings: Path, ehr: Ehr, place: str) -> None:
    _check_template(operation.template, mappings, ehr.folders, f"{place}.template")
    if operation.wire:
        _check_template(operation.wire, mappings, ehr.folders, f"{place}.wire")
    if operation.transport is not Transport.FHIR and not (operation.path and operation.wire):
        raise HeadwaterError("ehrs.transport", place=place, hint="this transport needs path and wire")
    if operation.transport is Transport.REST and not (ehr.api and ehr.api.rest_url):
        raise HeadwaterError("toml.missing_key", place=f"{place.partition(':')[0]}: api.rest_url", hint="where REST is")
    if operation.confidence not in ("high", "medium", "low"):
        raise HeadwaterError("ehrs.confidence", place=f"{place}.confidence", hint="expected high, medium or low")
    if "patient" not in operation.reconcile or set(operation.reconcile) - set(SEARCHED):
        hint = f"name patient, and of {', '.join(SEARCHED)} what the EHR can search"
        raise HeadwaterError("ehrs.reconcile", place=f"{place}.reconcile", hint=hint)
    if unknown := set(operation.assumed) - set(Operation.__dataclass_fields__):
        raise HeadwaterError("ehrs.assumed", place=f"{place}.assumed", hint=f"no such key: {', '.join(unknown)}")


def _check_template(template: str, mappings: Path, folders: Iterable[str], place: str) -> None:
    file = f"{template}.liquid"
    if not any(
        (folder / file).is_file() for folder in (*(mappings / "ehrs" / one for one in folders), mappings / "base")
    ):
        raise HeadwaterError("ehrs.template_missing", place=place, hint=f"no {file} in the folder, nor in base")
