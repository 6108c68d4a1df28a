"""headwater review: a clinician's queue on the command line, through the review API, as any other client."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from headwater.model import ProposalState
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of

_MOST_LISTED = 100  # of one state by the API, the oldest


def add(commands: Any) -> None:
    group: argparse.ArgumentParser = commands.add_parser(
        "review",
        help="write-backs that wait for a clinician: list, show, approve, reject",
        description="The review queue. What you approve is the hash of exactly the bytes that `show` prints.",
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="proposals by state, the oldest first")
    listing.add_argument("--state", default="PROPOSED", help="PROPOSED, FILED, REFUSED, NEEDS_HUMAN … (%(default)s)")
    listing.set_defaults(run=list_)
    showing = actions.add_parser("show", help="one proposal: payload, identity evidence, origin")
    approving = actions.add_parser("approve", help="sign off the bytes of a proposal")
    rejecting = actions.add_parser("reject", help="decide that a proposal is not sent")
    rejecting.add_argument("--reason", required=True, help="why; kept in the audit chain")
    asking = actions.add_parser("again", help="have what expired, failed or needs a person examined anew")
    withdrawing = actions.add_parser("withdraw", help="ask for a filed row to be marked as entered in error")
    withdrawing.add_argument("--reason", required=True, help="why")
    deciding = ((showing, show), (approving, approve), (rejecting, reject), (asking, again), (withdrawing, withdraw))
    for action, function in deciding:
        action.add_argument("intent", metavar="INTENT", help="the proposal's intent, or its beginning")
        action.set_defaults(run=function)
    approving.add_argument(
        "--hash", help="the payload hash you saw; without it, the payload is shown and you are asked"
    )
    approving.add_argument(
        "--flag", action="append", default=[], help="with --hash: a flag that you have seen; repeat it"
    )
    rejecting.add_argument("--hash", help=argparse.SUPPRESS)
    reminding = actions.add_parser("remind", help="what the clock does: digests, expiry, lost messages sent for again")
    reminding.set_defaults(run=remind)
    add_target(reminding)
    for action in (listing, showing, approving, rejecting, asking, withdrawing):
        action.add_argument("--user", default="dr.rivera", help="who decides (%(default)s)")
        add_target(action)


def list_(options: argparse.Namespace) -> int:
    proposals = _call(options, "GET", f"/proposals?state={options.state.upper()}")["proposals"]
    which = "the oldest " if len(proposals) == _MOST_LISTED else ""
    title = f"{which}{len(proposals)} {options.state.upper()}"
    table = table_of(
        "intent", "to", "what", "patient there", "identity", "from", "since", whole=("intent",), title=title
    )
    for one in proposals:
        said = [*one["flags"], *filter(None, [one["reason"]])]
        why = f"\n[dim]{' '.join(said)}[/]" if said else ""
        origin = f"{one['origin']['ehr']}\n[dim]{one['origin']['reference']}[/]"
        sure = f"{one['identity']['confidence']:.4f}"
        table.add_row(one["intent"][:12], one["ehr"], one["purpose"] + why, one["patient"], sure, origin,
                      one["created_at"][:16])  # fmt: skip
    print_tables(table)
    return 0


def show(options: argparse.Namespace) -> int:
    one = _call(options, "GET", f"/proposals/{_whole(options)}")
    Console().print_json(json.dumps({key: value for key, value in one.items() if key != "payload"}))
    return 0


def approve(options: argparse.Namespace) -> int:
    intent = _whole(options)
    payload_hash, flags = options.hash, options.flag
    if not payload_hash:
        one = _call(options, "GET", f"/proposals/{intent}")
        seen = ("tier", "approvers", "approvals", "changes", "identity", "base", "resource")
        Console().print_json(json.dumps({name: one[name] for name in seen}))
        for flag in one["flags"]:
            print(f"! {flag}: {', '.join(one['alike']) or 'see the chart'}")
        flags = one["flags"]
        if input(f"Send exactly this to {one['ehr']}, {one['patient']}? Type yes: ").strip() != "yes":
            print("Nothing was decided.")
            return 1
        payload_hash = one["payload_hash"]
    body = {"payload_hash": payload_hash, "flags": flags}
    decided = _call(options, "POST", f"/proposals/{intent}/approval", body)
    signed = f"{len(decided['approvals'])} of {decided['approvers']} signatures"
    print(f"{decided['intent'][:12]} {decided['state']}: {signed}, {', '.join(decided['approvals'])}")
    return 0


def again(options: argparse.Namespace) -> int:
    one = _call(options, "POST", f"/proposals/{_whole(options)}/request", {})
    print(f"{one['intent'][:12]} {one['state']}; its request is on the write queue")
    return 0


def reject(options: argparse.Namespace) -> int:
    intent = _whole(options)
    seen = options.hash or _call(options, "GET", f"/proposals/{intent}")["payload_hash"]
    body = {"payload_hash": seen, "reason": options.reason}
    decided = _call(options, "POST", f"/proposals/{intent}/rejection", body)
    print(f"{decided['intent'][:12]} {decided['state']} by {decided['decided_by']}")
    return 0


def withdraw(options: argparse.Namespace) -> int:
    _call(options, "POST", f"/proposals/{_whole(options)}/withdrawal", {"reason": options.reason})
    print("asked; somebody else signs it: headwater review list")
    return 0


def remind(options: argparse.Namespace) -> int:
    target_of(options).app.remind()
    return 0


def _whole(options: argparse.Namespace) -> str:
    """The intent that begins so, among those that `list` shows."""
    if len(options.intent) == 64:
        return str(options.intent)
    listed = [one for state in ProposalState for one in _call(options, "GET", f"/proposals?state={state}")["proposals"]]
    found = [one["intent"] for one in listed if one["intent"].startswith(options.intent)]
    if len(found) != 1:
        what = f"{len(found)} of those that headwater review list shows, by any --state, begin with {options.intent}"
        print(f"headwater: {what}", file=sys.stderr)
        sys.exit(2)
    return str(found[0])


def _call(options: argparse.Namespace, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    return target_of(options).review(options.user, method, path, body)
