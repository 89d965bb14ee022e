"""
How long incidents take: to be detected, acknowledged, mitigated and resolved, by severity.

Means mislead, so each comes with its count, median and 90th percentile. Which incidents count, and what each time is,
stands in the views ``counted_incidents`` and ``incidents_now``.
"""

from typing import Any, ClassVar

from pydantic import AwareDatetime, ConfigDict

from schemas.contract import Name, Severity
from streams.warehouse.report import Column, Question, Report, Shape

STATEMENT = """
SELECT
    severity,
    severity_name,
    pair.1 AS measure,
    count() AS incidents,
    count(pair.2) AS counted,
    avg(pair.2) AS mean_seconds,
    quantileExactInclusive(0.5)(pair.2) AS p50_seconds,
    quantileExactInclusive(0.9)(pair.2) AS p90_seconds
FROM
(
    SELECT
        severity,
        severity_name,
        arrayJoin([('TTD', ttd_seconds), ('TTA', tta_seconds), ('TTM', ttm_seconds), ('TTR', ttr_seconds)]) AS pair
    FROM counted_incidents
    {where}
)
GROUP BY severity, severity_name, measure
ORDER BY severity, indexOf(['TTD', 'TTA', 'TTM', 'TTR'], measure)
"""


class Mttr(Report):
    """Settings of the report; an incident belongs to the time it was detected in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "since": "2024-03-01T00:00:00Z",
                    "until": "2024-04-01T00:00:00Z",
                    "severity": [1, 2],
                    "service": "checkout",
                    "tenant": "default",
                }
            ]
        }
    )

    name: ClassVar = "mttr"
    title: ClassVar = "Time to detect, acknowledge, mitigate and resolve, by severity"
    columns: ClassVar = (
        Column("severity", "severity", Shape.COUNT),
        Column("severity_name", ""),
        Column("measure", "time"),
        Column("incidents", "incidents", Shape.COUNT),
        Column("counted", "counted", Shape.COUNT),
        Column("mean_seconds", "mean", Shape.SECONDS),
        Column("p50_seconds", "p50", Shape.SECONDS),
        Column("p90_seconds", "p90", Shape.SECONDS),
    )

    since: AwareDatetime | None = None
    """Only incidents detected then or later: 7d, 12h, or an ISO 8601 time."""
    until: AwareDatetime | None = None
    """Only incidents detected before: likewise."""
    severity: tuple[Severity, ...] = ()
    """Only incidents of this severity, 1 to 4; can be repeated."""
    service: Name | None = None
    """Only incidents with alerts of this service."""
    tenant: Name | None = None
    """Only incidents of this tenant."""

    def question(self) -> Question:
        """Return what the warehouse is asked."""
        conditions = {
            "since": "detected_at >= {since:DateTime64(6, 'UTC')}",
            "until": "detected_at < {until:DateTime64(6, 'UTC')}",
            "severity": "severity IN {severity:Array(UInt8)}",
            "service": "(service = {service:String} OR has(services, {service:String}))",
            "tenant": "tenant = {tenant:String}",
        }
        asked: dict[str, Any] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dict(self).items()
            if value not in {None, ()}
        }
        where = " AND ".join(conditions[name] for name in asked)
        return Question(
            STATEMENT.replace("{where}", f"WHERE {where}" if where else "").strip(), asked
        )
