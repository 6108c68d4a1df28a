"""What may differ between two deployments, and every name that is chosen rather than generated.

Options come from CDK context (`cdk.json`, or `-c name=value`); `docs/deploy.md` explains them. Nothing here asks AWS or
the network: the same checkout gives the same templates in any account and region.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer
from constructs import Node

ROOT = Path(__file__).resolve().parent.parent

# 45 CFR 164.316(b)(2)(i): documentation is kept for six years; 2,192 days hold two leap days.
SIX_YEARS_IN_DAYS = 2192

PREFIX = "headwater"
METRICS_NAMESPACE = "Headwater"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The options of one deployment.

    `producers` are AWS account ids or role ARNs that may send to the feed queue; `pointer_buckets` are names of buckets
    that ingest may read large messages from; `alarm_emails` are told of every alarm; `empi` is the folder under
    `mappings/empis` of an EMPI outside, empty for the built-in match; `ehrs` are the folders under `mappings/ehrs` that
    can be written to.
    """

    prefix: str = PREFIX
    audit_retention_days: int = SIX_YEARS_IN_DAYS
    producers: tuple[str, ...] = ()
    pointer_buckets: tuple[str, ...] = ()
    alarm_emails: tuple[str, ...] = ()
    empi: str = ""
    ehrs: tuple[str, ...] = ()

    @classmethod
    def from_context(cls, node: Node) -> Deployment:
        """Reads the options; a list may be a JSON list (cdk.json) or comma-separated (`-c`)."""

        def option(name: str, default: Any) -> Any:
            value = node.try_get_context(name)
            return default if value is None else value

        return cls(
            prefix=str(option("prefix", PREFIX)),
            audit_retention_days=int(option("audit_retention_days", SIX_YEARS_IN_DAYS)),
            producers=_listed(option("producers", ())),
            pointer_buckets=_listed(option("pointer_buckets", ())),
            alarm_emails=_listed(option("alarm_emails", ())),
            empi=str(option("empi", "")),
            ehrs=writable_ehrs(),
        )

    def name(self, what: str) -> str:
        """The physical name of a stack, queue, function or dashboard: `headwater-feed.fifo`."""
        return f"{self.prefix}-{what}"

    def producer_arns(self, partition: str) -> tuple[str, ...]:
        """The producers as principals; an account id stands for whatever that account's own policies allow."""
        return tuple(f"arn:{partition}:iam::{who}:root" if who.isdigit() else who for who in self.producers)

    @property
    def secret_prefix(self) -> str:
        """Secrets Manager names of EHR credentials start with it: `headwater/ehrs/<ehr>`."""
        return f"{self.prefix}/ehrs/"

    @property
    def empi_secret_prefix(self) -> str:
        """`headwater/empis/<empi>`: where an EMPI outside is, and who we are there."""
        return f"{self.prefix}/empis/"

    @property
    def keys_prefix(self) -> str:
        """Parameter Store names of the JWK Sets that EHRs fetch: `/headwater/keys/<ehr>`."""
        return f"/{self.prefix}/keys/"

    @property
    def log_prefix(self) -> str:
        """Every log group's name starts with it, so that the key policy can name them before they exist."""
        return f"/{self.prefix}/"


def writable_ehrs(mappings: Path = ROOT / "mappings") -> tuple[str, ...]:
    """The EHRs that this checkout can write to, sorted: their `ehr.toml`, or one that it is `like`, has `[write.…]`.

    Most folders are only read, and an alarm on writes that cannot be made would be a bill and no help.
    """
    tables = {
        file.parent.name: tomllib.loads(file.read_text(encoding="utf-8")) for file in mappings.glob("ehrs/*/ehr.toml")
    }

    def writable(ehr: str, heirs: tuple[str, ...] = ()) -> bool:
        table = tables.get(ehr, {})
        above = str(table.get("like", ehr))
        return bool(table.get("write")) or (above not in (ehr, *heirs) and writable(above, (*heirs, ehr)))

    return tuple(sorted(ehr for ehr in tables if writable(ehr)))


def cdk_app(context: Mapping[str, Any], *, outdir: str | None, deployable: bool) -> App:
    """An empty app with the feature flags of cdk.json, which only the CDK CLI reads by itself: `python app.py`, the
    tests and the local stack shall get the templates that `cdk deploy` gets. `context` adds to them.

    A stack that is not `deployable` by the CLI does not ask whether the account is bootstrapped for it.
    """
    known: Mapping[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    synthesizer = DefaultStackSynthesizer(generate_bootstrap_version_rule=deployable)
    return App(context={**known, **context}, outdir=outdir, default_stack_synthesizer=synthesizer)


def _listed(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    return tuple(str(item).strip() for item in items if str(item).strip())
