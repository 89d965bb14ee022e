"""
How a week, month, quarter or year went: how many incidents, how bad, how long, why; and against the time before.

Times are whole days, ISO weeks or months in UTC, and the last one is the one that is running. The time before has as many of
them, so that like is compared with like.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Literal

from pydantic import AwareDatetime

from streams.warehouse.charts import lines, stacked
from streams.warehouse.columns import change, count, moment, seconds, share, text, written
from streams.warehouse.measures import percentiles
from streams.warehouse.report import (
    Chart,
    Column,
    Question,
    Recommendation,
    Row,
    Rows,
    Section,
    Shape,
)
from streams.warehouse.scope import CHOICE_EXAMPLE, Chosen, exampled
from streams.warehouse.wording import duration, shown

Period = Literal["week", "month", "quarter", "year"]
#: What each is cut into, and how many of these it has.
_PIECES: Final[Mapping[str, tuple[str, int]]] = {
    "week": ("DAY", 7),
    "month": ("DAY", 30),
    "quarter": ("WEEK", 13),
    "year": ("MONTH", 12),
}
_MONTHS: Final = 12

_FIGURES: Final = f"""
    count() AS incidents,
    countIf(severity = 1) AS critical, countIf(severity = 2) AS high, countIf(severity = 3) AS medium, countIf(severity = 4) AS low,
    count(ttr_seconds) AS resolved,
    countIf(reopen_count > 0) AS reopened,
    countIf(acknowledged_at IS NULL AND resolved_at IS NOT NULL) AS never_acknowledged,
    avg(ttd_seconds) AS mttd_seconds, avg(tta_seconds) AS mtta_seconds, avg(ttm_seconds) AS mttm_seconds, avg(ttr_seconds) AS mttr_seconds,
    {percentiles("ttr_seconds")}"""
BUCKETS: Final = f"""
SELECT toDate(toStartOfInterval(detected_at, INTERVAL 1 {{piece}})) AS begins, {_FIGURES}
FROM counted_incidents {{where}}
GROUP BY begins ORDER BY begins
"""
SUMMARY: Final = f"""
SELECT detected_at >= {{begin:DateTime64(6, 'UTC')}} AS now, {_FIGURES}
FROM counted_incidents {{where}}
GROUP BY now ORDER BY now
"""
LEADING: Final = """
SELECT
    {what} AS what,
    countIf(detected_at >= {begin:DateTime64(6, 'UTC')}) AS incidents,
    countIf(detected_at < {begin:DateTime64(6, 'UTC')}) AS before,
    avgIf(ttr_seconds, detected_at >= {begin:DateTime64(6, 'UTC')}) AS mttr_seconds
