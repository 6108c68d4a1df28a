"""What a backfill is to do: which files, in which waves, under which name. The same order always has the same name, so
that giving a command again goes on with what it began.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from local.analyst.bulk import files_of

FOLDER = "backfill"  # in the archive bucket, as infra/backfill.py names it
MOST_FILES = 100  # a batch
BATCH = 300_000  # bytes: some hundred messages, a minute's work
PACKED = 10  # times smaller is text that gzip has packed
MOST_WAVES = 1000  # of some 200 bytes each, in an input of at most 256 KiB


class NotPlanned(Exception):
    """There is nothing that could be loaded; says what to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for: every file under `s3://bucket/prefix`, sent by `ehr`. `name` is the run's."""

    name: str
    ehr: str
    content_type: str
    bucket: str
    prefix: str

    @classmethod
    def of(cls, place: str, ehr: str, content_type: str, archive: str) -> Order:
        """`place` is `s3://bucket/folder`, or a folder here, whose files have to be put into the archive bucket first
        (`upload`)."""
        remote = place.startswith("s3://")
        place = place.rstrip("/") if remote else str(Path(place).resolve())
        digest = hashlib.sha256(f"{ehr}|{content_type}|{place}".encode()).hexdigest()
        name = f"{ehr[:40]}-{digest[:12]}"
        bucket, _, folder = place.removeprefix("s3://").partition("/")
        if not remote:
            bucket, folder = archive, f"{FOLDER}/{name}/files"
        return cls(name, ehr, content_type, bucket, f"{folder}/" if folder else "")

    def input(self, waves: list[str], lanes: int, files_a_batch: int) -> dict[str, Any]:
        """The state machine's."""
        return {
            "run": self.name,
            "ehr": self.ehr,
            "content_type": self.content_type,
            "lanes": lanes,
            "files_a_batch": files_a_batch,
            "waves": [{"bucket": self.bucket, "prefix": prefix} for prefix in waves],
        }


def upload(folder: Path, order: Order, s3: Any) -> Iterator[str]:
    """Put the files of a folder where the functions can read them; names each that was not there yet."""
    there = {found["Key"]: found for found in objects(order.bucket, order.prefix, s3)}
    for name in files_of(folder):
        file, key = folder / name, f"{order.prefix}{name}"
        known, state = there.get(key), file.stat()
        # S3 tells whole seconds, cut off.
        if known and known["Size"] == state.st_size and known["LastModified"].timestamp() >= int(state.st_mtime):
            continue
        s3.put_object(Bucket=order.bucket, Key=key, Body=file.read_bytes())
        yield name


def objects(bucket: str, prefix: str, s3: Any) -> Iterator[dict[str, Any]]:
    """Every object under a prefix as S3 lists it, in the order of the keys' bytes."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def waves_of(order: Order, s3: Any) -> list[str]:
    """The prefixes that are loaded one after the other: the folders of the place, by name. Where files lie beside
    folders, or there are none, it is all one. Raises NotPlanned."""
    folders: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=order.bucket, Prefix=order.prefix, Delimiter="/"):
        if any(found["Key"] != order.prefix for found in page.get("Contents", ())):
            return [order.prefix]
        folders += [found["Prefix"] for found in page.get("CommonPrefixes", ())]
    if not folders:
        raise NotPlanned(f"no file under s3://{order.bucket}/{order.prefix}")
    if len(folders) > MOST_WAVES:
        raise NotPlanned(f"{len(folders)} folders are more than {MOST_WAVES}: name one that holds fewer, or nest them")
    return folders


def files_a_batch(order: Order, waves: list[str], s3: Any) -> int:
    """A hundred files of one message each, one of a thousand messages: by the size of the first thousand files.

    A batch is one lane's, and what is done again after a crash; for each, Step Functions is paid five transitions.
    """
    some = list(islice(objects(order.bucket, waves[0], s3), 1000))
    size: int = sum(it["Size"] * (PACKED if it["Key"].lower().endswith(".gz") else 1) for it in some)
    return max(1, min(MOST_FILES, BATCH * len(some) // max(1, size)))


@dataclass(slots=True)
class Census:
    """All files of a place, counted by wave, and some of them, picked by chance but always the same."""

    waves: dict[str, list[int]]  # files and bytes
    picked: list[str]

    @classmethod
    def of(cls, files: Iterable[tuple[str, int]], pick: int) -> Census:
        """`files` are names, as seen from the place, and sizes; they are looked at once and not kept."""
        waves: dict[str, list[int]] = {}
        picked: list[str] = []
        chance = random.Random(0)
        for number, (name, size) in enumerate(files):
            files_and_bytes = waves.setdefault(f"{name.split('/')[0]}/" if "/" in name else "", [0, 0])
            files_and_bytes[0] += 1
            files_and_bytes[1] += size
            place = number if number < pick else chance.randrange(number + 1)  # Vitter's algorithm R
            picked[place : place + 1] = [name] if place < pick else picked[place : place + 1]
        if "" in waves:  # as `waves_of` has it
            waves = {"": [sum(each) for each in zip(*waves.values(), strict=True)]}
        return cls(waves, sorted(picked))


def census(place: str, order: Order, s3: Any, pick: int) -> Census:
    """Of a folder here, or in S3, which is a call a thousand files."""
    if not place.startswith("s3://"):
        folder = Path(place)
        return Census.of(((name, (folder / name).stat().st_size) for name in files_of(folder)), pick)
    cut = len(order.prefix)
    found = objects(order.bucket, order.prefix, s3)
    return Census.of(((it["Key"][cut:], it["Size"]) for it in found if not it["Key"].endswith("/")), pick)
