"""headwater ehrs: what it prints and with which exit code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cli import main

MAPPINGS = Path(__file__).parents[2] / "mappings"

Said = Callable[..., tuple[int, str]]  # arguments of `headwater ehrs` → exit code and what was printed


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str) -> tuple[int, str]:
        code = main(["ehrs", *arguments])
        out, err = capsys.readouterr()
        return code, out + err

    return run


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A copy to spoil, of two folders and the schemas."""
    for name in ("epic", "athenahealth"):
        shutil.copytree(MAPPINGS / "ehrs" / name, tmp_path / "ehrs" / name)
    shutil.copytree(MAPPINGS / "base/outbound", tmp_path / "base/outbound")
    for schema in MAPPINGS.glob("*.schema.json"):
        shutil.copy(schema, tmp_path)
    return tmp_path


def test_the_list_says_what_may_be_written_or_why_nothing_may(said: Said) -> None:
    code, text = said("list")
    assert code == 0
    assert "EHRs" in text
    (line,) = (line for line in text.splitlines() if line.startswith("│ epic "))
    assert "Observation" in line
    (line,) = (line for line in text.splitlines() if line.startswith("│ advancedmd "))
    assert "Observation" not in line
    assert "none:" in line


def test_the_list_can_be_narrowed(said: Said) -> None:
    _, writable = said("list", "--writable")
    assert "oracle-millennium" in writable
    assert "advancedmd" not in writable
    _, nextgen = said("list", "--family", "nextgen")
    assert nextgen.count("NextGen") == 2
    _, words = said("list", "oracle", "millennium")
    assert "1 EHRs" in words
    _, everything = said("list", "--all", "crystal")
    assert "Crystal Practice Management" in everything


def test_an_ehr_is_shown_with_confidence_and_sources(said: Said) -> None:
    code, text = said("show", "epic")
    assert code == 0
    for words in ("allowed", "refused", "auth.token_lifetime_s", "unknown", "sources:", "sandbox CapabilityStatement"):
        assert words in text
    assert "Observation" in text


def test_an_unknown_ehr_is_an_error_with_a_suggestion(said: Said) -> None:
    code, text = said("show", "oracle")
    assert code == 2
    assert "did you mean oracle-millennium?" in text
    assert said("check", "nobody")[0] == 2


def test_check_names_what_no_source_states(said: Said) -> None:
    code, text = said("check", "epic", "advancedmd")
    assert code == 0
    assert "write.Observation.create.max_commit_window_s is assumed" in text
    assert "patient.identifier_system is an example" in text
    assert "patient.identifier_system is missing" in text
    assert "2 of 2 folders are sound" in text


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("epic/ehr.toml", "https://{customer-host}/{interconnect", "http://{customer-host}/{interconnect",
         "api.base_url: 'http://{customer-host}/{interconnect-instance}/api/FHIR/R4' is not https, a public host"),
        ("epic/ehr.toml", "read_timeout_s", "read_timeout", "'read_timeout' was unexpected"),
        ("epic/ehr.toml", 'title = "', "title = ", "ehrs/epic/ehr.toml: "),
        ("epic/ehr.toml", "outbound/Observation", "outbound/Obs", "ehrs.template_missing"),
        ("epic/outbound/rules.toml", "intent =", "intend =", "ehrs/epic/outbound/rules.toml: tell.0"),
    ],
)  # fmt: skip
def test_check_names_file_and_key_of_a_slip(
    said: Said, mappings: Path, file: str, old: str, new: str, expected: str
) -> None:
    path = mappings / "ehrs" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    code, told = said("check", "--mappings", str(mappings))
    assert code == 1
    assert expected in told
    assert "1 of 2 folders are sound" in told
