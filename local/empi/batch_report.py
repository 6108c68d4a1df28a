"""The figures of a batch, as text and as JSON: what it cost, how right it was, and the same of Splink."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from headwater.persons.policy import MatchingPolicy
from local.empi.batch_gate import Matches
from local.empi.batch_quality import Quality
from local.empi.figures import upper_bound
from local.empi.splink_batch import STEPS, SplinkBatch


@dataclass(slots=True)
class Figures:
    """Seconds by the clock and of CPU of all processes; the most that they held together, in bytes."""

    found: Matches
    wall: float
    cpu: float
    peak: int
    quality: Quality | None = None
    splink: SplinkBatch | None = None


def show_batch(figures: Figures) -> None:
    found, quality = figures.found, figures.quality
    counts, records = Counter(found.state), len(found.ids)
    print(f"\n{records} records: {counts['new']} persons, {counts['linked']} linked, {counts['held']} held")
    print(f"  cost                         {figures.wall:.0f} s, {figures.cpu:.0f} s of CPU, "
          f"{figures.peak / 1e9:.2f} GB at most; {found.pairs} pairs compared")  # fmt: skip
    if not quality:
        return
    bound = upper_bound(quality.wrong, quality.linked) if quality.linked else 1.0
    print(f"  linked, wrong                {quality.linked}, {quality.wrong} = "
          f"{quality.wrong / max(1, quality.linked):.4%} (95 % bound {bound:.4%})")  # fmt: skip
    print(f"  returning, linked by itself  {quality.returning_linked / max(1, quality.returning):.2%}")
    print(f"  to a steward, duplicates     {counts['held'] / records:.2%}, {quality.duplicates / records:.3%}")
    print(f"  pairs in one person          {_pairs(quality.together, quality.right, quality.true)}")


def show_splink(splink: SplinkBatch) -> None:
    steps = ", ".join(
        f"{step} {splink.wall[step]:.0f} s ({splink.cpu[step]:.0f})" for step in STEPS if step in splink.wall
    )
    wall, cpu = _cost(splink)
    print(f"\nSplink, by the clock (CPU): {steps}" + (f"; stopped {splink.stopped}" if splink.stopped else ""))
    print(f"  cost                         {wall:.0f} s, {cpu:.0f} s of CPU, {splink.peak / 1e9:.2f} GB at most; "
          f"{splink.scored} pairs kept")  # fmt: skip
    if splink.true and not splink.stopped:
        print(f"  pairs from 0.999 on          {_pairs(splink.same, splink.right, splink.true)}")
        at = ", ".join(f"{recall:.4f} at precision {asked}" for asked, recall in splink.recall_at.items())
        print(f"  recall                       {at} (threshold chosen afterwards)")
        print(f"  pairs in one cluster         {_pairs(splink.together, splink.together_right, splink.true)}")
        print(f"  clusters                     {splink.persons}")


def summary(figures: Figures, policy: MatchingPolicy) -> dict[str, Any]:
    """All figures under their names, and which policy they are of."""
    states = Counter(figures.found.state)
    told: dict[str, Any] = {"policy": policy.digest, "records": len(figures.found.ids), **states}
    told |= {"pairs_compared": figures.found.pairs}
    told |= {"seconds": figures.wall, "cpu_seconds": figures.cpu, "peak_bytes": figures.peak}
    for name, part in (("quality", figures.quality), ("splink", figures.splink)):
        if part:
            told[name] = asdict(part)
    return told


def _pairs(said: int, right: int, true: int) -> str:
    return f"{said}, precision {right / max(1, said):.5f}, recall {right / max(1, true):.4f} of {true}"


def _cost(splink: SplinkBatch) -> tuple[float, float]:
    """Without `judged`, which is ours."""
    steps = [step for step in STEPS[:-1] if step in splink.wall]
    return sum(splink.wall[step] for step in steps), sum(splink.cpu[step] for step in steps)
