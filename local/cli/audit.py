"""headwater audit verify, show: whether the log is whole, and what it says of a write-back or a patient."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from headwater.adapters.audit.balp import audit_event, provenance
from headwater.adapters.audit.s3 import S3AuditLog
from headwater.bootstrap import App
from headwater.model import Proposal, ProposalState
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of

Entries = Sequence[Mapping[str, object]]


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser("audit", help="the append-only log: verify, show")
    actions = group.add_subparsers(metavar="ACTION", required=True)
    verifying = actions.add_parser(
        "verify",
        help="check every chain: hashes, numbers, ends, and that nobody wrote over or deleted an entry",
        description="Exit code 1 if any chain is not whole. An end that was cut off shows in the ledger, which then "
        "knows of more than the chain does.",
    )
    verifying.set_defaults(run=verify)
    showing = actions.add_parser("show", help="who did what when, and with which outcome")
    of = showing.add_mutually_exclusive_group(required=True)
    of.add_argument("--intent", help="a write-back, by its intent or its beginning")
    of.add_argument("--patient", help="all of a patient: the person's id here, or EHR:Patient/ID")
    showing.add_argument("--fhir", action="store_true", help="as AuditEvent and Provenance, one JSON object a line")
    showing.set_defaults(run=show)
    for action in (verifying, showing):
        add_target(action)


# ----------------------------------------------------------------------------------------------------------- verify


def verify(options: argparse.Namespace) -> int:
    app = target_of(options).app
    log = cast("S3AuditLog", app.audit)  # checking all of it is no function's business, so the port has no word for it
    chains = broken = entries = 0
    for chain in log.chains():
        chains += 1
        try:
            read = log.read(chain)
            faults = [*_disturbed(log, chain), *_end_missing(app.proposals.get(chain), read)]
        except ValueError as why:
            read, faults = [], [str(why)]
        entries += len(read)
        broken += bool(faults)
        for fault in faults:
            print(f"✗ {chain}: {fault}")
    print(f"{chains - broken} of {chains} chains are whole, {entries} entries")
    return 1 if broken else 0


def _disturbed(log: S3AuditLog, chain: str) -> Iterator[str]:
    for key in log.disturbed(chain):
        yield f"{key} was written over or deleted; its first version is kept by the object lock"


def _end_missing(row: Proposal | None, entries: Entries) -> Iterator[str]:
    """The log is written before the ledger, so it may be one state ahead; it can never be behind."""
    if row is None:
        return
    states = [str(entry.get("state") or entry.get("event")).lower() for entry in entries]
    if row.state.value.lower() not in states:
        yield f"the ledger says {row.state.value}, which the chain never heard of: its end is missing"


# ------------------------------------------------------------------------------------------------------------- show


def show(options: argparse.Namespace) -> int:
    app = target_of(options).app
    found = list(_of_intent(app, options.intent) if options.intent else _of_patient(app, options.patient))
    if not found:
        print("headwater: there is no such write-back", file=sys.stderr)
        return 2
    for row in found:
        entries = app.audit.read(row.intent)
        if options.fhir:
            _print_fhir(row, entries)
        else:
            _print(row, entries)
    return 0


def _of_intent(app: App, intent: str) -> Iterator[Proposal]:
    if len(intent) == 64:
        row = app.proposals.get(intent)
        yield from [row] if row else []
        return
    yield from (row for row in _all(app) if row.intent.startswith(intent))


def _of_patient(app: App, patient: str) -> Iterator[Proposal]:
    ehr, colon, reference = patient.partition(":")
    for row in _all(app):
        if (row.ehr, row.patient_ref) == (ehr, reference) if colon else row.person_id == patient:
            yield row


def _all(app: App) -> Iterator[Proposal]:
    for state in ProposalState:
        yield from app.proposals.list(state, limit=100_000)


def _print(row: Proposal, entries: Entries) -> None:
    title = f"{row.intent[:12]}  {row.ehr} {row.patient_ref}  {row.purpose}"
    table = table_of("when", "who", "what", "", title=title)
    shown = {"event", "at", "who", "seq", "previous", "hash", "payload"}
    for entry in entries:
        facts = " ".join(f"{name}={value}" for name, value in entry.items() if name not in shown and value)
        table.add_row(str(entry["at"])[:23], str(entry.get("who", "")), str(entry["event"]), facts)
    print_tables(table)


def _print_fhir(row: Proposal, entries: Entries) -> None:
    made = provenance(entries, row)
    for resource in (*(audit_event(entry, row) for entry in entries), *([made] if made else [])):
        print(json.dumps(resource))
