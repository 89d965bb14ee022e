"""
Deadlines: when somebody must be on an incident, and when it must be over.

The clock of a deadline runs while the incident is open, from its detection on; the time between a resolution and a reopening is
not counted. The response is over with the first acknowledgement, the resolution with the resolution. A deadline that has passed to the
second is missed: acknowledged at it is too late, a second before is in time. Deadlines are judged by the worst severity there was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from streams.durations import written
from streams.incidents.calendars import OpeningHours
from streams.incidents.severities import NEXT_BUSINESS_DAY, SeverityLevel

#: Part of the time after which a deadline is at risk.
AT_RISK: Final = 0.8


class Promise(StrEnum):
    """What a deadline is about."""

    RESPONSE = "response"
    RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True)
class Running:
    """A stretch during which the clock ran; it still runs where it has no end."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """One deadline of one incident."""

    promise: Promise
    at_risk_at: datetime
    due_at: datetime
    #: How it was counted, in words.
    rule: str


def deadline(
    promise: Promise, level: SeverityLevel, hours: OpeningHours, running: Sequence[Running]
) -> Deadline | None:
    """Return the deadline of an incident whose clock was *running*; None where it stopped in time."""
    within = level.respond_within if promise is Promise.RESPONSE else level.resolve_within
    counted = hours if level.counted_in == "business_hours" else None
    rule = f"{level.name}: {written(within) if isinstance(within, timedelta) else within}"
    if within == NEXT_BUSINESS_DAY:
        counted = hours
        span = hours.between(running[0].since, hours.end_of_next_business_day(running[0].since))
    else:
        span = within if isinstance(within, timedelta) else timedelta(0)
        rule += " of business hours" if counted else ""
    at_risk_at = _reached(span * AT_RISK, running, counted)
    due_at = _reached(span, running, counted)
    if at_risk_at is None or due_at is None:
        return None
    return Deadline(promise, at_risk_at, due_at, rule)


def _reached(
    span: timedelta, running: Sequence[Running], counted: OpeningHours | None
) -> datetime | None:
    """Return when the clock shows *span*; None where it stopped before."""
    for stretch in running:
        due = counted.after(stretch.since, span) if counted else stretch.since + span
        if stretch.until is None or due <= stretch.until:
            return due
        span -= (
            counted.between(stretch.since, stretch.until)
            if counted
            else stretch.until - stretch.since
        )
    return None
