"""The house's rules that no linter knows (docs/house.md): what may stand where, and what a cold start may cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAMBDAS = ROOT / "lambdas"
HANDLERS = sorted(path for path in (LAMBDAS / "handlers").glob("*.py") if path.name != "__init__.py")
MODULES = sorted((LAMBDAS / "headwater").rglob("*.py"))
# Names of vendors and products that must not stand in code; an EHR is data (house rule 8).
EHR_NAMES = ("epic", "cerner", "millennium", "athena", "athenahealth", "redox", "meditech", "eclinicalworks", "canvas",
             "elation", "veradigm", "allscripts", "nextgen", "drchrono", "modmed", "openemr")  # fmt: skip
FORBIDDEN_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "service", "misc")


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_handler_has_at_most_25_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 25


def test_only_settings_reads_the_environment() -> None:
    readers = {
        path.relative_to(LAMBDAS).as_posix()
        for path in (*MODULES, *HANDLERS)
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text())
    }
    assert readers == {"headwater/settings.py"}


def test_no_ehr_is_named_in_code() -> None:
    folders = {path.parent.name for path in (ROOT / "mappings" / "ehrs").glob("*/ehr.toml")}
    folders -= {"medplum"}  # also the npm package that FHIR's tables are made of, and `fhir.tables` says so
    word = re.compile(rf"\b({'|'.join((*EHR_NAMES, *sorted(folders)))})\b", re.IGNORECASE)
    named = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (*MODULES, *HANDLERS)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if word.search(line)
    ]
    assert named == []


def test_no_python_under_mappings() -> None:
    assert list((ROOT / "mappings").rglob("*.py")) == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    folders = ("lambdas", "infra", "local")
    names = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.stem in FORBIDDEN_NAMES]
    assert names == []


def test_every_module_says_its_place() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in (*MODULES, *HANDLERS)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_no_test_asserts_nothing() -> None:
    """A test must be able to fail by something it states: an assert, pytest.raises, or a function that asserts."""
    empty = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        asserting = {f.name for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and _states_something(f, set())}
        for function in (f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name.startswith("test_")):
            if not _states_something(function, asserting):
                empty.append(f"{path.relative_to(ROOT)}::{function.name}")
    assert empty == []


def _states_something(function: ast.FunctionDef, asserting: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("pytest.raises", "pytest.fail") or name.rsplit(".", 1)[-1] in asserting | {"verify", "check"}:
                return True
            if name.startswith(("template.has_", "template.resource_", "assert_")) or ".assert_" in name:
                return True
    return False


def test_the_code_asset_is_small() -> None:
    zipped = BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(LAMBDAS.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(LAMBDAS))
    assert len(zipped.getvalue()) < 1_000_000


@pytest.mark.parametrize("handler", [path.stem for path in HANDLERS])
def test_a_handler_imports_within_its_budget(handler: str) -> None:
    """0.35 s of CPU, no network. The best of three: a busy machine makes imports slower, never faster."""
    code = f"import time; t = time.process_time(); import handlers.{handler}; print(time.process_time() - t)"
    runs = [
        float(
            subprocess.run([sys.executable, "-c", code], cwd=LAMBDAS, capture_output=True, text=True, check=True).stdout
        )
        for _ in range(3)
    ]
    assert min(runs) < 0.35


def test_locks_are_hashed_and_name_no_registry() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        pins = re.findall(r"^[a-z0-9][\w.\[\]-]*==\S+", text, re.MULTILINE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text


def test_no_machine_path_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    pattern = re.compile(r"(/work/|/root/|--index-url|--extra-index-url|--find-links|\"resolved\": *\"http)")
    itself = Path(__file__).relative_to(ROOT).as_posix()
    found = [
        name
        for name in tracked
        if name != itself and (ROOT / name).is_file() and pattern.search((ROOT / name).read_text(errors="replace"))
    ]
    assert found == []


def test_the_required_packages_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"boto3", "aws-lambda-powertools", "aws-cdk-lib", "constructs", "fhir.resources", "moto", "pytest"}
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {re.split(r"[\[<>=~ ]", line)[0] for lines in lists for line in lines}
    assert wanted <= declared
