"""What a batch says of itself: how right it was, what it held in memory, how far it is; and the same of Splink."""

from __future__ import annotations

import csv
import json
import os
import time
from array import array
from importlib.util import find_spec
from pathlib import Path

import pytest

from local.cli import main
from local.cli.bar import Bar
from local.empi.batch_gate import Matches
from local.empi.batch_quality import measure_batch, read_truth
from local.empi.memory import MemoryWatch

LINUX = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    assert main(["empi", "people", "--seed", "21", "--people", "2000", "--out", str(folder)]) == 0
    return folder


def test_pairs_and_links_are_counted_against_the_truth() -> None:
    # Three records of person 0, the last one held; two of person 1, the second one linked to person 0; one of 2, twice.
    truth = [0, 0, 0, 1, 1, 2, 2]
    found = Matches(
        list("abcdefg"), array("l", [0, 0, -1, 3, 0, 5, 6]), ["new", "linked", "held", "new", "linked", "new", "new"]
    )
    quality = measure_batch(found, truth)
    assert (quality.true, quality.together, quality.right) == (3 + 1 + 1, 3, 1)
    assert (quality.linked, quality.wrong) == (2, 1)
    assert (quality.returning, quality.returning_linked, quality.duplicates) == (4, 1, 1)


def test_who_returns_to_a_record_that_was_held_does_not_return() -> None:
    found = Matches(["a", "b"], array("l", [-1, 1]), ["held", "new"])
    assert measure_batch(found, [0, 0]).returning == 0


def test_the_truth_is_read_in_the_order_of_the_records(tmp_path: Path) -> None:
    assert not read_truth(tmp_path, ["a"])
    (tmp_path / "truth.csv").write_text("record_id,person_id\na,P7\nb,P8\nc,P7\n")
    assert list(read_truth(tmp_path, ["c", "b", "a"])) == [0, 1, 0]
    with pytest.raises(KeyError):
        read_truth(tmp_path, ["d"])


@LINUX
def test_memory_is_that_of_all_processes_at_its_highest() -> None:
    with MemoryWatch() as before:
        pass
    read, write = os.pipe()
    with MemoryWatch() as watch:
        if not (child := os.fork()):
            held = bytearray(os.urandom(1 << 20) * 60)
            os.read(read, len(held) and 1)
            os._exit(0)
        ends = time.monotonic() + 20
        while watch.peak < before.peak + 50_000_000 and time.monotonic() < ends:
            time.sleep(0.05)
        os.write(write, b".")
        os.waitpid(child, 0)
    assert watch.peak > before.peak + 50_000_000
    with MemoryWatch() as after:
        pass
    assert after.peak < before.peak + 30_000_000


def test_a_bar_says_every_tenth_once_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    for done in range(1, 101):
        bar("records", done, 100)
    assert len(capsys.readouterr().err.splitlines()) == 11


def test_a_batch_in_short_writes_its_table_and_its_figures(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, work = tmp_path / "who.csv", tmp_path / "work"
    asked = ["empi", "match", "--data", str(people), "--out", str(out), "--work", str(work), "--processes", "2"]
    assert main(asked) == 0
    figures = json.loads(out.with_suffix(".json").read_text())
    assert figures["records"] == len(list(csv.DictReader(out.open()))) > 4000
    assert figures["new"] + figures["linked"] + figures["held"] == figures["records"]
    assert figures["quality"]["right"] > 0.99 * figures["quality"]["together"]
    assert figures["quality"]["returning_linked"] > 0.7 * figures["quality"]["returning"]
    assert 1e7 < figures["peak_bytes"] < 2e9
    assert figures["cpu_seconds"] > 0
    assert "pairs in one person" in capsys.readouterr().out
    assert not list(work.iterdir())


def test_a_batch_that_needs_more_memory_than_it_may_have_stops_and_leaves_its_work(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, work = tmp_path / "who.csv", tmp_path / "work"
    asked = ["empi", "match", "--data", str(people), "--out", str(out), "--work", str(work)]
    assert main([*asked, "--memory", "0.001"]) == 2
    assert "fewer --processes" in capsys.readouterr().err
    (folder,) = work.iterdir()
    assert (folder / "keys-0").exists()
    kept = (folder / "keys-0").stat().st_mtime_ns
    assert main([*asked, "--mappings", str(_other_mappings(tmp_path)), "--memory", "0.001"]) == 2
    assert len(list(work.iterdir())) == 2  # another policy is another batch
    assert (folder / "keys-0").stat().st_mtime_ns == kept
    assert main(asked) == 0
    assert not folder.exists()


def _other_mappings(folder: Path) -> Path:
    mappings = Path(__file__).resolve().parents[3] / "mappings"
    other = folder / "mappings"
    other.mkdir()
    for path in mappings.glob("*.*"):
        (other / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (other / "matching.toml").write_text((other / "matching.toml").read_text() + "\n# other\n")
    return other


@pytest.mark.skipif(not find_spec("splink"), reason="needs the extra empi")
def test_splink_is_measured_on_the_same_records(people: Path, tmp_path: Path) -> None:
    out = tmp_path / "who.csv"
    assert main(["empi", "match", "--data", str(people), "--out", str(out), "--beside", "splink"]) == 0
    splink = json.loads(out.with_suffix(".json").read_text())["splink"]
    assert splink["stopped"] == ""
    assert splink["same"] > splink["right"] > 0.8 * splink["true"]
    assert splink["together"] > splink["together_right"] > splink["right"]
    assert splink["recall_at"]["0.999"] < 0.6
    assert all(seconds > 0 for step in ("wall", "cpu") for seconds in splink[step].values())


@pytest.mark.skipif(find_spec("splink") is not None, reason="is about those who have no Splink")
def test_who_asks_for_splink_and_has_none_is_told_how_to_get_it(
    people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["empi", "match", "--data", str(people), "--out", str(tmp_path / "who.csv"), "--beside", "splink"]
    assert main(asked) == 2
    assert "requirements/empi.txt" in capsys.readouterr().err
