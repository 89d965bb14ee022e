"""
Schedules: who is on call when.

A schedule has layers; where several have somebody, the last of them counts, and overrides count before all layers. Handovers are
clock times in the schedule's own zone, so one at 09:00 stays at 09:00 when clocks are changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.contract import Name
from streams.durations import Duration
from streams.incidents.calendars import OpeningHours
from streams.incidents.local_time import Hours, LocalMoment, instant, wall_clock
from streams.time_zones import ZoneName, zone

#: What a schedule says that wants people to be told of every handover.
ALWAYS: Final = "always"
_SHORTEST: Final = timedelta(minutes=15)
_SETTINGS: Final = ConfigDict(
    frozen=True, extra="forbid", use_attribute_docstrings=True, validate_by_name=True
)


class Shift(BaseModel):
    """Some time that one person is on call."""

    model_config = _SETTINGS

    person: Name
    """Who is on call."""
    start: LocalMoment = Field(alias="from")
    """From when; a clock time of the schedule's zone where it has no offset."""
    end: LocalMoment = Field(alias="until")
    """Until when; from this moment on somebody else is."""

    def span(self, where: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its instants."""
        return instant(self.start, where), instant(self.end, where)

    def holds(self, at: datetime, where: ZoneInfo) -> bool:
        """Whether it is under way at *at*."""
        start, end = self.span(where)
        return start <= at < end


class Layer(BaseModel):
    """People who take turns, or shifts that are listed."""

    model_config = _SETTINGS

    rotation: tuple[Name, ...] = ()
    """People in the order in which they take turns."""
    begins: LocalMoment | None = None
    """When the first of them begins; handovers are at the same clock time."""
    every: Annotated[Duration, Field(ge=_SHORTEST)] = timedelta(days=7)
    """How long one turn is."""
    hours: Hours | None = None
    """The only hours that the layer is for, such as mon-fri: 09:00-17:00; all where there are none."""
    shifts: tuple[Shift, ...] = ()
    """Shifts, where there is no rotation."""

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        if bool(self.rotation) == bool(self.shifts):
            message = "must have either rotation or shifts"
            raise ValueError(message)
        if self.rotation and self.begins is None:
            message = "must have begins: when the first of the rotation begins"
            raise ValueError(message)
        return self


class Schedule(BaseModel):
    """One of the policy's ``schedules``."""

    model_config = ConfigDict(
        **_SETTINGS,
        json_schema_extra={
            "examples": [
                {
                    "time_zone": "Europe/Berlin",
                    "layers": [
                        {"rotation": ["first", "second"], "begins": "2026-01-05 09:00"},
                    ],
                }
            ]
        },
    )

    time_zone: ZoneName = "UTC"
    """The zone whose clocks its times are read on, such as Europe/Berlin."""
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    """Layers; a later one is laid over those before it."""
    overrides: tuple[Shift, ...] = ()
    """Shifts that count before all layers; a later one before those before it."""
    needed: Name | None = None
    """The calendar during whose hours somebody must be on call; always where none is named."""
    warn_before: Duration = timedelta(days=3)
    """How long before nobody is on call an alert says so."""
    handover_notices: Literal["open_incidents", "always"] = "open_incidents"
    """When whoever comes and whoever goes are told of a handover: where open incidents are handed over, or ``always``."""

    @model_validator(mode="after")
    def _has_shifts_in_order(self) -> Self:
        where = zone(self.time_zone)
        for shift in (*self.overrides, *(each for layer in self.layers for each in layer.shifts)):
            start, end = shift.span(where)
            if start >= end:
                message = f"has a shift of {shift.person} that does not end after it begins: {shift.start:%Y-%m-%d %H:%M}"
                raise ValueError(message)
        for layer in self.layers:
            ordered = sorted(layer.shifts, key=lambda shift: shift.span(where))
            for before, after in pairwise(ordered):
                if after.span(where)[0] < before.span(where)[1]:
                    message = (
                        f"has two shifts at {after.start} in one layer, of {before.person} and "
                        f"{after.person}: put one of them under overrides"
                    )
                    raise ValueError(message)
        return self

    @property
    def people(self) -> set[str]:
        """Everybody it names."""
        named = {shift.person for shift in self.overrides}
        for layer in self.layers:
            named |= {*layer.rotation, *(shift.person for shift in layer.shifts)}
        return named


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of time, and who is on call during it; nobody where *person* is None."""

    start: datetime
    end: datetime
    person: str | None


def on_call(schedule: Schedule, at: datetime) -> str | None:
    """Return who is on call at *at*."""
    found = chosen(schedule, at)
    return found[0] if found else None


def chosen(schedule: Schedule, at: datetime) -> tuple[str, Shift | int] | None:
    """Return who is on call at *at*, and by which override, or by the layer of which number from 0."""
    where = zone(schedule.time_zone)
    for override in reversed(schedule.overrides):
        if override.holds(at, where):
            return override.person, override
    for number in range(len(schedule.layers) - 1, -1, -1):
        person = in_layer(schedule.layers[number], where, at)
        if person is not None:
            return person, number
    return None


def in_layer(layer: Layer, where: ZoneInfo, at: datetime) -> str | None:
    """Return whom *layer* alone has at *at*."""
    if layer.hours is not None and not OpeningHours(layer.hours, where).is_open(at):
        return None
    for shift in layer.shifts:
        if shift.holds(at, where):
            return shift.person
    number = _turn(layer, where, at)
    return None if number is None else layer.rotation[number % len(layer.rotation)]


def turns(schedule: Schedule, start: datetime, end: datetime) -> list[Turn]:
    """Return who is on call from *start* to *end*, without gaps: nobody is said too."""
    moments = sorted({start, end, *_boundaries(schedule, start, end)})
    found: list[Turn] = []
    for begins, ends in pairwise(moments):
        person = on_call(schedule, begins)
        if found and found[-1].person == person:
            found[-1] = Turn(found[-1].start, ends, person)
        else:
            found.append(Turn(begins, ends, person))
    return found


def turn_ends(schedule: Schedule, at: datetime, end: datetime) -> datetime:
    """Return when somebody else is on call than at *at*; *end* where nobody else is until then."""
    now = on_call(schedule, at)
    for moment in sorted(set(_boundaries(schedule, at, end))):
        if on_call(schedule, moment) != now:
            return moment
    return end


def gaps(
    schedule: Schedule, start: datetime, end: datetime, needed: OpeningHours | None = None
) -> list[Turn]:
    """Return when between *start* and *end* nobody is on call although somebody must be."""
    empty = [turn for turn in turns(schedule, start, end) if turn.person is None]
    if needed is None:
        return empty
    found: list[Turn] = []
    for turn in empty:
        for opens, closes in needed.spans_from(turn.start):
            if opens >= turn.end:
                break
            if found and found[-1].end == opens:
                found[-1] = Turn(found[-1].start, min(closes, turn.end), None)
            else:
                found.append(Turn(opens, min(closes, turn.end), None))
    return found


def _turn(layer: Layer, where: ZoneInfo, at: datetime) -> int | None:
    """Return how many turns ended before *at*; None before the first begins."""
    if layer.begins is None or not layer.rotation:
        return None
    begins = _local(layer.begins, where)
    number = (wall_clock(at, where) - begins) // layer.every
    # A clock time can stand for an instant of another turn on the days when clocks are changed.
    while instant(begins + number * layer.every, where) > at:
        number -= 1
    while instant(begins + (number + 1) * layer.every, where) <= at:
        number += 1
    return number if number >= 0 else None


def _local(moment: datetime, where: ZoneInfo) -> datetime:
    return moment if moment.tzinfo is None else wall_clock(moment, where)


def _boundaries(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield every moment between at which somebody else may be on call."""
    where = zone(schedule.time_zone)
    for moment in _unordered(schedule, where, start, end):
        if start < moment < end:
            yield moment


def _unordered(
    schedule: Schedule, where: ZoneInfo, start: datetime, end: datetime
) -> Iterator[datetime]:
    for shift in schedule.overrides:
        yield from shift.span(where)
    for layer in schedule.layers:
        for shift in layer.shifts:
            yield from shift.span(where)
        if layer.hours is not None:
            for opens, closes in OpeningHours(layer.hours, where).spans_from(start):
                if opens >= end:
                    break
                yield opens
                yield closes
        if layer.begins is not None and layer.rotation:
            begins = _local(layer.begins, where)
            number = _turn(layer, where, start)
            handover = begins if number is None else begins + (number + 1) * layer.every
            while (moment := instant(handover, where)) < end:
                yield moment
                handover += layer.every
