"""ingest, on one page: accept, convert, match, store, tell. Data goes on from step to step only here.

What happens next is in the error's name: Retry goes back to the queue, Quarantine and Hold set the message aside with
its reason, and every other message of the batch goes on unharmed.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headwater.ehrs import Ehr
from headwater.errors import HeadwaterError, Hold, Quarantine, Retry
from headwater.fhir.answers import OK, outcome_of
from headwater.formats import split
from headwater.inbound.accept import Accepted, accept, accept_bytes
from headwater.inbound.convert import convert
from headwater.inbound.match import match
from headwater.inbound.store import store
from headwater.inbound.tell import tell
from headwater.model import Converted, Delivery, Envelope, Matched, MessageState, Outcome, Resource
from headwater.persons.policy import MatchingPolicy
from headwater.ports import Archive, Clock, Empi, FhirStore, Inbox, PersonIndex, Queue, Watch, WorkList
from headwater.templates.engine import Engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ingest:
    """The way in, with its ports filled."""

    ehrs: Mapping[str, Ehr]
    engine_for: Callable[[Ehr], Engine]
    policy: MatchingPolicy
    archive: Archive
    inbox: Inbox
    persons: PersonIndex
    fhir: FhirStore
    write_queue: Queue | None  # None: nobody is ever told, as in a backfill
    watch: Watch
    clock: Clock
    empi: Empi | None = None  # outside, asked in place of our own match
    work_list: WorkList | None = None  # None: nobody waits for it

    def __call__(self, delivery: Delivery) -> None:
        """Take one delivery all the way; raises Retry alone, when the queue should bring it again."""
        for _ in self.outcomes(delivery):
            pass

    def outcomes(self, delivery: Delivery, *, skip: int = 0) -> Iterator[Outcome]:
        """The same, a message at a time: the next one is taken when the next outcome is asked for, so that whoever runs
        out of time can stop after any, and go on later with as many to `skip` as there were outcomes."""
        accepted = self._timed(
            "accept",
            delivery.attributes.get("ehr", ""),
            lambda: accept(delivery, ehrs=self.ehrs, archive=self.archive, inbox=self.inbox, clock=self.clock),
        )
        if accepted.seen_before:
            self.watch.note("accept", "seen_before", ehr=accepted.envelope.ehr, message=accepted.envelope.key)
            if not skip:
                yield _known(accepted)
        elif accepted.fault is not None:
            yield self._set_aside(accepted.envelope, MessageState.QUARANTINED, accepted.fault)
        else:
            yield from self._unpack(accepted.envelope, skip)

    def _unpack(self, envelope: Envelope, skip: int) -> Iterator[Outcome]:
        """A batch goes on as its messages, each on its own record: one that is bad harms no other."""
        try:
            parts = split(envelope.content_type, envelope.body, self.ehrs[envelope.ehr].declared_feed())
        except HeadwaterError as fault:  # of the message, or a slip in the sender's own files
            yield self._set_aside(envelope, MessageState.QUARANTINED, fault)
            return
        if len(parts) == 1:
            yield self._take_through(envelope)
            return
        for part in parts[skip:]:
            yield self._take_part(envelope, part)
        self._close(envelope, MessageState.FORWARDED)

    def _take_part(self, batch: Envelope, body: bytes) -> Outcome:
        part: Accepted = accept_bytes(
            body,
            batch.ehr,
            batch.content_type,
            backfill=batch.backfill,
            archive=self.archive,
            inbox=self.inbox,
            now=self.clock(),
        )
        return _known(part) if part.seen_before else self._take_through(part.envelope)

    def _take_through(self, envelope: Envelope) -> Outcome:
        try:
            state = self._steps(envelope)
        except Quarantine as quarantine:
            return self._set_aside(envelope, MessageState.QUARANTINED, quarantine)
        except Hold as hold:
            return self._set_aside(envelope, MessageState.HELD, hold)
        return self._close(envelope, state)

    def _steps(self, envelope: Envelope) -> MessageState:
        ehr = self.ehrs[envelope.ehr]
        converted = self._timed("convert", ehr.name, lambda: _convert(envelope, ehr, self.engine_for(ehr)))
        if self.work_list and converted.unmapped:
            self.work_list.note(ehr.name, converted.unmapped, message=envelope.key, at=self.clock())
        if outcome := outcome_of(converted.resources):
            return _noted(outcome)
        matched = self._timed(
            "match", ehr.name, lambda: match(converted, ehr.name, self.persons, self.policy, self.empi)
        )
        stored = self._timed(
            "store",
            ehr.name,
            lambda: store(matched, converted.event_time, ehr=ehr.name, fhir=self.fhir, inbox=self.inbox),
        )
        if self.write_queue is not None and not envelope.backfill:
            self._tell(envelope, matched, stored.resources, self.write_queue)
        return MessageState.SUPERSEDED if stored.superseded else MessageState.STORED

    def _tell(self, envelope: Envelope, matched: Matched, stored: Sequence[Resource], queue: Queue) -> None:
        self._timed(
            "tell",
            envelope.ehr,
            lambda: tell(
                matched, stored, origin_ehr=envelope.ehr, message_key=envelope.key, ehrs=self.ehrs, queue=queue
            ),
        )

    def _timed(self, step: str, ehr: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        outcome = "failed"
        try:
            result = work()
            outcome = "done"
            return result
        except HeadwaterError as error:
            outcome = error.code if isinstance(error, Retry) else f"{type(error).__name__.lower()}:{error.code}"
            raise
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            self.watch.note(step, outcome, milliseconds=milliseconds, ehr=ehr if ehr in self.ehrs else "_unknown")

    def _set_aside(self, envelope: Envelope, state: MessageState, why: HeadwaterError) -> Outcome:
        self.inbox.close(
            envelope.key, state, at=self.clock().isoformat(), code=why.code, place=why.place, hint=why.hint
        )
        self.watch.note("ingest", state.value, ehr=envelope.ehr, message=envelope.key, code=why.code, place=why.place)
        return Outcome(envelope.key, state, why.code, why.place)

    def _close(self, envelope: Envelope, state: MessageState) -> Outcome:
        self.inbox.close(envelope.key, state, at=self.clock().isoformat())
        self.watch.note("ingest", state.value, ehr=envelope.ehr, message=envelope.key)
        return Outcome(envelope.key, state)


def _known(accepted: Accepted) -> Outcome:
    record = accepted.record
    return Outcome(record.key, record.state, record.error_code, record.error_place, seen=True)


def _noted(outcome: str) -> MessageState:
    """The end of an acknowledgement. That somebody refused a message is for a person to see."""
    if outcome != OK:
        hint = f"{outcome}: whoever got a message from this feed's side refused it; MSA-2 and ERR say which and why"
        raise Quarantine("convert.message_refused", place="MSA-1", hint=hint)
    return MessageState.NOTED


def _convert(envelope: Envelope, ehr: Ehr, engine: Engine) -> Converted:
    """convert touches nothing but its input, so that whatever it trips over, it will trip over again: never a Retry."""
    try:
        return convert(envelope, ehr, engine)
    except HeadwaterError:
        raise
    except Exception as crash:  # noqa: BLE001
        frame = traceback.extract_tb(crash.__traceback__)[-1]
        place = f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
        hint = f"{type(crash).__name__} in Headwater itself: please report it; the message can be released once mended"
        raise Quarantine("convert.crashed", place=place, hint=hint) from None
