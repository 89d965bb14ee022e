"""
Signals that wait for those which happened before them: what a rule with an allowed lateness hears, it hears in order.

A series has a watermark of its own: everything that happened until then was judged, and what comes now from before it is too late.
It lies the allowed lateness behind the newest signal of the series; where none comes, the clock's ticks, which stand in the log as well,
move it on. So it follows from what stands in the log and from nothing else, and is remembered with the series.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.origin import Origin
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1, Signal

#: Signals of one series that wait: with one more, the oldest is judged early.
ROOM: Final = 1_000
_KINDS: Final[Mapping[str, type[Signal]]] = {
    kind.__name__: kind for kind in (ExternalV1, HealthV1, LogV1, MetricV1)
}


@dataclass(slots=True)
class Kept:
    """A signal that waits for its turn."""

    at: datetime
    origin: Origin
    kind: str
    signal: Any


@dataclass(slots=True)
class Queue:
    """What waits in one series, in the order in which it happened."""

    heard: bool = False
    """Whether any signal of the series was judged."""
    passed: datetime | None = None
    """The watermark."""
    waiting: list[Kept] = field(default_factory=list)

    def take(self, signal: Signal, at: datetime, origin: Origin, lateness: timedelta) -> bool:
        """Let *signal* wait, and return whether it is in time. A copy of one that waits changes nothing."""
        if self.passed is not None and at <= self.passed:
            return False
        waiting = self.waiting
        place = bisect_left(waiting, at, key=lambda kept: kept.at)
        if place < len(waiting) and waiting[place].at == at:
            # Of one moment, what they say decides: the order in which they came is chance.
            says = _said_by(signal)
            while place < len(waiting) and waiting[place].at == at:
                other = _said_by(waiting[place].signal)
                if other == says:
                    return True
                if other > says:
                    break
                place += 1
        waiting.insert(place, Kept(at, origin, type(signal).__name__, signal))
        self.pass_to(max(waiting[0].at, at - lateness) if len(waiting) > ROOM else at - lateness)
        return True

    def pass_to(self, moment: datetime) -> None:
        """Move the watermark on."""
        if self.passed is None or moment > self.passed:
            self.passed = moment

    def next(self, until: datetime | None) -> Kept | None:
        """Return the oldest that waits, if its turn is not after *until*."""
        if not self.waiting or until is None or self.waiting[0].at > until:
            return None
        return self.waiting[0]

    def revive(self) -> None:
        """Make signals again of what was written down."""
        for kept in self.waiting:
            kept.signal = _KINDS[kept.kind].model_validate(kept.signal)


def _said_by(signal: Signal) -> tuple[float, bytes]:
    # A counter goes up: of one moment, the smaller value was before the larger one.
    return (signal.value if isinstance(signal, MetricV1) else 0.0), signal.to_wire()
