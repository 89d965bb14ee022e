"""Why incidents happened, and what each cause cost; against a time of the same length before."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import ConfigDict

from schemas.limits import EARLIEST
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

BY_CAUSE: Final = """
SELECT
    root_cause AS cause,
    countIf(detected_at >= {begin:DateTime64(6, 'UTC')}) AS incidents,
    countIf(detected_at < {begin:DateTime64(6, 'UTC')}) AS before,
    sumIf(ttr_seconds, detected_at >= {begin:DateTime64(6, 'UTC')}) AS total_seconds,
    avgIf(ttr_seconds, detected_at >= {begin:DateTime64(6, 'UTC')}) AS mean_seconds,
    uniqExactIf(service, detected_at >= {begin:DateTime64(6, 'UTC')}) AS service_count,
    uniqExactIf((tenant, incident_id), detected_at >= {begin:DateTime64(6, 'UTC')} AND reopen_count > 0) AS reopened
FROM counted_incidents {where}
GROUP BY cause
ORDER BY incidents DESC, before DESC, cause
LIMIT 50
"""
TOTAL: Final = (
    "SELECT count() AS incidents, sum(ttr_seconds) AS total_seconds FROM counted_incidents {where}"
)
CHANGES: Final = """
SELECT kind, count() AS changes
FROM changes FINAL {where}
GROUP BY kind ORDER BY kind
"""
_OF_CHANGES: Final = {
    "service": "service = {service:String}",
    "tenant": "tenant = {tenant:String}",
}
_SHOWN: Final = 20
_ENOUGH: Final = 5
_LARGE: Final = 0.25
_GROWN: Final = 2.0


class Causes(ChosenInSpan):
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

    name: ClassVar = "causes"
    title: ClassVar = "Root causes"

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        begin, end = self.window
        # Where the time reaches back to the first moment, there is none before it.
        before = begin - min(end - begin, begin - EARLIEST)
        return {
            "causes": self.ask(BY_CAUSE, span=(before, end), begin=begin),
            "total": self.ask(TOTAL),
            "changes": self.ask(CHANGES, moment="occurred_at", knows=_OF_CHANGES),
        }

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        total = answers["total"][0]
        rows = [
            {
                **row,
                "cause": row["cause"] or "not written down",
                "share": row["incidents"] / total["incidents"] if total["incidents"] else None,
            }
            for row in answers["causes"]
        ]
        leading = [row for row in rows if row["incidents"]][:10]
        return Account(
            tables=(
                Table(
                    "causes",
                    self.title,
                    (
                        Column("cause", "root cause"),
                        Column("incidents", "incidents", Shape.COUNT),
                        Column("share", "share", Shape.SHARE),
                        Column("before", "time before", Shape.COUNT),
                        Column("service_count", "services", Shape.COUNT),
                        Column("reopened", "came back", Shape.COUNT),
                        Column("mean_seconds", "MTTR", Shape.SECONDS),
                        Column("total_seconds", "in all", Shape.SECONDS),
                    ),
                    rows[:_SHOWN],
                ),
                Table(
                    "changes",
                    "Changes in this time",
                    (Column("kind", "kind"), Column("changes", "changes", Shape.COUNT)),
                    answers["changes"],
                ),
            ),
            charts=(
                Chart(
                    "Incidents by root cause",
                    Draw.BARS,
                    Shape.COUNT,
                    tuple(row["cause"] for row in leading),
                    (
                        Series("this time", tuple(row["incidents"] for row in leading)),
                        Series("time before", tuple(row["before"] for row in leading)),
                    ),
                ),
            ),
            recommendations=tuple(_advice(answers["causes"], total)),
        )


def _advice(rows: Sequence[Row], total: Row) -> list[Recommendation]:
    said = []
    for row in rows:
        if not row["cause"] or row["incidents"] < _ENOUGH:
            continue
        if row["incidents"] >= _LARGE * total["incidents"]:
            said.append(
                Recommendation(
                    f"Remove the cause {row['cause']!r} for good: it leads.",
                    f"{row['incidents']} of {total['incidents']} incidents, {duration(row['total_seconds'] or 0)} in all",
                    f"at least {_ENOUGH} incidents, at least {100 * _LARGE:.0f} % of all",
                )
            )
        if row["before"] and row["incidents"] >= _GROWN * row["before"]:
            said.append(
                Recommendation(
                    f"See what changed about {row['cause']!r}: it grows.",
                    f"{row['incidents']} incidents, {row['before']} in the time before",
                    f"at least {_ENOUGH} incidents, at least {_GROWN:g} times as many",
                )
            )
    return said
