"""
How a week, month, quarter or year went: how many incidents, how bad, how long, why; and against the time before.

Times are whole days, ISO weeks or months in UTC, and the last one is the one that is running. The time before has as many of
them, so that like is compared with like.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Final, Literal

from pydantic import AwareDatetime, ConfigDict

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
from streams.warehouse.scope import Chosen
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

_FIGURES: Final = """
    count() AS incidents,
    countIf(severity = 1) AS critical, countIf(severity = 2) AS high, countIf(severity = 3) AS medium, countIf(severity = 4) AS low,
    count(ttr_seconds) AS resolved,
    countIf(reopen_count > 0) AS reopened,
    countIf(acknowledged_at IS NULL AND resolved_at IS NOT NULL) AS never_acknowledged,
    avg(ttd_seconds) AS mttd_seconds, avg(tta_seconds) AS mtta_seconds, avg(ttm_seconds) AS mttm_seconds, avg(ttr_seconds) AS mttr_seconds,
    quantilesExactInclusive(0.5, 0.9, 0.95)(ttr_seconds) AS percentiles,
    percentiles[1] AS p50_seconds, percentiles[2] AS p90_seconds, percentiles[3] AS p95_seconds"""
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
_SEVERITIES: Final = ("critical", "high", "medium", "low")
_LINES: Final = {
    "Time to resolve": ("mttr_seconds", "p50_seconds", "p90_seconds"),
    "Time to acknowledge, mean": ("mtta_seconds",),
}
#: What must have happened before a change is worth a word.
_ENOUGH: Final = 10
_WORSE: Final = 1.2
_REOPENED: Final = 0.1
_UNSEEN: Final = 0.3
_UNNAMED: Final = 0.5


class Trends(Chosen):
    """Settings of the report."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "period": "month",
                    "until": "2024-04-01T00:00:00Z",
                    "compare": True,
                    "severity": [1, 2],
                    "service": "checkout",
                    "team": "payments",
                    "tenant": "default",
                }
            ]
        }
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
        unit, count = _PIECES[self.period]
        end = _start(self.until, unit)
        if end < self.until:
            end = _later(end, unit, 1)
        return _later(end, unit, -count), end

    def questions(self) -> Mapping[str, Question]:
        """Return what the warehouse is asked."""
        unit, count = _PIECES[self.period]
        begin, end = self.window
        both = (_later(begin, unit, -count) if self.compare else begin, end)
        return {
            "buckets": self.ask(BUCKETS.replace("{piece}", unit)),
            "summary": self.ask(SUMMARY, span=both, begin=begin),
            "causes": self.ask(LEADING.replace("{what}", "root_cause"), span=both, begin=begin),
            "services": self.ask(LEADING.replace("{what}", "service"), span=both, begin=begin),
        }

    def tell(self, answers: Mapping[str, Sequence[Row]]) -> Account:
        """Return what the answers amount to."""
        unit, count = _PIECES[self.period]
        begin, _ = self.window
        halves = {bool(row["now"]): row for row in answers["summary"]}
        now, before = halves.get(True, {}), halves.get(False, {})
        by_day = {row["begins"]: row for row in answers["buckets"]}
        days = [_later(begin, unit, number).date() for number in range(count)]
        buckets: list[dict[str, Any]] = [
            {
                "begins": day,
                **{name: by_day.get(day, {}).get(name, _nothing(name)) for name in _NAMES},
            }
            for day in days
        ]
        return Account(
            tables=(
                self._summary(now, before),
                Table(
                    "buckets",
                    f"By {unit.lower()}",
                    (
                        Column("begins", unit.lower(), Shape.MOMENT),
                        *(
                            Column(name, *_NAMES[name])
                            for name in (
                                "incidents",
                                *_SEVERITIES,
                                "reopened",
                                "mtta_seconds",
                                "mttr_seconds",
                                "p90_seconds",
                            )
                        ),
                    ),
                    buckets,
                ),
                self._leading("causes", "root cause", answers["causes"], now),
                self._leading("services", "service", answers["services"], now),
            ),
            charts=_charts(days, buckets),
            recommendations=tuple(_advice(now, before, answers["causes"])),
            notes=(
                f"{duration_of(self)}; the last {unit.lower()} may still be running.",
                "An incident belongs to the time it was detected in, with the severity that it has now.",
            ),
        )

    def _summary(self, now: Row, before: Row) -> Table:
        rows = [
            {
                "figure": heading,
                "now": now.get(name, _nothing(name)),
                "shown": shown(now.get(name, _nothing(name)), shape),
                "before": before.get(name, _nothing(name)) if self.compare else None,
                "before_shown": shown(before.get(name, _nothing(name)), shape),
                "change": _change(now.get(name), before.get(name)),
            }
            for name, (heading, shape) in _NAMES.items()
        ]
        columns = [Column("figure", ""), Column("shown", "this time")]
        if self.compare:
            columns += [
                Column("before_shown", "time before"),
                Column("change", "change", Shape.CHANGE),
            ]
        return Table("summary", f"The {self.period}", tuple(columns), rows)

    def _leading(self, name: str, heading: str, rows: Sequence[Row], now: Row) -> Table:
        total = now.get("incidents", 0)
        told = [
            {
                **row,
                "what": row["what"] or "not written down",
                "share": row["incidents"] / total if total else None,
            }
            for row in rows
        ]
        columns = [
            Column("what", heading),
            Column("incidents", "incidents", Shape.COUNT),
            Column("share", "share", Shape.SHARE),
            Column("mttr_seconds", "MTTR", Shape.SECONDS),
        ]
        if self.compare:
            columns.append(Column("before", "time before", Shape.COUNT))
        return Table(name, f"Leading by {heading}", tuple(columns), told)


