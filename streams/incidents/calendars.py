"""
Business time: when somebody works, and how long it takes until so much of it has passed.

Hours are what the clock on the wall shows, durations are real: on the day when clocks are put forward an office that is open from
00:00 to 08:00 has seven hours.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import holidays
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from schemas import limits
from streams.incidents.local_time import Hours, Week, on_day, read_week, wall_clock
from streams.time_zones import ZoneName, zone

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class OpeningHours:
    """The hours of a week in one zone, without the days that are closed."""

    week: Week
    zone: ZoneInfo
    closed: Callable[[date], bool] = lambda _: False

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return when it is open on *day*, a day of its own zone: instants, in order."""
        if self.closed(day):
            return []
        spans = [
            (on_day(day, start, self.zone), on_day(day, end, self.zone))
            for start, end in self.week[day.weekday()]
        ]
        # What a switch to summer time leaves out is no time.
        return [(start, end) for start, end in spans if start < end]

    def spans_from(self, at: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield when it is open from *at* on; it ends where times that can be written end."""
        day = wall_clock(at, self.zone).date()
        while day < limits.LATEST.date():
            for start, end in self.spans(day):
                if end > at:
                    yield max(start, at), end
            day += _DAY

    def is_open(self, at: datetime) -> bool:
        """Whether it is open at *at*: from the first moment of its hours, not at the last."""
        day = wall_clock(at, self.zone).date()
        return any(start <= at < end for start, end in self.spans(day))

    def next_open(self, at: datetime) -> datetime:
        """Return *at* if it is open then, else when it opens next."""
        return next((start for start, _ in self.spans_from(at)), limits.LATEST)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return how much of the time from *start* to *end* it is open."""
        passed = timedelta(0)
        for opens, closes in self.spans_from(start):
            if opens >= end:
                break
            passed += min(closes, end) - opens
        return passed

    def after(self, start: datetime, span: timedelta) -> datetime:
        """Return the first moment at which it has been open for *span* since *start*."""
        if span <= timedelta(0):
            return start
        for opens, closes in self.spans_from(start):
            if closes - opens >= span:
                return opens + span
            span -= closes - opens
        return limits.LATEST

    def end_of_next_business_day(self, at: datetime) -> datetime:
        """Return when it closes on the first day after the day of *at* on which it opens."""
        day = wall_clock(at, self.zone).date() + _DAY
        while day < limits.LATEST.date():
            if spans := self.spans(day):
                return spans[-1][1]
            day += _DAY
        return limits.LATEST


def _country(written: str) -> str:
    country, _, subdivision = written.partition("-")
    if country.isdecimal():
        message = "is a day, and no country whose holidays are free: write it under closed"
        raise ValueError(message)
    known = holidays.list_supported_countries()
    if country not in known or (subdivision and subdivision not in known[country]):
        message = (
            "is none whose holidays are known: write a country of ISO 3166 such as DE, "
            "or with its subdivision DE-BE"
        )
        raise ValueError(message)
    return written


def _several(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


Country = Annotated[str, AfterValidator(_country)]


class Calendar(BaseModel):
    """One of the policy's ``calendars``: when a place works."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "time_zone": "Europe/Berlin",
                    "hours": {"mon-fri": "09:00-17:00"},
                    "holidays": "DE-BE",
                }
            ]
        },
    )

    time_zone: ZoneName = "UTC"
    """The zone whose clocks the hours are read on, such as Europe/Berlin."""
    hours: Hours
    """When it works: days and clock times, such as mon-fri: 09:00-17:00."""
    holidays: Annotated[tuple[Country, ...], BeforeValidator(_several)] = ()
    """Countries, or their subdivisions, whose public holidays are free: DE, or DE-BE."""
    closed: tuple[date, ...] = ()
    """Further days that are free."""

    @cached_property
    def opening(self) -> OpeningHours:
        """Its hours, as they can be counted."""
        free = set(self.closed)
        public = [
            holidays.country_holidays(country, subdiv=subdivision or None)
            for country, _, subdivision in (each.partition("-") for each in self.holidays)
        ]
        return OpeningHours(
            self.hours,
            zone(self.time_zone),
            lambda day: day in free or any(day in each for each in public),
        )


#: Where the policy has no calendar of the name ``business``.
BUSINESS: Final = Calendar(hours=read_week({"mon-fri": "09:00-17:00"}))
