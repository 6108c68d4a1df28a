"""The figures of `bench` as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from local.empi.bench import Gate, Overlays, Pairs
from local.empi.figures import PRECISIONS, upper_bound
from local.empi.scored import Scored, gate_of, pairs_of
from local.empi.speed import Speed
from local.empi.truth import Known


def show_gate(gate: Gate) -> None:
    wrong = gate.linked - gate.right
    print("as a gate, records in order of arrival")
    _wrong(wrong, gate.linked)
    print(f"  wrong by kind                {_kinds(gate.wrong)}")
    print(f"  returning, linked by itself  {gate.right / max(1, gate.returning):.2%} of {gate.returning}")
    print(f"  returning, found by a key    {gate.found / max(1, gate.returning):.2%}")
    print(f"  to a steward                 {gate.review / gate.records:.2%}")
    print(f"  duplicates made              {gate.duplicates / gate.records:.3%}")
    candidates = sorted(gate.candidates)
    mean, p99 = sum(candidates) / len(candidates), candidates[int(0.99 * len(candidates))]
    print(f"  candidates                   {mean:.1f} on average, 99th percentile {p99}")
    print(f"  CPU to decide on a record    {1e6 * gate.cpu / gate.records:.0f} µs")
    nicknames = gate.linked_kinds["nickname"], gate.kinds["nickname"]
    print(f"  returning with a nickname    {nicknames[0] / max(1, nicknames[1]):.1%} of {nicknames[1]} linked")
    for why, count in gate.held.most_common(8):
        print(f"  held: {why:60} {count:6} {count / gate.records:7.2%}")


def show_overlays(found: Overlays) -> None:
    print("1:1, updates of a known record")
    missed = ", ".join(f"{kind} {count}" for kind, count in found.missed.most_common()) or "none"
    print(f"  overlays caught              {found.caught / max(1, found.overlays):.2%} of {found.overlays}; "
          f"missed: {missed}")  # fmt: skip
    print(f"  honest updates held          {found.flagged / max(1, found.honest):.2%} of {found.honest}")


def show_pairs(pairs: Pairs) -> None:
    print("pair by pair, all pairs that are one person")
    _wrong(pairs.same - pairs.right, pairs.same)
    print(f"  wrong by kind                {_kinds(pairs.wrong)}")
    precision, recall = pairs.right / max(1, pairs.same), pairs.right / max(1, pairs.true)
    print(f"  precision, recall            {precision:.5f}, {recall:.4f} of {pairs.true}")
    show_recall("threshold chosen afterwards", pairs)
    _reliability([pairs])


def show_recall(how: str, pairs: Pairs) -> None:
    for asked, found in pairs.recall_at.items():
        print(f"  recall at precision {asked:<8} {found:.4f} ({how})")


def _reliability(sets: Sequence[Pairs]) -> None:
    print(f"  {'confidence from':16}{'pairs':>9}{'stated':>11}{'observed':>11}{'not one':>9}")
    for floor in sets[0].reliability:
        bands = [one.reliability[floor] for one in sets]
        count, true = sum(band.pairs for band in bands), sum(band.true for band in bands)
        if count:
            stated = sum(band.confidence for band in bands) / count
            print(f"  {floor:<16}{count:>9}{stated:>11.5f}{true / count:>11.5f}{count - true:>9}")


def show_engines(
    records: Sequence[Known],
    engines: Sequence[Scored],
    *,
    ours: tuple[Gate, Pairs | None] | None = None,
    one_to_one: bool = False,
) -> None:
    """A line an engine: pairs at its own threshold, and as a gate. `one_to_one`: no source has anybody twice."""

    def note(pairs: Pairs | None) -> str:
        return f"  R@99.9 one to one {pairs.one_to_one:.4f}" if one_to_one and pairs else ""

    if ours:
        print("beside each other; each by its own thresholds, as a gate in the same order")
        print(f"  {'':10}{'same':>8}{'wrong':>7}{'precision':>11}{'recall':>8}{'R@99.9':>8}{'R@99.99':>8} | "
              f"{'linked':>7}{'wrong':>6}{'rate':>9}{'returning':>11}{'review':>8}{'duplicates':>11}")  # fmt: skip
        _engine("headwater", *ours, note(ours[1]))
    for scored in engines:
        pairs = pairs_of(records, scored)
        _engine(scored.engine, gate_of(records, scored), pairs, f"{note(pairs)}  {scored.cpu:.0f} s CPU")


def _engine(name: str, gate: Gate, pairs: Pairs | None, note: str = "") -> None:
    pair_level = f"{'':50}"
    if pairs:
        precision, recall = pairs.right / max(1, pairs.same), pairs.right / max(1, pairs.true)
        at = "".join(f"{pairs.recall_at[asked]:8.4f}" for asked in PRECISIONS)
        pair_level = f"{pairs.same:8}{pairs.same - pairs.right:7}{precision:11.5f}{recall:8.4f}{at}"
    wrong = gate.linked - gate.right
    print(f"  {name:10}{pair_level} | {gate.linked:7}{wrong:6}{wrong / max(1, gate.linked):9.3%}"
          f"{gate.right / max(1, gate.returning):11.2%}{gate.review / max(1, gate.records):8.2%}"
          f"{gate.duplicates / max(1, gate.records):11.2%}{note}")  # fmt: skip


def show_speed(speed: Speed) -> None:
    cpu, candidates = sorted(speed.cpu), sorted(speed.candidates)
    last = int(0.99 * len(cpu))
    print(f"one patient against {speed.persons} persons, {len(cpu)} times; botocore and decoding included")
    print(f"  CPU, mean and p99            {1e3 * sum(cpu) / len(cpu):.2f} ms, {1e3 * cpu[last]:.2f} ms")
    print(f"  round trips, most            {max(speed.trips)}")
    print(
        f"  candidates, mean, p99, most  {sum(candidates) / len(candidates):.1f}, {candidates[last]}, {candidates[-1]}"
    )
    print(f"  with an over-full bucket     {speed.full}")
    graded, decoded = (1e3 * sum(times) / len(times) for times in (speed.graded, speed.from_items))
    print(f"  fifty candidates             {graded:.2f} ms to compare and grade, {decoded:.2f} ms with decoding")


def show_together(gates: Sequence[Gate], overlays: Sequence[Overlays], pairs: Sequence[Pairs]) -> None:
    print(f"\nall {len(gates)} sets together, as a gate")
    linked, right = sum(gate.linked for gate in gates), sum(gate.right for gate in gates)
    _wrong(linked - right, linked)
    print(f"  wrong by kind                {_kinds(sum((gate.wrong for gate in gates), Counter()))}")
    returning, records = sum(gate.returning for gate in gates), sum(gate.records for gate in gates)
    review, made = sum(gate.review for gate in gates), sum(gate.duplicates for gate in gates)
    print(f"  returning, linked by itself  {right / max(1, returning):.2%}")
    print(f"  to a steward, duplicates     {review / records:.2%}, {made / records:.3%}")
    if overlays:
        caught, of = sum(one.caught for one in overlays), sum(one.overlays for one in overlays)
        held, honest = sum(one.flagged for one in overlays), sum(one.honest for one in overlays)
        print(f"  overlays caught              {caught} of {of} = {caught / max(1, of):.2%}")
        print(f"  honest updates held          {held} of {honest} = {held / max(1, honest):.3%}")
    if pairs:
        same = sum(one.same for one in pairs)
        print("pair by pair")
        _wrong(same - sum(one.right for one in pairs), same)
        _reliability(pairs)


def _kinds(wrong: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in wrong.most_common()) or "none"


def _wrong(wrong: int, linked: int) -> None:
    bound = upper_bound(wrong, linked) if linked else 1.0
    print(f"  linked, wrong                {linked}, {wrong} = {wrong / max(1, linked):.4%} (95 % bound {bound:.4%})")
