from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from local.analyst.lint import ERROR, WARNING, Finding, lint
from local.cli import main
from tests.local.analyst.conftest import REPOSITORY, change


def found(mappings: Path, folder: str = "") -> list[Finding]:
    return lint(mappings, mappings / folder)


def test_the_repositorys_own_mappings_have_no_errors() -> None:
    assert [each for each in lint(REPOSITORY, REPOSITORY) if each.severity == ERROR] == []


PID = "base/hl7v2/segment/PID.liquid"


def line_of(text: str, file: Path) -> int:
    return 1 + file.read_text().split(text)[0].count("\n")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("code: 'administrative-gender'", "cod: 'administrative-gender'", "lint.unknown_filter"),
        ("'administrative-gender'", "'gendre'", "lint.missing_codes"),
        ("map: 'marital-status'", "map: 'martial'", "lint.missing_codes"),
        ("'hl7v2/segment/PID_race'", "'hl7v2/segment/race'", "lint.missing_template"),
        ("{% for xcn in PD1.4 %}", "{% for xcn of PD1.4 %}", "convert.template_syntax"),
    ],
)
def test_a_fault_in_a_template_is_found_where_it_is(mappings: Path, old: str, new: str, code: str) -> None:
    change(mappings / PID, old, new)
    findings = found(mappings, "base")
    errors = [each for each in findings if each.severity == ERROR]
    assert [each.code for each in errors] == [code]
    if code == "lint.unknown_filter":
        assert findings == errors, "what a faulty template includes is still reachable"
    assert errors[0].place.startswith(f"{PID}:{line_of(new, mappings / PID)}:")
    assert [part.isdigit() for part in errors[0].place.split(":")[1:]] == [True, True]


def test_every_unknown_filter_of_a_template_is_found(mappings: Path) -> None:
    (mappings / "base/hl7v2/ZZZ_Z01.liquid").write_text('{ "a": "{{ x | one | two }}", "b": {{ y | three }} }')
    hints = [each.hint for each in found(mappings, "base") if each.code == "lint.unknown_filter"]
    assert hints == [f"unknown filter '{name}'" for name in ("one", "two", "three")]


def test_a_template_that_nothing_leads_to_is_a_warning(mappings: Path) -> None:
    (mappings / "base/hl7v2/segment/ZZZ.liquid").write_text("{}")
    (finding,) = found(mappings, "base")
    assert finding.place == "base/hl7v2/segment/ZZZ.liquid:1:1"
    assert (finding.severity, finding.code) == (WARNING, "lint.unreachable")


def test_a_string_left_open_is_found_in_the_mode_it_is_used_in(mappings: Path) -> None:
    (mappings / "base/hl7v2/ZZZ_Z01.liquid").write_text("{ \"a\": {% include 'hl7v2/segment/ZZZ' %} }")
    (mappings / "base/hl7v2/segment/ZZZ.liquid").write_text('"x')
    (finding,) = found(mappings, "base")
    assert finding.place.startswith("base/hl7v2/segment/ZZZ.liquid:1:")
    assert finding.code == "convert.template_syntax"


def test_code_maps_are_looked_through(mappings: Path) -> None:
    codes = mappings / "ehrs/epic/codes"
    head = "system,code,display,to_system,to_code,to_display,equivalence\n"
    (codes / "twice.csv").write_text(f"{head},A,,s,1,,\n,A,,s,2,,\n,B,,,,,\n,C,,,,,unmatched\n")
    (codes / "wrong.csv").write_text("code,target\nA,1\n")
    (codes / "row.csv").write_text(f"{head},A,,s,1,,sometimes\n")
    places = {each.place: each.code for each in found(mappings, "ehrs/epic")}
    assert places == {
        "ehrs/epic/codes/twice.csv:3:1": "lint.code_twice",
        "ehrs/epic/codes/twice.csv:4:1": "lint.code_unmapped",
        "ehrs/epic/codes/wrong.csv:1:1": "convert.codes_malformed",
        "ehrs/epic/codes/row.csv:2:1": "convert.codes_malformed",
    }


def test_a_key_that_the_schema_does_not_know_is_found_at_its_line(mappings: Path) -> None:
    file = mappings / "ehrs/epic/ehr.toml"
    file.write_text(file.read_text().replace("[feed]\n", "[feed]\ntime_zoen = 'UTC'\n", 1))
    line = file.read_text().split("\n").index("time_zoen = 'UTC'") + 1
    (finding,) = found(mappings, "ehrs/epic")
    assert (finding.place, finding.code) == (f"ehrs/epic/ehr.toml:{line}:1", "lint.schema")


def test_what_only_the_loader_can_say_has_a_line_too(mappings: Path) -> None:
    file = mappings / "ehrs/epic/ehr.toml"
    file.write_text(re.sub(r"(?m)^time_zone = .*$", 'time_zone = "Mars/Olympus"', file.read_text(), count=1))
    line = file.read_text().split("\n").index('time_zone = "Mars/Olympus"') + 1
    (finding,) = found(mappings, "ehrs/epic")
    assert (finding.place, finding.code) == (f"ehrs/epic/ehr.toml:{line}:1", "ehrs.time_zone")


def test_a_toml_file_that_is_none_is_found_at_its_line(mappings: Path) -> None:
    (mappings / "ehrs/epic/outbound/rules.toml").write_text("[[tell]]\nintent = \n")
    places = [each.place for each in found(mappings, "ehrs/epic") if each.code == "lint.toml"]
    assert places == ["ehrs/epic/outbound/rules.toml:2:10"]


def test_exit_codes(mappings: Path, capsys: Any) -> None:
    assert main(["lint", "--mappings", str(mappings)]) == 0
    (mappings / "base/hl7v2/segment/ZZZ.liquid").write_text("{}")
    assert main(["lint", "--mappings", str(mappings)]) == 0
    assert main(["lint", "--mappings", str(mappings), "--strict"]) == 1
    change(mappings / PID, "'administrative-gender'", "'gendre'")
    assert main(["lint", str(mappings / "base"), "--mappings", str(mappings), "--quiet"]) == 1
    said = capsys.readouterr().out
    line = line_of("'gendre'", mappings / PID)
    assert f"{PID}:{line}:" in said
    assert main(["lint", "/tmp", "--mappings", str(mappings)]) == 2
