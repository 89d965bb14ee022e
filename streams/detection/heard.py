"""
Signals that were only noted down, because every rule that hears them is calm about their level.

The level of a metric is its value, of a health check 0 healthy, 1 degraded, 2 unhealthy, of a log record its severity number.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from schemas.telemetry import HealthStatus, HealthV1, MetricV1, Signal
from streams.detection.moments import number_of
from streams.detection.running import marked, seed_of

LEVELS: Final[Mapping[str, float]] = {
    HealthStatus.HEALTHY: 0.0,
    HealthStatus.DEGRADED: 1.0,
    HealthStatus.UNHEALTHY: 2.0,
}
_STATUSES: Final = (HealthStatus.HEALTHY, HealthStatus.DEGRADED, HealthStatus.UNHEALTHY)


class Heard(NamedTuple):
    """One signal of a feed that was noted down."""

    at: datetime
    level: float
    offset: int
    signal_id: str | None


def told_again(signal: Signal, heard: Heard) -> Signal:
    """Return the signal that *heard* was noted down of, as far as anybody calm about it can tell; *signal* is one of the same feed."""
    update: dict[str, Any] = {"occurred_at": heard.at, "signal_id": heard.signal_id}
    if isinstance(signal, MetricV1):
        update["value"] = heard.level
    elif isinstance(signal, HealthV1):
        update["status"] = _STATUSES[int(heard.level)]
    else:
        update["severity_number"] = int(heard.level)
    return signal.model_copy(update=update)


class Batch:
    """Signals of one feed that were noted down, each newer than the one before: when, at what level, where and with what id."""

    __slots__ = ("__dict__", "ats", "ids", "levels", "offsets", "signal")

    def __init__(
        self, signal: Any, noted: Iterable[tuple[datetime, float, int, str | None]]
    ) -> None:
        #: One signal of the feed: these differ in what was noted down.
        self.signal = signal
        self.ats, self.levels, self.offsets, self.ids = zip(*noted, strict=True)

    def after(self, at: datetime) -> tuple["Batch | None", "Batch | None"]:
        """Return those that are not newer than *at*, and those that are."""
        if self.ats[0] > at:
            return None, self
        late = bisect_right(self.ats, at)
        noted = list(zip(self.ats, self.levels, self.offsets, self.ids, strict=True))
        newer = Batch(self.signal, noted[late:]) if late < len(noted) else None
        return Batch(self.signal, noted[:late]), newer

    @cached_property
    def numbers(self) -> list[int]:
        """When they happened, in microseconds since 1970."""
        return [number_of(at) for at in self.ats]

    @cached_property
    def marks(self) -> list[int]:
        """What tells them from others of the same moment."""
        seed = seed_of(self.signal)
        return [marked(seed, *each) for each in zip(self.ids, self.levels, strict=True)]

    def signals(self) -> Iterator[Any]:
        """Yield them as signals, as far as anybody calm about them can tell."""
        return (
            told_again(self.signal, Heard(*noted))
            for noted in zip(self.ats, self.levels, self.offsets, self.ids, strict=True)
        )
