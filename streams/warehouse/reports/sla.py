"""
Whether incidents were responded to and resolved in time, by the worst severity they ever had.

Deadlines count from detection. The response is in time when somebody took the incident, or when it was over and nobody had to;
the clock of the resolution stands still while it is resolved. What can still be kept is waiting and not judged.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import ConfigDict

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

#: Judged at the end of the report's time, so that the same report says the same tomorrow.
_STATES: Final = """
    multiIf(responded_at IS NOT NULL, if(responded_at <= respond_due, 'met', 'missed'),
        {until:DateTime64(6, 'UTC')} > respond_due, 'missed', 'waiting') AS answered,
    multiIf(resolved_at IS NOT NULL, if(resolved_at <= resolve_due, 'met', 'missed'),
        {until:DateTime64(6, 'UTC')} > resolve_due, 'missed', 'waiting') AS ended"""
BY_SEVERITY: Final = f"""
SELECT
    severity_peak,
    level,
    pair.1 AS deadline,
    if(deadline = 'respond', any(respond_seconds), any(resolve_seconds)) AS target_seconds,
    count() AS incidents,
    countIf(pair.2 = 'met') AS met,
    countIf(pair.2 = 'missed') AS missed,
    countIf(pair.2 = 'waiting') AS waiting,
    if(met + missed = 0, NULL, met / (met + missed)) AS compliance
FROM
(
    SELECT severity_peak, level, respond_seconds, resolve_seconds, {_STATES},
        arrayJoin([('respond', answered), ('resolve', ended)]) AS pair
    FROM deadlines {{where}}
)
GROUP BY severity_peak, level, respond_seconds, resolve_seconds, deadline
ORDER BY severity_peak, level, respond_seconds, resolve_seconds, deadline
"""
MISSED: Final = f"""
SELECT
    incident_id, tenant, severity_peak, service, summary, {_STATES},
    dateDiff('microsecond', resolve_due, coalesce(resolved_at, {{until:DateTime64(6, 'UTC')}})) / 1e6 AS late_seconds
FROM deadlines {{where}} AND ended = 'missed'
ORDER BY late_seconds DESC, tenant, incident_id
LIMIT 10
"""
_ENOUGH: Final = 5
_POOR: Final = 0.9


class Sla(ChosenInSpan):
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

    name: ClassVar = "sla"
    title: ClassVar = "Deadlines met and missed"

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        return {"severities": self.ask(BY_SEVERITY), "missed": self.ask(MISSED)}

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        rows = answers["severities"]
        labels = tuple(dict.fromkeys(f"{row['severity_peak']} {row['level']}" for row in rows))
        return Account(
            tables=(
                Table(
                    "severities",
                    self.title,
                    (
                        Column("severity_peak", "worst severity", Shape.COUNT),
                        Column("level", ""),
                        Column("deadline", "deadline"),
                        Column("target_seconds", "within", Shape.SECONDS),
                        Column("incidents", "incidents", Shape.COUNT),
                        Column("met", "met", Shape.COUNT),
                        Column("missed", "missed", Shape.COUNT),
                        Column("waiting", "waiting", Shape.COUNT),
                        Column("compliance", "in time", Shape.SHARE),
                    ),
                    rows,
                ),
                Table(
                    "missed",
                    "Resolved latest",
                    (
                        Column("incident_id", "incident"),
                        Column("severity_peak", "worst severity", Shape.COUNT),
                        Column("service", "service"),
                        Column("late_seconds", "late by", Shape.SECONDS),
                        Column("summary", "summary"),
                    ),
                    answers["missed"],
                ),
            ),
            charts=(
                Chart(
                    "In time",
                    Draw.BARS,
                    Shape.SHARE,
                    labels,
                    tuple(
                        Series(deadline, tuple(_share(rows, label, deadline) for label in labels))
                        for deadline in ("respond", "resolve")
                    ),
                ),
            ),
            recommendations=tuple(_advice(rows)),
            notes=("What can still be kept is waiting, and not in the share.",),
        )


def _share(rows: Sequence[Row], label: str, deadline: str) -> float | None:
    """Return the share in time of one severity; a policy that changed gave it several targets."""
    its = [
        row
        for row in rows
        if row["deadline"] == deadline and f"{row['severity_peak']} {row['level']}" == label
    ]
    met, missed = (sum(row[name] for row in its) for name in ("met", "missed"))
    return met / (met + missed) if met + missed else None


def _advice(rows: Sequence[Row]) -> list[Recommendation]:
    ways = {
        "respond": "Escalate sooner, or page more than one person",
        "resolve": "Write or improve runbooks",
    }
    return [
        Recommendation(
            f"{ways[row['deadline']]} for severity {row['severity_peak']}: too many miss the deadline to {row['deadline']}.",
            f"{row['met']} of {row['met'] + row['missed']} in time ({100 * row['compliance']:.0f} %)",
            f"at least {_ENOUGH} judged, below {100 * _POOR:.0f} %",
        )
        for row in rows
        if row["met"] + row["missed"] >= _ENOUGH and row["compliance"] < _POOR
    ]
