"""Each EHR's mappings as one template engine: its folders, its code maps, and filters that know its time and its ids.

`bootstrap` makes it once a sandbox. Nothing heavy is imported before the first message asks for an engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.ehrs.profile import Ehr

if TYPE_CHECKING:
    from headwater.templates.engine import Engine


_SAID = (".liquid", ".csv", ".sqlite")


def engine_for(mappings: Path, *, cache: Path | None = None) -> Callable[[Ehr], Engine]:
    """Gives each EHR its engine, made when first asked for. `cache` is where compiled templates are kept."""
    made: dict[str, Engine] = {}

    def make(ehr: Ehr) -> Engine:
        if ehr.name not in made:
            made[ehr.name] = _engine(mappings, ehr, cache)
        return made[ehr.name]

    return make


def template_folders(mappings: Path, ehr: Ehr) -> tuple[Path, ...]:
    """Where an EHR's templates are: its own folders, those of the EHRs that it is like, then what the standards say.

    `hl7v2/segment/PID` is `ehrs/<ehr>/inbound/hl7v2/segment/PID.liquid`, or else the base's.
    """
    own = [mappings / "ehrs" / folder for folder in ehr.folders]
    return (*(folder / "inbound" for folder in own), *own, mappings / "base")


def _engine(mappings: Path, ehr: Ehr, cache: Path | None) -> Engine:
    from headwater.fhir.ids import content_ids
    from headwater.formats.codes import CodeMaps
    from headwater.formats.filters import filters
    from headwater.templates.engine import Engine

    own = [mappings / "ehrs" / folder for folder in ehr.folders]
    codes = CodeMaps([*(folder / "codes" for folder in own), mappings / "base" / "codes"])
    return Engine(
        template_folders(mappings, ehr),
        filters=filters(ehr, codes, content_ids),
        version=_digest([*own, mappings / "base"]),
        cache=cache,
        unmapped=codes.wanted,
    )


def _digest(folders: Sequence[Path]) -> str:
    """A short name for what templates and code maps say: the same on every machine, another after any change."""
    sha256 = hashlib.sha256()
    for folder in folders:
        for file in sorted(file for suffix in _SAID for file in folder.rglob(f"*{suffix}")):
            said = file.read_bytes()
            sha256.update(f"{folder.name}/{file.relative_to(folder).as_posix()}:{len(said)}:".encode() + said)
    return sha256.hexdigest()[:16]
