"""EMPIs outside: what one is (`profile`), and how it is asked: a vendor's REST API, FHIR `$match`, IHE PIXm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headwater.adapters.ehr.http import Timeouts
from headwater.adapters.empi.profile import TIMEOUTS, Access, EmpiProfile, Line
from headwater.ports import Empi


def connect(
    profile: EmpiProfile,
    access: Access,
    *,
    build: Callable[[str, Mapping[str, object]], Any],
    timeouts: Timeouts = TIMEOUTS,
) -> Empi:
    """The EMPI of a profile; `build` renders the request templates of its folder as JSON."""
    line = Line(profile, access, timeouts)
    if profile.transport == "rest":
        from headwater.adapters.empi.rest import RestEmpi

        return RestEmpi(line, build)
    from headwater.adapters.empi.fhir import MatchEmpi, PixEmpi

    return MatchEmpi(line) if profile.transport == "fhir-match" else PixEmpi(line)
