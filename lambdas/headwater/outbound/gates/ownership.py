"""ownership: whose element is it? An update changes the elements that the policy names, and leaves the rest as it was.

Some EHRs read a missing field as "take it out", so that what is put back is always the whole row as it was read, with
the owned elements laid over it. Nobody's row of a person is made or changed by the way.
"""

from __future__ import annotations

import copy

from headwater.errors import Refuse
from headwater.model import Resource
from headwater.outbound.policy import Owned

# Elements that say which row it is, not what it says; a new text is made by whoever shows it.
_CARRIAGE = frozenset({"resourceType", "id", "meta", "text", "subject", "patient", "identifier"})


def ownership(resource_type: str) -> None:
    """Raises Refuse('ownership.demographics'): a person is registered at an EHR, never written into it."""
    if resource_type == "Patient":
        hint = "a new patient is registration's to make; an update says which elements it changes"
        raise Refuse("ownership.demographics", place="resource", hint=hint)


def laid_over(row: Resource, wished: Resource, owned: Owned) -> tuple[Resource, tuple[str, ...]]:
    """The whole row with the wished elements laid over it, and the paths that change.

    Raises Refuse('ownership.not_ours') for an element that the policy does not name.
    """
    whole = {key: copy.deepcopy(value) for key, value in row.items() if key not in ("meta", "text")}
    changes = []
    for element, value in wished.items():
        if element in _CARRIAGE or whole.get(element) == value:
            continue
        path = f"{row['resourceType']}.{element}"
        if element in owned.add and isinstance(value, list):
            new = [item for item in value if item not in whole.get(element, [])]
            if not new:
                continue
            whole[element] = [*whole.get(element, []), *new]
        elif element in owned.change:
            whole[element] = value
        else:
            hint = "another system is the record of this element; mappings/write-backs.toml says which may be changed"
            raise Refuse("ownership.not_ours", place=path, hint=hint)
        changes.append(path)
    return whole, tuple(changes)
