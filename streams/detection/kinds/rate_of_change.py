"""A metric that changed too much in a span of time."""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from math import inf
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from schemas.contract import Name
from schemas.origin import Origin
from schemas.telemetry import MetricV1, Signal
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import Calm, Evidence, Rule
from streams.detection.running import LARGEST
from streams.durations import Duration, written

#: Parts of the span of each of which one value is kept.
PARTS: Final = 60
#: A little more than what arithmetic in floating point can lose.
_SLACK: Final = 1e-12


@dataclass(slots=True)
class Memory:
    """Values to compare with, oldest first, and what came of it."""

    ats: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    value: float = 0.0
    base: float = 0.0
    change: float = 0.0
    unit: str = ""
    band: int = 0


class RateOfChange(Rule):
    """
    Fires when a metric has changed by *change* or more since *over* ago; resolves when it has changed by less than *clear*.

    It is compared with the newest value that is at least *over* old, so nothing is said before there is one. One value is kept of
    each sixtieth of *over*, the first in it. Signals that come late change nothing; silence changes nothing either.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "rate_of_change",
                    "name": "disk-fills-up",
                    "metric": "disk_used_ratio",
                    "over": "1m",
                    "change": 0.2,
                    "direction": "up",
                    "severity": 2,
                }
            ]
        }
    )

    kind: Literal["rate_of_change"] = "rate_of_change"
    metric: Name
    """Name of the metric."""
    over: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    """The span: the metric is compared with what it was so long ago."""
    change: Annotated[FiniteFloat, Field(gt=0)]
    """How much it must have changed: in the metric's unit, or with ``relative`` as a share of what it was, 0.5 for half."""
    clear: Annotated[FiniteFloat, Field(gt=0)] | None = None
    """It must have changed by less than this before it is resolved; *change* where it is left out."""
    relative: bool = False
    """Whether the change is a share of what the metric was."""
    floor: Annotated[FiniteFloat, Field(ge=0)] = 0
    """With ``relative``: what was smaller than this is taken for it, so that one more than nearly nothing is no great change."""
    direction: Literal["up", "down", "either"] = "either"
    """Which changes count."""

    @cached_property
    def _span(self) -> int:
        return microseconds(self.over)

    @cached_property
    def _part(self) -> int:
        return max(self._span // PARTS, 1)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.clear is not None and self.clear > self.change:
            message = f"clear ({self.clear:g}) must be at most change ({self.change:g})"
            raise ValueError(message)
        if self.floor and not self.relative:
            message = "floor has no meaning without relative: true; leave it out"
            raise ValueError(message)
        return self

    def patience(self) -> dict[str, timedelta]:
        return super().patience() | {"over": self.over}

    def hears(self) -> tuple[type[Signal], ...]:
        return (MetricV1,)

    def names(self) -> tuple[str, ...]:
        return (self.metric,)

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: MetricV1, at: datetime, origin: Origin) -> Says | None:
        del origin
        memory.unit = signal.unit
        base = self._take(memory, number_of(at), signal.value)
        if base is None:
            return None
        change = self._change(base, memory.value)
        if change is None:
            return None
        memory.base, memory.change = base, change
        return self._says(memory, self._size(change))

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        del heard_at, origin
        memory.unit, memory.value = batch.signal.unit, _clipped(batch.levels[-1])
        ats, part = memory.ats, self._part
        # What the newest is compared with is the first value of a part: all before that is forgotten.
        begin = max(batch.after(batch.ats[-1] - self.over) - 1, 0)
        while begin and batch.numbers(begin - 1)[0] // part == batch.numbers(begin)[0] // part:
            begin -= 1
        latest = ats[-1] // part if ats and not begin else None
        for now, value in zip(batch.numbers(begin), batch.levels[begin:], strict=True):
            if now // part != latest:
                latest = now // part
                ats.append(now)
                memory.values.append(_clipped(value))
        self._forget(memory, batch.numbers(len(batch) - 1)[0] - self._span)

    def _take(self, memory: Memory, now: int, value: float) -> float | None:
        """Remember a value, and return what it is to be compared with; None where nothing is old enough."""
        memory.value = value = _clipped(value)
        ats, values = memory.ats, memory.values
        before = now - self._span
        self._forget(memory, before)
        base = values[0] if ats and ats[0] <= before else None
        if not ats or now // self._part != ats[-1] // self._part:
            ats.append(now)
            values.append(value)
        return base

    @staticmethod
    def _forget(memory: Memory, before: int) -> None:
        """Of what is old enough, keep only the newest: that is compared with."""
        old = bisect_right(memory.ats, before) - 1
        if old > 0:
            del memory.ats[:old], memory.values[:old]

    def calm(self, memory: Memory) -> Calm | None:
        if not memory.ats:
            return None
        least, most = min(memory.values), max(memory.values)
        room = (self.change - (most - least)) / 2
        if not self.relative and room > _SLACK * (abs(least) + abs(most) + self.change):
            # No two values in a range that is narrower than the change differ by it.
            room *= 1 - _SLACK
            return Calm(least - room, most + room)
        return self._calm_for_now(memory)

    def _calm_for_now(self, memory: Memory) -> Calm | None:
        """Whatever will be compared with before *over* has passed is known by now."""
        low, high, bases = -inf, inf, memory.values
        if not self.relative:
            # Only the ends of what is remembered bind.
            bases = [min(bases), max(bases)]
        for base in bases:
            by = self.change * (max(abs(base), self.floor) if self.relative else 1.0)
            slack = _SLACK * (abs(base) + by)
            if self.direction != "down":
                high = min(high, base + by - slack)
            if self.direction != "up":
                low = max(low, base - by + slack)
        return (
            Calm(low, high, until=moment_of(memory.ats[-1] + self._span)) if low <= high else None
        )

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        limit = self.change if says is Says.BAD or self.clear is None else self.clear
        by, wanted = f"{memory.change:+.6g}", f"{limit:g}"
        if self.relative:
            by, wanted = f"{memory.change:+.4g} times what it was", f"{limit:g}"
        unit = f" {memory.unit}" if memory.unit not in {"", "1"} else ""
        than = "at least" if says is Says.BAD else "less than"
        return Evidence(
            f"{self.metric} went from {memory.base:.6g} to {memory.value:.6g}{unit} in {written(self.over)}: {by}, {than} {wanted}",
            value=memory.change,
        )

    def rising(self) -> bool:
        return True

    def _change(self, base: float, value: float) -> float | None:
        if not self.relative:
            return value - base
        whole = max(abs(base), self.floor)
        if whole == 0:
            # No share of nothing.
            return 0.0 if value == 0 else None
        return min(max((value - base) / whole, -LARGEST), LARGEST)

    def _size(self, change: float) -> float:
        return {"up": change, "down": -change, "either": abs(change)}[self.direction]

    def _says(self, memory: Memory, size: float) -> Says:
        if size >= self.change:
            return self.graded(memory, Says.BAD, size)
        if self.clear is not None and size >= self.clear:
            return Says.BETWEEN
        return Says.CLEAR


def _clipped(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)
