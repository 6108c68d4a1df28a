"""The templates as a whole: accepted by cfn-lint, the same in every account and region, deployable in order."""

from __future__ import annotations

import json
import re

import pytest
from cfnlint.api import ManualArgs, lint

from infra.deployment import ROOT

STACKS = ("data", "outbound", "inbound", "watch")
# Regions with HealthLake (AWS General Reference, "AWS HealthLake endpoints and quotas").
REGIONS = [
    *("us-east-1", "us-east-2", "us-west-2", "ca-central-1"),
    *("ap-south-1", "ap-southeast-2", "eu-west-1", "eu-west-2"),
]
# W3005 is about DependsOn that CDK writes where a reference would do.
IGNORED = ["W3005"]


@pytest.mark.parametrize("stack", STACKS)
def test_cfn_lint_finds_nothing(cloud, stack):
    text = (cloud.folder / f"headwater-{stack}.template.json").read_text(encoding="utf-8")
    found = lint(text, config=ManualArgs(regions=REGIONS, ignore_checks=IGNORED))
    assert [f"{it.rule.id} {it.message}" for it in found] == []


@pytest.mark.parametrize("stack", STACKS)
def test_no_account_region_or_path_of_the_machine_is_written_in(cloud, stack):
    text = json.dumps(cloud.templates[stack])
    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"\b(us|eu|ap|ca)-(north|south|east|west|central)+-\d\b", text)
    assert str(ROOT) not in text


def test_a_stack_imports_only_what_an_earlier_one_exports(cloud):
    exported = set()
    for stack in STACKS:
        template = cloud.templates[stack]
        wanted = set(re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(template)))
        assert wanted <= exported
        exported |= {it["Export"]["Name"] for it in template.get("Outputs", {}).values() if "Export" in it}
    assert exported


def test_nothing_needs_a_custom_resource(cloud):
    kinds = {resource["Type"] for template in cloud.templates.values() for resource in template["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith("Custom::") or "CustomResource" in kind}
