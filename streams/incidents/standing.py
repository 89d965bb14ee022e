"""
Where one incident stands with its promises: its clocks, what was said of its deadlines, and how far its escalation is.

Only facts are kept. Deadlines follow from them and the policy, so they are counted anew after a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from schemas.lifecycle import IncidentV1, Status, StepKind
from streams.incidents.deadlines import Promise, Running
from streams.incidents.escalation import Progress

#: Steps that only a person takes: whoever has the incident is alive.
SIGNS_OF_LIFE: Final = frozenset(
    {
        StepKind.ACKNOWLEDGED,
        StepKind.ASSIGNED,
        StepKind.NOTED,
        StepKind.STATUS_CHANGED,
        StepKind.MITIGATED,
        StepKind.REOPENED,
        StepKind.CORRECTED,
        StepKind.SPLIT,
        StepKind.PUBLISHED,
        StepKind.CHECKED_OFF,
    }
)
#: Statuses in which the clocks run.
OPEN: Final = frozenset({Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING})


@dataclass(frozen=True, slots=True)
class Standing:
    """What is kept of one incident."""

    running: tuple[Running, ...]
    responded_at: datetime | None = None
    #: The severity at which each deadline was said to be at risk.
    warned: Mapping[Promise, int] = field(default_factory=dict)
    missed: frozenset[Promise] = frozenset()
    progress: Progress | None = None
    #: The last sign of life of whoever has it; None while nobody has.
    held_since: datetime | None = None
    #: Schedule to whom of it the incident was told.
    on_call: Mapping[str, str] = field(default_factory=dict)
    #: When it was detected, as far as is known; None where an earlier release did not keep it.
    detected_at: datetime | None = None

    @property
    def runs(self) -> bool:
        """Whether the clocks run."""
        return self.running[-1].until is None


KEPT: Final = TypeAdapter(Standing)


def after(standing: Standing | None, incident: IncidentV1, kind: StepKind) -> Standing:
    """Return where *incident* stands after a step of *kind*, as far as its clocks go."""
    at = incident.occurred_at
    if standing is None:
        # What was split off was detected with another one, but nobody could take it before it was there.
        since = at if kind is StepKind.OPENED else incident.detected_at
        standing = Standing((Running(since),), detected_at=incident.detected_at)
    running = standing.running
    if standing.runs and incident.status not in OPEN:
        running = (*running[:-1], replace(running[-1], until=at))
    elif not standing.runs and incident.status in OPEN:
        running = (*running, Running(at))
    if kind is StepKind.CORRECTED:
        running = _corrected(standing, incident)
    held_since = standing.held_since if incident.acknowledged_at is not None else None
    if incident.acknowledged_at is not None and (kind in SIGNS_OF_LIFE or held_since is None):
        held_since = at
    return replace(
        standing,
        running=running,
        responded_at=_responded_at(standing, incident, kind),
        held_since=held_since,
        detected_at=incident.detected_at if standing.detected_at else None,
    )


def _responded_at(standing: Standing, incident: IncidentV1, kind: StepKind) -> datetime | None:
    if kind is StepKind.CORRECTED and incident.acknowledged_at is not None:
        return incident.acknowledged_at
    return standing.responded_at or incident.acknowledged_at


def _corrected(standing: Standing, incident: IncidentV1) -> tuple[Running, ...]:
    """Return when the clocks ran, now that a person set a time of *incident* right."""
    first, *later = standing.running
    # The clock of what was split off began when it was there.
    if standing.detected_at is not None and first.since == standing.detected_at:
        first = replace(first, since=incident.detected_at)
    running = (first, *later)
    if incident.resolved_at is not None and not standing.runs:
        running = (*running[:-1], replace(running[-1], until=incident.resolved_at))
    return running
