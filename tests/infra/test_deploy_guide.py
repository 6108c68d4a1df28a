"""docs/deploy.md says what the templates do: its options, outputs and figures are compared with them."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from infra.deployment import ROOT, Deployment, writable_ehrs
from infra.reviewers import GROUPS

GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def _table(heading):
    """The first cell of every row under a heading."""
    section = GUIDE.split(f"### {heading}\n")[1].split("\n#")[0]
    return [line.split("|")[1].strip().strip("`") for line in section.splitlines() if line.startswith("| ")][1:]


def test_every_option_is_explained_and_none_that_is_not():
    # The EHRs are not chosen here: they are folders.
    assert set(_table("Options")) == {field.name for field in fields(Deployment)} - {"ehrs"}


def test_the_default_of_the_audit_retention_is_the_real_one():
    assert f"| `audit_retention_days` | `{Deployment().audit_retention_days}` |" in GUIDE


@pytest.mark.parametrize("stack", ["data", "inbound", "outbound"])
def test_every_output_is_listed_and_none_that_is_not(cloud, stack):
    (row,) = re.findall(rf"^\| {stack} \| (.*) \|$", GUIDE, flags=re.MULTILINE)
    outputs = {name for name, it in cloud.templates[stack]["Outputs"].items() if "Export" not in it}
    assert set(re.findall(r"`(\w+)`", row)) == outputs


def test_the_number_of_alarms_is_the_real_one(cloud):
    without_ehrs = len(cloud.properties("AWS::CloudWatch::Alarm")) - len(writable_ehrs())
    assert f"({without_ehrs}, and one per EHR that can be written to)" in GUIDE


def test_the_groups_of_reviewers_are_named():
    assert GROUPS
    assert all(f"`{group}`" in GUIDE for group in GROUPS)


def test_the_secret_prefix_is_the_one_that_functions_may_read():
    assert f"`{Deployment().secret_prefix}<folder under mappings/ehrs>`" in GUIDE


def test_the_secret_shown_has_only_keys_that_the_adapter_knows():
    source = (ROOT / "lambdas" / "headwater" / "adapters" / "ehr" / "connection.py").read_text(encoding="utf-8")
    known = set(re.findall(r"^    (\w+): str", source, flags=re.MULTILINE))
    shown = set(re.findall(r'^  "(\w+)":', GUIDE, flags=re.MULTILINE))
    assert shown
    assert shown <= known
