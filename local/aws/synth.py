"""The templates that `cdk deploy` would apply, made without bundling, and kept until what they depend on changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class SynthError(Exception):
    """app.py failed; the message ends with what it printed."""


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's template, as CloudFormation would get it."""

    stack: str
    body: dict[str, Any]


def synthesise(cache: Path = ROOT / ".local" / "cdk.out") -> list[Template]:
    """The stacks in the order in which they must be deployed, out of `cache` if they are there, else made anew.

    A folder of the cache is named by what its templates depend on and never changes. Raises SynthError.
    """
    folder = cache / _fingerprint()
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="unfinished-") as scratch:
            made = Path(scratch) / "out"
            _run_app(made)
            # Another process may have been faster; its templates are the same.
            with contextlib.suppress(OSError):
                made.rename(folder)
    return read_assembly(folder)


def read_assembly(folder: Path) -> list[Template]:
    """The templates of a cloud assembly (`cdk.out`), each after those it depends on."""
    artifacts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    stacks = {name: a for name, a in artifacts.items() if a["type"] == "aws:cloudformation:stack"}
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name in stacks and name not in ordered:
            for dependency in stacks[name].get("dependencies", ()):
                visit(dependency)
            ordered.append(name)

    for name in stacks:
        visit(name)
    return [
        Template(
            stacks[name].get("properties", {}).get("stackName", name),
            _without_bootstrap(json.loads((folder / stacks[name]["properties"]["templateFile"]).read_text("utf-8"))),
        )
        for name in ordered
    ]


def _without_bootstrap(template: dict[str, Any]) -> dict[str, Any]:
    """Without what asks for a bootstrapped account and without CDK's usage note, neither of which exists here."""
    template.pop("Rules", None)
    template.get("Parameters", {}).pop("BootstrapVersion", None)
    template["Resources"] = {
        name: resource for name, resource in template["Resources"].items() if resource["Type"] != "AWS::CDK::Metadata"
    }
    return template


def _run_app(out: Path) -> None:
    environment = {**os.environ, "HEADWATER_BUNDLE": "false", "CDK_OUTDIR": str(out)}
    run = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if run.returncode != 0:
        raise SynthError(f"python app.py failed:\n{run.stderr[-3000:]}")


def _fingerprint() -> str:
    """Over everything that the templates depend on, short of the assets' contents, which do not matter here."""
    digest = hashlib.sha256()
    for file in sorted([*ROOT.glob("infra/**/*.py"), ROOT / "app.py", ROOT / "cdk.json"]):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    for ehr in sorted(ROOT.glob("mappings/ehrs/*/ehr.toml")):  # those that can be written to have an alarm
        told = [line for line in ehr.read_bytes().splitlines() if line.startswith((b"like", b"[write"))]
        digest.update(b"\0".join((ehr.parent.name.encode(), *told)))
    return digest.hexdigest()[:16]
