"""headwater switch: stop writes, let them go on, and see what is stopped: by whom, why, since when."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime
from typing import Any

from headwater.model import ProposalState, Switch
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of
from local.target import Target


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "switch",
        help="stop writes to EHRs, and let them go on: off, on, list",
        description="What is off stops queued and waiting writes within seconds. What was sent is still verified.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="what is off")
    listing.set_defaults(run=list_)
    off = actions.add_parser("off", help="stop writes")
    on = actions.add_parser("on", help="let them go on, and send for what has waited")
    for action, function in ((off, stop), (on, release)):
        action.add_argument("--all", action="store_true", help="everything")
        action.add_argument("--ehr", help="one EHR; with --kind or --patient, of that EHR only")
        action.add_argument("--kind", help="one resource type (Observation) or purpose (final-lab-result)")
        action.add_argument("--patient", help="one patient of --ehr, by id")
        action.add_argument("--scope", help="a scope as `list` prints it")
        action.add_argument("--why", required=function is stop, default="", help="the reason, for everybody to see")
        action.add_argument("--user", default=getpass.getuser(), help="who does it (%(default)s)")
        action.set_defaults(run=function)
    for action in (listing, off, on):
        add_target(action)


def scope_of(options: argparse.Namespace) -> str:
    """The scope that the options name; empty when they name none, or several that do not go together."""
    if options.scope:
        return str(options.scope)
    match (options.all, options.ehr, options.kind, options.patient):
        case (True, None, None, None):
            return "all"
        case (False, str(ehr), None, None):
            return f"ehr/{ehr}"
        case (False, None, str(kind), None):
            return f"kind/{kind}"
        case (False, str(ehr), str(kind), None):
            return f"ehr/{ehr}/kind/{kind}"
        case (False, str(ehr), None, str(patient)):
            return f"patient/{ehr}/{patient.rsplit('/', 1)[-1]}"
        case _:
            return ""


def list_(options: argparse.Namespace) -> int:
    switches = target_of(options).app.brakes.switches()
    table = table_of("scope", "by", "why", "since", whole=("scope",), title=f"{len(switches)} off")
    for switch in switches:
        table.add_row(switch.scope, switch.by, switch.why, switch.at[:19])
    print_tables(table)
    return 0


def stop(options: argparse.Namespace) -> int:
    switch = _switch(options)
    if switch is None:
        return 2
    app = target_of(options).app
    app.audit.append("switches", {"event": "off", "at": switch.at, "who": switch.by, "scope": switch.scope})
    app.brakes.throw(switch)
    print(f"off  {switch.scope}")
    return 0


def release(options: argparse.Namespace) -> int:
    switch = _switch(options)
    if switch is None:
        return 2
    target = target_of(options)
    target.app.audit.append("switches", {"event": "on", "at": switch.at, "who": switch.by, "scope": switch.scope})
    target.app.brakes.release(switch)
    print(f"on   {switch.scope}; {_send_for_waiting(target, switch.at)} approved write-backs are sent for")
    return 0


def _send_for_waiting(target: Target, at: str) -> int:
    """What has waited comes back by itself within the hour; nobody wants to wait for that."""
    waiting = target.app.proposals.list(ProposalState.APPROVED, limit=1000)
    queue = target.app.send_queue
    for proposal in waiting:
        patient = proposal.patient_ref.rsplit("/", 1)[-1]
        queue.send(proposal.intent, group=f"{proposal.ehr}.{patient}", dedup=f"{proposal.intent}.{at}")
    return len(waiting)


def _switch(options: argparse.Namespace) -> Switch | None:
    scope = scope_of(options)
    if not scope:
        print(
            "headwater: say --all, --ehr, --kind, --ehr with --kind, --ehr with --patient, or --scope", file=sys.stderr
        )
        return None
    return Switch(scope, options.user, options.why, datetime.now(UTC).isoformat())
