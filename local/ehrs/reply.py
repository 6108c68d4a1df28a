"""One answer of a simulated EHR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.model import Resource


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; `drop` ends the connection without it, after `hang` seconds."""

    status: int
    body: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: float = 0.0
