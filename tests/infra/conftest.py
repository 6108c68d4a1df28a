"""The synthesised templates as plain data: what CloudFormation will read, after all of CDK's own decisions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import compose

STACKS = ("data", "outbound", "inbound", "watch")


@dataclass(frozen=True)
class Synthesised:
    """A cloud assembly in a folder; `templates` are by the stack's short name."""

    folder: Path
    templates: Mapping[str, Any]

    def resources(self, kind: str, *, stack: str | None = None) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Logical id and definition of every resource of a CloudFormation type."""
        for name, template in self.templates.items():
            if stack in (None, name):
                for logical_id, resource in template["Resources"].items():
                    if resource["Type"] == kind:
                        yield logical_id, resource

    def properties(self, kind: str, *, stack: str | None = None) -> list[Mapping[str, Any]]:
        """The properties of every resource of a type; fails when there is none, for then a test would say nothing."""
        found = [resource["Properties"] for _, resource in self.resources(kind, stack=stack)]
        assert found, f"there is no {kind}"
        return found

    def function(self, name: str) -> Mapping[str, Any]:
        """The properties of the Lambda of one handler."""
        (one,) = (it for it in self.properties("AWS::Lambda::Function") if it["Handler"] == f"handlers.{name}.handler")
        return one

    def queue(self, name: str) -> tuple[str, Mapping[str, Any]]:
        """Logical id and properties of `<prefix>-<name>.fifo`."""
        (one,) = (
            (logical_id, resource["Properties"])
            for logical_id, resource in self.resources("AWS::SQS::Queue")
            if str(resource["Properties"]["QueueName"]).endswith(f"-{name}.fifo")
        )
        return one


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Synthesised]:
    """Composes the app with some context, without building assets."""

    def run(**context: Any) -> Synthesised:
        folder = tmp_path_factory.mktemp("cdk")
        compose(context, outdir=str(folder), bundle=False).synth()
        prefix = context.get("prefix", "headwater")
        read = {
            stack: json.loads((folder / f"{prefix}-{stack}.template.json").read_text(encoding="utf-8"))
            for stack in STACKS
        }
        return Synthesised(folder, read)

    return run


@pytest.fixture(scope="session")
def cloud(synthesise: Callable[..., Synthesised]) -> Synthesised:
    """What a deployment without any option of its own is."""
    return synthesise()
