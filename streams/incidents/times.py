"""
An incident's times: how long it took to be detected, acknowledged, mitigated and resolved, and setting its milestones right.

TTD = detected - started; TTA = acknowledged - detected; TTM = mitigated - acknowledged; TTR = resolved - started without the time it was
resolved before it came back. The same stands in the warehouse's view ``incidents_now``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.commands import Correct
from schemas.lifecycle import IncidentV1
from streams.errors import IllegalTrigger

#: Milestones in the order in which they are reached, and the fields that hold them.
MILESTONES: Final[Mapping[str, str]] = {
    "started": "started_at",
    "detected": "detected_at",
    "acknowledged": "acknowledged_at",
    "mitigated": "mitigated_at",
    "resolved": "resolved_at",
}
#: What must not be later than what, where both are known: who is told of an end may never have acknowledged the beginning.
_ORDER: Final = (
    ("started", "detected"),
    ("detected", "acknowledged"),
    ("started", "mitigated"),
    ("mitigated", "resolved"),
    ("acknowledged", "resolved"),
)


@dataclass(frozen=True, slots=True)
class Times:
    """How long each part took; None where its end was not reached."""

    to_detect: timedelta
    to_acknowledge: timedelta | None
    to_mitigate: timedelta | None
    to_resolve: timedelta | None


def times_of(incident: IncidentV1) -> Times:
    """Return the times of *incident*; zero where the clocks of two systems put one before what it follows."""
    return Times(
        to_detect=_between(incident.started_at, incident.detected_at) or timedelta(0),
        to_acknowledge=_between(incident.detected_at, incident.acknowledged_at),
        to_mitigate=_between(incident.acknowledged_at, incident.mitigated_at),
        to_resolve=_between(incident.started_at, incident.resolved_at, incident.time_resolved),
    )


def corrected(incident: IncidentV1, command: Correct, at: datetime) -> dict[str, Any]:
    """
    Return the fields of *incident* that *command*, given at *at*, sets right.

    Raises:
        IllegalTrigger: The milestone cannot have been then.
    """
    if command.moment > at:
        message = f"{command.milestone} cannot be in the future: {_shown(command.moment)}"
        raise IllegalTrigger(message)
    if command.milestone == "resolved" and incident.resolved_at is None:
        message = f"{incident.incident_id} is {incident.status}: resolve it first"
        raise IllegalTrigger(message)
    known = {name: getattr(incident, field) for name, field in MILESTONES.items()}
    known[command.milestone] = command.moment
    for earlier, later in _ORDER:
        first, second = known[earlier], known[later]
        if command.milestone in {earlier, later} and first and second and first > second:
            message = f"{earlier} must not be later than {later}: {_shown(first)} is after {_shown(second)}"
            raise IllegalTrigger(message)
    sets: dict[str, Any] = {MILESTONES[command.milestone]: command.moment}
    if command.milestone == "acknowledged" and incident.acknowledged_by is None:
        sets["acknowledged_by"] = command.author
    return sets


def _between(
    begin: datetime | None, end: datetime | None, without: timedelta = timedelta(0)
) -> timedelta | None:
    if begin is None or end is None:
        return None
    return max(end - begin - without, timedelta(0))


def _shown(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S %Z")
