"""
Signals that were only noted down, because every rule that hears them is calm about their level.

The level of a metric is its value, of a health check 0 healthy, 1 degraded, 2 unhealthy, of a log record its severity number.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.telemetry import HealthStatus, HealthV1, LogV1, MetricV1, Signal

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


def level_of(signal: Signal) -> float | None:
    """Return the level of *signal*; None where its kind has none."""
    if isinstance(signal, MetricV1):
        return signal.value
    if isinstance(signal, HealthV1):
        return LEVELS[signal.status]
    if isinstance(signal, LogV1):
        return signal.severity_number
    return None


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


def newer(heard: Iterable[Heard], than: datetime) -> list[Heard]:
    """Return those that happened after *than*."""
    return [each for each in heard if each.at > than]
