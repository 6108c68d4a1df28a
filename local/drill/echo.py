"""What an EHR's subscription tells of a row that we wrote: as it is, or stripped, under another id, in other units."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from headwater.model import Resource
from local.drill import people
from local.drill.world import World

_UNITS = {"kg->lb": ("kg", "[lb_av]", "lb", 2.2046226), "cm->in": ("cm", "[in_i]", "in", 0.39370079),
          "Cel->[degF]": ("Cel", "[degF]", "degF", 1.8)}  # fmt: skip


def tell_of(world: World, row: Resource, echo: Mapping[str, Any]) -> None:
    """A message of the target's feed with the row in it."""
    told = transformed(row, tuple(echo.get("strip", ())), str(echo.get("transform", "")))
    about: Resource = row.get("subject") or row.get("patient") or {}
    reference = about.get("reference", "")
    patient = next(
        person.patients[world.target]
        for person in world.people
        if world.target in person.patients and person.at(world.target) == reference
    )
    people.tell(world, world.target, [patient, told])


def transformed(row: Resource, strip: tuple[str, ...], transform: str) -> Resource:
    told = {key: value for key, value in copy.deepcopy(row).items() if key not in strip}
    if strip:
        told["id"] = f"e{row['id']}x"
    quantity = told.get("valueQuantity", {})
    known = _UNITS.get(transform)
    if known and quantity.get("code") == known[0]:
        factor = known[3] * float(quantity["value"]) + (32 if known[1] == "[degF]" else 0)
        told["valueQuantity"] = {**quantity, "value": round(factor, 1), "unit": known[2], "code": known[1]}
    return told
