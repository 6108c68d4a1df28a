"""The reliability of stated confidences as a picture: how often a pair was one person, by what the match said.

Both axes show what is missing to 1 by a logarithmic scale, because 99 % and 99.99 % are far apart here. Needs the extra
`empi` (matplotlib).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from local.empi.bench import Pairs
from local.empi.figures import upper_bound

_LEAST = 1e-5  # where "none was wrong" is drawn


def draw(sets: Sequence[Pairs], picture: Path) -> None:
    """Write the picture of all sets together; bars go up to the 95 % bound of the error."""
    import matplotlib  # type: ignore[import-not-found,unused-ignore]

    matplotlib.use("Agg")
    from matplotlib import pyplot  # type: ignore[import-not-found,unused-ignore]

    stated, observed, bounds, counts = [], [], [], []
    for floor in sets[0].reliability:
        bands = [one.reliability[floor] for one in sets]
        pairs, true = sum(band.pairs for band in bands), sum(band.true for band in bands)
        if pairs:
            stated.append(max(_LEAST, 1 - sum(band.confidence for band in bands) / pairs))
            observed.append(max(_LEAST, 1 - true / pairs))
            bounds.append(upper_bound(pairs - true, pairs))
            counts.append(pairs)
    figure, axes = pyplot.subplots(figsize=(6.4, 4.8), dpi=110)
    axes.plot([_LEAST, 1], [_LEAST, 1], color="0.7", linewidth=1, label="stated = observed")
    above = [max(0.0, bound - seen) for bound, seen in zip(bounds, observed, strict=True)]
    axes.errorbar(stated, observed, yerr=[[0.0] * len(above), above], fmt="o", capsize=3, label="with 95 % bound")
    for x, y, count in zip(stated, observed, counts, strict=True):
        axes.annotate(f"{count:,}", (x, y), textcoords="offset points", xytext=(6, -10), fontsize=8)
    axes.set(xscale="log", yscale="log", xlim=(1.4, _LEAST / 1.4), ylim=(1.4, _LEAST / 1.4),
             xlabel="1 - stated confidence", ylabel="share that was not one person",
             title=f"Reliability of {sum(counts):,} graded pairs")  # fmt: skip
    axes.legend(loc="upper left")
    axes.grid(True, which="major", linewidth=0.3)
    figure.tight_layout()
    figure.savefig(picture)
