"""headwater empi load: the table of `empi match` becomes the index of persons, as if each had come by the gate."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headwater.adapters.person_index.load import DynamoDbLoad, Standing
from headwater.inbound.accept import message_key
from headwater.persons.policy import FILE
from local.cli.bar import Bar
from local.cli.empi_match import sources_in
from local.cli.options import add_target, target_of
from local.cli.send import send_message
from local.empi.index_load import Load, Plan
from local.empi.load import CONTENT_TYPE, Message, Source
from local.target import Target


class Unfit(Exception):
    """The table cannot go into this index; the message says why, and what to do."""


def add(actions: Any) -> None:
    command = actions.add_parser(
        "load",
        help="load the table of `empi match` into the index",
        description="Writes persons, records, links and their history as the gate would have, and sends to the feed "
        "what the batch did not settle, so that it waits for a steward in the queue. What is there already is left as "
        "it is: a load that was stopped is begun again, and the feed may run meanwhile.",
    )
    command.add_argument("table", type=Path, metavar="CSV", help="as `empi match` wrote it, its .json beside it")
    command.add_argument("--of", type=Path, required=True, metavar="DIR", help="the folder of *.ndjson it was made of")
    command.add_argument("--source", action="append", default=[], metavar="NAME=EHR",
                         help="NAME.ndjson is this EHR's (default: the EHR that is called so)")  # fmt: skip
    command.add_argument("--as-of", type=datetime.fromisoformat, metavar="TIME",
                         help="since when it is so what a Patient states, where meta.lastUpdated is missing (default: "
                         "when its file was written); later news replaces it")  # fmt: skip
    command.add_argument("--work", type=Path, metavar="DIR", help="where some 6 KB a record lie meanwhile")
    command.add_argument("--threads", type=int, default=8, help="requests under way at a time (%(default)s)")
    command.add_argument("--dry-run", action="store_true", help="say what it would write, and what that costs")
    add_target(command)
    command.set_defaults(run=load)


def load(options: argparse.Namespace) -> int:
    target = target_of(options)
    try:
        records = _checked(options.table, target)
        sources = list(_sources(options, target))
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            index = DynamoDbLoad(target.client("dynamodb"), target.app.settings.persons_table)
            loading = Load(index, target.app.policy, Path(folder), threads=options.threads, tell=Bar())
            _show(loading.prepare(sources, options.table, records))
            if not options.dry_run:
                loading.run()
                _tell(loading, _send(target, loading.messages()))
    except (Unfit, ValueError, KeyError, OSError) as error:
        print(f"\nheadwater: {error}", file=sys.stderr)
        return 2
    return 0


def _checked(table: Path, target: Target) -> int:
    """How many records the table has. Raises Unfit when the index decides otherwise than the batch did."""
    batch = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
    ours, records = target.app.policy.digest, int(batch["records"])
    if batch.get("policy") != ours:
        theirs = batch.get("policy", "unknown")
        raise Unfit(f"the table was made by policy {theirs}, and the index decides by {ours}: match again")
    if target.app.settings.empi:
        raise Unfit(f"{target.app.settings.empi} says here who is one person, and not the built-in match")
    if records > (stated := target.app.policy.population):
        hint = f"population.records of {FILE} says {stated}, and the table alone has {records}"
        raise Unfit(f"{hint}: raise and deploy it, or the gate takes too many for one")
    return records


def _sources(options: argparse.Namespace, target: Target) -> Iterator[Source]:
    """The files in the order of the batch, with their EHRs."""
    named = dict(one.partition("=")[::2] for one in options.source)
    for path in sources_in(options.of):
        name = named.get(path.stem, path.stem)
        if name not in target.app.ehrs:
            raise Unfit(f"{path.name}: no EHR {name}; say whose it is with --source {path.stem}=EHR")
        ehr = target.app.ehrs[name]
        as_of = options.as_of or datetime.fromtimestamp(path.stat().st_mtime, UTC)
        yield Source(path, ehr, target.app.engine_for(ehr), as_of)


def _send(target: Target, messages: Iterator[Message]) -> int:
    """To the feed, each in a group of its own: none waits for another. A message that came before is known."""
    sent = 0
    for message in messages:
        group = message_key(message.ehr, message.body).replace("/", ".")
        send_message(target, message.body, message.ehr, CONTENT_TYPE, group=group)
        sent += 1
    return sent


def _show(plan: Plan) -> None:
    print(f"\n{plan.persons} persons of {plan.records} records, found by {plan.buckets} buckets: {plan.rows} rows")
    print(f"{plan.write_units} write units and {plan.read_units} read units, US$ {plan.dollars:.2f} by list price")
    print(f"{plan.messages} records go to the feed, for the gate to hold what a steward must see")


def _tell(loading: Load, sent: int) -> None:
    added, there, taken = (loading.standings[standing] for standing in Standing)
    print(f"\n{added} persons added, {there} were there, {taken} the feed had met; {sent} records sent to the feed")
