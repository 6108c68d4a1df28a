from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.analyst.differences import MISSING, Difference, differences
from local.cli import main
from tests.local.analyst.conftest import ADMISSION, REPOSITORY, change


def tried(mappings: Path, *arguments: str, folder: str = "base") -> int:
    return main(["try", str(mappings / folder), "--mappings", str(mappings), *arguments])


def test_the_repositorys_examples_are_as_expected(capsys: Any) -> None:
    assert main(["try", str(REPOSITORY / "ehrs" / "epic")]) == 0
    assert "✓ epic/oru-r01-local-codes.hl7" in capsys.readouterr().out


def test_a_changed_template_shows_what_is_different(mappings: Path, capsys: Any) -> None:
    change(
        mappings / "base/hl7v2/datatype/XPN.liquid", '"family": "{{ xpn.1.1 }}"', '"family": "{{ xpn.1.1 | upcase }}"'
    )
    assert tried(mappings) == 1
    said = capsys.readouterr().out
    assert ".name[0].family\n" in said
    assert '- "Castellano"' in said
    assert '+ "CASTELLANO"' in said


def test_what_is_accepted_is_what_is_expected_from_then_on(mappings: Path, capsys: Any) -> None:
    change(
        mappings / "base/hl7v2/datatype/XPN.liquid", '"family": "{{ xpn.1.1 }}"', '"family": "{{ xpn.1.1 | upcase }}"'
    )
    assert tried(mappings, "--accept") == 0
    assert "accepted" in capsys.readouterr().out
    assert tried(mappings) == 0
    expected = json.loads((mappings / "base/hl7v2/examples/adt-a01-inpatient.json").read_text())
    assert "CASTELLANO" in json.dumps(expected)


def test_an_example_without_expectation_fails_until_it_is_accepted(mappings: Path, capsys: Any) -> None:
    new = mappings / "ehrs/epic/examples/new.hl7"
    new.write_bytes(ADMISSION.read_bytes())
    assert tried(mappings, folder="ehrs/epic") == 1
    assert "nothing was expected yet" in capsys.readouterr().out
    assert tried(mappings, "--accept", folder="ehrs/epic") == 0
    assert new.with_suffix(".json").exists()


def test_an_example_that_cannot_be_converted_is_never_accepted(mappings: Path, capsys: Any) -> None:
    change(mappings / "base/hl7v2/segment/PID.liquid", '"gender": "', '"gender": "x')
    before = (mappings / "base/hl7v2/examples/adt-a01-inpatient.json").read_bytes()
    assert tried(mappings, "--accept") == 1
    assert "convert.invalid at Patient.gender" in capsys.readouterr().out
    assert (mappings / "base/hl7v2/examples/adt-a01-inpatient.json").read_bytes() == before


def test_a_folder_elsewhere_is_refused(tmp_path: Path, mappings: Path, capsys: Any) -> None:
    assert main(["try", str(tmp_path), "--mappings", str(mappings)]) == 2
    assert "analyst.folder" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------ differences


def test_equal_values_have_no_differences() -> None:
    value = {"a": [1, {"b": "x"}], "resources": [{"resourceType": "Patient", "id": "1"}]}
    assert list(differences(value, json.loads(json.dumps(value)))) == []


def test_resources_are_paired_by_what_they_are_and_not_by_where() -> None:
    one, two = {"resourceType": "Patient", "id": "1", "x": 1}, {"resourceType": "Device", "id": "2"}
    assert list(differences([one, two], [two, one])) == []
    assert list(differences([one], [{**one, "x": 2}])) == [Difference("Patient/1.x", 1, 2)]
    assert list(differences([one], [{**one, "id": "9"}])) == [Difference("Patient/1.id", "1", "9")]
    assert list(differences([one], [one, two])) == [Difference("Device/2", MISSING, two)]


def test_an_item_put_in_between_is_one_difference() -> None:
    assert list(differences({"a": [1, 2, 3]}, {"a": [1, 9, 2, 3]})) == [Difference("a[1]", MISSING, 9)]


def test_true_is_not_one() -> None:
    assert list(differences({"a": True}, {"a": 1})) == [Difference("a", True, 1)]
