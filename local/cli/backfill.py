"""headwater backfill: years of files into the store, once, the oldest first, and nobody is told (docs/backfill.md)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headwater.errors import HeadwaterError
from local.backfill.account import Account, Progress
from local.backfill.deployed import Execution, is_over
from local.backfill.laptop import Laptop
from local.backfill.plan import NotPlanned, Order, census, files_a_batch, upload, waves_of
from local.backfill.sample import sample
from local.cli.bar import Bar
from local.cli.options import add_target, target_of
from local.cli.printing import print_error
from local.target import Target

LANES = 8  # of the feed's twenty: less than half of what the store can take (docs/decisions/0015)
A_LANE = 2.5  # messages a second, as a model: seven calls of some 60 ms each
LOOK_EVERY = 5.0  # seconds


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "backfill",
        help="load history from files, once",
        description="Load every file of a folder as messages of one EHR, the way the feed's messages go, but nothing "
        "of them is written back. The folders inside are loaded one after the other, by name. The same command again "
        "goes on with what was stopped, shows what is running, or what has become of it.",
    )
    command.add_argument("place", metavar="PLACE", help="s3://bucket/folder, or a folder here, which is uploaded first")
    command.add_argument("--ehr", required=True, help="who sent the messages: a folder under mappings/ehrs")
    command.add_argument(
        "--content-type", default="application/hl7-v2", metavar="TYPE", help="of every file (%(default)s)"
    )
    command.add_argument(
        "--lanes",
        type=int,
        default=LANES,
        metavar="N",
        help="batches of files at a time; 1 keeps it slow (%(default)s)",
    )
    command.add_argument("--dry-run", action="store_true", help="count the files, convert some, and start nothing")
    command.add_argument(
        "--sample", type=int, default=20, metavar="N", help="files that --dry-run converts (%(default)s)"
    )
    command.add_argument("--stop", action="store_true", help="stop it; the same command without --stop goes on")
    command.add_argument("--again", action="store_true", help="look for new files in what was loaded already")
    add_target(command)
    command.set_defaults(run=backfill)


def backfill(options: argparse.Namespace) -> int:
    target = target_of(options)
    order = Order.of(options.place, options.ehr, options.content_type, target.app.settings.archive_bucket)
    try:
        _check(options, target)
        if options.stop:
            return _stop(order, target)
        if options.dry_run:
            return _plan(options, order, target)
        _upload(options, order, target)
        s3 = target.client("s3")
        waves = waves_of(order, s3)
        given = order.input(waves, options.lanes, files_a_batch(order, waves, s3))
        if target.running:
            return _on_this_machine(order, given, target)
        return _on_aws(order, given, target, again=options.again)
    except NotPlanned as problem:
        print(f"headwater: {problem}", file=sys.stderr)
    except HeadwaterError as problem:
        print_error(problem)
    return 2


def _check(options: argparse.Namespace, target: Target) -> None:
    """What would set every message aside is said before the first one. Raises NotPlanned or the feed's own error."""
    if options.ehr not in target.app.ehrs:
        raise NotPlanned(f"no EHR {options.ehr}: name a folder under mappings/ehrs")
    target.app.ehrs[options.ehr].declared_feed()
    if options.lanes < 1:
        raise NotPlanned("--lanes: at least 1")
    if not options.place.startswith("s3://") and not Path(options.place).is_dir():
        raise NotPlanned(f"{options.place} is neither a folder nor s3://bucket/folder")


def _plan(options: argparse.Namespace, order: Order, target: Target) -> int:
    """What there is to do, how long it may take, and what a sample of it would become."""
    found = census(options.place, order, target.client("s3"), options.sample)
    files = sum(number for number, _ in found.waves.values())
    if not files:
        raise NotPlanned(f"no file under {options.place}")
    print(f"{order.name}: {files:,} files in {len(found.waves):,} waves, one after the other")
    for wave, (number, size) in sorted(found.waves.items()):
        print(f"  {wave or 'all together':30} {number:>10,} files {size / 1e6:>12,.1f} MB")
    account = sample(options.place, found.picked, order, target.app)
    print(f"of {len(found.picked)} files, with the mappings of this checkout, nothing stored:")
    for line in account.lines()[1:]:
        print(line)
    messages = files * account.messages.total() / max(1, len(found.picked))
    hours = messages / (A_LANE * options.lanes) / 3600
    print(f"about {messages:,.0f} messages: {hours:,.1f} hours on {options.lanes} lanes (a model, docs/backfill.md)")
    return 0 if account.complete else 1


def _upload(options: argparse.Namespace, order: Order, target: Target) -> None:
    if options.place.startswith("s3://"):
        return
    number = sum(1 for _ in upload(Path(options.place), order, target.client("s3")))
    if number:
        print(f"{number:,} files are uploaded to s3://{order.bucket}/{order.prefix}")


def _on_this_machine(order: Order, given: dict[str, Any], target: Target) -> int:
    assert target.running
    laptop = Laptop(order, aws=target.running.aws, data=target.running.data, s3=target.client("s3"))
    account = laptop.run(given, _tell(Bar()))
    return _end(order, "SUCCEEDED" if account.complete else "FAILED", account)


def _on_aws(order: Order, given: dict[str, Any], target: Target, *, again: bool) -> int:
    execution = _execution(order, target)
    progress = execution.progress()
    if progress and progress.state == "SUCCEEDED" and not again:
        account = execution.account()
        if account.complete:
            return _end(order, "is through already; --again looks for new files", account)
    print(f"{order.name} {execution.begin(given)}; Ctrl-C leaves it running, --stop stops it")
    tell = _tell(Bar())
    while not (progress := execution.progress()) or not is_over(progress):
        if progress:
            tell(progress)
        time.sleep(LOOK_EVERY)
    tell(progress)
    return _end(order, progress.state, execution.account())


def _stop(order: Order, target: Target) -> int:
    if target.running:
        raise NotPlanned("on the local stack Ctrl-C stops it")
    stopped = _execution(order, target).stop()
    print(f"{order.name} {'is stopped' if stopped else 'does not run'}")
    return 0 if stopped else 1


def _execution(order: Order, target: Target) -> Execution:
    if not target.backfill_machine:
        raise NotPlanned("the deployed stacks have no backfill: deploy this version first")
    return Execution(
        order,
        machine=target.backfill_machine,
        archive=target.app.settings.archive_bucket,
        states=target.client("stepfunctions"),
        s3=target.client("s3"),
    )


def _tell(bar: Bar) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        if progress.total:
            bar(f"wave {progress.wave} of {progress.waves}, files", progress.done, progress.total)

    return tell


def _end(order: Order, state: str, account: Account) -> int:
    """Exit code 0 if everything is through; what was set aside is through."""
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"{order.name}: {state}")
    for line in account.lines():
        print(line)
    return 0 if account.complete and state not in ("FAILED", "ABORTED", "TIMED_OUT") else 1
