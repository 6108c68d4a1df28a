"""Releasing what a backfill brought: it stays history, under whatever name it goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from headwater.inbound.accept import accept_bytes, message_key
from headwater.model import MessageState
from local.cli.quarantine import again
from tests.fakes import FakeArchive, FakeClock, FakeInbox

BODY = b"MSH|^~\\&|"


class Target:
    """As much of a target as a release asks for."""

    feed_queue_url = "feed"

    def __init__(self) -> None:
        self.app = SimpleNamespace(archive=FakeArchive(), inbox=FakeInbox())
        self.sent: list[dict[str, Any]] = []

    def client(self, _service: str) -> Any:
        return SimpleNamespace(send_message=lambda **message: self.sent.append(message))

    def had(self, backfill: str) -> Any:
        accepted = accept_bytes(
            BODY, "epic", "application/hl7-v2", backfill=backfill,
            archive=self.app.archive, inbox=self.app.inbox, now=FakeClock()(),
        )  # fmt: skip
        return accepted.record


def test_history_that_is_released_as_anothers_is_still_history() -> None:
    target: Any = Target()
    again(target, target.had("epic-1"), "athenahealth")
    records = target.app.inbox.records
    assert records[message_key("epic", BODY)].state is MessageState.FORWARDED
    assert records[message_key("athenahealth", BODY)].backfill == "epic-1"
    assert records[message_key("athenahealth", BODY)].state is MessageState.ACCEPTED
    assert len(target.sent) == 1


def test_what_the_feed_brought_is_released_as_it_was() -> None:
    target: Any = Target()
    again(target, target.had(""), "athenahealth")
    assert list(target.app.inbox.records) == [message_key("epic", BODY)]
    assert len(target.sent) == 1
