"""
Whether incidents were responded to and resolved in time, by the deadlines that they had: those of the worst severity they ever had.

Deadlines count from detection, in business hours where the policy says so. The response is in time when somebody took the incident, or when it was
over and nobody had to; the clock of the resolution stands still while it is resolved. What comes at the deadline comes too late; what can still be
kept is waiting and not judged. Items of checklists are judged likewise, each by the time that it had.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from streams.warehouse.columns import count, seconds, share, text
from streams.warehouse.report import Chart, Draw, Recommendation, Row, Rows, Section, Series, Shape
from streams.warehouse.scope import ChosenInSpan

#: Judged at the end of the report's time, so that the same report says the same tomorrow.
_STATES: Final = """
    multiIf(responded_at IS NOT NULL, if(responded_at < respond_due, 'met', 'missed'),
        {until:DateTime64(6, 'UTC')} >= respond_due, 'missed', 'waiting') AS answered,
    multiIf(resolved_at IS NOT NULL, if(resolved_at < resolve_due, 'met', 'missed'),
        {until:DateTime64(6, 'UTC')} >= resolve_due, 'missed', 'waiting') AS ended"""
BY_SEVERITY: Final = f"""
SELECT
    severity_peak,
    level,
    pair.1 AS deadline,
    counted,
    -- The next business day is no number of seconds.
    if(counted = 'next business day', NULL, if(deadline = 'respond', any(respond_seconds), any(resolve_seconds))) AS target_seconds,
    count() AS incidents,
    countIf(pair.2 = 'met') AS met,
    countIf(pair.2 = 'missed') AS missed,
    countIf(pair.2 = 'waiting') AS waiting,
    if(met + missed = 0, NULL, met / (met + missed)) AS compliance
FROM
(
    SELECT severity_peak, level, respond_seconds, resolve_seconds, {_STATES},
        arrayJoin([('respond', answered, respond_counted), ('resolve', ended, resolve_counted)]) AS pair
    FROM deadlines {{where}}
)
GROUP BY severity_peak, level, respond_seconds, resolve_seconds, deadline, if(pair.3 = '', 'around the clock', pair.3) AS counted
ORDER BY severity_peak, level, respond_seconds, resolve_seconds, deadline, counted
"""
MISSED: Final = f"""
SELECT
    incident_id, tenant, severity_peak, service, summary, {_STATES},
    dateDiff('microsecond', resolve_due, coalesce(resolved_at, {{until:DateTime64(6, 'UTC')}})) / 1e6 AS late_seconds
FROM deadlines {{where}} AND ended = 'missed'
ORDER BY late_seconds DESC, tenant, incident_id
LIMIT 10
"""
#: What was to be done is judged at the end of the report's time as well.
CHECKLIST: Final = """
SELECT
    item,
    -- Each incident has it once.
    count() AS incidents,
    countIf(state = 'in time') AS in_time,
    countIf(state = 'late') AS late,
    countIf(state = 'never') AS never,
    countIf(state IN ('waiting', 'spared')) AS not_due,
    if(in_time + late + never = 0, NULL, in_time / (in_time + late + never)) AS compliance,
    quantileExactInclusiveIf(0.5)(seconds_taken, done_at IS NOT NULL) AS median_seconds
FROM
(
    SELECT item, place, done_at, seconds_taken,
        if(outcome IN ('never', 'waiting') AND resolved_at IS NULL,
            if(due_at <= {until:DateTime64(6, 'UTC')}, 'never', 'waiting'), outcome) AS state
    FROM checklist_outcomes {where}
)
GROUP BY item
ORDER BY min(place), item
"""
_ENOUGH: Final = 5
_POOR: Final = 0.9
_REMEDIES: Final = {
    "respond": "Escalate sooner, or page more than one person",
    "resolve": "Write or improve runbooks",
}


class Sla(ChosenInSpan):
    """Settings of the report."""

    name: ClassVar = "sla"
    title: ClassVar = "Deadlines met and missed"

    def sections(self) -> tuple[Section, ...]:
        """Return its tables."""
        return (
            Section(
                "severities",
                self.title,
                (
                    count("severity_peak", "worst severity"),
                    text("level", ""),
                    text("deadline"),
                    seconds("target_seconds", "within"),
                    text("counted"),
                    count("incidents"),
                    count("met"),
                    count("missed"),
                    count("waiting"),
                    share("compliance", "in time"),
                ),
                BY_SEVERITY,
            ),
            Section(
                "missed",
                "Resolved latest",
                (
                    text("incident_id", "incident"),
                    count("severity_peak", "worst severity"),
                    text("service"),
                    seconds("late_seconds", "late by"),
                    text("summary"),
                ),
                MISSED,
            ),
            Section(
                "checklist",
                "Checklists",
                (
                    text("item"),
                    count("incidents"),
                    count("in_time"),
                    count("late"),
                    count("never"),
                    count("not_due"),
                    share("compliance", "share"),
                    seconds("median_seconds", "median time"),
                ),
                CHECKLIST,
            ),
        )

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw the share in time of each severity."""
        its = rows["severities"]
        labels = tuple(dict.fromkeys(_label(row) for row in its))
        yield Chart(
            "In time",
            Draw.BARS,
            Shape.SHARE,
            labels,
            tuple(
                Series(deadline, tuple(_share(its, label, deadline) for label in labels))
                for deadline in _REMEDIES
            ),
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on deadlines that are missed too often."""
        for row in rows["severities"]:
            judged = row["met"] + row["missed"]
            if judged >= _ENOUGH and row["compliance"] < _POOR:
                yield Recommendation(
                    f"{_REMEDIES[row['deadline']]} for severity {row['severity_peak']}: too many miss the deadline to {row['deadline']}.",
                    f"{row['met']} of {judged} in time ({100 * row['compliance']:.0f} %)",
                    f"at least {_ENOUGH} judged, below {100 * _POOR:.0f} %",
                )

        judged_items = [
            row
            for row in rows["checklist"]
            if row["in_time"] + row["late"] + row["never"] >= _ENOUGH
        ]
        worst = min(judged_items, key=lambda row: (row["compliance"], row["item"]), default=None)
        if worst is not None and worst["compliance"] < _POOR:
            judged = worst["in_time"] + worst["late"] + worst["never"]
            yield Recommendation(
                f"Let {worst['item']} be done by itself, or take it off the checklist: it is the item that is kept least.",
                f"{worst['in_time']} of {judged} in time ({100 * worst['compliance']:.0f} %)",
                f"at least {_ENOUGH} judged, below {100 * _POOR:.0f} %, the lowest of all items",
            )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        return (
            "What can still be kept is waiting, and not in the share.",
            "Items of checklists that are not due yet, or were not when the incident was over, are not in the share.",
            "Each incident is judged by the deadline that it recorded; one that recorded none is counted around the clock.",
        )


def _label(row: Row) -> str:
    return f"{row['severity_peak']} {row['level']}"


def _share(rows: Sequence[Row], label: str, deadline: str) -> float | None:
    """Return the share in time of one severity; a policy that changed gave it several targets."""
    its = [row for row in rows if row["deadline"] == deadline and _label(row) == label]
    met, missed = (sum(row[name] for row in its) for name in ("met", "missed"))
    return met / (met + missed) if met + missed else None
