"""How long incidents take to be detected, acknowledged, mitigated and resolved, by severity and by service."""

from collections.abc import Iterator
from typing import ClassVar, Final

from streams.warehouse.charts import bars
from streams.warehouse.columns import count, seconds, text
from streams.warehouse.measures import (
    COUNTS,
    EACH_MEASURE,
    FIGURES,
    MEASURES,
    TIMES,
    mean_and_percentiles,
)
from streams.warehouse.report import Chart, Recommendation, Rows, Section, Shape
from streams.warehouse.scope import ChosenInSpan
from streams.warehouse.wording import duration

BY_SEVERITY: Final = f"""
SELECT severity, severity_name, {FIGURES}
FROM (SELECT severity, severity_name, count() AS incidents, {EACH_MEASURE} FROM counted_incidents {{where}} GROUP BY severity, severity_name)
ORDER BY severity, indexOf({list(MEASURES)}, measure)
"""
BY_SERVICE: Final = f"""
SELECT
    service, count() AS incidents, count(ttr_seconds) AS counted, sum(ttr_seconds) AS total_seconds,
    {mean_and_percentiles("ttr_seconds")}
FROM counted_incidents {{where}}
GROUP BY service
ORDER BY total_seconds DESC, service
LIMIT 20
"""
#: A mean that is so much larger than the median is made by a few.
_SKEWED: Final = 3.0
_ENOUGH: Final = 10


class Mttr(ChosenInSpan):
    """Settings of the report."""

    name: ClassVar = "mttr"
    title: ClassVar = "Time to detect, acknowledge, mitigate and resolve"

    def sections(self) -> tuple[Section, ...]:
        """Return its tables."""
        return (
            Section(
                "severities",
                self.title,
                (
                    count("severity"),
                    text("severity_name", ""),
                    text("measure"),
                    *COUNTS,
                    *TIMES,
                ),
                BY_SEVERITY,
            ),
            Section(
                "services",
                "Time to resolve, by service",
                (text("service"), *COUNTS, seconds("total_seconds", "in all"), *TIMES),
                BY_SERVICE,
            ),
        )

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw each measure by severity."""
        for measure in reversed(MEASURES):
            its = [
                {**row, "level": f"{row['severity']} {row['severity_name']}"}
                for row in rows["severities"]
                if row["measure"] == measure
            ]
            if any(row["counted"] for row in its):
                yield bars(
                    f"{measure}, by severity",
                    Shape.SECONDS,
                    its,
                    label="level",
                    series={"mean": "mean_seconds", "p50": "p50_seconds", "p90": "p90_seconds"},
                )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise to look at what makes a mean much larger than its median."""
        for row in rows["severities"]:
            mean, median = row["mean_seconds"], row["p50_seconds"]
            if row["counted"] >= _ENOUGH and mean and median and mean >= _SKEWED * median:
                yield Recommendation(
                    f"Look at the longest incidents of severity {row['severity']}: a few make its {row['measure']}.",
                    f"mean {duration(mean)}, median {duration(median)}, {row['counted']} incidents",
                    f"at least {_ENOUGH} incidents, mean at least {_SKEWED:g} times the median",
                )
