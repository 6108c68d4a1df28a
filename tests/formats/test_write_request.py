"""The write-request contract: what the parser takes is what the published schema takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from headwater.errors import Refuse
from headwater.formats.write_request import dump, parse
from headwater.model import WriteRequest

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "mappings" / "write-request.schema.json").read_text())
REQUEST = WriteRequest("north", "final-lab-result", "p1", {"resourceType": "Observation"}, "south", "Observation/1", 1)


def test_what_is_dumped_is_parsed_and_fits_the_schema() -> None:
    text = dump(REQUEST)
    assert parse(text) == REQUEST
    jsonschema.validate(json.loads(text), SCHEMA)


def changed(**changes: Any) -> dict[str, Any]:
    document = json.loads(dump(REQUEST)) | changes
    return {key: value for key, value in document.items() if value is not ...}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (changed(schema="headwater.write-request/2"), "schema"),
        (changed(to=""), "to"),
        (changed(to=7), "to"),
        (changed(person=...), "person"),
        (changed(resource={}), "resource"),
        (changed(resource={"resourceType": 1}), "resource.resourceType"),
        (changed(origin={"ehr": "south"}), "origin.reference"),
        (changed(hops=0), "hops"),
        (changed(hops=True), "hops"),
        (changed(priority="stat"), "priority"),
        ([], "body"),
    ],
)
def test_parser_and_schema_refuse_the_same(document: Any, place: str) -> None:
    with pytest.raises(Refuse) as refused:
        parse(json.dumps(document))
    assert (refused.value.code, refused.value.place) == ("propose.request_malformed", place)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
