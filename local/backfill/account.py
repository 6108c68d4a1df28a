"""What became of a backfill: the reports of its batches, added up, as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headwater.model import MessageState

EXAMPLES = 3  # files named for each reason


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, in files. `state` is as Step Functions calls it: RUNNING, SUCCEEDED, FAILED, ABORTED or
    TIMED_OUT. `wave` counts from 1; `total` grows, for a wave's files are counted when it begins."""

    state: str
    wave: int
    waves: int
    done: int = 0
    failed: int = 0
    total: int = 0


@dataclass(slots=True)
class Account:
    """Messages by state, reasons, and what is not done. `given_up` counts batches by the error they ended with; files
    are named as seen from `prefix`."""

    prefix: str = ""
    files: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    given_up: Counter[str] = field(default_factory=Counter)

    def add(self, report: Mapping[str, Any]) -> None:
        """One batch's `Report` (headwater/inbound/backfill.py)."""
        self.files += report["files"]
        self.messages.update(report["messages"])
        self.seen.update(report["seen"])
        self.reasons.update(report["reasons"])
        self.failed += [{**one, "file": one["file"].removeprefix(self.prefix)} for one in report["failed"]]
        for one in report["examples"]:
            known = self.examples.setdefault(one["reason"], [])
            if len(known) < EXAMPLES:
                file, ehr = one["file"].removeprefix(self.prefix), one["message"].partition("/")[0]
                known.append(f"{file} at {one['place'] or 'the message'}: {one['message'][: len(ehr) + 13]}")

    @property
    def complete(self) -> bool:
        return not self.failed and not self.given_up

    def lines(self) -> list[str]:
        """For a person. Files are called what their owner called them, which may be a patient's name."""
        states = [(state.value, self.messages[state.value]) for state in MessageState if self.messages[state.value]]
        told = [f"{self.files:,} files, {self.messages.total():,} messages: none was told to any EHR"]
        for state, number in states:
            seen = f"  ({self.seen[state]:,} of them seen before)" if self.seen[state] else ""
            told.append(f"  {state:12} {number:>10,}{seen}")
        if self.reasons:
            told.append("set aside (headwater quarantine list):")
        for reason, number in self.reasons.most_common():
            told.append(f"  {reason:46} {number:>8,}")
            told += [f"    {example}" for example in self.examples.get(reason.split()[1], ())]
        if self.failed:
            told.append(f"{len(self.failed):,} files are not through; what is in them is not lost, mend the cause:")
            told += [f"    {one['file']}: {one['error']} at {one['place']}" for one in self.failed[:20]]
        told += [f"{number:,} batches were given up: {error}" for error, number in self.given_up.most_common()]
        if not self.complete:
            told.append("give the same command again to take what is left")
        return told
