"""
The times of an incident as columns of a question: mean, median, 90th and 95th percentile, and how many have one.

Means mislead, so none comes alone. Percentiles are exact and interpolated (the inclusive method), so that another computation
gives the same. What each time is, and which incidents count, stands in the views ``incidents_now`` and ``counted_incidents``.
"""

from typing import Final

from streams.warehouse.report import Column, Shape

MEASURES: Final = ("TTD", "TTA", "TTM", "TTR")

FIGURES: Final = """
    count(pair.2) AS counted,
    avg(pair.2) AS mean_seconds,
    quantilesExactInclusive(0.5, 0.9, 0.95)(pair.2) AS percentiles,
    percentiles[1] AS p50_seconds,
    percentiles[2] AS p90_seconds,
    percentiles[3] AS p95_seconds"""

PAIRS: Final = "arrayJoin([('TTD', ttd_seconds), ('TTA', tta_seconds), ('TTM', ttm_seconds), ('TTR', ttr_seconds)]) AS pair"

COLUMNS: Final = (
    Column("incidents", "incidents", Shape.COUNT),
    Column("counted", "counted", Shape.COUNT),
    Column("mean_seconds", "mean", Shape.SECONDS),
    Column("p50_seconds", "p50", Shape.SECONDS),
    Column("p90_seconds", "p90", Shape.SECONDS),
    Column("p95_seconds", "p95", Shape.SECONDS),
)