FROM counted_incidents {where}
GROUP BY what
ORDER BY incidents DESC, before DESC, what
LIMIT 10
"""
_NAMES: Final = {
    "incidents": ("incidents", Shape.COUNT),
    "critical": ("1 critical", Shape.COUNT),
    "high": ("2 high", Shape.COUNT),
    "medium": ("3 medium", Shape.COUNT),
    "low": ("4 low", Shape.COUNT),
    "resolved": ("resolved", Shape.COUNT),
    "reopened": ("reopened", Shape.COUNT),
    "never_acknowledged": ("ended without acknowledgement", Shape.COUNT),
    "mttd_seconds": ("MTTD", Shape.SECONDS),
    "mtta_seconds": ("MTTA", Shape.SECONDS),
    "mttm_seconds": ("MTTM", Shape.SECONDS),
    "mttr_seconds": ("MTTR", Shape.SECONDS),
    "p50_seconds": ("TTR p50", Shape.SECONDS),
    "p90_seconds": ("TTR p90", Shape.SECONDS),
    "p95_seconds": ("TTR p95", Shape.SECONDS),
}
_UNKNOWN: Final = "not written down"
_SEVERITIES: Final = ("critical", "high", "medium", "low")
_IN_BUCKETS: Final = (
    "incidents",
    *_SEVERITIES,
    "reopened",
    "mtta_seconds",
    "mttr_seconds",
    "p90_seconds",
)
_LINES: Final = {
    "Time to resolve": ("mttr_seconds", "p50_seconds", "p90_seconds"),
    "Time to acknowledge, mean": ("mtta_seconds",),
}
#: What must have happened before a change is worth a word.
_ENOUGH: Final = 10
_WORSE: Final = 1.2
#: The share of incidents from which on something is advised.
_TOO_MANY: Final = {
    "reopened": (0.1, "Hold incidents longer before they are resolved: many come back."),
    "never_acknowledged": (
        0.3,
        "Look at `tocsin report rules`: many incidents end before anybody takes them.",
    ),
}
_UNNAMED: Final = 0.5


class Trends(Chosen):
    """Settings of the report."""

    model_config = exampled(
        CHOICE_EXAMPLE, period="month", until="2024-04-01T00:00:00Z", compare=True
    )

    name: ClassVar = "trends"
    title: ClassVar = "Trends"

    period: Period = "month"
    """How long: week (7 days), month (30 days), quarter (13 weeks) or year (12 months)."""
    until: AwareDatetime
    """The last moment of it: 7d, 12h, or an ISO 8601 time; now where nothing is said."""
    compare: bool = False
    """Compare with the time before."""

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The time that it is about."""
        unit, pieces = _PIECES[self.period]
        end = _start(self.until, unit)
        if end < self.until:
            end = _later(end, unit, 1)
        return _later(end, unit, -pieces), end

    def sections(self) -> tuple[Section, ...]:
        """Return its tables; what is compared has columns only where it is."""
        unit, _ = _PIECES[self.period]
        past = (written("before_shown", "time before"), change("change")) if self.compare else ()
        leading = (
            count("incidents"),
            share("share"),
            seconds("mttr_seconds", "MTTR"),
            *((count("before", "time before"),) if self.compare else ()),
        )
        return (
            Section(
                "summary",
                f"The {self.period}",
                (text("figure", ""), written("shown", "this time"), *past),
            ),
            Section(
                "buckets",
                f"By {unit.lower()}",
                (
                    moment("begins", unit.lower()),
                    *(Column(name, *_NAMES[name]) for name in _IN_BUCKETS),
                ),
            ),
            *(
                Section(name, f"Leading by {heading}", (text("what", heading), *leading))
                for name, heading in (("causes", "root cause"), ("services", "service"))
            ),
        )

    def questions(self) -> Mapping[str, Question]:
        """Ask for the time before as well, where it is compared with."""
        unit, pieces = _PIECES[self.period]
        begin, end = self.window
        both = (_later(begin, unit, -pieces) if self.compare else begin, end)
        return {
            "buckets": self.ask(BUCKETS.replace("{piece}", unit)),
            "halves": self.ask(SUMMARY, span=both, begin=begin),
            "causes": self.ask(LEADING.replace("{what}", "root_cause"), span=both, begin=begin),
            "services": self.ask(LEADING.replace("{what}", "service"), span=both, begin=begin),
        }

    def rows(self, answers: Rows) -> Rows:
        """Return every day, week or month, also those without incidents; ``now`` and ``before`` have one row each."""
        unit, pieces = _PIECES[self.period]
        begin, _ = self.window
        halves = {bool(row["now"]): row for row in answers["halves"]}
        now, before = (_whole(halves.get(half, {})) for half in (True, False))
        by_day = {row["begins"]: row for row in answers["buckets"]}
        days = [_later(begin, unit, number).date() for number in range(pieces)]
        return {
            "now": [now],
            "before": [before],
            "summary": self._summary(now, before),
            "buckets": [{"begins": day, **_whole(by_day.get(day, {}))} for day in days],
            "causes": _shares(answers["causes"], now["incidents"]),
            "services": _shares(answers["services"], now["incidents"]),
        }

    def charts(self, rows: Rows) -> Iterator[Chart]:
        """Draw how many there were, how bad, and how long they took."""
        yield stacked(
            "Incidents",
            Shape.COUNT,
            rows["buckets"],
            label="begins",
            series={_NAMES[name][0]: name for name in _SEVERITIES},
            over_time=True,
            severities=True,
        )
        for title, names in _LINES.items():
            yield lines(
                title,
                Shape.SECONDS,
                rows["buckets"],
                label="begins",
                series={_NAMES[name][0]: name for name in names},
            )

    def recommendations(self, rows: Rows) -> Iterator[Recommendation]:
        """Advise on what became worse, on incidents that come back or that nobody sees, and on causes that nobody wrote down."""
        now, before = rows["now"][0], rows["before"][0]
        total = now["incidents"]
        if total < _ENOUGH:
            return
        if before["incidents"] >= _ENOUGH:
            yield from _worse(now, before)
        for name, (limit, advice) in _TOO_MANY.items():
            if now[name] >= limit * total:
                yield Recommendation(
                    advice,
                    f"{now[name]} of {total} incidents ({100 * now[name] / total:.0f} %)",
                    f"at least {_ENOUGH} incidents, at least {100 * limit:.0f} % of them",
                )
        unnamed = sum(row["incidents"] for row in rows["causes"] if row["what"] == _UNKNOWN)
        if unnamed >= _UNNAMED * total:
            yield Recommendation(
                "Write down root causes when incidents are resolved: without them nobody sees what comes again.",
                f"{unnamed} of {total} incidents have none",
                f"at least {_ENOUGH} incidents, at least {100 * _UNNAMED:.0f} % without",
            )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader must know."""
        begin, end = self.window
        unit, _ = _PIECES[self.period]
        return (
            f"From {begin:%Y-%m-%d} up to {end - timedelta(days=1):%Y-%m-%d} (UTC); the last {unit.lower()} may still be running.",
            "An incident belongs to the time it was detected in, with the severity that it has now.",
        )

    def _summary(self, now: Row, before: Row) -> list[Row]:
        return [
            {
                "figure": heading,
                "now": now[name],
                "shown": shown(now[name], shape),
                "before": before[name] if self.compare else None,
                "before_shown": shown(before[name], shape),
                "change": _change(now[name], before[name]),
            }
            for name, (heading, shape) in _NAMES.items()
        ]


def _whole(row: Row) -> dict[str, Any]:
    """Return all figures of a time; one without incidents has none of them, and no mean."""
    return {
        name: row.get(name, 0 if shape is Shape.COUNT else None)
        for name, (_, shape) in _NAMES.items()
    }


def _shares(rows: Sequence[Row], total: int) -> list[Row]:
    return [
        {
            **row,
            "what": row["what"] or _UNKNOWN,
            "share": row["incidents"] / total if total else None,
        }
        for row in rows
    ]


def _worse(now: Row, before: Row) -> Iterator[Recommendation]:
    for name in ("mtta_seconds", "mttr_seconds"):
        one, other = now[name], before[name]
        if one and other and one >= _WORSE * other:
            yield Recommendation(
                f"Find out what made {_NAMES[name][0]} worse.",
                f"{duration(one)} against {duration(other)} ({shown(_change(one, other), Shape.CHANGE)})",
                f"at least {_ENOUGH} incidents in both times, at least {_WORSE:g} times as long",
            )


def _change(now: float | None, before: float | None) -> float | None:
    """Return how much more *now* is, as a share of *before*; None where one of them says nothing."""
    return (now - before) / before if now is not None and before else None


def _start(at: datetime, unit: str) -> datetime:
    """Return when the day, ISO week or month of *at* began, in UTC."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "WEEK":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "MONTH" else day


def _later(start: datetime, unit: str, count: int) -> datetime:
    if unit == "MONTH":
        months = start.year * _MONTHS + start.month - 1 + count
        return start.replace(year=months // _MONTHS, month=months % _MONTHS + 1)
    return start + count * timedelta(days=7 if unit == "WEEK" else 1)