def duration_of(trends: Trends) -> str:
    """Say from when to when it is."""
    begin, end = trends.window
    return f"From {begin:%Y-%m-%d} up to {end - timedelta(days=1):%Y-%m-%d} (UTC)"


def _charts(days: Sequence[date], buckets: Sequence[Row]) -> tuple[Chart, ...]:
    labels = tuple(f"{day:%Y-%m-%d}" for day in days)

    def series(*names: str) -> tuple[Series, ...]:
        return tuple(Series(_NAMES[name][0], tuple(row[name] for row in buckets)) for name in names)

    return (
        Chart(
            "Incidents",
            Draw.STACKED,
            Shape.COUNT,
            labels,
            series(*_SEVERITIES),
            over_time=True,
            severities=True,
        ),
        *(
            Chart(title, Draw.LINES, Shape.SECONDS, labels, series(*names), over_time=True)
            for title, names in _LINES.items()
        ),
    )


def _advice(now: Row, before: Row, causes: Sequence[Row]) -> list[Recommendation]:
    said: list[Recommendation] = []
    total = now.get("incidents", 0)
    if total >= _ENOUGH and before.get("incidents", 0) >= _ENOUGH:
        for name in ("mtta_seconds", "mttr_seconds"):
            one, other = now[name], before[name]
            if one and other and one >= _WORSE * other:
                said.append(
                    Recommendation(
                        f"Find out what made {_NAMES[name][0]} worse.",
                        f"{duration(one)} against {duration(other)} ({shown(_change(one, other), Shape.CHANGE)})",
                        f"at least {_ENOUGH} incidents in both times, at least {_WORSE:g} times as long",
                    )
                )
    if total < _ENOUGH:
        return said
    shares = (
        ("reopened", _REOPENED, "Hold incidents longer before they are resolved: many come back."),
        (
            "never_acknowledged",
            _UNSEEN,
            "Look at `tocsin report rules`: many incidents end before anybody takes them.",
        ),
    )
    for name, limit, advice in shares:
        if now[name] >= limit * total:
            said.append(
                Recommendation(
                    advice,
                    f"{now[name]} of {total} incidents ({100 * now[name] / total:.0f} %)",
                    f"at least {_ENOUGH} incidents, at least {100 * limit:.0f} % of them",
                )
            )
    unnamed = sum(row["incidents"] for row in causes if not row["what"])
    if unnamed >= _UNNAMED * total:
        said.append(
            Recommendation(
                "Write down root causes when incidents are resolved: without them nobody sees what comes again.",
                f"{unnamed} of {total} incidents have none",
                f"at least {_ENOUGH} incidents, at least {100 * _UNNAMED:.0f} % without",
            )
        )
    return said


def _change(now: float | None, before: float | None) -> float | None:
    """Return how much more *now* is, as a share of *before*; None where one of them says nothing."""
    return (now - before) / before if now is not None and before else None


def _nothing(name: str) -> int | None:
    """Return what a time without incidents has: none of them, and no mean."""
    return 0 if _NAMES[name][1] is Shape.COUNT else None


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
