"""headwater empi queue, show, find, link, unlink: what a steward must answer, with the evidence, and the answer.

`queue` shows evidence in words and ids only. `show` and `find` write demographics to the terminal: that is what a
steward decides by. Nothing of it goes to a log.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from rich.markup import escape

from headwater.inbound.convert import convert
from headwater.inbound.match import person_id_of, record_of
from headwater.model import Decision, Envelope, Grade, Identifier, MessageRecord, MessageState, SourceRecord, Traits
from headwater.persons.blocking import blocking_keys, lookup_keys
from headwater.persons.grade import grade_person
from headwater.persons.profile import profile_of
from headwater.persons.steward import keep_apart, link
from local.cli.options import add_target, target_of
from local.cli.printing import print_tables, table_of
from local.cli.quarantine import again
from local.target import Target

_MOST_SHOWN = 20


def add(actions: Any) -> None:
    queueing = actions.add_parser("queue", help="messages that wait for a steward, the newest first")
    queueing.add_argument("--limit", type=int, default=50, help="at most so many (%(default)s)")
    queueing.set_defaults(run=queue)
    showing = actions.add_parser("show", help="a held message beside the persons it may be about (PHI)")
    showing.add_argument("key", metavar="KEY", help="the message's key, or its beginning")
    showing.set_defaults(run=show)
    finding = actions.add_parser(
        "find",
        help="persons by what is known of them (PHI)",
        description="Enough to find by: a name and the birth date; a telephone number, Social Security number or "
        "e-mail address alone. Family and given name find only who has no birth date. The likest come first.",
    )
    finding.add_argument("--person", default="", help="the person's id, and nothing else")
    finding.add_argument("--family", default="", help="family name")
    finding.add_argument("--given", default="", help="given names, separated by blanks")
    finding.add_argument("--born", type=date.fromisoformat, metavar="YYYY-MM-DD", help="birth date")
    for name, what in (("phone", "telephone number"), ("ssn", "Social Security number"), ("email", "e-mail address")):
        finding.add_argument(f"--{name}", default="", help=what)
    finding.add_argument("--sex", choices=("male", "female", "other"), default="", help="finds nobody by itself")
    finding.set_defaults(run=find)
    linking = actions.add_parser("link", help="a held message is this person's; it goes on")
    linking.add_argument("key", metavar="KEY", help="the message's key, or its beginning")
    linking.add_argument("person", metavar="PERSON", help="the person's id")
    linking.set_defaults(run=link_)
    parting = actions.add_parser(
        "unlink", help="a held message is none of these persons'; it goes on as somebody else's"
    )
    parting.add_argument("key", metavar="KEY", help="the message's key, or its beginning")
    parting.add_argument("persons", nargs="*", metavar="PERSON", help="default: all that it may be about")
    parting.set_defaults(run=unlink)
    for action in (linking, parting):
        action.add_argument("--reason", required=True, help="why; it stays with the answer")
        action.add_argument("--by", default=getpass.getuser(), help="who decides (%(default)s)")
    for action in (queueing, showing, finding, linking, parting):
        add_target(action)


def queue(options: argparse.Namespace) -> int:
    held = _held(target_of(options), options.limit)
    title = f"{len(held)} wait for a steward"
    table = table_of("message", "why", "evidence", "since", whole=("message",), title=title)
    for record in held:
        key = record.key[: len(record.ehr) + 13]
        table.add_row(key, record.error_code, escape(record.error_hint), record.updated_at[:16])
    print_tables(table)
    return 0


def show(options: argparse.Namespace) -> int:
    target = target_of(options)
    message = _message(target, options.key)
    if message is None:
        return 2
    incoming = _record(target, message)
    _show_persons(incoming.traits, _candidates(target, incoming), title=f"{message.error_code}  {incoming.key}")
    for answer in target.app.persons.decisions(incoming.key):
        print(f"answered {answer.at[:19]} by {answer.by}: {_answer(answer)} ({answer.reason})")
    return 0


def find(options: argparse.Namespace) -> int:
    target = target_of(options)
    if options.person:
        person = target.app.persons.get(options.person)
        records: list[_Shown] = [(options.person, None, person.records)] if person else []
    else:
        asked = Traits(
            family=(options.family,) if options.family else (), given=tuple(options.given.split()),
            birth_date=options.born, gender=options.sex, phones=(options.phone,) if options.phone else (),
            emails=(options.email,) if options.email else (),
            identifiers=(Identifier("", options.ssn, "SS"),) if options.ssn else (),
        )  # fmt: skip
        if not blocking_keys(asked, target.app.policy):
            print("headwater: not enough to find by: see headwater empi find --help", file=sys.stderr)
            return 2
        records = _candidates(target, SourceRecord("", "", asked, datetime.now(UTC)))
    _show_persons(None, records, title=f"{len(records)} persons")
    return 0 if records else 1


def link_(options: argparse.Namespace) -> int:
    def answer(target: Target, record: SourceRecord) -> Decision:
        now = datetime.now(UTC)
        return link(target.app.persons, record.key, options.person, by=options.by, at=now, reason=options.reason)

    return _answered(options, answer)


def unlink(options: argparse.Namespace) -> int:
    def answer(target: Target, record: SourceRecord) -> Decision:
        persons = options.persons or [person for person, _, _ in _candidates(target, record)]
        now = datetime.now(UTC)
        return keep_apart(target.app.persons, record.key, persons, by=options.by, at=now, reason=options.reason)

    return _answered(options, answer)


def _answered(options: argparse.Namespace, answer: Any) -> int:
    """Note the answer on the message's record and take the message through again."""
    target = target_of(options)
    message = _message(target, options.key)
    if message is None:
        return 2
    decision = answer(target, _record(target, message))
    again(target, message, message.ehr)
    print(f"answer {decision.version}: {_answer(decision)}\nreleased  {message.key}")
    return 0


