"""mappings/write-backs.toml and mappings/terms: what they must say, and how a slip in them is told."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from headwater.errors import HeadwaterError
from headwater.formats.write_request import parse
from headwater.outbound.policy import load_write_policy
from headwater.outbound.terms import Terms
from tests.outbound.conftest import MAPPINGS, observation, wish
from tests.outbound.gates.test_samd import MODEL

POLICY = (MAPPINGS / "write-backs.toml").read_text(encoding="utf-8")
SCHEMA = json.loads((MAPPINGS / "write-backs.schema.json").read_text(encoding="utf-8"))


def test_the_policy_is_as_its_schema_says() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert list(Draft202012Validator(SCHEMA).iter_errors(tomllib.loads(POLICY))) == []


@pytest.mark.parametrize(
    ("text", "instead", "code"),
    [
        ('resource = "*"', 'resource = "Flag"', "policy.incomplete"),
        ("approvers = 2", "approver = 2", "toml.unknown_key"),
        ("per_shift = 4", 'per_shift = "4"', "toml.wrong_type"),
        ("shift_h = 8", "", "toml.missing_key"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, text: str, instead: str, code: str) -> None:
    (tmp_path / "write-backs.toml").write_text(POLICY.replace(text, instead), encoding="utf-8")
    with pytest.raises(HeadwaterError, match=code.replace(".", r"\.")):
        load_write_policy(tmp_path)


@pytest.mark.parametrize(
    ("resource", "tier"),
    [
        (observation(), "results"),
        ({"resourceType": "MedicationStatement"}, "medications"),
        ({"resourceType": "Patient"}, "demographics"),
        ({"resourceType": "Flag"}, "other"),
    ],
)
def test_the_first_tier_that_fits_counts(resource: dict[str, object], tier: str) -> None:
    assert load_write_policy(MAPPINGS).tier_of(resource).name == tier


def test_whoever_signs_allergies_medications_and_demographics_is_two() -> None:
    policy = load_write_policy(MAPPINGS)
    for kind in ("AllergyIntolerance", "MedicationRequest", "Patient", "Flag"):
        tier = policy.tier_of({"resourceType": kind})
        assert tier.approvers >= 2
        assert not tier.batch


def test_the_terms_are_read_and_a_wrong_header_is_named(tmp_path: Path) -> None:
    shutil.copytree(MAPPINGS / "terms", tmp_path / "terms")
    terms = Terms(tmp_path)
    assert terms.ingredients({"text": "hydrochlorothiazide 12.5 MG / lisinopril 10 MG Oral Tablet"}) == {
        "hydrochlorothiazide",
        "lisinopril",
    }
    assert terms.ingredients({"text": "Novel-drug 5 mg tablet"}) == {"novel drug"}
    (tmp_path / "terms" / "allergens.csv").write_text("system;code\n", encoding="utf-8")
    with pytest.raises(HeadwaterError, match=r"policy\.terms_malformed at terms/allergens\.csv:1"):
        terms.allergen_classes({"text": "latex"})


@pytest.mark.parametrize("changes", [{}, {"updates": "Observation/7", "author": "dr.lee"}, {"model": MODEL}])
def test_a_request_is_as_its_schema_says_and_comes_back_as_it_was(changes: dict[str, object]) -> None:
    schema = json.loads((MAPPINGS / "write-request.schema.json").read_text(encoding="utf-8"))
    body = wish(**changes)
    assert list(Draft202012Validator(schema).iter_errors(json.loads(body))) == []
    request = parse(body)
    assert (request.updates, request.author, dict(request.model)) == (
        changes.get("updates", ""),
        changes.get("author", ""),
        changes.get("model", {}),
    )


@pytest.mark.parametrize("field", [{"updates": "Condition/1"}, {"updates": "Observation/../x"}, {"model": {"name": 3}}])
def test_a_field_that_is_wrong_is_named(field: dict[str, object]) -> None:
    body = {**json.loads(wish()), **field}
    with pytest.raises(HeadwaterError, match=f"propose\\.request_malformed at {next(iter(field))}"):
        parse(json.dumps(body))
