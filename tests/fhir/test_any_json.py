"""Whatever JSON comes, the validator answers: with issues that hold nothing of it, and never with an exception."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.fhir import tables
from headwater.fhir.references import references, rewrite_references
from headwater.fhir.validate import validate
from tests.fhir.samples import SAMPLES, VALID

NAMES = sorted({name for kind in tables.type_names() for e in tables.elements(kind) for name in e.json_names()})
KEYS = st.one_of(
    st.sampled_from([*NAMES, "resourceType"]), st.sampled_from(NAMES).map("_{}".format), st.text(max_size=5)
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=8),
    st.sampled_from(["final", "2026-11-22", "#x", "Patient/1", "urn:x", "transaction", "#", "aGVsbG8="]),
    st.sampled_from(sorted(tables.resource_names())),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)
RESOURCES = [*SAMPLES.values(), *VALID.values()]


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_gets_an_answer(value: Any) -> None:
    assert isinstance(validate(value), list)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(tables.resource_names())), st.dictionaries(KEYS, JSON, max_size=6))
def test_any_content_of_any_resource_type_gets_an_answer(kind: str, content: dict[str, Any]) -> None:
    assert isinstance(validate({**content, "resourceType": kind}), list)
    list(references({**content, "resourceType": kind}))


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_any_change_of_a_valid_resource_gets_an_answer_and_leaves_it_as_it_is(data: st.DataObject) -> None:
    resource = deepcopy(data.draw(st.sampled_from(RESOURCES)))
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.sampled_from(list(_containers(resource))))
        if isinstance(node, dict):
            node[data.draw(st.one_of(st.sampled_from(sorted(node)) if node else KEYS, KEYS))] = data.draw(JSON)
        else:
            node.insert(data.draw(st.integers(0, len(node))), data.draw(JSON))
    before = repr(resource)
    issues = validate(resource)
    assert repr(resource) == before
    assert all(issue.path and issue.code and issue.message for issue in issues)
    rewrite_references(resource, {"Patient/pat-1": "Patient/2"})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(RESOURCES))
def test_what_went_through_json_text_is_as_valid(resource: Any) -> None:
    assert validate(json.loads(json.dumps(resource))) == []


def _containers(node: Any) -> Any:
    if isinstance(node, dict | list):
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from _containers(child)
