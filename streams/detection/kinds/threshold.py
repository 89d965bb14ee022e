"""A metric compared with a number: its latest value, or an aggregate of the last so many minutes."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import fsum
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from schemas.contract import Name
from schemas.origin import Origin
from schemas.telemetry import MetricV1, Signal
from streams.detection.fingerprint import likeness
from streams.detection.holding import Says
from streams.detection.rule import Evidence, Rule
from streams.detection.window import Sample, Window
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
# fsum is exact, so the same samples give the same number in whatever way they were gathered.
_AGGREGATES: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "avg": lambda values: fsum(values) / len(values),
    "min": min,
    "max": max,
    "sum": fsum,
    "count": lambda values: float(len(values)),
}
#: What these are of no values at all; the others are nothing then.
_OF_NOTHING: Final[Mapping[str, float]] = {"sum": 0.0, "count": 0.0}


@dataclass(slots=True)
class Memory:
    """What was compared last, and the window it came from."""

    value: float = 0.0
    unit: str = ""
    window: Window = field(default_factory=Window)


class Threshold(Rule):
    """
    Fires while ``metric compare threshold`` holds; resolves when ``metric compare clear`` holds no longer.

    A metric that is not heard any more neither fires nor resolves by its silence, but what it said last goes on to hold, until
    the series is forgotten. Aggregates go on with what is left in the window.
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
    aggregate: Literal["last", "avg", "min", "max", "sum", "count"] = "last"
    """What is compared: the latest value, or what was made of all values in a window."""
    over: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    """Length of the window, in event time. Of more than a thousand values in it, the newest thousand count."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if (self.over is None) != (self.aggregate == "last"):
            message = (
                f"aggregate: {self.aggregate} needs a window: add over: 5m"
                if self.over is None
                else "over needs something to make of the window: add aggregate: avg, min, max, sum or count"
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
        memory.unit = signal.unit
        if self.over is None:
            memory.value = signal.value
            return self._says(signal.value)
        sample = Sample(at, signal.value, likeness(signal))
        return self._aggregated(memory) if memory.window.take(sample, self.over, ROOM) else None

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        del heard_at
        samples = memory.window.samples
        return samples[0].at + self.over if samples and self.over else None

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says | None:
        del heard_at
        memory.window.slide(at, self.over or timedelta(0))
        return self._aggregated(memory)

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        limit = self.threshold if says is Says.BAD or self.clear is None else self.clear
        made = "" if self.over is None else f"{self.aggregate} over {written(self.over)} of "
        unit = f" {memory.unit}" if memory.unit not in {"", "1"} else ""
        holds = self.compare if says is Says.BAD else f"is not {self.compare}"
        return Evidence(
            f"{made}{self.metric} {memory.value:.6g}{unit} {holds} {limit:g}", value=memory.value
        )

    def _aggregated(self, memory: Memory) -> Says | None:
        values = [sample.value for sample in memory.window.samples]
        if values:
            memory.value = _AGGREGATES[self.aggregate](values)
        elif self.aggregate in _OF_NOTHING:
            memory.value = _OF_NOTHING[self.aggregate]
        else:
            return None
        return self._says(memory.value)

    def _says(self, value: float) -> Says:
        compares = _COMPARES[self.compare]
        if compares(value, self.threshold):
            return Says.BAD
        if self.clear is not None and compares(value, self.clear):
            return Says.BETWEEN
        return Says.CLEAR
