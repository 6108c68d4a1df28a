"""The sites of the drill: made-up customers of known products, each a folder that says `like = "<product>"`.

What a product's own file does not declare (nobody may assume it), a customer's contract may; `local/drill/sites/` holds
those of the drill. They lie over a copy of `mappings/`, so that the profiles under test are the ones that are shipped.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SITES = Path(__file__).parent / "sites"
SUFFIX = "-site"
GENERIC = ("us-core-9-write", "oracle-millennium", "canvas", "epic")  # unlike each other, in this order


def lay_out(folder: Path) -> Path:
    """A mapping asset in `folder`: everything of `mappings/` as links, and the drill's sites beside the products."""
    mappings = folder / "mappings"
    (mappings / "ehrs").mkdir(parents=True)
    for entry in (ROOT / "mappings").iterdir():
        if entry.name != "ehrs":
            (mappings / entry.name).symlink_to(entry)
    for entry in (ROOT / "mappings" / "ehrs").iterdir():
        (mappings / "ehrs" / entry.name).symlink_to(entry)
    for entry in _SITES.iterdir():
        shutil.copytree(entry, mappings / "ehrs" / f"{entry.name}{SUFFIX}")
    return mappings


def known() -> tuple[str, ...]:
    """The products that the drill has a site of."""
    return tuple(sorted(entry.name for entry in _SITES.iterdir()))


def site_of(product: str) -> str:
    return f"{product}{SUFFIX}"
