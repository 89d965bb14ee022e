"""A share of one amount in another: errors of requests, hits of look-ups."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from schemas.contract import LabelName
from schemas.origin import Origin
from schemas.telemetry import MetricV1, Signal
from streams.detection.holding import Says
from streams.detection.measure import Measure, Selection, source_of
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import ONE_FEED, Calm, Evidence, Rule
from streams.detection.tally import Tally
from streams.durations import Duration, written

#: Signals that may come before the ratio is looked at again.
_AT_ONCE: Final = 16


@dataclass(slots=True)
class Memory:
    """Both amounts, and what came of them."""

    tally: Tally = field(default_factory=Tally)
    part: float = 0.0
    whole: float = 0.0
    clear: bool = True
    band: int = 0


class Ratio(Rule):
    """
    Fires while ``numerator / denominator compare threshold`` holds over a window; resolves when the same with *clear* holds no longer.

    While the denominator is less than *minimum* nothing new is found, but an alert that fires goes on; it is resolved when nothing at all
    is left in the window. The window moves in steps of a sixtieth of *over*, and ends *settle* before the newest signal, so that
    amounts that belong together are counted together. Of one source, signals that come more than three behind are left out.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "ratio",
                    "name": "error-ratio",
                    "numerator": "http_errors_total",
                    "denominator": "http_requests_total",
                    "over": "1m",
                    "threshold": 0.05,
                    "clear": 0.01,
                    "minimum": 20,
                    "severity": 2,
                }
            ]
        }
    )

    kind: Literal["ratio"] = "ratio"
    group_by: tuple[LabelName, ...] | None = ()
    """
    The labels whose values have ratios of their own; one ratio for a service and environment where it is left out, and null for one
    of every set of labels, which both metrics must have then.
    """
    numerator: Measure
    """The part: a metric's name, or ``{metric: http_requests_total, match: [status=~"5.."]}``."""
    denominator: Measure
    """The whole, likewise."""
    counters: bool = True
    """Whether the metrics are counters, whose growth is counted; otherwise each value is an amount of its own."""
    over: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    """Length of the window, in event time."""
    compare: Literal[">", "<"] = ">"
    """Whether a large or a small ratio is bad."""
    threshold: Annotated[FiniteFloat, Field(ge=0)]
    """What the ratio is compared with: 0.05 for five per cent."""
    clear: Annotated[FiniteFloat, Field(ge=0)] | None = None
    """The same comparison with this number must fail before it is resolved; the threshold where it is left out."""
    minimum: Annotated[FiniteFloat, Field(gt=0)] = 10
    """What the denominator must come to in the window, so that one error of two requests pages nobody."""
    settle: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(seconds=5)
    """How long after a moment its signals are counted: both metrics must have been told by then."""

    @cached_property
    def _spans(self) -> tuple[int, ...]:
        return (microseconds(self.over),)

    @cached_property
    def _delay(self) -> int:
        return microseconds(self.settle)

    @cached_property
    def _measures(self) -> tuple[tuple[bool, Selection], ...]:
        return ((True, self.numerator), (False, self.denominator))

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.clear is not None and (
            self.clear > self.threshold if self.rising() else self.clear < self.threshold
        ):
            message = (
                f"clear ({self.clear:g}) must be {'at most' if self.rising() else 'at least'} threshold ({self.threshold:g}) "
                f"with compare: '{self.compare}'"
            )
            raise ValueError(message)
        return self

    def patience(self) -> dict[str, timedelta]:
        return super().patience() | {"over": self.over, "settle": self.settle}

    def counts_late(self) -> bool:
        return True

    def hears(self) -> tuple[type[Signal], ...]:
        return (MetricV1,)

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.numerator.metric, self.denominator.metric)))

    def concerns(self, signal: MetricV1) -> bool:
        return super().concerns(signal) and (
            self.numerator.holds(signal) or self.denominator.holds(signal)
        )

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: MetricV1, at: datetime, origin: Origin) -> Says | None:
        del origin
        now, source, new = number_of(at), source_of(signal), False
        for part, measure in self._measures:
            if measure.holds(signal):
                name = f"{'part' if part else 'whole'}{source}"
                new |= memory.tally.take(name, now, signal.value, counter=self.counters, part=part)
        return self._look(memory, now) if new else None

    def calm(self, memory: Memory) -> Calm | None:
        tally = memory.tally
        step = tally.next_step(0, self._spans)
        if self.counters or step is None:
            return None
        steps = tally.window(self._spans[0])
        # What waits may be counted apart from the rest: take all of it for the worse.
        if self.compare == ">":
            part = steps.part + sum(each.part for each in tally.waiting)
            left = self.threshold * steps.whole - part
        else:
            if not self.threshold:
                return Calm(count=ONE_FEED)
            whole = steps.whole + sum(each.whole for each in tally.waiting)
            left = steps.part / self.threshold - whole
        if left <= 0:
            return None
        return Calm(high=left / _AT_ONCE * 0.999, count=_AT_ONCE, until=moment_of(step))

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        moments = [memory.tally.next_settled(self._delay)]
        if not memory.clear:
            moments.append(memory.tally.next_step(self._delay, self._spans))
        known = [moment for moment in moments if moment is not None]
        return moment_of(min(known)) if known else None

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says:
        del heard_at
        return self._look(memory, number_of(at))

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        what = f"{self.numerator.metric} of {self.denominator.metric} over {written(self.over)}"
        if not memory.whole:
            return Evidence(f"{what}: nothing is left in the window")
        value = memory.part / memory.whole
        limit = self.threshold if says is Says.BAD or self.clear is None else self.clear
        holds = self.compare if says is Says.BAD else f"is not {self.compare}"
        return Evidence(
            f"{what}: {memory.part:.6g} of {memory.whole:.6g}, {value:.4g} {holds} {limit:g}",
            value=value,
        )

    def rising(self) -> bool:
        return self.compare == ">"

    def _look(self, memory: Memory, now: int) -> Says:
        memory.tally.settle(now, self._delay, self._spans)
        steps = memory.tally.window(self._spans[0])
        # A late value of a counter can take back what was counted before.
        memory.part, memory.whole = max(steps.part, 0.0), max(steps.whole, 0.0)
        says = self._says(memory)
        memory.clear = says is Says.CLEAR
        return says

    def _says(self, memory: Memory) -> Says:
        part, whole = memory.part, memory.whole
        if not memory.tally.window(self._spans[0]).numbers or not whole:
            memory.whole = 0.0
            return self.graded(memory, Says.CLEAR, 0.0)
        if whole < self.minimum:
            return Says.BETWEEN
        value = min(part / whole, 1e300)
        if self._beyond(value, self.threshold):
            return self.graded(memory, Says.BAD, value)
        if self.clear is not None and self._beyond(value, self.clear):
            return Says.BETWEEN
        return self.graded(memory, Says.CLEAR, value)

    def _beyond(self, value: float, number: float) -> bool:
        return value > number if self.compare == ">" else value < number
