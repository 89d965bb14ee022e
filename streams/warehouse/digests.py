"""
Reports that go out by themselves: what a policy says about them, when one is due, and what time it tells of.

The rules this module alone enforces: each moment of a schedule is sent once; of the moments that were missed only the last is,
late; and a schedule that is new begins with its next moment.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas.contract import Name
from streams.discovery import declared_in
from streams.time_zones import ZoneName
from streams.warehouse import reports
from streams.warehouse.report import Report

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WRITTEN: Final = re.compile(r"(?P<day>[a-z]+) (?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)")
#: How many days each period has.
PERIODS: Final = {"week": 7, "month": 30, "quarter": 91, "year": 365}


@dataclass(frozen=True)
class Every:
    """A moment that comes again each day, each week on one day, or on the first of each month."""

    #: ``day``, a day of the week, or ``month``.
    day: str
    at: time

    def latest(self, zone: ZoneInfo, at: datetime) -> datetime:
        """
        Return the last such moment that was not after *at*, in UTC.

        Where a clock is put forward over it, it comes as much later; where it is put back, the first of the two counts.
        """
        here = at.astimezone(zone).date()
        return next(
            moment
            for moment in (
                datetime.combine(here - timedelta(days=gone), self.at, zone).astimezone(UTC)
                # Two months hold a first of the month that is over.
                for gone in range(-1, 62)
                if self._falls_on(here - timedelta(days=gone))
            )
            if moment <= at
        )

    def _falls_on(self, day: date) -> bool:
        if self.day == "month":
            return day.day == 1
        return self.day in {"day", _DAYS[day.weekday()]}


def read_every(written: Any) -> Every:
    """
    Return the moment that is *written*, such as ``monday 08:00``.

    Raises:
        ValueError: It is written otherwise.
    """
    if isinstance(written, Every):
        return written
    found = _WRITTEN.fullmatch(str(written))
    if found is None or found["day"] not in {"day", "month", *_DAYS}:
        message = (
            "is no moment that comes again: write day, a day of the week or month (its first day), and a time, "
            "such as monday 08:00"
        )
        raise ValueError(message)
    return Every(found["day"], time(int(found["hour"]), int(found["minute"])))


@cache
def _kinds() -> Mapping[str, type[Report]]:
    return {kind.name: kind for kind in declared_in(reports) if issubclass(kind, Report)}


def _known(name: str) -> str:
    if name not in _kinds():
        message = f"must be one of {', '.join(sorted(_kinds()))}"
        raise ValueError(message)
    return name


class Digest(BaseModel):
    """One schedule: which reports are mailed to whom, and when."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "every": "monday 08:00",
                    "time_zone": "Europe/Vienna",
                    "to": "managers",
                    "reports": ["trends", "sla"],
                    "period": "week",
                }
            ]
        },
    )

    every: Annotated[Every, BeforeValidator(read_every)]
    """When: day, a day of the week or month (its first day), and a time, such as monday 08:00."""
    time_zone: ZoneName = "UTC"
    """Where it is that time; days of the reports begin at midnight there."""
    to: Name
    """The channel of kind email whose receivers get it."""
    reports: Annotated[tuple[Annotated[str, AfterValidator(_known)], ...], Field(min_length=1)] = (
        "trends",
        "sla",
        "noise",
    )
    """Names of reports, as `tocsin report` knows them."""
    period: Literal["week", "month", "quarter", "year"] = "week"
    """How long a time they tell of: up to the midnight before."""

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.time_zone)


class ReportSettings(BaseModel):
    """The ``reports:`` part of a policy."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [{"digests": {"weekly": {"every": "monday 08:00", "to": "managers"}}}]
        },
    )

    digests: Mapping[Name, Digest] = {}
    """Reports that are mailed by themselves, by the name of their schedule."""


@dataclass(frozen=True)
class Due:
    """A moment of a schedule that nothing was done about."""

    moment: datetime
    #: Whether the schedule is new: the moment was before it, and is only noted down.
    begins: bool


def due(digest: Digest, last: datetime | None, at: datetime) -> Due | None:
    """
    Return what there is to do about *digest*; None where there is nothing.

    Args:
        digest: The schedule.
        last: The last of its moments that is done with; None where none ever was.
        at: What time it is.
    """
    moment = digest.every.latest(digest.zone, at)
    if last is None:
        return Due(moment, begins=True)
    return Due(moment, begins=False) if moment > last else None


def asked(digest: Digest, moment: datetime) -> list[Report]:
    """Return the reports that *digest* mails for its *moment*: the same ones, however late that is done."""
    midnight = moment.astimezone(digest.zone).date()
    since, until = (
        datetime.combine(day, time(), digest.zone).astimezone(UTC)
        for day in (midnight - timedelta(days=PERIODS[digest.period]), midnight)
    )
    given = {"since": since, "until": until, "period": digest.period, "compare": True}
    return [
        kind(**{name: value for name, value in given.items() if name in kind.model_fields})
        for kind in (_kinds()[name] for name in digest.reports)
    ]
