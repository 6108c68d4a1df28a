"""What a backfill is called and in which waves it goes: the same order is the same run, and folders go by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.backfill.plan import Census, NotPlanned, Order, census, files_a_batch, upload, waves_of
from tests.local.backfill.conftest import ARCHIVE


def order(place: str, ehr: str = "epic") -> Order:
    return Order.of(place, ehr, "application/hl7-v2", ARCHIVE)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=ARCHIVE)
        client.create_bucket(Bucket="history")
        yield client


def put(s3: Any, *keys: str) -> None:
    for key in keys:
        s3.put_object(Bucket="history", Key=key, Body=b"MSH|")


def test_the_same_order_has_the_same_name_and_another_has_another() -> None:
    assert order("s3://history/north/").name == order("s3://history/north").name
    names = {order("s3://history/north").name, order("s3://history/south").name, order("s3://history/north", "x").name}
    assert len(names) == 3


def test_folders_are_waves_by_name(s3: Any) -> None:
    put(s3, "north/2022/b", "north/2021/12/a", "north/2021/01/a", "northern/2020/a")
    assert waves_of(order("s3://history/north"), s3) == ["north/2021/", "north/2022/"]


def test_files_beside_folders_make_it_one_wave(s3: Any) -> None:
    put(s3, "north/2022/b", "north/a")
    assert waves_of(order("s3://history/north"), s3) == ["north/"]


def test_a_whole_bucket_can_be_loaded_and_an_empty_place_cannot(s3: Any) -> None:
    put(s3, "2022/b")
    assert waves_of(order("s3://history"), s3) == ["2022/"]
    with pytest.raises(NotPlanned, match="no file"):
        waves_of(order("s3://history/gone"), s3)


def test_a_folder_here_is_uploaded_once_and_only_what_is_new_again(s3: Any, tmp_path: Path) -> None:
    (tmp_path / "2021").mkdir()
    (tmp_path / "2021" / "a.hl7").write_bytes(b"MSH|1")
    (tmp_path / ".DS_Store").write_bytes(b"")
    wanted = order(str(tmp_path))
    assert list(upload(tmp_path, wanted, s3)) == ["2021/a.hl7"]
    (tmp_path / "2021" / "b.hl7").write_bytes(b"MSH|2")
    assert list(upload(tmp_path, wanted, s3)) == ["2021/b.hl7"]
    assert waves_of(wanted, s3) == [f"backfill/{wanted.name}/files/2021/"]


def test_a_census_counts_waves_as_they_will_be_and_picks_the_same_files_each_time(s3: Any, tmp_path: Path) -> None:
    put(s3, *(f"north/202{year}/{number}" for year in range(3) for number in range(10)))
    found = census("s3://history/north", order("s3://history/north"), s3, pick=4)
    assert found.waves == {f"202{year}/": [10, 40] for year in range(3)}
    assert len(found.picked) == 4
    assert found == census("s3://history/north", order("s3://history/north"), s3, pick=4)
    assert Census.of([("a", 1), ("2021/b", 2)], pick=9) == Census({"": [2, 3]}, ["2021/b", "a"])


def test_the_input_has_what_the_state_machine_reads() -> None:
    made = order("s3://history/north").input(["north/2021/"], 8, 100)
    assert made["waves"] == [{"bucket": "history", "prefix": "north/2021/"}]
    assert set(made) == {"run", "ehr", "content_type", "lanes", "files_a_batch", "waves"}


@pytest.mark.parametrize(
    ("key", "size", "files"), [("a", 100, 100), ("a", 30_000, 10), ("a.gz", 30_000, 1), ("a", 0, 100)]
)
def test_the_larger_the_files_the_fewer_are_a_batch(s3: Any, key: str, size: int, files: int) -> None:
    s3.put_object(Bucket="history", Key=f"north/2021/{key}", Body=bytes(size))
    assert files_a_batch(order("s3://history/north"), ["north/2021/"], s3) == files
