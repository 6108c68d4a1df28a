"""headwater empi merge, unmerge, split, history, follow: who is who, changed by a steward outside of any message.

Persons are named by id (`headwater empi find` shows them), a person's records by the number that `history` gives them:
the records' own keys hold MRNs, and those do not belong into a shell's history.
"""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape

from headwater.inbound.relink import Relink
from headwater.model import Person
from headwater.persons.links import Signed
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of

_BETWEEN_RUNS = 15.0  # seconds


def add(actions: Any) -> None:
    merging = actions.add_parser("merge", help="two persons are one: all records of the first become the second's")
    merging.add_argument("retired", metavar="PERSON", help="the person that goes")
    merging.add_argument("into", metavar="INTO", help="the person that stays")
    merging.set_defaults(run=merge)
    unmerging = actions.add_parser("unmerge", help="take a merge back")
    unmerging.add_argument("retired", metavar="PERSON", help="the person that was merged")
    unmerging.set_defaults(run=unmerge)
    splitting = actions.add_parser("split", help="some records of a person are somebody else's, who is new")
    splitting.add_argument("person", metavar="PERSON", help="the person's id")
    splitting.add_argument("records", nargs="+", type=int, metavar="NUMBER", help="as `empi history` numbers them")
    splitting.set_defaults(run=split)
    telling = actions.add_parser("history", help="a person's records, and every change of them (PHI)")
    telling.add_argument("person", metavar="PERSON", help="the person's id")
    telling.set_defaults(run=history)
    following = actions.add_parser(
        "follow", help="what the clock does: what was stored follows its record; what is left"
    )
    following.add_argument("--wait", action="store_true", help="until nothing is left")
    following.set_defaults(run=follow)
    for action in (merging, unmerging, splitting):
        action.add_argument("--reason", required=True, help="why; it stays in the history")
        action.add_argument("--by", default=getpass.getuser(), help="who decides (%(default)s)")
    for action in (merging, unmerging, splitting, telling, following):
        add_target(action)


def merge(options: argparse.Namespace) -> int:
    return _changed(options, lambda relink, signed: relink.merge(options.retired, options.into, signed))


def unmerge(options: argparse.Namespace) -> int:
    return _changed(options, lambda relink, signed: relink.unmerge(options.retired, signed))


def split(options: argparse.Namespace) -> int:
    def change(relink: Relink, signed: Signed) -> tuple[Person, ...]:
        person = relink.links.index.get(options.person)
        listed = person.records if person else ()
        keys = [listed[number - 1].key if 0 < number <= len(listed) else "" for number in options.records]
        return relink.split(options.person, keys, signed)

    return _changed(options, change)


def history(options: argparse.Namespace) -> int:
    persons = target_of(options).app.persons
    person = persons.get(options.person)
    if person is None:
        print(f"headwater: no person {options.person}: see headwater empi find", file=sys.stderr)
        return 2
    replaced = f", replaced by {person.replaced_by}" if person.replaced_by else ""
    title = f"{person.id}, version {person.version}{replaced}"
    records = table_of("", "record", "ehr", "as of", whole=("", "ehr", "as of"), title=title)
    for number, record in enumerate(person.records, 1):
        retired = " (retired)" if record.retired else ""
        records.add_row(str(number), escape(record.key) + retired, record.ehr, record.event_time.isoformat()[:19])
    changes = table_of("version", "change", "records", "with", "when", "by", "why")
    for event in persons.history(person.id):
        moved = [f"+ {key}" for key in event.gained] + [f"- {key}" for key in event.lost]
        told = (str(event.version), event.change, escape("\n".join(moved)), event.other, event.at[:19], event.by)
        changes.add_row(*told, escape(event.reason))
    print_tables(records, changes)
    return 0


def follow(options: argparse.Namespace) -> int:
    app = target_of(options).app
    while app.follow() and options.wait:
        time.sleep(_BETWEEN_RUNS)
    moves = app.moves.list()
    for move in moves:
        event = move.event
        print(f"{event.name}  {event.change}  from {event.other} to {event.person_id}  since {move.since[:19]}")
    waits = "; nothing is written back of these persons until all of it is there" if moves else ""
    print(f"{len(moves)} on the way{waits}")
    return 0


def _changed(options: argparse.Namespace, change: Callable[[Relink, Signed], tuple[Person, ...]]) -> int:
    relink = target_of(options).app.relink
    persons = change(relink, Signed(options.by, datetime.now(UTC), options.reason))
    for person in persons:
        has = f"replaced by {person.replaced_by}" if person.replaced_by else f"{len(person.records)} records"
        print(f"{person.id}  version {person.version}  {has}")
    if any(person.moving for person in persons):
        print("what was stored about them follows by the clock: headwater empi follow")
    return 0
