"""
Times of the week and the year, as Alertmanager's time intervals have them.

An interval holds where each of its lists has a part that holds; an empty list holds always. Times are a half-open range of the wall
clock in the interval's zone; ``24:00`` is the end of a day. Source: Prometheus documentation, "Alerting: configuration", ``time_interval``.
"""

import calendar
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.contract import Name
from streams.time_zones import ZoneName

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = tuple(calendar.month_name[number].lower() for number in range(1, 13))
_CLOCK: Final = re.compile(r"(?P<hour>[01]\d|2[0-4]):(?P<minute>[0-5]\d)")
_DAY_MINUTES: Final = 24 * 60
_MONTH_DAYS: Final = 31

Range = tuple[int, int]


def _range(written: Any, read: Callable[[str], int], what: str) -> Range:
    """Return the first and the last number of a range that is *written* as ``a`` or ``a:b``."""
    first, _, last = str(written).strip().lower().partition(":")
    try:
        found = read(first), read(last or first)
    except ValueError:
        message = f"{written!r} is no {what}, and no range of them such as {_EXAMPLES[what]}"
        raise ValueError(message) from None
    return found


_EXAMPLES: Final = {
    "weekday": "monday:friday",
    "month": "january:march",
    "day of a month": "1:5 or -3:-1",
    "year": "2026:2027",
}


def _weekday(text: str) -> int:
    return _WEEKDAYS.index(text)


def _month(text: str) -> int:
    return (
        int(text)
        if text.isdecimal() and 1 <= int(text) <= len(_MONTHS)
        else _MONTHS.index(text) + 1
    )


def _day(text: str) -> int:
    day = int(text)
    if not 1 <= abs(day) <= _MONTH_DAYS:
        raise ValueError
    return day


def _reader(read: Callable[[str], int], what: str) -> Any:
    def read_range(written: Any) -> Range:
        found = _range(written, read, what)
        backwards = found[0] > found[1] and (found[0] < 0) == (found[1] < 0)
        if backwards:
            message = f"{written!r} begins after its end"
            raise ValueError(message)
        return found

    return BeforeValidator(read_range)


def minutes(written: Any) -> int:
    """
    Return how many minutes of the day have gone at a *written* time.

    Raises:
        ValueError: It is no time of a day.
    """
    found = _CLOCK.fullmatch(str(written))
    gone = int(found["hour"]) * 60 + int(found["minute"]) if found else _DAY_MINUTES + 1
    if gone > _DAY_MINUTES:
        message = (
            f'{written!r} is no time: write it as "09:00", with quotation marks, up to "24:00"'
        )
        raise ValueError(message)
    return gone


class Times(BaseModel):
    """A part of the day, from its start to just before its end."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    start_time: Annotated[int, BeforeValidator(minutes)]
    """When it begins, such as "09:00"."""
    end_time: Annotated[int, BeforeValidator(minutes)]
    """When it is over; "24:00" is the end of the day."""

    @model_validator(mode="after")
    def _forwards(self) -> "Times":
        if self.start_time >= self.end_time:
            message = "start_time must be before end_time: a night is two ranges, up to 24:00 and from 00:00"
            raise ValueError(message)
        return self


class Interval(BaseModel):
    """A set of moments: all that it names must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    times: tuple[Times, ...] = ()
    """Parts of the day."""
    weekdays: tuple[Annotated[Range, _reader(_weekday, "weekday")], ...] = ()
    """Days of the week, such as ``monday:friday``."""
    days_of_month: tuple[Annotated[Range, _reader(_day, "day of a month")], ...] = ()
    """Days of the month; negative ones count from its end."""
    months: tuple[Annotated[Range, _reader(_month, "month")], ...] = ()
    """Months, by name or number."""
    years: tuple[Annotated[Range, _reader(int, "year")], ...] = ()
    """Years."""
    location: ZoneName = "UTC"
    """Time zone of all of it."""

    def contains(self, at: datetime) -> bool:
        """Whether *at* is in it."""
        local = at.astimezone(ZoneInfo(self.location))
        gone = local.hour * 60 + local.minute
        days = calendar.monthrange(local.year, local.month)[1]
        return (
            (not self.times or any(each.start_time <= gone < each.end_time for each in self.times))
            and _in(self.weekdays, local.weekday())
            and (
                not self.days_of_month
                or any(_has(day, local.day, days) for day in self.days_of_month)
            )
            and _in(self.months, local.month)
            and _in(self.years, local.year)
        )


class TimeInterval(BaseModel):
    """An entry of the policy's ``time_intervals``."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Name
    """What routes call it."""
    time_intervals: Annotated[tuple[Interval, ...], Field(min_length=1)]
    """It holds where one of these does."""

    def contains(self, at: datetime) -> bool:
        """Whether *at* is in it."""
        return any(each.contains(at) for each in self.time_intervals)


def _in(ranges: Sequence[Range], number: int) -> bool:
    return not ranges or any(first <= number <= last for first, last in ranges)


def _has(span: Range, day: int, days: int) -> bool:
    # Counted from the end where negative; what lies beyond the month is cut to it.
    first, last = (each if each > 0 else days + 1 + each for each in span)
    return max(first, 1) <= day <= min(last, days)
