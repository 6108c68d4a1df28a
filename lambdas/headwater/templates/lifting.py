"""What becomes of a resource that a template writes whole inside of another one: whoever asks for the build decides.

Built code says where each object with a `resourceType` begins and where it ends, and puts in its place what it is given
for it. `convert` takes them out of one another that way (`fhir.assemble.Lifting`).
"""

from __future__ import annotations

from typing import Any, Protocol


class Lifting(Protocol):
    def begins(self, resource: dict[str, Any]) -> dict[str, Any]:
        """The resource, of which nothing is there yet but constants."""

    def ends(self, resource: dict[str, Any]) -> dict[str, Any]:
        """What stands in its place now that it is whole; nothing if that is empty. The last that began ends first."""

    def pointed(self, value: Any) -> Any:
        """What stands as a member `reference`, if that was written as an object or came from a partial."""


class AsWritten:
    """Resources stay where they were written."""

    @staticmethod
    def begins(resource: dict[str, Any]) -> dict[str, Any]:
        return resource

    ends = begins

    @staticmethod
    def pointed(value: Any) -> Any:
        return value


AS_WRITTEN: Lifting = AsWritten()
