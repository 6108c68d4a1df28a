"""formats/ccda/filters: what an entry is, which id is its own, and what counts as read."""

from __future__ import annotations

from typing import Any

import pytest

from headwater.fhir.ids import content_id, content_ids
from headwater.formats.ccda import filters as ccda
from headwater.formats.codes import CodeMaps
from headwater.formats.tree import Node, unread
from tests.mappings.examples import MAPPINGS, PLAIN

FILTERS = ccda.filters(PLAIN, CodeMaps([MAPPINGS / "base" / "codes"]), content_ids)
PROBLEM, NOTE = "2.16.840.1.113883.10.20.22.4.4", "2.16.840.1.113883.10.20.22.4.202"
OID, UUID = {"root": "1.2.3"}, {"root": "67265ED2-35BB-43F8-B9DE-91C5935625E0"}
NUMBER = {"root": "1.2.3", "extension": "x"}
NPI = {"root": "2.16.840.1.113883.4.6", "extension": "1"}


def ids(*several: dict[str, str]) -> Any:
    return Node({"id": list(several)}).lookup("id")


def holder(element: str, mood: str = "", *templates: str) -> Node:
    act: dict[str, Any] = {"templateId": [{"root": root} for root in templates]}
    return Node({element: {**act, **({"moodCode": mood} if mood else {})}})


@pytest.mark.parametrize(
    ("held", "entry"),
    [
        (holder("observation", "EVN", PROBLEM), "problem"),
        (holder("observation", "EVN", "1.2.3", PROBLEM), "problem"),
        (holder("act", "EVN", NOTE), "note"),
        (holder("observation"), "observation"),
        (holder("observation", "GOL"), "goal"),
        (holder("act", "RQO"), "request"),
        (holder("substanceAdministration", "INT", "2.16.840.1.113883.10.20.22.4.52"), "medication"),
        (holder("substanceAdministration", "EVN", "2.16.840.1.113883.10.20.22.4.52"), "immunization"),
        (holder("regionOfInterest"), None),
        (Node({"sequenceNumber": {"value": "1"}}), None),
        (None, None),
    ],
)
def test_an_entry_is_what_its_template_says_else_its_element(held: Any, entry: str | None) -> None:
    assert FILTERS["cda_entry"](held) == entry


def test_choosing_an_entry_reads_nothing_of_it() -> None:
    entry = holder("observation", "EVN", PROBLEM)
    FILTERS["cda_entry"](entry)
    assert unread(entry) == ("observation",)


@pytest.mark.parametrize(
    ("ii", "identifier"),
    [
        (NUMBER, ("urn:oid:1.2.3", "x")),
        (OID, ("urn:ietf:rfc:3986", "urn:oid:1.2.3")),
        (UUID, ("urn:ietf:rfc:3986", "urn:uuid:67265ed2-35bb-43f8-b9de-91c5935625e0")),
        ({"extension": "x"}, ("", "x")),
        ({"root": "2.16.840.1.113883.4.873", "extension": "nothing"}, None),
        ({"root": "2.16.840.1.113883.4.6"}, None),  # an NPI without a number
        ({"nullFlavor": "UNK"}, None),
    ],
)
def test_an_identifier_is_never_the_name_of_its_register(
    ii: dict[str, str], identifier: tuple[str, str] | None
) -> None:
    found = FILTERS["cda_identifier"](Node(ii))
    assert (found and (found.get("system", ""), found["value"])) == identifier


def test_an_entry_has_the_id_that_tells_it_from_others() -> None:
    made, key = FILTERS["entry_id"], FILTERS["cda_key"]
    assert key(ids(OID, NUMBER)) == key(ids(NUMBER)) == "urn:oid:1.2.3|x"
    assert made("Condition", "p", ids(OID, NUMBER), "code") == made("Condition", "p", ids(NUMBER), "code")
    assert made("Condition", "p", ids(NUMBER), "code") != made("Condition", "q", ids(NUMBER), "code")
    assert made("Condition", "p", ids(OID), "code") == made("Condition", "p", None, "code")
    assert made("Condition", "p", ids(OID), None, "") is None


def test_a_person_has_the_same_id_as_in_hl7_v2_by_a_national_number_first() -> None:
    made = FILTERS["role_id"]("Practitioner", ids(NUMBER, NPI), "Amsel")
    assert made == content_id(PLAIN.name, "Practitioner", "http://hl7.org/fhir/sid/us-npi", "1", "")
    assert FILTERS["role_id"]("Practitioner", None, "", None) is None


def test_statements_inside_are_found_by_code_or_template_and_only_these_are_read() -> None:
    status = {"observation": {"code": {"code": "33999-4"}, "value": {"code": "1"}}}
    scale = {"observation": {"templateId": {"root": PROBLEM}, "value": {"code": "2"}}}
    act = Node({"entryRelationship": [status, scale], "component": {"act": {"code": {"code": "33999-4"}}}})
    assert len(FILTERS["nested"](act, "33999-4")) == 2
    assert FILTERS["nested"](act, PROBLEM).lookup("value").lookup("code") == "2"
    assert FILTERS["nested"](act, "1-8") is None
    assert "entryRelationship.observation.code" not in unread(act)


def test_what_is_left_out_counts_as_read_and_nothing_else() -> None:
    act = Node({"code": {"code": "a", "displayName": "b"}, "statusCode": {"code": "c"}, "value": {"value": "1"}})
    FILTERS["left_out"](act, "code", "effectiveTime")
    assert unread(act) == ("statusCode", "value")
    FILTERS["left_out"](act)
    assert unread(act) == ()


def test_words_without_a_narrative_are_escaped() -> None:
    assert FILTERS["narrative"](Node({"_": "1 < 2 & 3"})).endswith(">1 &lt; 2 &amp; 3</div>")
    assert FILTERS["narrative"](None) is None
