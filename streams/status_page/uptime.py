"""
How a component was, day by day: the worst of each day, and the part of the time that it was up.

Days are those of the page's time zone: some have 23 or 25 hours. Weights as Statuspage counts them ("Display historical uptime of components"): a major outage in full, a partial one by
30 %, less than that not at all. Where incidents overlap, the worst of each moment counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

DAYS: Final = 90
#: From the best to the worst, in the words of status pages.
LEVELS: Final = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)
_WEIGHTS: Final = {"major_outage": 1.0, "partial_outage": 0.3}


@dataclass(frozen=True, slots=True)
class Down:
    """A time during which a component was not as it should be."""

    begins: datetime
    ends: datetime
    level: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of one component."""

    day: date
    #: The worst of the day; None where nothing is known of it.
    level: str | None
    partial: timedelta
    major: timedelta


@dataclass(frozen=True, slots=True)
class Uptime:
    """The days of one component, today last."""

    days: Sequence[Day]
    #: Percent of the time that is known; None where nothing is.
    percent: float | None

    @property
    def known(self) -> int:
        """How many of the days something is known of."""
        return sum(day.level is not None for day in self.days)


def uptime(
    downs: Sequence[Down], at: datetime, since: date | None = None, zone: tzinfo = UTC
) -> Uptime:
    """Return the 90 days of *zone* up to *at*; days before *since* are not known."""
    today = at.astimezone(zone).date()
    days = [_day(today - timedelta(days=back), downs, at, since, zone) for back in range(DAYS)][
        ::-1
    ]
    known = [each for each in days if each.level is not None]
    lost = sum(
        each.major.total_seconds() * _WEIGHTS["major_outage"]
        + each.partial.total_seconds() * _WEIGHTS["partial_outage"]
        for each in known
    )
    begins = midnight(known[0].day, zone) if known else at
    span = (at - begins).total_seconds()
    return Uptime(days, max(0.0, 100 * (1 - lost / span)) if span > 0 else None)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when *day* begins in *zone*: where its clock leaves midnight out, when it goes on; where midnight comes twice, the first one."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _day(day: date, downs: Sequence[Down], at: datetime, since: date | None, zone: tzinfo) -> Day:
    if since is not None and day < since:
        return Day(day, None, timedelta(0), timedelta(0))
    begins = midnight(day, zone)
    ends = min(midnight(day + timedelta(days=1), zone), at)
    within = [
        Down(max(each.begins, begins), min(each.ends, ends), each.level)
        for each in downs
        if each.begins < ends and begins < each.ends
    ]
    moments = sorted({moment for each in within for moment in (each.begins, each.ends)})
    spent = dict.fromkeys(LEVELS, timedelta(0))
    for start, end in pairwise(moments):
        levels = [each.level for each in within if each.begins <= start and end <= each.ends]
        if levels:
            spent[max(levels, key=LEVELS.index)] += end - start
    worst = [level for level, span in spent.items() if span]
    return Day(
        day,
        worst[-1] if worst else "operational",
        spent["partial_outage"],
        spent["major_outage"],
    )
