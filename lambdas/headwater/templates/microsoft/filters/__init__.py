"""The Microsoft dialect's filters: DotLiquid's standard ones and all of Microsoft's own."""

from __future__ import annotations

from headwater.templates.filters import Filter
from headwater.templates.microsoft.filters import dates, general, lists, numbers, sections, segments, strings

FILTERS: dict[str, Filter] = {
    **strings.FILTERS,
    **numbers.FILTERS,
    **lists.FILTERS,
    **dates.FILTERS,
    **general.FILTERS,
    **segments.FILTERS,
    **sections.FILTERS,
}
