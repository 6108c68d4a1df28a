"""TOML files of the mapping asset ↔ frozen dataclasses.

`mappings/` is written by analysts, so a slip of the pen must be an error that names file and key, not a default that is
quietly used: unknown keys, missing keys and wrong types are refused. The dataclass is the schema; there is no second
one to keep in step at run time (`mappings/ehr.schema.json` serves editors, and a test holds the two together).
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from headwater.errors import HeadwaterError

T = TypeVar("T")
Table = dict[str, object]


def read(path: Path, *, file: str = "") -> Table:
    """Parse one file (TOML 1.0). Raises HeadwaterError('toml.unreadable') that names `file`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HeadwaterError("toml.unreadable", place=file or str(path), hint=str(error)) from None


def build(kind: type[T], table: Mapping[str, object], *, file: str, key: str = "") -> T:
    """Make the frozen dataclass `kind` of a table; `file` and `key` say in errors where the table stands.

    A field's key is its name, unless `field(metadata={"key": …})` gives another (`in` and `from` are Python's words).
    Raises HeadwaterError('toml.unknown_key' | 'toml.missing_key' | 'toml.wrong_type').
    """
    known = _entries(kind)  # type: ignore[arg-type]  # to mypy a type[T] is not Hashable
    for name in table:
        if name not in known:
            raise _error("unknown_key", file, _join(key, name), f"known here: {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for name, (entry, hint) in known.items():
        if name in table:
            values[entry.name] = _value(hint, table[name], file, _join(key, name))
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise _error("missing_key", file, _join(key, name), "this key has no default")
    return kind(**values)


def _value(hint: Any, value: object, file: str, key: str) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is types.UnionType:  # only `X | None` is used; TOML has no null, so absent means None
        return _value(next(item for item in arguments if item is not type(None)), value, file, key)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, file, f"{key}[{place}]") for place, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {name: _value(arguments[1], item, file, _join(key, name)) for name, item in value.items()}
    if isinstance(hint, type) and origin is None:
        return _plain(hint, value, file, key)
    raise _error("wrong_type", file, key, f"expected {_words(hint)}")


def _plain(hint: type, value: object, file: str, key: str) -> object:
    if is_dataclass(hint) and isinstance(value, dict):
        return build(hint, value, file=file, key=key)
    if issubclass(hint, StrEnum):
        if value in [str(member) for member in hint]:
            return hint(value)
        raise _error("wrong_type", file, key, f"expected one of {', '.join(hint)}")
    # In Python True is an int; in a file it is a mistake.
    if type(value) is hint or (hint is float and type(value) is int):
        return value
    raise _error("wrong_type", file, key, f"expected {_words(hint)}")


@cache
def _entries(kind: type) -> Mapping[str, tuple[Field[Any], Any]]:
    """What a dataclass takes: each key with its field and type. Kept, for working out the types is most of the time."""
    hints = get_type_hints(kind)
    return {str(entry.metadata.get("key", entry.name)): (entry, hints[entry.name]) for entry in fields(kind)}


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _words(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is tuple:
        return f"a list of {_words(get_args(hint)[0])}"
    if origin is Mapping or is_dataclass(hint):
        return "a table"
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false"}.get(hint, str(hint))


def _error(what: str, file: str, key: str, hint: str) -> HeadwaterError:
    return HeadwaterError(f"toml.{what}", place=f"{file}: {key}", hint=hint)