def _answer(decision: Decision) -> str:
    return f"is {decision.link_to}" if decision.link_to else f"is none of {', '.join(sorted(decision.apart_from))}"


def _held(target: Target, limit: int) -> list[MessageRecord]:
    held = target.app.inbox.list(MessageState.HELD, limit=limit)
    return [record for record in held if record.error_code.startswith("match.")]


def _message(target: Target, key: str) -> MessageRecord | None:
    found = [record for record in _held(target, 1000) if record.key.startswith(key)]
    if len(found) == 1:
        return found[0]
    print(f"headwater: no single held message with the key {key}: see headwater empi queue", file=sys.stderr)
    return None


def _record(target: Target, message: MessageRecord) -> SourceRecord:
    """The record that the archived message is about, by today's mappings."""
    app = target.app
    ehr = app.ehrs[message.ehr]
    body = app.archive.get(message.archive_key)
    envelope = Envelope(message.key, message.ehr, message.content_type, body, message.archive_key)
    return record_of(convert(envelope, ehr, app.engine_for(ehr)), ehr.name, app.policy)


_Shown = tuple[str, Grade | None, Sequence[SourceRecord]]


def _candidates(target: Target, record: SourceRecord) -> list[_Shown]:
    """Who may be this record's person, the likest first; whom it is linked to comes along."""
    policy = target.app.policy
    profile = profile_of(record.traits, policy)
    likely = person_id_of(record.key) if record.key else ""
    seen = target.app.persons.find(record.key, lookup_keys(profile, policy), likely=likely)
    persons = [*([seen.known] if seen.known else []), *seen.persons]
    graded = [(person, grade_person(profile, person, policy)) for person in persons]
    graded.sort(key=lambda one: -one[1].confidence)
    return [(person.id, grade, person.records) for person, grade in graded[:_MOST_SHOWN]]


def _show_persons(incoming: Traits | None, persons: Iterable[_Shown], *, title: str) -> None:
    heads = ("whose", "name", "born", "sex", "address", "phone, e-mail", "ids")
    table = table_of(*heads, whole=("whose",), title=escape(title))
    if incoming:
        table.add_row("[bold]the message", *_cells(incoming), end_section=True)
    for person, grade, records in persons:
        for record in records:
            table.add_row(f"{person}\n[dim]{record.ehr}[/]", *_cells(record.traits))
        if grade:
            said = "; ".join(grade.evidence)
            table.add_row(f"[dim]{grade.confidence:.4f}[/]", f"[dim]{escape(said)}[/]", end_section=True)
    print_tables(table)


def _cells(traits: Traits) -> list[str]:
    name = " ".join((*traits.given, *traits.family[:1], traits.suffix))
    address = ", ".join(filter(None, (*traits.address_lines, traits.city, traits.state, traits.postal_code)))
    ids = "\n".join(f"{one.kind} {one.value}" for one in traits.identifiers)
    born = traits.birth_date.isoformat() if traits.birth_date else ""
    reached = "\n".join((*traits.phones, *traits.emails))
    return [escape(text) for text in (name.strip(), born, traits.gender, address, reached, ids)]
