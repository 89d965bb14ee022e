"""
Reminders: whoever leads an open incident is told when nothing was said about it for as long as its severity allows.

When that is stands in the incident itself, so a restart forgets none. It goes to the commander's own channels; where nobody leads the
incident, escalations look for somebody, and no reminder is made.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from schemas.lifecycle import IncidentV1, StepKind
from streams.incidents.escalation import person_calls
from streams.incidents.lifecycle import Trigger
from streams.incidents.people import Roster
from streams.incidents.promises import Happening, as_calls
from streams.incidents.severities import SeverityLevel
from streams.incidents.standing import OPEN

#: Steps that say something: the time is counted from them.
SAYING: Final = frozenset(
    {
        StepKind.OPENED,
        StepKind.REOPENED,
        StepKind.NOTED,
        StepKind.STATUS_CHANGED,
        StepKind.MITIGATED,
        StepKind.PUBLISHED,
        StepKind.REMINDED,
    }
)


def with_next_update(
    incident: IncidentV1, kind: StepKind, levels: Mapping[int, SeverityLevel]
) -> IncidentV1:
    """Return *incident* after a step of *kind* with the time by which something is to be said about it."""
    due_at = _next_update(incident, kind, levels)
    if due_at == incident.next_update_at:
        return incident
    return incident.model_copy(update={"next_update_at": due_at})


def reminder(incident: IncidentV1, roster: Roster, at: datetime) -> Happening | None:
    """Return the reminder that is due about *incident* at *at*; None where none is, or nobody can be reminded."""
    due_at, person = incident.next_update_at, incident.assigned_to
    if due_at is None or due_at > at or person is None:
        return None
    reason = f"{person} leads it, and nothing was said about it: an update was due at {due_at:%H:%M:%S %Z}"
    calls = as_calls(person_calls(roster, person, reason))
    return Happening(Trigger.REMIND, reason, calls=calls) if calls else None


def _next_update(
    incident: IncidentV1, kind: StepKind, levels: Mapping[int, SeverityLevel]
) -> datetime | None:
    level = levels.get(incident.severity)
    if level is None or level.update_every is None or incident.status not in OPEN:
        return None
    at, due_at = incident.occurred_at, incident.next_update_at
    anew = at + level.update_every
    # Where nobody could be reminded, it begins again with whatever happens next.
    if due_at is None or due_at <= at or kind in SAYING:
        return anew
    return min(due_at, anew)
