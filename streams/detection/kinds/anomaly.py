"""A metric that is far from what it usually is."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from math import inf
from statistics import median
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from schemas.contract import Name
from schemas.origin import Origin
from schemas.telemetry import MetricV1, Signal
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import ONE_FEED, Calm, Evidence, Rule
from streams.detection.running import LARGEST
from streams.durations import Duration
from streams.time_zones import ZoneName

#: Of normally distributed values, the standard deviation is so many times the median of the distances from the median.
NORMAL: Final = 1.4826
#: Values of one hour that are remembered.
OF_AN_HOUR: Final = 4
#: The baseline of recent values is made anew after this part of them.
RENEWED: Final = 20
_HOUR: Final = microseconds(timedelta(hours=1))
_HOURS: Final = {"hour_of_day": 24, "hour_of_week": 168}
#: A little more than what arithmetic in floating point can lose.
_SLACK: Final = 1e-12


@dataclass(slots=True)
class Memory:
    """What the metric was, what that makes usual, and how far it is from it."""

    values: list[float] = field(default_factory=list)
    """The latest values, oldest first."""
    hours: dict[str, list[float]] = field(default_factory=dict)
    """Values of each hour of the day or of the week, oldest first."""
    baseline: str = ""
    """Of what the center is; the policy can ask for another than before."""
    center: float | None = None
    """What is usual; None while too little is known."""
    spread: float = 0.0
    left: int = 0
    """Values until the baseline is made anew."""
    until: int = 0
    """When the present hour ends."""
    hour: int = 0
    quarter: int = -1
    """The latest quarter of an hour of which a value is remembered."""
    next_center: float | None = None
    """What will be usual in the hour after this one."""
    next_spread: float = 0.0
    next_until: int = 0
    """When that hour ends; 0 where nothing is known of it yet."""
    value: float = 0.0
    unit: str = ""
    judged: float | None = None
    """The latest value of which something could be said."""
    deviations: float = 0.0
    band: int = 0


class Anomaly(Rule):
    """
    Fires when a metric is more than *deviations* away from its median; resolves when it is not more than *clear* away.

    A deviation is 1.4826 times the median distance from the median, which is a standard deviation where values are normally distributed and
    is not moved by a few that are not; it is at least *floor*, and at least *relative_floor* of the median. With ``baseline: recent``
    the median is that of the last *values* values, made anew after a twentieth of them. With ``hour_of_day`` and ``hour_of_week``
    it is that of the same hour on the days or weeks before, made when the hour begins; four values of each hour are remembered, the first of
    each quarter. Before *learn* values are known, nothing is said. What is unusual for long becomes usual. Signals that come late change nothing.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "anomaly",
                    "name": "unusual-orders",
                    "metric": "orders_per_second",
                    "values": 120,
                    "deviations": 5,
                    "direction": "down",
                    "severity": 3,
                }
            ]
        }
    )

    kind: Literal["anomaly"] = "anomaly"
    metric: Name
    """Name of the metric."""
    baseline: Literal["recent", "hour_of_day", "hour_of_week"] = "recent"
    """What is usual: what the metric was lately, or at the same hour of the days or of the weeks before."""
    deviations: Annotated[FiniteFloat, Field(gt=0)] = 4
    """How many deviations from the median are too many; severities by value go by this number."""
    clear: Annotated[FiniteFloat, Field(ge=0)] | None = None
    """So few must it be before it is resolved; *deviations* where it is left out."""
    direction: Literal["up", "down", "either"] = "either"
    """Which side counts."""
    values: Annotated[int, Field(ge=10, le=1_000)] = 120
    """With ``recent``: how many values make up what is usual."""
    cycles: Annotated[int, Field(ge=2, le=26)] | None = None
    """With the others: how many days or weeks do; 14 days or 6 weeks where it is left out."""
    learn: Annotated[int, Field(ge=4, le=1_000)] | None = None
    """How many values must be known: 30 with ``recent``, 8 of the same hour with the others, where it is left out."""
    zone: ZoneName = "UTC"
    """The time zone of the hours, such as ``Europe/Berlin``."""
    floor: Annotated[FiniteFloat, Field(ge=0)] = 0
    """A deviation is at least this, in the metric's unit."""
    relative_floor: Annotated[FiniteFloat, Field(ge=0)] = 0.01
    """A deviation is at least this share of the median, so that what hardly ever moves may move a little."""
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=7)
    """What is silent so long is forgotten, with all that was usual for it."""

    @cached_property
    def _learn(self) -> int:
        return self.learn or (30 if self.baseline == "recent" else 8)

    @cached_property
    def _room(self) -> int:
        if self.baseline == "recent":
            return self.values
        return OF_AN_HOUR * (self.cycles or (14 if self.baseline == "hour_of_day" else 6))

    @cached_property
    def _tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.clear is not None and self.clear > self.deviations:
            message = f"clear ({self.clear:g}) must be at most deviations ({self.deviations:g})"
            raise ValueError(message)
        if self._learn > self._room:
            message = (
                f"learn ({self._learn}) must be at most what is remembered ({self._room} values)"
            )
            raise ValueError(message)
        if self.cycles is not None and self.baseline == "recent":
            message = "cycles has no meaning with baseline: recent; leave it out"
            raise ValueError(message)
        return self

    def hears(self) -> tuple[type[Signal], ...]:
        return (MetricV1,)

    def names(self) -> tuple[str, ...]:
        return (self.metric,)

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: MetricV1, at: datetime, origin: Origin) -> Says | None:
        del origin
        memory.unit = signal.unit
        self._take(memory, number_of(at), signal.value)
        if memory.center is None:
            return None
        value = memory.judged = memory.value
        deviations = (value - memory.center) / memory.spread if memory.spread else 0.0
        if not memory.spread and value != memory.center:
            deviations = LARGEST if value > memory.center else -LARGEST
        memory.deviations = min(max(deviations, -LARGEST), LARGEST)
        return self._says(memory, self._size(memory.deviations))

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        del heard_at, origin
        memory.unit = batch.signal.unit
        last = batch.numbers(len(batch) - 1)[0]
        if (
            memory.baseline == self.baseline != "recent"
            and last < memory.until
            and last * OF_AN_HOUR // _HOUR == memory.quarter
        ):
            # Of each quarter of an hour only the first value is remembered.
            memory.value = _bounded(batch.levels[-1])
            return
        if memory.baseline == self.baseline == "recent" and len(batch) <= memory.left:
            # None of them is judged by a baseline that another one made anew.
            memory.values += map(_bounded, batch.levels)
            del memory.values[: -self._room]
            memory.value = memory.values[-1]
            memory.left -= len(batch)
            # The next one would do so first; so it need not be judged for that alone.
            self._recall(memory)
            return
        numbers, place = batch.numbers(), 0
        while place < len(numbers):
            self._take(memory, numbers[place], batch.levels[place])
            place += 1
            if self.baseline != "recent":
                end = min((memory.quarter + 1) * _HOUR // OF_AN_HOUR, memory.until)
                place = bisect_left(numbers, end, place)
        memory.value = _bounded(batch.levels[-1])

    def _take(self, memory: Memory, now: int, value: float) -> None:
        """Remember a value, and what is usual by now."""
        memory.value = value = _bounded(value)
        if memory.baseline != self.baseline:
            memory.baseline, memory.left, memory.until = self.baseline, 0, 0
            memory.hours.clear()
        if self.baseline == "recent":
            self._recall(memory)
            memory.values.append(value)
            del memory.values[: -self._room]
            memory.left -= 1
        else:
            self._remember_hour(memory, value, now)

    def calm(self, memory: Memory) -> Calm | None:
        recent = self.baseline == "recent"
        if memory.baseline != self.baseline or (recent and memory.left <= 0):
            return None
        within = self._usual_range(memory.center, memory.spread)
        if within is None:
            return None
        low, high = within
        if recent:
            return Calm(low=low, high=high, count=memory.left)
        until = memory.until
        if memory.next_until:
            # Otherwise the first signal of each hour would have to be judged: of all series at once.
            later = self._usual_range(memory.next_center, memory.next_spread)
            if later is not None and later[0] <= memory.value <= later[1]:
                low, high, until = max(low, later[0]), min(high, later[1]), memory.next_until
        return Calm(low=low, high=high, count=ONE_FEED, until=moment_of(until))

    def _usual_range(self, center: float | None, spread: float) -> tuple[float, float] | None:
        """Return between what values nothing is unusual; None where that cannot be said."""
        if center is None:
            return -inf, inf
        by = self.deviations * spread
        by -= _SLACK * (abs(center) + by)
        if not 0 <= by < LARGEST:
            return None
        return (
            -inf if self.direction == "up" else center - by,
            inf if self.direction == "down" else center + by,
        )

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        del says
        unit = f" {memory.unit}" if memory.unit not in {"", "1"} else ""
        usual = {
            "recent": "what it was lately",
            "hour_of_day": "what it is at this hour",
            "hour_of_week": "what it is at this hour of the week",
        }[self.baseline]
        value = memory.value if memory.judged is None else memory.judged
        return Evidence(
            f"{self.metric} {value:.6g}{unit} is {abs(memory.deviations):.3g} deviations "
            f"{'above' if memory.deviations > 0 else 'below'} {usual}, {memory.center or 0.0:.6g}{unit}",
            value=value,
        )

    def measured(self, memory: Memory) -> float:
        return memory.value

    def rising(self) -> bool:
        return True

    def _recall(self, memory: Memory) -> None:
        """Make the baseline of recent values anew where it is time."""
        if memory.left > 0:
            return
        memory.left = max(self._room // RENEWED, 1)
        memory.center, memory.spread = self._usual(memory.values)

    def _remember_hour(self, memory: Memory, value: float, now: int) -> None:
        if now >= memory.until:
            memory.hour, memory.until = self._hour_of(now)
            memory.center, memory.spread = self._usual_of(memory, memory.hour)
            self._look_ahead(memory)
        quarter = now * OF_AN_HOUR // _HOUR
        if quarter != memory.quarter:
            memory.quarter = quarter
            known = memory.hours.setdefault(str(memory.hour), [])
            known.append(value)
            del known[: -self._room]

    def _look_ahead(self, memory: Memory) -> None:
        """Learn what will be usual in the next hour, which nothing that is heard in this one changes."""
        following, end = self._hour_of(memory.until)
        # Where clocks are changed, an hour can come again, or end otherwise than it began.
        plain = following != memory.hour and self._hour_of(end - 1) == (following, end)
        memory.next_until = end if plain else 0
        memory.next_center, memory.next_spread = self._usual_of(memory, following)

    def _hour_of(self, now: int) -> tuple[int, int]:
        """Return the number of the hour of the moment *now*, and when it ends."""
        offset = microseconds(moment_of(now).astimezone(self._tz).utcoffset() or timedelta(0))
        hours = (now + offset) // _HOUR
        return hours % _HOURS[self.baseline], (hours + 1) * _HOUR - offset

    def _usual_of(self, memory: Memory, hour: int) -> tuple[float | None, float]:
        return self._usual(memory.hours.get(str(hour), []))

    def _usual(self, values: list[float]) -> tuple[float | None, float]:
        """Return the center of *values*, None where they are too few, and how far from it is usual."""
        if len(values) < self._learn:
            return None, 0.0
        center = median(values)
        distance = median([abs(value - center) for value in values])
        return center, max(NORMAL * distance, self.floor, self.relative_floor * abs(center))

    def _size(self, deviations: float) -> float:
        return {"up": deviations, "down": -deviations, "either": abs(deviations)}[self.direction]

    def _says(self, memory: Memory, size: float) -> Says:
        if size > self.deviations:
            return self.graded(memory, Says.BAD, size)
        if self.clear is not None and size > self.clear:
            return Says.BETWEEN
        return Says.CLEAR


def _bounded(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)
