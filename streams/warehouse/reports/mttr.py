"""How long incidents take to be detected, acknowledged, mitigated and resolved, by severity and by service."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import ConfigDict

from streams.warehouse.measures import COLUMNS, FIGURES, MEASURES, PAIRS
from streams.warehouse.report import (
    Account,
    Chart,
    Column,
    Draw,
    Question,
    Recommendation,
    Row,
    Series,
    Shape,
    Table,
)
from streams.warehouse.scope import ChosenInSpan
from streams.warehouse.wording import duration

BY_SEVERITY: Final = f"""
SELECT severity, severity_name, pair.1 AS measure, count() AS incidents, {FIGURES}
FROM (SELECT severity, severity_name, {PAIRS} FROM counted_incidents {{where}})
GROUP BY severity, severity_name, measure
ORDER BY severity, indexOf(['TTD', 'TTA', 'TTM', 'TTR'], measure)
"""
BY_SERVICE: Final = """
SELECT
    service, count() AS incidents, count(ttr_seconds) AS counted, sum(ttr_seconds) AS total_seconds,
    avg(ttr_seconds) AS mean_seconds, quantilesExactInclusive(0.5, 0.9, 0.95)(ttr_seconds) AS percentiles,
    percentiles[1] AS p50_seconds, percentiles[2] AS p90_seconds, percentiles[3] AS p95_seconds
FROM counted_incidents {where}
GROUP BY service
ORDER BY total_seconds DESC, service
LIMIT 20
"""
#: A mean that is so much larger than the median is made by a few.
_SKEWED: Final = 3.0
_ENOUGH: Final = 10


class Mttr(ChosenInSpan):
    """Settings of the report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2024-03-01T00:00:00Z",
                    "until": "2024-04-01T00:00:00Z",
                    "severity": [1, 2],
                    "service": "checkout",
                    "team": "payments",
                    "tenant": "default",
                }
            ]
        }
    )

    name: ClassVar = "mttr"
    title: ClassVar = "Time to detect, acknowledge, mitigate and resolve"

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        return {"severities": self.ask(BY_SEVERITY), "services": self.ask(BY_SERVICE)}

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        rows = answers["severities"]
        severities = sorted({(row["severity"], row["severity_name"]) for row in rows})
        found = {(row["severity"], row["measure"]): row for row in rows}
        return Account(
            tables=(
                Table(
                    "severities",
                    self.title,
                    (
                        Column("severity", "severity", Shape.COUNT),
                        Column("severity_name", ""),
                        Column("measure", "measure"),
                        *COLUMNS,
                    ),
                    rows,
                ),
                Table(
                    "services",
                    "Time to resolve, by service",
                    (
                        Column("service", "service"),
                        *COLUMNS[:2],
                        Column("total_seconds", "in all", Shape.SECONDS),
                        *COLUMNS[2:],
                    ),
                    answers["services"],
                ),
            ),
            charts=tuple(
                Chart(
                    f"{measure}, by severity",
                    Draw.BARS,
                    Shape.SECONDS,
                    tuple(f"{number} {name}" for number, name in severities),
                    tuple(
                        Series(
                            name, tuple(found[number, measure][column] for number, _ in severities)
                        )
                        for name, column in (
                            ("mean", "mean_seconds"),
                            ("p50", "p50_seconds"),
                            ("p90", "p90_seconds"),
                        )
                    ),
                )
                for measure in reversed(MEASURES)
                if any(found[number, measure]["counted"] for number, _ in severities)
            ),
            recommendations=tuple(_advice(rows)),
        )


def _advice(rows: Sequence[Row]) -> list[Recommendation]:
    said = []
    for row in rows:
        mean, median = row["mean_seconds"], row["p50_seconds"]
        if row["counted"] >= _ENOUGH and mean and median and mean >= _SKEWED * median:
            said.append(
                Recommendation(
                    f"Look at the longest incidents of severity {row['severity']}: a few make its {row['measure']}.",
                    f"mean {duration(mean)}, median {duration(median)}, {row['counted']} incidents",
                    f"at least {_ENOUGH} incidents, mean at least {_SKEWED:g} times the median",
                )
            )
    return said
