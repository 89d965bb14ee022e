"""
Signals that were only noted down, because every rule that hears them is calm about their level.

The level of a metric is its value, of a health check 0 healthy, 1 degraded, 2 unhealthy, of a log record its severity number.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
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

    __slots__ = ("_numbers", "ats", "ids", "levels", "offsets", "signal")

    def __init__(
        self,
        signal: Any,
        ats: Sequence[datetime],
        levels: Sequence[float],
        offsets: Sequence[int],
        ids: Sequence[str | None],
    ) -> None:
        #: One signal of the feed: these differ in what was noted down.
        self.signal = signal
        self.ats, self.levels, self.offsets, self.ids = ats, levels, offsets, ids
        #: Numbers of the last ones, as far back as somebody asked.
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self.ats)

    def part(self, begin: int, end: int | None = None) -> "Batch":
        """Return those from place *begin* to the one before *end*."""
        some = slice(begin, end)
        return Batch(
            self.signal, self.ats[some], self.levels[some], self.offsets[some], self.ids[some]
        )

    def after(self, at: datetime) -> int:
        """Return the place of the first that is newer than *at*."""
        return 0 if self.ats[0] > at else bisect_right(self.ats, at)

    def numbers(self, begin: int = 0) -> list[int]:
        """Return when those from place *begin* on happened, in microseconds since 1970."""
        known = len(self.ats) - len(self._numbers)
        if begin < known:
            self._numbers = [number_of(at) for at in self.ats[begin:known]] + self._numbers
            known = begin
        return self._numbers[begin - known :]

    def marks(self, begin: int = 0) -> list[int]:
        """Return what tells those from place *begin* on from others of the same moment."""
        seed = seed_of(self.signal)
        return [
            marked(seed, *each) for each in zip(self.ids[begin:], self.levels[begin:], strict=True)
        ]

    def signals(self) -> Iterator[Any]:
        """Yield them as signals, as far as anybody calm about them can tell."""
        return (
            told_again(self.signal, Heard(*noted))
            for noted in zip(self.ats, self.levels, self.offsets, self.ids, strict=True)
        )
