"""What became of everything: while it happens (`Progress`) and at the end (`Account`).

Nothing here trusts a counter of the stack: it asks the inbox for each message that was sent, the FHIR store for what it
holds, the ledger for its rows, and the EHRs' charts for theirs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from headwater.inbound.accept import UNKNOWN_SENDER, message_key
from headwater.model import MessageRecord, MessageState, Proposal, ProposalState, Resource
from headwater.outbound.gates.loop import carries, marker_of
from local.demo.clinician import leaves
from local.demo.feed import Demo
from local.target import Target

MANY = 100_000
QUIET = 3.0  # seconds in which nothing moves, before a run is over
_MOVING = tuple(state for state in ProposalState if not state.final and state is not ProposalState.PROPOSED)


class Progress:
    """What inbox and ledger say, each time it looks, and whether all is done."""

    def __init__(self, target: Target, feed: Demo, *, auto: bool, timeout: float) -> None:
        self._target = target
        self._keys = frozenset(message_keys(target, feed))
        self._auto = auto
        self.started = time.monotonic()
        self._deadline = self.started + timeout
        self._changed = self.started
        self.sent = 0
        self.messages: Counter[str] = Counter()
        self.proposals: Counter[str] = Counter()
        self.tallies: Mapping[str, Mapping[str, int]] = {}
        self._undecided = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def look(self, sent: int) -> None:
        before = (self.sent, self.messages, self.proposals)
        states = self._target.message_states()
        ledger = self._target.proposal_states()
        self.sent = sent
        self.messages = Counter(states[key] for key in self._keys if key in states)
        self.proposals = Counter(ledger.values())
        self._undecided = sum(state == "PROPOSED" and not leaves(intent) for intent, state in ledger.items())
        self.tallies = self._target.running.tallies() if self._target.running else {}
        if before != (self.sent, self.messages, self.proposals):
            self._changed = time.monotonic()

    def done(self, *, sent: bool) -> bool:
        """All sent, every message at its end, nothing on the way to a chart, and quiet since."""
        if time.monotonic() > self._deadline:
            return True
        arrived = sum(self.messages.values()) - self.messages[MessageState.ACCEPTED.value]
        moving = sum(self.proposals[state.value] for state in _MOVING) + (self._undecided if self._auto else 0)
        quiet = time.monotonic() - self._changed > QUIET
        return sent and arrived >= len(self._keys) and not moving and quiet

    def table(self) -> Table:
        table = Table("", "", title=f"{self.seconds:.0f} s", title_justify="left", show_header=False, min_width=60)
        table.add_row("sent", f"{self.sent}")
        for state in MessageState:
            table.add_row(state.value, _bar(self.messages[state.value], len(self._keys)))
        table.add_section()
        for name, count in sorted(self.proposals.items()):
            table.add_row(f"write-backs {name}", str(count))
        table.add_section()
        for function, tally in sorted(self.tallies.items()):
            text = f"{tally['deleted']:5} done in {tally['invocations']} invocations, {tally['failed']} to come again"
            table.add_row(function.partition("-")[2], text)
        return table


def _bar(count: int, of: int) -> Text:
    filled = round(30 * count / of) if of else 0
    return Text(f"{count:5} ") + Text("━" * filled, style="cyan") + Text("━" * (30 - filled), style="dim")


def message_keys(target: Target, feed: Demo) -> list[str]:
    """The inbox keys of what is sent, one a sending: sender and SHA-256 of the bytes; a repeat has the same key."""
    known = target.app.ehrs
    return [message_key(one.ehr if one.ehr in known else UNKNOWN_SENDER, one.body) for one in feed.sendings]


def records_of(target: Target) -> dict[str, MessageRecord]:
    return {record.key: record for state in MessageState for record in target.app.inbox.list(state, limit=MANY)}


@dataclass(frozen=True)
class Account:
    """The end of a run. `lost` are messages without an end; `doubled` and `missing`, chart rows against the ledger."""

    messages: Counter[str]
    set_aside: Counter[tuple[str, str]]
    resources: Mapping[str, int]
    proposals: Counter[str]
    refused: Counter[str]
    filed: int
    lost: list[str]
    unexpected: list[str]
    stuck: list[str]
    missing: list[str]
    doubled: list[str]
    calls: Mapping[str, int]
    seconds: float
    sent: int
    rows: int = field(default=0)

    @classmethod
    def of(
        cls,
        target: Target,
        feed: Demo,
        charts: Mapping[str, Sequence[Resource]],
        calls: Mapping[str, int],
        progress: Progress,
    ) -> Account:
        records = records_of(target)
        expected = {key: one.expect for key, one in zip(message_keys(target, feed), feed.sendings, strict=True)}
        open_keys = [key for key in expected if key not in records or records[key].state is MessageState.ACCEPTED]
        ended = [records[key] for key in expected if key not in open_keys]
        aside = [one for one in ended if one.state in (MessageState.QUARANTINED, MessageState.HELD)]
        ledger = [row for state in ProposalState for row in target.app.proposals.list(state, limit=MANY)]
        filed = [row for row in ledger if row.state is ProposalState.FILED]
        copies = {row.intent: _copies(row, charts.get(row.ehr, ())) for row in filed}
        return cls(
            messages=Counter(one.state.value for one in ended),
            set_aside=Counter((one.error_code, one.error_place) for one in aside),
            resources=target.resource_counts(),
            proposals=Counter(row.state.value for row in ledger),
            refused=Counter(row.reason.split(" ")[0] for row in ledger if row.state is ProposalState.REFUSED),
            filed=len(filed),
            lost=open_keys,
            unexpected=[one.key for one in ended if not _as_expected(one.state, expected[one.key])],
            stuck=[row.intent for row in ledger if row.state in _MOVING],
            missing=[intent for intent, count in copies.items() if count == 0],
            doubled=[intent for intent, count in copies.items() if count > 1],
            calls=calls,
            seconds=progress.seconds,
            sent=len(feed.sendings),
            rows=sum(copies.values()),
        )

    @property
    def sound(self) -> bool:
        return not (self.lost or self.unexpected or self.stuck or self.missing or self.doubled)

    def table(self) -> Group:
        table = Table(show_header=False, title="The account", title_justify="left", box=SIMPLE)
        table.add_column(justify="right")
        table.add_column()
        repeats = self.sent - sum(self.messages.values())
        table.add_row(str(self.sent), f"messages sent, {repeats} of them the same bytes again")
        for state, count in sorted(self.messages.items()):
            table.add_row(str(count), f"  {state}")
        for (code, place), count in sorted(self.set_aside.items()):
            table.add_row(str(count), f"    {code} at {place}")
        table.add_section()
        table.add_row(str(self.resources.get("Patient", 0)), "persons, one Patient each in the FHIR store, with")
        for kind, count in sorted(self.resources.items()):
            table.add_row(str(count), f"  {kind}")
        table.add_section()
        for name, count in sorted(self.proposals.items()):
            table.add_row(str(count), f"write-backs {name}")
        for code, count in sorted(self.refused.items()):
            table.add_row(str(count), f"    {code}")
        table.add_row(str(self.rows), f"chart rows at the EHRs, for {self.filed} FILED write-backs")
        table.add_section()
        table.add_row(f"{self._calls_per_message():.1f}", "AWS calls a message, its write-backs included")
        table.add_row(f"{self.seconds:.0f} s", f"{self.sent / self.seconds:.1f} messages a second, end to end")
        return Group(table, self._verdict())

    def _calls_per_message(self) -> float:
        return sum(self.calls.values()) / max(1, sum(self.messages.values()))

    def _verdict(self) -> Text:
        if self.sound:
            return Text("Nothing lost, nothing doubled.", style="bold green")
        named = (("lost", self.lost), ("not as expected", self.unexpected), ("neither filed nor given up", self.stuck),
                 ("not in the chart", self.missing),
                 ("twice in the chart", self.doubled))  # fmt: skip
        return Text(
            "\n".join(f"{len(keys)} {what}: {', '.join(keys[:3])}" for what, keys in named if keys), style="red"
        )


def _as_expected(state: MessageState, expected: str) -> bool:
    """A patient who looks like another may be held: that is an end too, and a steward's task."""
    if expected in ("", state.value):
        return True
    return expected == "stored" and state in (MessageState.HELD, MessageState.SUPERSEDED, MessageState.FORWARDED)


def _copies(proposal: Proposal, chart: Sequence[Resource]) -> int:
    """Rows of the chart that are this intent's: by its marker, or where the EHR keeps none, by the reference."""
    marked = [row for row in chart if carries(row, marker_of(proposal.intent))]
    if marked:
        return len(marked)
    return sum(f"{row.get('resourceType')}/{row.get('id')}" == proposal.filed_ref for row in chart)
