"""The tables' maker, on a specification of two types that is small enough to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local import fhir_tables

BASE = "http://hl7.org/fhir/StructureDefinition/"


def _element(path: str, kinds: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    base = {"path": more.pop("base", path)}
    element = {"path": path, "min": 0, "max": "1", "base": base, **more}
    return element | ({"type": kinds} if kinds else {})


def _structure(name: str, kind: str, base: str, elements: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "name": name,
        "kind": kind,
        "abstract": False,
        "baseDefinition": BASE + base,
        "snapshot": {"element": [{"path": name, **more.pop("root", {})}, *elements]},
        **more,
    }


def _thing() -> dict[str, Any]:
    target = {"code": "Reference", "targetProfile": [f"{BASE}Patient", f"{BASE}Group"]}
    binding = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/state|4.0.1"}
    rules = [
        {"key": "thg-1", "severity": "error", "human": "A thing\n has a state", "expression": "state.exists()"},
        {"key": "thg-2", "severity": "error", "human": "x", "expression": "resolve().exists()"},
        {"key": "thg-3", "severity": "warning", "human": "x", "expression": "state.exists()"},
        {"key": "dom-3", "severity": "error", "human": "x", "expression": "true"},
        {"key": "old-1", "severity": "error", "human": "x", "expression": "true", "source": f"{BASE}DomainResource"},
    ]
    elements = [
        _element("Thing.id", [{"code": "http://hl7.org/fhirpath/System.String"}], base="Resource.id"),
        _element("Thing.state", [{"code": "code"}], min=1, binding=binding),
        _element("Thing.owner", [target], max="*"),
        _element("Thing.any", [{"code": "Reference", "targetProfile": [f"{BASE}Resource"]}]),
        _element("Thing.amount[x]", [{"code": "string"}, {"code": "Quantity", "profile": [f"{BASE}SimpleQuantity"]}]),
        _element("Thing.part", [{"code": "BackboneElement"}], max="*"),
        _element("Thing.part.id", [{"code": "http://hl7.org/fhirpath/System.String"}], base="Element.id"),
        _element("Thing.part.part", max="*", contentReference="#Thing.part"),
    ]
    return _structure("Thing", "resource", "DomainResource", elements, root={"constraint": rules})


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    profile = _structure("MyThing", "resource", "Thing", [], derivation="constraint")
    value_set = {
        "resourceType": "ValueSet",
        "url": "http://hl7.org/fhir/ValueSet/state",
        "compose": {"include": [{"system": "urn:state"}, {"system": "urn:more", "concept": [{"code": "z"}]}]},
    }
    code_system = {
        "resourceType": "CodeSystem",
        "url": "urn:state",
        "concept": [{"code": "on", "concept": [{"code": "half"}]}, {"code": "off"}],
    }
    contents = {
        "profiles-types.json": [_structure("SubscriptionStatus", "resource", "DomainResource", [])],
        "profiles-resources.json": [_thing(), profile, {"resourceType": "OperationDefinition"}],
        "valuesets.json": [value_set],
        "v3-codesystems.json": [code_system],
        "v2-tables.json": [],
    }
    for name, resources in contents.items():
        (tmp_path / name).write_text(json.dumps({"entry": [{"resource": resource} for resource in resources]}))
    return tmp_path


def test_types_become_one_line_of_short_texts_each(definitions: Path) -> None:
    tables, _ = fhir_tables.make_tables(definitions)
    assert tables["types"]["Thing"] == {
        "": "DomainResource",
        "state": "1..1 code(state)",
        "owner": "0..* Reference(Group,Patient)",
        "any": "0..1 Reference",
        "amount[x]": "0..1 string|SimpleQuantity",
        "part": "0..* Thing.part",
    }
    assert tables["types"]["Thing.part"] == {"": "BackboneElement", "part": "0..* Thing.part"}
    assert tables["resources"] == ["Thing"], "neither profiles nor types of other releases"


def test_value_sets_are_expanded_by_system(definitions: Path) -> None:
    tables, _ = fhir_tables.make_tables(definitions)
    assert tables["codes"] == {"state": {"urn:more": ["z"], "urn:state": ["half", "off", "on"]}}


def test_a_value_set_that_cannot_be_expanded_is_no_silent_gap(definitions: Path) -> None:
    path = definitions / "valuesets.json"
    path.write_text(path.read_text().replace('"concept": [{"code": "z"}]', '"filter": []'))
    with pytest.raises(ValueError, match="state"):
        fhir_tables.make_tables(definitions)


def test_invariants_that_cannot_be_checked_are_told(definitions: Path) -> None:
    tables, left_out = fhir_tables.make_tables(definitions)
    assert tables["rules"]["Thing"] == {"thg-1": ["A thing has a state", "state.exists()"]}
    assert left_out == {"Thing thg-2": "function resolve is not known"}


def test_making_them_twice_gives_the_same_bytes(definitions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = definitions / "first.json", definitions / "second.json"
    for output in (first, second):
        assert fhir_tables.main([str(definitions), "--output", str(output)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(first.read_text())["fhirVersion"] == "4.0.1"
    captured = capsys.readouterr()
    assert "1 value sets" in captured.out
    assert "not checked: Thing thg-2" in captured.err


def test_the_tables_of_the_package_are_as_the_maker_writes_them() -> None:
    text = fhir_tables.OUTPUT.read_text()
    assert fhir_tables.render(json.loads(text)) == text
