"""A share of one amount in another: errors of requests, hits of look-ups."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from math import inf
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from schemas.contract import LabelName
from schemas.origin import Origin
from schemas.telemetry import MetricV1, Signal
from streams.detection.budget import PART, WHOLE, Budget, Limit
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.measure import Measure, Selection, source_of
from streams.detection.moments import microseconds, moment_of, number_of
from streams.detection.rule import Calm, Evidence, Rule
from streams.detection.tally import Tally, rounded
from streams.durations import Duration, written


@dataclass(slots=True)
class Memory:
    """Both amounts, and what came of them."""

    tally: Tally = field(default_factory=Tally)
    part: float = 0.0
    whole: float = 0.0
    clear: bool = True
    bad: bool = False
    band: int = 0


class Ratio(Rule):
    """
    Fires while ``numerator / denominator compare threshold`` holds over a window; resolves when the same with *clear* holds no longer.

    While the denominator is less than *minimum* nothing new is found, but an alert that fires goes on; it is resolved when nothing at all
    is left in the window. Silence alone begins no alert, however little is left: that is found by ``absence``. The window moves in steps of
    a sixtieth of *over*, and ends *settle* before the newest signal, so that amounts that belong together are counted together. Of one
    source, signals that come more than three behind are left out.
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
        now, new = number_of(at), False
        for name in self._tracks_of(signal):
            part = name.startswith(PART)
            new |= memory.tally.take(name, now, signal.value, counter=self.counters, part=part)
        return self._look(memory, now, heard=True) if new else None

    @cached_property
    def _budget(self) -> Budget:
        span, above = self._spans[0], self.compare == ">"
        factor = self.threshold if above else 1 / self.threshold if self.threshold else inf
        return Budget(
            # No ratio is less than nothing.
            limits=() if factor == inf else ((Limit(span, factor),),),
            bounded=PART if above else WHOLE,
            counters=self.counters,
            delay=self._delay,
            reach=span,
        )

    def source_for(self, signal: MetricV1) -> str:
        return " ".join(self._tracks_of(signal))

    def _tracks_of(self, signal: MetricV1) -> tuple[str, ...]:
        source = source_of(signal)
        return tuple(
            f"{PART if part else WHOLE}{source}"
            for part, measure in self._measures
            if measure.holds(signal)
        )

    def calm(self, memory: Memory) -> Calm | None:
        return self._budget.calm(memory.tally)

    def renewed(self, memory: Memory, calm: Calm) -> Calm | None:
        return self._budget.renewed(memory.tally, calm)

    def calm_of(self, memory: Memory, calm: Calm, source: str) -> Calm | None:
        return self._budget.of_source(memory.tally, calm, tuple(source.split()))

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        del heard_at
        self.absorb_late(memory, batch, origin)

    def absorb_late(self, memory: Memory, batch: Batch, origin: Origin) -> None:
        del origin
        ats = batch.numbers()
        for name in self._tracks_of(batch.signal):
            part = name.startswith(PART)
            memory.tally.follow(name, ats, batch.levels, counter=self.counters, part=part)
        # Until the other feeds are absorbed too, what is counted says nothing.
        self._count(memory, ats[-1])
        memory.clear = self._found(memory) is Says.CLEAR

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        moments = [memory.tally.next_settled(self._delay)]
        if not memory.clear:
            moments.append(memory.tally.next_step(self._delay, self._spans))
        known = [moment for moment in moments if moment is not None]
        return moment_of(min(known)) if known else None

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says:
        del heard_at
        now, settled = number_of(at), memory.tally.next_settled(self._delay)
        return self._look(memory, now, heard=settled is not None and settled <= now)

    def as_heard(self, memory: Memory) -> Memory:
        return replace(memory, tally=memory.tally.unsettled())

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        what = f"{self.numerator.metric} of {self.denominator.metric} over {written(self.over)}"
        if not memory.whole:
            return Evidence(f"{what}: nothing is left in the window")
        value = self._value(memory)
        limit = self.threshold if says is Says.BAD or self.clear is None else self.clear
        holds = self.compare if says is Says.BAD else f"is not {self.compare}"
        return Evidence(
            f"{what}: {memory.part:.6g} of {memory.whole:.6g}, {value:.4g} {holds} {limit:g}",
            value=value,
        )

    def doubts(self) -> Iterator[tuple[str, str]]:
        if self.compare == "<" and self.threshold == 0:
            yield "threshold", "a ratio is never less than 0; it can never fire"

    def begins(self) -> float | None:
        return self.threshold

    def rising(self) -> bool:
        return self.compare == ">"

    def _look(self, memory: Memory, now: int, *, heard: bool) -> Says:
        self._count(memory, now)
        says = self._found(memory)
        if says is Says.BAD and not (heard or memory.bad):
            # What has left the window says nothing of what is in it.
            says = Says.BETWEEN
        memory.clear, memory.bad = says is Says.CLEAR, says is Says.BAD
        return self.graded(memory, says, self._value(memory))

    def _count(self, memory: Memory, now: int) -> None:
        memory.tally.settle(now, self._delay, self._spans)
        steps = memory.tally.window(self._spans[0])
        # A late value of a counter can take back what was counted before.
        memory.part, memory.whole = max(steps.part, 0.0), max(steps.whole, 0.0)
        if not steps.numbers:
            memory.whole = 0.0

    def _found(self, memory: Memory) -> Says:
        if not memory.whole:
            return Says.CLEAR
        if rounded(memory.whole) < self.minimum:
            return Says.BETWEEN
        value = self._value(memory)
        if self._beyond(value, self.threshold):
            return Says.BAD
        if self.clear is not None and self._beyond(value, self.clear):
            return Says.BETWEEN
        return Says.CLEAR

    def _value(self, memory: Memory) -> float:
        return rounded(min(memory.part / memory.whole, 1e300)) if memory.whole else 0.0

    def _beyond(self, value: float, number: float) -> bool:
        number = rounded(number)
        return value > number if self.compare == ">" else value < number
