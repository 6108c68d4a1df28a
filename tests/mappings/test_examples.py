"""Every example message becomes exactly the resources beside it, and these are valid FHIR R4 by two judges."""

from __future__ import annotations

import importlib
import json

import pytest

from headwater.fhir.merged import is_replaced
from headwater.fhir.references import references
from headwater.fhir.validate import validate
from local.analyst.examples import written
from tests.mappings.examples import Example, examples

ALL = list(examples())


def test_there_are_examples_of_the_base_and_of_each_ehr_that_has_code_maps() -> None:
    assert {example.ehr.name for example in ALL} >= {"example"}
    assert len(ALL) >= 10


@pytest.mark.parametrize("example", ALL, ids=str)
def test_an_example_becomes_what_is_beside_it(example: Example) -> None:
    assert written(example.convert()) == json.loads(example.expected.read_text("utf-8"))


@pytest.mark.parametrize("example", ALL, ids=str)
def test_what_an_example_becomes_is_whole(example: Example) -> None:
    resources = example.convert().resources
    known = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    assert len(known) == len(set(known))
    assert sum(resource["resourceType"] == "Patient" and not is_replaced(resource) for resource in resources) == 1
    found = {reference for resource in resources for reference in references(resource)}
    assert {reference for reference in found if not reference.startswith("#")} <= set(known)
    provenance = resources[-1]
    assert [target["reference"] for target in provenance["target"]] == known[:-1]


@pytest.mark.parametrize("example", ALL, ids=str)
def test_what_an_example_becomes_is_valid_by_our_validator_and_by_fhir_resources(example: Example) -> None:
    for resource in example.convert().resources:
        assert validate(resource) == []
        kind = resource["resourceType"]
        model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        model.model_validate(resource)
