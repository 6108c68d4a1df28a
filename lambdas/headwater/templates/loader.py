"""Finds templates in folders and turns them into functions, keeping code objects so that a cold start compiles nothing.

The first folder that has the template wins (an EHR's folder before the base). Code objects are kept beside each other
in a cache folder, named by a hash of source, mode, dialect, compiler and Python, so a stale one is simply never found;
where the folder cannot be written (a Lambda layer) they are read only, and where there is none they stay in memory.
"""

from __future__ import annotations

import hashlib
import marshal
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from headwater.templates.errors import MISSING, SYNTAX, TemplateError
from headwater.templates.program import Program

SUFFIX = ".liquid"
# A name may come out of a message (MSH-9), and no file system has longer ones.
_NAME = re.compile(r"[\w.-]{1,200}(?:/[\w.-]{1,200})*\Z")


class Folders:
    """Where templates are looked up, by names such as `hl7v2/ADT_A01`."""

    def __init__(self, folders: Sequence[Path], longest: int) -> None:
        self._folders = [Path(folder) for folder in folders]
        self._longest = longest

    def find(self, name: str) -> Path | None:
        """`<folder>/hl7v2/ADT_A01.liquid`, then `<folder>/hl7v2/_ADT_A01.liquid`, folder by folder."""
        if not _NAME.match(name) or ".." in name.split("/"):
            return None
        directory, _, last = name.rpartition("/")
        for folder in self._folders:
            for file in (f"{last}{SUFFIX}", f"_{last}{SUFFIX}"):
                path = folder / directory / file
                if path.is_file():
                    return path
        return None

    def read(self, name: str) -> str:
        """The source of a template; Quarantine when there is none or it is too long."""
        path = self.find(name)
        if path is None:
            raise TemplateError(MISSING, hint=f"no template '{name}' in the mapping's folders")
        if path.stat().st_size > 4 * self._longest:
            raise TemplateError(SYNTAX, place=f"{name}{SUFFIX}", hint="the template is too long")
        try:
            source = path.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise TemplateError(SYNTAX, place=f"{name}{SUFFIX}", hint="the template is not UTF-8") from None
        if len(source) > self._longest:
            raise TemplateError(SYNTAX, place=f"{name}{SUFFIX}", hint="the template is too long")
        return source

    def resource(self, name: str) -> str | None:
        """The text of another file among the templates (code maps, schemas); None if there is none."""
        if not _NAME.match(name) or ".." in name.split("/"):
            return None
        for folder in self._folders:
            path = folder / name
            if path.is_file() and path.stat().st_size <= 16 * self._longest:
                return path.read_text("utf-8-sig")
        return None

    def names(self) -> list[str]:
        """Every template's name, sorted."""
        found = set()
        for folder in self._folders:
            for path in folder.rglob(f"*{SUFFIX}"):
                found.add(path.relative_to(folder).with_name(path.stem.removeprefix("_")).as_posix())
        return sorted(found)


@cache
def _compiler() -> str:
    """A hash of this package's own source: code that another compiler made is never used."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class CodeCache:
    """Compiled programs on disk; `folder` None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @staticmethod
    def key(*parts: str) -> str:
        told = [sys.implementation.cache_tag or "python", _compiler(), *parts]
        return hashlib.sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()

    def get(self, key: str) -> tuple[Program, CodeType] | None:
        found = self.load(key)
        if found is None:
            return None
        name, mode, filters, partials, places, summary, code = found
        return Program(name, mode, "", filters, partials, places, summary), code

    def put(self, key: str, program: Program, code: CodeType) -> None:
        told = program.name, program.mode, program.filters, program.partials, program.places, program.summary
        self.save(key, (*told, code))

    def load(self, key: str) -> Any:
        """Plain data or code that was kept; None if there is none that can be read."""
        if self._folder is None:
            return None
        try:
            return marshal.loads((self._folder / key).read_bytes())
        except (OSError, ValueError, EOFError, TypeError):
            return None

    def save(self, key: str, value: Any) -> None:
        if self._folder is None:
            return
        temporary = self._folder / f"{key}.{id(value)}.new"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(marshal.dumps(value))
            temporary.replace(self._folder / key)
        except OSError:
            self._folder = None  # read-only: what is compiled now stays in memory
