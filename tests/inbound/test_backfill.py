"""backfill: a batch of files, as far as the time reaches, with an account of every message; nothing lost or doubled."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.ehrs import load
from headwater.errors import Quarantine, Retry
from headwater.inbound.backfill import EXAMPLES, RESERVE, TRIES, Backfill
from headwater.model import Delivery, MessageState, Outcome
from local.cli.options import MAPPINGS
from tests.fakes import FakeWatch

EHRS = load(MAPPINGS)


class Feed:
    """Files of several messages; `failing` says what the n-th take raises, `taken` what came through."""

    def __init__(self, files: dict[str, list[str]]) -> None:
        self.files, self.taken, self.deliveries = files, list[str](), list[Delivery]()
        self.failing: Callable[[str], Exception | None] = lambda _message: None

    def __call__(self, delivery: Delivery, *, skip: int = 0) -> Iterator[Outcome]:
        self.deliveries.append(delivery)
        name = delivery.attributes["content-location"].removeprefix("s3://drop/")
        for message in self.files[name][skip:]:
            if error := self.failing(message):
                raise error
            self.taken.append(message)
            bad = message.startswith("bad")
            state = MessageState.QUARANTINED if bad else MessageState.STORED
            yield Outcome(f"epic/{message}", state, "convert.not_hl7" if bad else "", "MSH" if bad else "")


class Clockwork:
    """Time for so many looks, then none."""

    def __init__(self, looks: int = 10_000) -> None:
        self.looks = looks

    def __call__(self) -> int:
        self.looks -= 1
        return RESERVE if self.looks >= 0 else RESERVE - 1


def event(*files: str, **what: str) -> dict[str, Any]:
    known = {"run": "epic-1", "ehr": "epic", "content_type": "", "bucket": "drop", **what}
    return {"BatchInput": known, "Items": [{"Key": file, "Size": 1} for file in files]}


def backfill(feed: Feed, watch: FakeWatch | None = None) -> Backfill:
    return Backfill(feed, EHRS, lambda error: (type(error).__name__, "match.py:1"), watch or FakeWatch())


def through_json(value: dict[str, Any]) -> dict[str, Any]:
    """As Step Functions hands it on."""
    made: dict[str, Any] = json.loads(json.dumps(value))
    return made


def test_a_batch_is_taken_in_order_and_counted() -> None:
    feed = Feed({"a": ["1", "2"], "b": ["bad3"], "c.GZ": ["4"]})
    left = backfill(feed)(event("a", "b", "c.GZ", "empty/"), Clockwork())
    assert feed.taken == ["1", "2", "bad3", "4"]
    assert left["Items"] == []
    assert left["Report"] == {
        "files": 4,
        "messages": {"stored": 3, "quarantined": 1},
        "seen": {},
        "reasons": {"quarantined convert.not_hl7": 1},
        "examples": [{"file": "b", "message": "epic/bad3", "reason": "convert.not_hl7", "place": "MSH"}],
        "failed": [],
    }
    assert [one.attributes["content-encoding"] for one in feed.deliveries] == ["", "", "gzip"]
    assert {one.backfill for one in feed.deliveries} == {"epic-1"}


@settings(max_examples=60, deadline=None)
@given(
    files=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    looks=st.lists(st.integers(0, 4), min_size=1),
    fails=st.sets(st.integers(0, 30)),
)
def test_whatever_stops_it_every_message_comes_through_once_in_order(
    files: list[int], looks: list[int], fails: set[int]
) -> None:
    names = [f"f{number}" for number in range(len(files))]
    feed = Feed({name: [f"{name}.{n}" for n in range(size)] for name, size in zip(names, files, strict=True)})
    calls = iter(range(1000))
    feed.failing = lambda _message: Retry("store.throttled") if next(calls) in fails else None
    run, state, turn = backfill(feed), event(*names), 0
    while state["Items"]:
        with contextlib.suppress(Retry):  # after which the state machine hands the same in again
            state = through_json(run(state, Clockwork(looks[turn % len(looks)])))
        turn += 1
    assert feed.taken == [message for name in names for message in feed.files[name]]
    assert state["Report"]["messages"].get("stored", 0) == len(feed.taken)
    assert state["Report"]["files"] == len(files)


def test_a_store_that_goes_down_makes_the_batch_wait_and_after_two_hours_fails_it() -> None:
    feed = Feed({"a": ["1"], "b": ["2"]})
    feed.failing = lambda message: Retry("store.throttled") if message == "2" else None
    state, waits = event("a", "b"), list[int]()
    for _ in range(TRIES - 1):
        state = through_json(backfill(feed)(state, Clockwork()))
        waits.append(state["Wait"])
    with pytest.raises(Retry, match=r"store\.throttled"):
        backfill(feed)(state, Clockwork())
    assert waits[:5] == [10, 30, 90, 270, 810]
    assert 6000 < sum(waits) < 8000
    assert [item["Key"] for item in state["Items"]] == ["b"]
    feed.failing = lambda _message: None
    done = backfill(feed)(state, Clockwork())
    assert (feed.taken, done["Items"], done["Tries"], done["Wait"]) == (["1", "2"], [], 0, 0)


@pytest.mark.parametrize(("after", "wait"), [(0, 10), (60, 60)])
def test_what_asks_for_little_patience_is_given_as_much_as_ever(after: int, wait: int) -> None:
    """Else a batch would be given up after twelve tries in as many seconds."""
    feed = Feed({"a": ["1"]})
    feed.failing = lambda _message: Retry("store.throttled", after=after)
    left = backfill(feed)(event("a"), Clockwork())
    assert (left["Wait"], left["Tries"]) == (wait, 1)


def test_a_message_that_collides_is_tried_again_at_once() -> None:
    feed, collisions = Feed({"a": ["1"]}), iter(range(2))
    feed.failing = lambda _message: Retry("match.conflict") if next(collisions, None) is not None else None
    left = backfill(feed)(event("a"), Clockwork())
    assert (feed.taken, left["Items"], left["Wait"]) == (["1"], [], 0)


def test_a_file_that_breaks_headwater_is_named_and_keeps_nobody_else() -> None:
    feed = Feed({"a": ["1", "boom", "3"], "b": ["4"]})
    feed.failing = lambda message: ValueError("DOE^JANE") if message == "boom" else None
    watch = FakeWatch()
    left = backfill(feed, watch)(event("a", "b"), Clockwork())
    assert feed.taken == ["1", "4"]
    assert left["Report"]["failed"] == [{"file": "a", "error": "ValueError", "place": "match.py:1"}]
    assert left["Report"]["files"] == 1
    assert "DOE" not in json.dumps([left, watch.outcomes])


def test_when_nothing_works_it_is_not_about_one_file() -> None:
    feed = Feed({"a": ["1"], "b": ["2"]})
    feed.failing = lambda _message: PermissionError("denied")
    with pytest.raises(Retry, match=r"backfill\.crashed"):
        backfill(feed)(event("a", "b"), Clockwork())


def test_an_unknown_ehr_is_refused_before_anything_is_read() -> None:
    feed = Feed({"a": ["1"]})
    with pytest.raises(Quarantine, match=r"accept\.ehr_unknown"):
        backfill(feed)(event("a", ehr="nobody"), Clockwork())
    assert feed.deliveries == []


def test_what_it_gives_back_fits_into_a_state_however_many_messages_are_bad() -> None:
    feed = Feed({"k" * 1024: [f"bad{number}" for number in range(5000)]})
    left = backfill(feed)(event("k" * 1024), Clockwork())
    assert left["Report"]["messages"] == {"quarantined": 5000}
    assert len(left["Report"]["examples"]) == EXAMPLES
    assert len(json.dumps(left)) < 20_000
