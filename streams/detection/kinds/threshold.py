"""A metric compared with a number: its latest value, or an aggregate of the last so many minutes."""

import operator
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from math import fsum, inf, nextafter
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from schemas.contract import Name
from schemas.origin import Origin
from schemas.telemetry import MetricV1, Signal
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.measure import source_of
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import ONE_FEED, Calm, Evidence, Pool, Rule
from streams.detection.running import Keeps, Reach, Running, mark, quantile
from streams.durations import Duration, written

#: Samples of one series that a window has room for.
ROOM: Final = 1_000

_COMPARES: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_KEEPS: Final[Mapping[str, Keeps]] = {
    "avg": Keeps.SUM,
    "sum": Keeps.SUM,
    "count": Keeps.COUNT,
    "rate": Keeps.GROWTH,
    "increase": Keeps.GROWTH,
}
_SHARES: Final[Mapping[str, float]] = {"min": 0.0, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
#: What these are of no values at all is nothing; the others are zero then.
_NEEDS_VALUES: Final = frozenset({"avg", "max", *_SHARES})
#: Signals that a sum may take in before it is looked at again.
_AT_ONCE: Final = 64
#: Values that a growth needs.
_PAIR: Final = 2
_SLACK: Final = 1e-12
#: How far the window may move while feeds take from a pool, as parts of it.
_AHEAD: Final = (2, 4, 8, 16, 32)
_LOST: Final = 1e-9


@dataclass(slots=True)
class Memory:
    """What was compared last, and the window it came from."""

    value: float = 0.0
    unit: str = ""
    running: Running = field(default_factory=Running)
    band: int = 0


class Threshold(Rule):
    """
    Fires while ``metric compare threshold`` holds; resolves when ``metric compare clear`` holds no longer.

    A metric that is not heard any more neither fires nor resolves by its silence, but what it said last goes on to hold, until
    the series is forgotten. Aggregates go on with what is left in the window.

    ``p50`` to ``p99`` lie between two values by their distance, as in Prometheus. ``increase`` is what a counter grew in the
    window, beginning anew at zero where it went down; nothing is added for the ends of the window, so ``over`` should be several
    times as long as the counter's interval. ``rate`` is that divided by the window's seconds. Both need two values: with fewer left in the
    window, as where a counter is not heard any more, no alert begins, as in Prometheus; that it is silent is found by ``absence``.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "threshold",
                    "name": "slow-responses",
                    "metric": "http_request_duration_p95",
                    "compare": ">",
                    "threshold": 5,
                    "clear": 3,
                    "for": "2m",
                    "severity": 3,
                }
            ]
        }
    )

    kind: Literal["threshold"] = "threshold"
    metric: Name
    """Name of the metric."""
    compare: Literal[">", ">=", "<", "<=", "==", "!="] = ">"
    """How it is compared."""
    threshold: FiniteFloat
    """What it is compared with, in the metric's unit."""
    clear: FiniteFloat | None = None
    """The same comparison with this number must fail before it is resolved; the threshold where it is left out."""
    aggregate: Literal[
        "last", "avg", "min", "max", "sum", "count", "p50", "p90", "p95", "p99", "rate", "increase"
    ] = "last"
    """What is compared: the latest value, or what was made of all values in a window."""
    over: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    """Length of the window, in event time. Of more than a thousand values in it, the newest thousand count."""

    @cached_property
    def _compares(self) -> Callable[[float, float], bool]:
        return _COMPARES[self.compare]

    @cached_property
    def _reach(self) -> Reach:
        span = microseconds(self.over or timedelta(0))
        return Reach(span, ROOM, _KEEPS.get(self.aggregate, Keeps.RANKS))

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if (self.over is None) != (self.aggregate == "last"):
            message = (
                f"aggregate: {self.aggregate} needs a window: add over: 5m"
                if self.over is None
                else "over needs something to make of the window: add aggregate: avg, min, max, sum, count, p50, p90, p95, p99, rate or increase"
            )
            raise ValueError(message)
        if self._reach.keeps is Keeps.GROWTH and self.group_by is not None:
            message = (
                f"aggregate: {self.aggregate} is of one counter: leave group_by out, since steps from one counter to another "
                "would look like growth"
            )
            raise ValueError(message)
        if self.clear is not None:
            self._clear_is_beyond()
        return self

    def _clear_is_beyond(self) -> None:
        if self.compare in {"==", "!="}:
            message = f"clear has no meaning with compare: '{self.compare}'; leave it out"
            raise ValueError(message)
        up = self.compare in {">", ">="}
        if self.clear is not None and (
            self.clear > self.threshold if up else self.clear < self.threshold
        ):
            message = (
                f"clear ({self.clear:g}) must be {'at most' if up else 'at least'} threshold ({self.threshold:g}) "
                f"with compare: '{self.compare}'"
            )
            raise ValueError(message)

    def doubts(self) -> Iterator[tuple[str, str]]:
        if self.aggregate == "count":
            compares = _COMPARES[self.compare]
            if not any(compares(float(count), self.threshold) for count in range(ROOM + 1)):
                text = (
                    f"a count {self.compare} {self.threshold:g} is never reached: "
                    f"a window counts from 0 to {ROOM} values; it can never fire"
                )
                yield "threshold", text

    def finds_whatever(self, other: Self) -> bool:
        told_apart = ("threshold", "clear")
        if self.criteria(*told_apart) != other.criteria(*told_apart):
            return False
        if self.compare in {">", ">="}:
            return self.threshold <= other.threshold
        if self.compare in {"<", "<="}:
            return self.threshold >= other.threshold
        return self.threshold == other.threshold

    def counts_late(self) -> bool:
        return self.over is not None

    def patience(self) -> dict[str, timedelta]:
        return super().patience() | {"over": self.over or timedelta(0)}

    def hears(self) -> tuple[type[Signal], ...]:
        return (MetricV1,)

    def names(self) -> tuple[str, ...]:
        return (self.metric,)

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: MetricV1, at: datetime, origin: Origin) -> Says | None:
        del origin
        value = signal.value
        if self.over is None:
            memory.unit, memory.value = signal.unit, value
            return self._says(memory, value)
        if not memory.running.take(number_of(at), value, mark(signal, value), self._reach):
            return None
        memory.unit = signal.unit
        if self._reach.keeps is Keeps.GROWTH and len(memory.running.ats) == 1:
            # One value says nothing of a counter yet.
            return Says.BETWEEN
        return self._aggregated(memory)

    def calm(self, memory: Memory) -> Calm | None:
        if self._reach.keeps is Keeps.GROWTH:
            return self._calm_growth(memory)
        if self.aggregate == "count":
            room = self.threshold - len(memory.running.ats) - 1
            return Calm(count=int(room)) if self.compare in {">", ">="} and room >= 1 else None
        if self.aggregate == "sum":
            return self._calm_sum(memory)
        held = [memory.value] if self.over is None else memory.running.values
        if not held:
            return None
        calm = self._good_side(held[0])
        # The side of what is equal, and of what is not, is that of single values alone.
        if self.over is not None and (
            self.compare in {"==", "!="} or min(held) < calm.low or max(held) > calm.high
        ):
            return None
        return calm

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        del heard_at, origin
        memory.unit = batch.signal.unit
        if self.over is None:
            memory.value = batch.levels[-1]
        else:
            begin = batch.after(batch.ats[-1] - self.over)
            memory.running.extend(
                batch.numbers(begin), batch.levels[begin:], batch.marks(begin), self._reach
            )

    def absorb_late(self, memory: Memory, batch: Batch, origin: Origin) -> None:
        del origin
        memory.unit = batch.signal.unit
        memory.running.follow(batch.numbers(), batch.levels, batch.marks(), self._reach)

    def pooled(self, memory: Memory) -> Calm | None:
        running, span = memory.running, self._reach.span
        if (
            running.end is None
            or self.aggregate not in {"avg", "sum", "count"}
            or self.compare in {"==", "!="}
        ):
            return None
        sign = 1.0 if self.compare in {">", ">="} else -1.0
        scale, shift, limit = sign, 0.0, sign * self.threshold
        if self.aggregate == "avg":
            shift, limit = -sign * self.threshold, 0.0
        elif self.aggregate == "count":
            scale, shift = 0.0, sign
        prices = [scale * value + shift for value in running.values]
        # More than what arithmetic in floating point can lose.
        slack = _LOST * (abs(self.threshold) * (len(prices) + 1) + fsum(map(abs, prices)))
        now = limit - fsum(prices) - slack
        if now <= 0:
            return None
        for part in _AHEAD:
            until = running.end + span // part
            gone = bisect_right(running.ats, until - span)
            left = min(accumulate(prices[:gone], initial=now))
            if left >= now / 2:
                # Whatever is older may fall out; nothing new may, of nothing too much.
                count = ROOM - len(prices) + gone
                pool = Pool(left, count, moment_of(until - span), scale, shift)
                return Calm(until=moment_of(until), by_source=True, pool=pool, stands=True)
        return None

    def source_for(self, signal: MetricV1) -> str:
        return source_of(signal)

    def _calm_growth(self, memory: Memory) -> Calm | None:
        """Let a counter go on from where it is: what leaves the window takes its growth along, what comes adds at most the way to the top."""
        running = memory.running
        if len(running.ats) < _PAIR or self.compare in {"==", "!="}:
            return None
        latest, steps = running.values[-1], running.steps()
        limit = self.threshold
        if self.aggregate == "rate":
            limit *= self._reach.span / 1_000_000
        # A little more than what arithmetic in floating point can lose.
        slack = _SLACK * (abs(limit) + abs(latest) + fsum(map(abs, steps)))
        if self.compare in {">", ">="}:
            # A counter that began anew below zero takes less than nothing along.
            left = limit - fsum(step for step in steps if step > 0) - slack
            if left <= 0:
                return None
            return Calm(low=latest, high=latest + left, count=ONE_FEED, rising=True)
        left = fsum(steps) - limit - slack
        if left <= 0:
            return None
        # So many of the oldest values may leave the window, each with its growth.
        gone = 0
        while gone < len(steps) and left > steps[gone]:
            left -= steps[gone]
            gone += 1
        count = min(ROOM - len(running.ats) + gone, ONE_FEED)
        until = moment_of(running.ats[gone] + self._reach.span)
        return Calm(low=latest, count=count, until=until, rising=True) if count > 0 else None

    def _good_side(self, value: float) -> Calm:
        limit = self.threshold
        if self.aggregate == "avg":
            # The mean of equal numbers can differ from them by the last digit.
            slack = abs(limit) * 1e-15
            limit += slack if self.compare in {"<", "<="} else -slack
        if self.compare in {">", ">="}:
            return Calm(high=limit if self.compare == ">" else nextafter(limit, -inf))
        if self.compare in {"<", "<="}:
            return Calm(low=limit if self.compare == "<" else nextafter(limit, inf))
        if self.compare == "!=":
            return Calm(low=limit, high=limit)
        below = value < limit
        return Calm(high=nextafter(limit, -inf)) if below else Calm(low=nextafter(limit, inf))

    def _calm_sum(self, memory: Memory) -> Calm | None:
        """Share what is left until the threshold among the next signals, where everything that makes it better falls out of the window."""
        values = memory.running.values
        if self.compare in {">", ">="}:
            left = self.threshold - fsum(value for value in values if value > 0)
            return Calm(high=left / _AT_ONCE * 0.999, count=_AT_ONCE) if left > 0 else None
        if self.compare in {"<", "<="}:
            left = self.threshold - fsum(value for value in values if value < 0)
            return Calm(low=left / _AT_ONCE * 0.999, count=_AT_ONCE) if left < 0 else None
        return None

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        ats = memory.running.ats
        return moment_of(ats[0] + self._reach.span) if ats and self.over else None

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says | None:
        del heard_at
        memory.running.slide(number_of(at), self._reach)
        return self._aggregated(memory)

    def as_heard(self, memory: Memory) -> Memory | None:
        return replace(memory, running=memory.running.copied()) if self.over else None

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        limit = self.threshold if says is Says.BAD or self.clear is None else self.clear
        made = "" if self.over is None else f"{self.aggregate} over {written(self.over)} of "
        unit = f" {memory.unit}" if memory.unit not in {"", "1"} else ""
        holds = self.compare if says is Says.BAD else f"is not {self.compare}"
        return Evidence(
            f"{made}{self.metric} {memory.value:.6g}{unit} {holds} {limit:g}", value=memory.value
        )

    def begins(self) -> float | None:
        return self.threshold

    def rising(self) -> bool | None:
        return None if self.compare in {"==", "!="} else self.compare in {">", ">="}

    def _aggregated(self, memory: Memory) -> Says | None:
        running = memory.running
        if not running.ats and self.aggregate in _NEEDS_VALUES:
            return None
        memory.value = self._aggregate_of(running)
        if self._reach.keeps is Keeps.GROWTH and len(running.ats) < _PAIR:
            # That nothing has grown where nothing is heard is no finding.
            limit = self.threshold if self.clear is None else self.clear
            return Says.BETWEEN if self._compares(memory.value, limit) else Says.CLEAR
        return self._says(memory, memory.value)

    def _aggregate_of(self, running: Running) -> float:
        if self.aggregate == "count":
            return float(len(running.ats))
        if self.aggregate == "max":
            return running.ranked[-1]
        share = _SHARES.get(self.aggregate)
        if share is not None:
            return quantile(running.ranked, share)
        if self.aggregate == "avg":
            return running.total / len(running.ats)
        if self.aggregate == "rate":
            return running.total / (self._reach.span / 1_000_000)
        return running.total

    def _says(self, memory: Memory, value: float) -> Says:
        if self._compares(value, self.threshold):
            return self.graded(memory, Says.BAD, value)
        if self.clear is not None and self._compares(value, self.clear):
            return Says.BETWEEN
        return Says.CLEAR
