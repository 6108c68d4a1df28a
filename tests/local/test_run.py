"""The main job on the whole stack: once undisturbed, then with every process killed in the middle, and run again."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.demo.account import Account, Progress
from local.demo.clinician import Clinician
from local.demo.feed import Demo, make
from local.demo.producer import Producer
from local.demo.seed import patients
from local.stack import Stack
from local.target import Target

pytestmark = pytest.mark.stack

MAPPINGS = Path(__file__).resolve().parents[2] / "mappings"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    # Five seconds, not the queues' own minutes, until what a killed function held is brought again.
    with Stack(tmp_path, visibility=5) as made:
        yield made


def play(stack: Stack, feed: Demo, *, kill: tuple[str, ...] = ()) -> Account:
    """Send, decide and wait, while the named processes are killed one after the other."""
    target = Target.local(stack.data)
    for ehr, known in patients(feed.charts, target.app.ehrs).items():
        stack.file_patients(ehr, known)
    producer, clinician = Producer(target), Clinician(target)
    progress = Progress(target, feed, auto=True, timeout=280)
    sending = threading.Thread(target=producer.send, args=(feed.sendings,))
    killing = threading.Thread(target=kill_all, args=(stack, kill))
    sending.start()
    sending.join()
    killing.start()
    while killing.is_alive() or not progress.done(sent=True):
        try:
            clinician.work()
            progress.look(producer.sent)
        except Exception:  # noqa: BLE001  whatever was just killed; what matters is the end
            time.sleep(0.5)
        time.sleep(0.5)
    return Account.of(target, feed, stack.charts(), stack.aws_calls(), progress)


def identifying(feed: Demo) -> set[str]:
    """What tells who somebody of the feed is, as words that a log line could hold."""
    told = set()
    for chart in feed.charts:
        human = chart.human
        told |= {chart.mrn, human.family, human.phone, human.ssn, human.street, human.birth_date.strftime("%Y%m%d")}
    return {word.lower() for word in told if len(word) >= 4}


def told_in_logs(stack: Stack, feed: Demo) -> list[str]:
    """Files and words, for whatever of it stands in any log line of the run."""
    words = re.compile(r"(?<![a-z0-9])(" + "|".join(map(re.escape, sorted(identifying(feed)))) + r")(?![a-z0-9])")
    found = []
    for file in sorted((stack.data / "logs").glob("*.log")):
        text = file.read_text(encoding="utf-8", errors="replace").lower()
        found += [f"{file.name}: {word}" for word in sorted(set(words.findall(text)))]
    return found


def kill_all(stack: Stack, names: tuple[str, ...]) -> None:
    for name in names:
        time.sleep(2.5)
        stack.kill(name)
        stack.wait_ready(name)


def test_a_feed_goes_all_the_way_and_again_changes_nothing(stack: Stack) -> None:
    feed = make(MAPPINGS, people=8, seed=11)
    account = play(stack, feed)
    assert account.sound, account.table()
    assert account.filed > 0
    assert account.resources["Patient"] == len({chart.human.phone for chart in feed.charts})
    assert any((stack.data / "logs").glob("*.log"))
    assert told_in_logs(stack, feed) == []
    rows = {ehr: len(chart) for ehr, chart in stack.charts().items()}
    again = play(stack, feed)
    assert again.sound
    assert (again.resources, again.proposals) == (account.resources, account.proposals)
    assert {ehr: len(chart) for ehr, chart in stack.charts().items()} == rows


def test_killing_any_process_in_the_middle_loses_and_doubles_nothing(stack: Stack) -> None:
    feed = make(MAPPINGS, people=14, seed=5)
    names = ("poller", "healthlake", "ehr-oracle-millennium", "aws", "api", "ehr-epic", "poller", "aws")
    account = play(stack, feed, kill=names)
    assert account.lost == []
    assert account.stuck == []
    assert account.doubled == []
    assert account.missing == []
    assert account.unexpected == []
    assert account.filed > 0
    again = play(stack, feed)
    assert again.sound
    assert again.resources["Patient"] == len({chart.human.phone for chart in feed.charts})
