"""What a resource points to, and the same resource pointing elsewhere. `match` uses it to move a record's facts to the
person, `convert` to turn a Bundle's `urn:uuid:` links into ids (FHIR R4 http.html#trules, references.html).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from headwater.fhir import tables
from headwater.model import Resource

# The elements of the Reference data type. An object with a string `reference` and anything else is not a Reference
# but an Expression, or a DetectedIssue: there `reference` is a uri to literature.
_REFERENCE_ELEMENTS = frozenset(
    {"id", "extension", "reference", "_reference", "type", "_type", "identifier", "display", "_display"}
)
# Immunization.education.reference is such a uri too, and may stand alone in its object.
_NOT_REFERENCES = frozenset({"education"})
# The elements of the Attachment data type; the other objects with a `url` (Extension, Bundle.link, request) have more.
_ATTACHMENT_ELEMENTS = frozenset(
    {"id", "extension", "contentType", "language", "data", "url", "_url", "size", "hash", "title", "creation"}
)
# What may follow `Type/`: an id, and a version.
_REST = r"[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?"
_REST_OF_LITERAL = re.compile(_REST)
LITERAL = re.compile(rf"([A-Z][A-Za-z]+)/{_REST}")
_ABSOLUTE = re.compile(rf"https?://\S+/([A-Z][A-Za-z]+)/{_REST}")


def references(resource: Resource) -> Iterator[str]:
    """Every `Reference.reference`, as it is written and in document order, repetitions included.

    Goes into contained resources and a Bundle's entries, so `#contained` and `urn:uuid:` forms come out as well.
    Canonicals, uris and logical references (by identifier only) are not literal references and do not.
    """
    return _found(resource, "")


def rewrite_references(resource: Resource, mapping: Mapping[str, str]) -> Resource:
    """A deep copy in which each literal reference that `mapping` knows is replaced; the given one stays as it is.

    A reference is looked up as a whole (`Patient/a`, `urn:uuid:…`): versioned and absolute forms need their own keys.
    `Attachment.url` moves as well, since it is how a DocumentReference points to a Binary of the same Bundle.
    """
    copy: Resource = _rewritten(resource, "", mapping)
    return copy


def reference_problem(reference: str, targets: Collection[str], scope: Mapping[str, str]) -> tuple[str, str] | None:
    """Code and message for a `Reference.reference` that cannot be right (invariant ref-1; references.html#literal).

    `targets` are the allowed resource types, none meaning all. `scope` says what `#id` and a Bundle's `fullUrl`s are.
    """
    kind, slash, rest = reference.partition("/")
    resources = tables.resource_names()
    if slash and kind in resources:
        if not _REST_OF_LITERAL.fullmatch(rest):
            return "reference", "expected Type/id, the id being 1 to 64 letters, digits, '-' or '.'"
    elif reference in scope:
        kind = scope[reference]
    elif reference[:1] == "#":
        return "ref-1", "expected the id of a contained resource after '#'"
    elif ":" not in reference and "?" not in reference:
        return "reference", "expected Type/id with a type of FHIR R4, #id or an absolute URL"
    else:
        absolute = _ABSOLUTE.fullmatch(reference)
        kind = absolute[1] if absolute and absolute[1] in resources else ""
    if kind and targets and kind not in targets:
        return "reference", f"expected a reference to {', '.join(sorted(targets))}"
    return None


def _is_reference(node: dict[str, Any], name: str) -> bool:
    return isinstance(node.get("reference"), str) and name not in _NOT_REFERENCES and node.keys() <= _REFERENCE_ELEMENTS


def _found(node: Any, name: str) -> Iterator[str]:
    if isinstance(node, dict):
        if _is_reference(node, name):
            yield node["reference"]
        for key, value in node.items():
            if isinstance(value, dict | list):
                yield from _found(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from _found(item, name)


def _rewritten(node: Any, name: str, mapping: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        copy = {
            key: _rewritten(value, key, mapping) if isinstance(value, dict | list) else value
            for key, value in node.items()
        }
        if _is_reference(node, name):
            copy["reference"] = mapping.get(node["reference"], node["reference"])
        elif isinstance(url := node.get("url"), str) and node.keys() <= _ATTACHMENT_ELEMENTS:
            copy["url"] = mapping.get(url, url)
        return copy
    if isinstance(node, list):
        return [_rewritten(item, name, mapping) for item in node]
    return node
