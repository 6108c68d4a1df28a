"""What must be true of a FHIR resource, as data: the tests of a rule ("tell this?") and of a write ("may it be sent?").

Paths are plain FHIR element names with dots, read through lists; this is on purpose less than FHIRPath.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from headwater.model import Resource


@dataclass(frozen=True, slots=True)
class Condition:
    """What must be true of a resource at a dotted `path`, read through lists (`category.coding.code`).

    With `one_of` (key `in`) at least one value there is listed; a Coding is compared as the token `system|code`.
    Without it something must be there.
    """

    path: str
    one_of: tuple[str, ...] = field(default=(), metadata={"key": "in"})

    def holds(self, resource: Resource) -> bool:
        found = list(values(resource, self.path))
        return any(token(value) in self.one_of for value in found) if self.one_of else bool(found)


def values(resource: object, path: str) -> Iterator[object]:
    """Every value at a dotted path of plain FHIR, lists opened on the way; nothing where the path ends early.

    `value[x]` is any of the element's types (FHIR R4 formats.html#choice).
    """
    if isinstance(resource, list):
        for item in resource:
            yield from values(item, path)
        return
    if not path:
        yield resource
        return
    head, _, rest = path.partition(".")
    if isinstance(resource, dict):
        for name in _names(resource, head):
            yield from values(resource[name], rest)


def _names(element: Resource, head: str) -> list[str]:
    if not head.endswith("[x]"):
        return [head] if head in element else []
    stem = head.removesuffix("[x]")
    return [name for name in element if name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper()]


def token(value: object) -> str:
    if isinstance(value, dict):
        return f"{value.get('system', '')}|{value.get('code', '')}"
    return str(value).lower() if isinstance(value, bool) else str(value)
