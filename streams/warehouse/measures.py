"""
The times of an incident as columns of a question: mean, median, 90th and 95th percentile, and how many have one.

Means mislead, so none comes alone. Percentiles are exact and interpolated (the inclusive method), so that another computation
gives the same. What each time is, and which incidents count, stands in the views ``incidents_now`` and ``counted_incidents``.
"""

from typing import Final

from streams.warehouse.columns import PERCENTILES, count, seconds

MEASURES: Final = ("TTD", "TTA", "TTM", "TTR")


def mean_and_percentiles(of: str, *, also: tuple[int, ...] = ()) -> str:
    """Return the columns ``mean_seconds``, ``p50_seconds``, ``p90_seconds``, ``p95_seconds`` of *of*; *also* other percentiles."""
    return f"avg({of}) AS mean_seconds, {percentiles(of, also=also)}"


def percentiles(of: str, *, also: tuple[int, ...] = ()) -> str:
    """Return the columns ``p50_seconds``, ``p90_seconds`` and ``p95_seconds`` of *of*; *also* other percentiles."""
    wanted = (50, 90, 95, *also)
    levels = ", ".join(f"{nth / 100:g}" for nth in wanted)
    named = ", ".join(
        f"percentiles[{place}] AS p{nth}_seconds" for place, nth in enumerate(wanted, start=1)
    )
    return f"quantilesExactInclusive({levels})({of}) AS percentiles, {named}"


def _all_of(measure: str) -> str:
    of = f"{measure.lower()}_seconds"
    return f"('{measure}', count({of}), avg({of}), quantilesExactInclusive(0.5, 0.9, 0.95)({of}))"


#: One row for each measure of a group, made after it was aggregated; ``FIGURES`` names what it holds.
EACH_MEASURE: Final = f"arrayJoin([{', '.join(map(_all_of, MEASURES))}]) AS of"
FIGURES: Final = """of.1 AS measure, incidents, of.2 AS counted, of.3 AS mean_seconds, of.4 AS percentiles,
    percentiles[1] AS p50_seconds, percentiles[2] AS p90_seconds, percentiles[3] AS p95_seconds"""

COUNTS: Final = (count("incidents"), count("counted"))
TIMES: Final = (seconds("mean_seconds", "mean"), *PERCENTILES)
