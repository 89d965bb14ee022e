"""What was heard before is silent: a heartbeat, or a dead man's switch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.contract import LabelName
from schemas.origin import Origin
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1, Signal
from streams.detection.heard import Batch
from streams.detection.holding import Says
from streams.detection.rule import Calm, Evidence, Names, Rule
from streams.durations import Duration, written

_SIGNALS: Final[Mapping[str, type[Signal]]] = {
    "health": HealthV1,
    "metrics": MetricV1,
    "logs": LogV1,
    "external": ExternalV1,
}


@dataclass(slots=True)
class Memory:
    """When it was last heard, and whether the silence has been noticed."""

    heard_at: datetime | None = None
    origin: Origin | None = None
    noticed: bool = False


class Absence(Rule):
    """
    Fires when a service that was heard has been silent for *within*; resolves when it is heard again.

    What was never heard is not missed. An alert of another system is heard whenever it is said, also again: so one that always fires, such as
    Prometheus' ``Watchdog``, is a dead man's switch. A service that stays silent for ``forget_after`` is not missed any longer, and its alert is
    resolved with that reason.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "absence",
                    "name": "metrics-missing",
                    "signal": "metrics",
                    "within": "5m",
                    "severity": 3,
                }
            ]
        }
    )

    kind: Literal["absence"] = "absence"
    group_by: tuple[LabelName, ...] | None = ()
    """
    The labels whose values are missed one by one. A service is only missed where it is silent altogether if this is left
    out; null misses every set of labels.
    """
    forget_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=1)
    """A silence that lasts so long is taken for intended: the alert is resolved and the series forgotten."""
    signal: Literal["health", "metrics", "logs", "external"]
    """What is missed."""
    only: Names = ()
    """Of which metrics or checks; any where none is named."""
    within: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    """How long it may be silent."""

    @model_validator(mode="after")
    def _has_names(self) -> Self:
        if self.only and self.signal in {"logs", "external"}:
            message = f"only has no meaning with signal: {self.signal}; leave it out"
            raise ValueError(message)
        return self

    def patience(self) -> dict[str, timedelta]:
        return super().patience() | {
            "within": self.within,
            "within and for": self.within + self.wait,
        }

    def hears(self) -> tuple[type[Signal], ...]:
        return (_SIGNALS[self.signal],)

    def heard_at(self, at: datetime, arrived: datetime) -> datetime:
        # What other systems say again bears the time when it began.
        return arrived if self.signal == "external" else at

    def names(self) -> tuple[str, ...]:
        return self.only

    def finds_whatever(self, other: Self) -> bool:
        # Of more signals, silence says less: whatever differs there, neither finds what the other does.
        alike = self.criteria("within") == other.criteria("within") and self.match == other.match
        return alike and self.within <= other.within

    def fresh(self) -> Memory:
        return Memory()

    def judge(self, memory: Memory, signal: Any, at: datetime, origin: Origin) -> Says:
        del signal
        memory.heard_at, memory.origin, memory.noticed = at, origin, False
        return Says.CLEAR

    def order_matters(self) -> bool:
        return False

    def calm(self, memory: Memory) -> Calm | None:
        if memory.heard_at is None or memory.noticed:
            return None
        return Calm(gap=self.within)

    def absorb(self, memory: Memory, heard_at: datetime, batch: Batch, origin: Origin) -> None:
        del heard_at
        memory.heard_at, memory.origin = batch.ats[-1], origin

    def next_look(self, memory: Memory, heard_at: datetime) -> datetime | None:
        return None if memory.noticed else heard_at + self.within

    def look(self, memory: Memory, heard_at: datetime, at: datetime) -> Says:
        del heard_at, at
        memory.noticed = True
        return Says.BAD

    def evidence(self, memory: Memory, says: Says) -> Evidence:
        what = f"{self.signal} ({', '.join(self.only)})" if self.only else self.signal
        if says is Says.CLEAR:
            return Evidence(f"{what} heard again")
        return Evidence(
            f"no {what} heard for {written(self.within)}",
            started_at=memory.heard_at,
            first=memory.origin,
        )
