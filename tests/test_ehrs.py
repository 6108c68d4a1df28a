"""EHR profiles: what the shipped ones say, and that a slip in a file is found before a message meets it."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ehrs import Api, Condition, Ehr, Feed, Next, Operation, RetryRow, Rows, Rule, load, values
from headwater.errors import HeadwaterError, Refuse
from headwater.model import Answer

ROOT = Path(__file__).parents[1]
MAPPINGS = ROOT / "mappings"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
LAB: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "category": [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
    "code": {"coding": [{"code": ""}, {"system": "http://loinc.org", "code": "2345-7"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-11-21T23:30:00-05:00",
    "valueQuantity": {"value": 5.4},
}


@pytest.fixture(scope="module")
def ehrs() -> dict[str, Ehr]:
    return dict(load(MAPPINGS))


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(MAPPINGS / "ehrs", tmp_path / "ehrs")
    shutil.copytree(MAPPINGS / "base/outbound", tmp_path / "base/outbound")
    return tmp_path


def site(mappings: Path, text: str, name: str = "site") -> Path:
    folder = mappings / "ehrs" / name
    folder.mkdir()
    (folder / "ehr.toml").write_text(text)
    return folder


# ------------------------------------------------------------------------------------------------- what they say


def test_a_final_lab_result_is_told_to_those_who_take_it_and_never_back(ehrs: dict[str, Ehr]) -> None:
    def told(resource: dict[str, Any], origin: str) -> set[str]:
        return {name for name, ehr in ehrs.items() if any(rule.applies(resource, origin) for rule in ehr.rules)}

    assert told(LAB, "athenahealth") == {"epic", "oracle-millennium"}
    assert told(LAB, "epic") == {"oracle-millennium"}
    assert told({**LAB, "status": "corrected"}, "oracle-millennium") == {"epic"}
    assert told({**LAB, "status": "preliminary"}, "athenahealth") == set()
    assert told({**LAB, "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}]}, "x") == set()
    assert told({**LAB, "resourceType": "DiagnosticReport"}, "x") == set()


def test_what_is_not_declared_is_refused(ehrs: dict[str, Ehr]) -> None:
    for name, type_ in (("advancedmd", "Observation"), ("epic", "Task"), ("oracle-millennium", "Patient")):
        with pytest.raises(Refuse) as raised:
            ehrs[name].operation(type_)
        assert raised.value.code == "propose.operation_unknown"
    with pytest.raises(Refuse):
        ehrs["epic"].operation("Condition", "update")


def test_a_payload_names_what_the_ehr_would_not_take(ehrs: dict[str, Ehr]) -> None:
    operation = ehrs["oracle-millennium"].operation("Observation")
    assert operation.unmet(LAB) == ()
    without_value = {key: value for key, value in LAB.items() if key != "valueQuantity"}
    assert operation.unmet({**without_value, "status": "preliminary"}) == ("status", "value[x]")
    assert operation.unmet({**without_value, "valueset": "x"}) == ("value[x]",)


def test_a_search_looks_back_a_day_in_utc_and_takes_the_first_real_code(ehrs: dict[str, Ehr]) -> None:
    assert ehrs["epic"].operation("Observation").search(LAB) == {
        "patient": "Patient/1",
        "code": "http://loinc.org|2345-7",
        "date": "ge2026-11-21T04:30:00Z",
    }


@pytest.mark.parametrize(
    "change",
    [{"effectiveDateTime": "2026-11-21T23:30:00"}, {"effectiveDateTime": "2026"}, {"subject": {}}, {"code": {}}],
)
def test_a_write_that_could_not_be_found_again_is_refused(ehrs: dict[str, Ehr], change: dict[str, Any]) -> None:
    with pytest.raises(Refuse) as raised:
        ehrs["epic"].operation("Observation").search({**LAB, **change})
    assert raised.value.code == "propose.not_reconcilable"


def test_assumed_facts_are_marked_and_sources_named(ehrs: dict[str, Ehr]) -> None:
    for ehr in ehrs.values():
        for operations in ehr.write.values():
            assert operations.create is None or len(operations.create.source) > 10
    assert "max_commit_window_s" in ehrs["oracle-millennium"].operation("Observation").assumed


# ---------------------------------------------------------------------------------------------- what answers mean


def outcome(code: str, vendor: str = "", text: str = "") -> dict[str, Any]:
    details = {"coding": [{"code": vendor}]} if vendor else {}
    issue = {"severity": "error", "code": code, "details": details, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("epic", Answer(0, sent=False), Next.RESEND),
        ("epic", Answer(0), Next.VERIFY),
        ("epic", Answer(201), Next.READ_BACK),
        ("epic", Answer(202), Next.READ_BACK),
        ("epic", Answer(204), Next.VERIFY),
        ("epic", Answer(301), Next.STEWARD),
        ("epic", Answer(400, body=outcome("processing", "59188")), Next.FAIL),
        ("epic", Answer(400, body=outcome("duplicate", "59141")), Next.COMPARE),
        ("epic", Answer(401), Next.WAIT),
        ("epic", Answer(403), Next.FAIL),
        ("epic", Answer(412), Next.REVIEW),
        ("epic", Answer(422), Next.FAIL),
        ("epic", Answer(502), Next.VERIFY),
        ("epic", Answer(503), Next.VERIFY),
        ("epic", Answer(201, body=outcome("invalid")), Next.FAIL),
        ("oracle-millennium", Answer(409), Next.REVIEW),
        ("oracle-millennium", Answer(500), Next.VERIFY),
        ("oracle-millennium", Answer(500, body=outcome("required")), Next.FAIL),
        ("oracle-millennium", Answer(500, body=outcome("exception", text="Missing field")), Next.FAIL),
    ],
)
def test_an_answer_means(ehrs: dict[str, Ehr], name: str, answer: Answer, expected: Next) -> None:
    assert ehrs[name].react(answer, ehrs[name].operation("Observation")).next is expected


def test_waiting_obeys_retry_after_else_the_row_else_a_minute(ehrs: dict[str, Ehr]) -> None:
    epic, athena = ehrs["epic"], ehrs["athenahealth"]
    operation = epic.operation("Observation")
    assert epic.react(Answer(429, {"retry-after": "7"}), operation).wait_s == 7
    assert epic.react(Answer(429), operation).wait_s == 60
    assert athena.react(Answer(403), operation).wait_s == 300


@settings(deadline=None)  # the first example reads every folder
@given(st.integers(0, 599), st.booleans())
def test_only_a_connection_that_was_never_made_is_resent_blindly(status: int, sent: bool) -> None:
    ehrs = _loaded()
    for name in ("epic", "oracle-millennium"):
        reaction = ehrs[name].react(Answer(status, sent=sent), ehrs[name].operation("Observation"))
        assert (reaction.next is Next.RESEND) is (not sent)


def _loaded(kept: dict[str, Ehr] = {}) -> dict[str, Ehr]:  # noqa: B006  loaded once for all examples
    return kept or kept.update(load(MAPPINGS)) or kept


# ----------------------------------------------------------------------------------------------------- conditions


def test_conditions_read_through_lists_and_compare_codings_as_tokens() -> None:
    assert Condition("category.coding", (f"{CATEGORY}|laboratory",)).holds(LAB)
    assert Condition("category.coding.code", ("laboratory",)).holds(LAB)
    assert not Condition("category.coding", ("laboratory",)).holds(LAB)
    assert Condition("active", ("true",)).holds({"active": True})
    assert not Condition("note.text").holds(LAB)


@given(st.recursive(st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)), st.text())
def test_no_resource_and_no_path_break_a_condition(resource: Any, path: str) -> None:
    assert isinstance(list(values(resource, path)), list)


# --------------------------------------------------------------------------------------------------- slips and like


@pytest.mark.parametrize(
    ("old", "new", "code", "key"),
    [
        ("read_timeout_s = 30", 'read_timeout_s = "30"', "toml.wrong_type", "api.read_timeout_s"),
        ("read_timeout_s = 30", "read_timeout = 30", "toml.unknown_key", "api.read_timeout"),
        ("success = [201]", 'success = [201, "200"]', "toml.wrong_type", "write.Observation.create.success[1]"),
        ("success = [201]", "success = [true]", "toml.wrong_type", "write.Observation.create.success[0]"),
        ("success = [201]\n", "", "toml.missing_key", "write.Observation.create.success"),
        ('then = "fail"', 'then = "shrug"', "toml.wrong_type", "retry[0].then"),
        ('status = 409\nthen = "review"', 'then = "review"', "ehrs.retry", "retry[2]"),
        ("outbound/Observation", "outbound/Obs", "ehrs.template_missing", "write.Observation.create.template"),
        ("America/Chicago", "America/Metropolis", "ehrs.time_zone", "feed.time_zone"),
        ("America/Chicago", "../../etc", "ehrs.time_zone", "feed.time_zone"),
        ('default_authority = "MRN"', 'default_authority = "X"', "ehrs.authority", "feed.default_authority"),
        ('default_authority = "MRN"', 'csv = { delimiter = ";;" }', "ehrs.csv", "feed.csv"),
        ('default_authority = "MRN"', "csv = { quote = ',' }", "ehrs.csv", "feed.csv"),
        ('default_authority = "MRN"', 'csv = { quot = "" }', "toml.unknown_key", "feed.csv.quot"),
        ('confidence = "high"', 'confidence = "sure"', "ehrs.confidence", "write.Observation.create.confidence"),
        ('assumed = ["max', 'assumed = ["min', "ehrs.assumed", "write.Observation.create.assumed"),
        ('{ patient = "patient", ', "{ ", "ehrs.reconcile", "write.Observation.create.reconcile"),
        ("[write.Observation.create]", "[write.Observation.patch]", "toml.unknown_key", "write.Observation.patch"),
        ("[api]", "[api2]", "toml.unknown_key", "api2"),
        ('family = "millennium"', 'family = "millennium"\nname = "x"', "toml.unknown_key", "name"),
    ],
)
def test_a_slip_is_an_error_that_names_file_and_key(mappings: Path, old: str, new: str, code: str, key: str) -> None:
    file = mappings / "ehrs/oracle-millennium/ehr.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(HeadwaterError) as raised:
        load(mappings)["oracle-millennium"]
    assert raised.value.code == code
    assert raised.value.place == f"ehrs/oracle-millennium/ehr.toml: {key}"


def test_an_ehr_is_read_when_it_is_asked_for_and_only_once(mappings: Path) -> None:
    site(mappings, "title = \n")
    (mappings / "ehrs" / "empty").mkdir()
    (mappings / "ehrs" / "note.txt").write_text("no folder")
    ehrs = load(mappings)
    assert "site" in ehrs
    assert not {"empty", "note.txt", "../ehrs/epic", ""} & set(ehrs)
    assert "../ehrs/epic" not in ehrs
    assert list(ehrs) == sorted(ehrs)
    assert ehrs["epic"] is ehrs["epic"]
    with pytest.raises(KeyError):
        ehrs["empty"]


def test_a_broken_file_is_named_with_its_line(mappings: Path) -> None:
    site(mappings, "title = \n")
    with pytest.raises(HeadwaterError, match=r"ehrs/site/ehr.toml.*line 1"):
        load(mappings)["site"]


def test_a_slip_in_the_rules_names_their_file(mappings: Path) -> None:
    rules = mappings / "ehrs/epic/outbound/rules.toml"
    rules.write_text(rules.read_text().replace("intent =", "intend ="))
    with pytest.raises(HeadwaterError, match=r"ehrs/epic/outbound/rules.toml: tell\[0\].intend"):
        load(mappings)["epic"]


def test_a_rule_cannot_say_to_whom(mappings: Path) -> None:
    rules = mappings / "ehrs/epic/outbound/rules.toml"
    rules.write_text(rules.read_text().replace("intent =", 'to = "athenahealth"\nintent ='))
    with pytest.raises(HeadwaterError, match=r"rules.toml: tell\[0\].to"):
        load(mappings)["epic"]


def test_a_site_says_only_what_differs_and_is_told_nothing_unasked(mappings: Path) -> None:
    site(
        mappings, 'like = "oracle-millennium"\n[feed]\ntime_zone = "America/Denver"\n[feed.authorities]\nX = "urn:x"\n'
    )
    one = load(mappings)["site"]
    assert (one.name, one.folders) == ("site", ("site", "oracle-millennium"))
    assert one.feed.time_zone == "America/Denver"
    assert one.feed.system_of("X") == "urn:x"
    assert one.feed.system_of("") == "https://millennium.example.org/identifiers/mrn"
    assert one.operation("Observation") == load(mappings)["oracle-millennium"].operation("Observation")
    assert one.rules == ()


@pytest.mark.parametrize("like", ['"nobody"', '"site"', '"../epic"', "5", '"other"'])
def test_a_site_is_like_another_folder_and_never_in_a_circle(mappings: Path, like: str) -> None:
    site(mappings, f"like = {like}\n")
    site(mappings, 'like = "site"\n', name="other")
    with pytest.raises(HeadwaterError) as raised:
        load(mappings)["site"]
    assert raised.value.code == "ehrs.like"


def test_an_ehr_without_a_write_api_needs_none(mappings: Path) -> None:
    site(mappings, 'title = "T"\nfamily = "f"\n[feed]\n[patient]\nidentifier_system = "urn:x"\n')
    with pytest.raises(Refuse):
        load(mappings)["site"].operation("Observation")


# --------------------------------------------------------------------------------------------------------- schemas


@pytest.mark.parametrize("file", sorted(MAPPINGS.glob("ehrs/*/ehr.toml")), ids=lambda path: path.parent.name)
def test_every_profile_fits_the_schema(file: Path) -> None:
    assert list(validator("ehr").iter_errors(tomllib.loads(file.read_text()))) == []


@pytest.mark.parametrize("file", sorted(MAPPINGS.glob("ehrs/*/outbound/rules.toml")), ids=lambda p: p.parts[-3])
def test_every_rules_file_fits_the_schema(file: Path) -> None:
    assert list(validator("ehr-rules").iter_errors(tomllib.loads(file.read_text()))) == []


def test_the_schemas_and_the_dataclasses_know_the_same_keys() -> None:
    ehr, rules = schema("ehr"), schema("ehr-rules")["properties"]["tell"]["items"]
    top = ehr["properties"]
    pairs: list[tuple[dict[str, Any], type, set[str]]] = [
        (ehr, Ehr, {"name", "folders", "rules"}),
        (top["feed"], Feed, set()),
        (top["api"], Api, set()),
        (top["retry"]["items"], RetryRow, set()),
        (ehr["$defs"]["operation"], Operation, set()),
        (ehr["$defs"]["rows"], Rows, set()),
        (ehr["$defs"]["condition"], Condition, set()),
        (rules, Rule, {"to"}),
    ]
    for described, kind, ours in pairs:
        keys = {str(entry.metadata.get("key", entry.name)) for entry in fields(kind)}  # type: ignore[arg-type]
        assert set(described["properties"]) - {"like"} == keys - ours, kind.__name__
    steps = ehr["properties"]["retry"]["items"]["properties"]["then"]["enum"]
    assert set(steps) == {str(step) for step in Next}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MAPPINGS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(name))
