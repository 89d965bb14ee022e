"""
Time as people keep it: zones, clock times of a week, and the instants they stand for.

A clock time that a switch to summer time leaves out stands for the switch itself; one that happens twice stands for its first
time. So a later clock time never stands for an earlier instant, and hours that touch on the clock touch in time.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from streams.policy_faults import meant

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT: Final = 24 * 60
#: What is counted from them, in any zone, is still a time.
_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 9000
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})")

#: Minutes after midnight: from, until.
Span = tuple[int, int]
#: The hours of Monday to Sunday: sorted, without overlaps.
Week = tuple[tuple[Span, ...], ...]


def instant(local: datetime, at: ZoneInfo) -> datetime:
    """Return the instant for which *local*, a clock time in the zone *at*, stands; one with an offset is an instant already."""
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    meant = local.replace(tzinfo=at).astimezone(UTC)
    if meant.astimezone(at).replace(tzinfo=None) == local:
        return meant
    # Left out: read with the offsets of both sides it lies on both sides of the switch, which is at a whole second.
    low, high = (
        local.replace(tzinfo=at, fold=fold, microsecond=0).astimezone(UTC) for fold in (1, 0)
    )
    before = low.astimezone(at).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(at).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def wall_clock(at: datetime, where: ZoneInfo) -> datetime:
    """Return what clocks in the zone *where* show at the instant *at*."""
    return at.astimezone(where).replace(tzinfo=None)


def on_day(day: date, minute: int, where: ZoneInfo) -> datetime:
    """Return the instant of *minute*, counted on the clock from midnight, of *day*; 1440 is the next midnight."""
    return instant(datetime.combine(day, time()) + timedelta(minutes=minute), where)


def read_moment(written: Any) -> datetime:
    """
    Return the moment that is *written* in a policy: a clock time where it has no offset.

    Raises:
        ValueError: It is none, or so far away that nothing can be counted from it.
    """
    moment = _moment(written)
    if moment is None:
        message = (
            "is no date and time: write 2026-01-05 09:00, or with an offset 2026-01-05T09:00+01:00"
        )
        raise ValueError(message)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        message = f"is not in the years {_FIRST_YEAR} to {_LAST_YEAR}"
        raise ValueError(message)
    return moment


def _moment(written: Any) -> datetime | None:
    if isinstance(written, datetime):
        return written
    if isinstance(written, date):
        return datetime.combine(written, time())
    if not isinstance(written, str):
        return None
    try:
        return datetime.fromisoformat(written.strip())
    except ValueError:
        return None


LocalMoment = Annotated[datetime, BeforeValidator(read_moment)]


def read_week(written: Any) -> Week:
    """
    Return the hours that are *written* as a map of days to clock times: ``{mon-fri: 09:00-17:00, sat: 10:00-12:00}``.

    Hours that pass midnight belong to both days.

    Raises:
        ValueError: They are not written so, or there are none.
    """
    if isinstance(written, tuple):
        return written
    if not isinstance(written, dict) or not written:
        message = "must be a map of days to hours, such as mon-fri: 09:00-17:00"
        raise ValueError(message)
    days: list[list[Span]] = [[] for _ in DAYS]
    for named, hours in written.items():
        for day in _days(str(named)):
            for start, end in _spans(str(hours)):
                if start < end:
                    days[day].append((start, end))
                else:
                    days[day].append((start, _MIDNIGHT))
                    days[(day + 1) % len(DAYS)] += [(0, end)] if end else []
    return tuple(_joined(each) for each in days)


Hours = Annotated[Week, BeforeValidator(read_week)]


def _days(named: str) -> list[int]:
    found: list[int] = []
    for part in named.lower().replace(",", " ").split():
        first, dash, last = part.partition("-")
        for name in (first, last if dash else first):
            if name not in DAYS:
                hint = meant(name, DAYS, f"write {', '.join(DAYS)}")
                message = f"names the day {name!r}, which there is not; {hint}"
                raise ValueError(message)
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        found += [
            number % len(DAYS)
            for number in range(start, end + (len(DAYS) if end < start else 0) + 1)
        ]
    return found


def _spans(hours: str) -> list[Span]:
    spans = []
    for part in hours.split(","):
        start, dash, end = (each.strip() for each in part.partition("-"))
        first, last = _minute(start), _minute(end)
        if not dash or first is None or last is None or first in {last, _MIDNIGHT}:
            message = f"has the hours {part.strip()!r}: write them as 09:00-17:00"
            raise ValueError(message)
        spans.append((first, last))
    return spans


def _minute(clock: str) -> int | None:
    found = _CLOCK.fullmatch(clock)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2])
    total = hour * 60 + minute
    return total if minute < 60 and total <= _MIDNIGHT else None  # noqa: PLR2004 - an hour's minutes


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)
