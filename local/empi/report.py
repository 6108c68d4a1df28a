"""The figures of `bench` as text."""

from __future__ import annotations

from collections.abc import Sequence

from local.empi.bench import Gate, Overlays, Pairs, upper_bound


def show_gate(gate: Gate) -> None:
    wrong = gate.linked - gate.right
    print("as a gate, records in order of arrival")
    _wrong(wrong, gate.linked)
    by_kind = ", ".join(f"{kind} {count}" for kind, count in gate.wrong.most_common()) or "none"
    print(f"  wrong by kind                {by_kind}")
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
    wrong = pairs.same - pairs.right
    _wrong(wrong, pairs.same)
    precision, recall = pairs.right / max(1, pairs.same), pairs.right / max(1, pairs.true)
    print(f"  precision, recall            {precision:.5f}, {recall:.4f} of {pairs.true}")
    for asked, found in pairs.recall_at.items():
        print(f"  recall at precision {asked:<8} {found:.4f} (threshold chosen afterwards)")
    print(f"  {'confidence from':16}{'pairs':>9}{'stated':>11}{'observed':>11}{'not one':>9}")
    for floor, band in pairs.reliability.items():
        if band.pairs:
            stated, observed = band.confidence / band.pairs, band.true / band.pairs
            print(f"  {floor:<16}{band.pairs:>9}{stated:>11.5f}{observed:>11.5f}{band.pairs - band.true:>9}")


def show_together(gates: Sequence[Gate]) -> None:
    print(f"\nall {len(gates)} sets together, as a gate")
    linked, right = sum(gate.linked for gate in gates), sum(gate.right for gate in gates)
    _wrong(linked - right, linked)
    returning, records = sum(gate.returning for gate in gates), sum(gate.records for gate in gates)
    review, made = sum(gate.review for gate in gates), sum(gate.duplicates for gate in gates)
    print(f"  returning, linked by itself  {right / max(1, returning):.2%}")
    print(f"  to a steward, duplicates     {review / records:.2%}, {made / records:.3%}")


def _wrong(wrong: int, linked: int) -> None:
    bound = upper_bound(wrong, linked) if linked else 1.0
    print(f"  linked, wrong                {linked}, {wrong} = {wrong / max(1, linked):.4%} (95 % bound {bound:.4%})")
