"""Why incidents happened, and what each cause cost; against a time of the same length before."""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Final

from schemas.limits import EARLIEST
from streams.warehouse.charts import bars
from streams.warehouse.columns import count, seconds, share, text
from streams.warehouse.report import Chart, Question, Recommendation, Rows, Section, Shape
from streams.warehouse.scope import ChosenInSpan
from streams.warehouse.subjects import CHANGES
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
MADE: Final = """
SELECT kind, count() AS changes
FROM changes FINAL {where}
GROUP BY kind ORDER BY kind
"""
_SHOWN: Final = 20
_ENOUGH: Final = 5
_LARGE: Final = 0.25
_GROWN: Final = 2.0


class Causes(ChosenInSpan):
    """Settings of the report."""

    name: ClassVar = "causes"
    title: ClassVar = "Root causes"

    def sections(self) -> tuple[Section, ...]:
        """Return its tables."""
        return (
            Section(
                "causes",
                self.title,
                (
                    text("cause", "root cause"),
                    count("incidents"),
                    share("share"),
                    count("before", "time before"),
                    count("service_count", "services"),
                    count("reopened", "came back"),
                    seconds("mean_seconds", "MTTR"),
                    seconds("total_seconds", "in all"),
                ),
            ),
            Section(
                "changes",
                "Changes in this time",
                (text("kind"), count("changes")),
                MADE,
                CHANGES,
            ),
        )

    def questions(self) -> Mapping[str, Question]:
        """Ask for the causes of the time before as well."""
        begin, end = self.window
        # Where the time reaches back to the first moment, there is none before it.
        before = begin - min(end - begin, begin - EARLIEST)
        return {
            **super().questions(),
            "found": self.ask(BY_CAUSE, span=(before, end), begin=begin),
            "total": self.ask(TOTAL),
        }

    def rows(self, answers: Rows) -> Rows:
        """Return the leading causes, each with its share."""
        total = answers["total"][0]["incidents"]
        causes = [
            {
                **row,
                "cause": row["cause"] or "not written down",
                "share": row["incidents"] / total if total else None,
            }
            for row in answers["found"]
        ]
        return {**answers, "causes": causes[:_SHOWN]}

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw the leading causes against the time before."""
        yield bars(
            "Incidents by root cause",
            Shape.COUNT,
            [row for row in rows["causes"] if row["incidents"]][:10],
            label="cause",
            series={"this time": "incidents", "time before": "before"},
        )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on causes that lead, and on those that grow."""
        total = rows["total"][0]["incidents"]
        for row in rows["found"]:
            if not row["cause"] or row["incidents"] < _ENOUGH:
                continue
            if row["incidents"] >= _LARGE * total:
                yield Recommendation(
                    f"Remove the cause {row['cause']!r} for good: it leads.",
                    f"{row['incidents']} of {total} incidents, {duration(row['total_seconds'] or 0)} in all",
                    f"at least {_ENOUGH} incidents, at least {100 * _LARGE:.0f} % of all",
                )
            if row["before"] and row["incidents"] >= _GROWN * row["before"]:
                yield Recommendation(
                    f"See what changed about {row['cause']!r}: it grows.",
                    f"{row['incidents']} incidents, {row['before']} in the time before",
                    f"at least {_ENOUGH} incidents, at least {_GROWN:g} times as many",
                )
