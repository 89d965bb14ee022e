"""
The transition table: every legal move of an incident, and what each one changes.

Acknowledged, assigned, mitigated and the checklist are facts beside the status. What the table has no line for is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from schemas.lifecycle import IncidentV1, Status, StepKind
from streams.errors import IllegalTrigger


class Trigger(StrEnum):
    """What asks an incident to change."""

    ATTACH = "attach"
    CHANGE_ALERT = "change_alert"
    CLEAR_ALERT = "clear_alert"
    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    NOTE = "note"
    INVESTIGATE = "investigate"
    IDENTIFY = "identify"
    MONITOR = "monitor"
    SET_SEVERITY = "set_severity"
    MITIGATE = "mitigate"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    UNACKNOWLEDGE = "unacknowledge"
    WARN = "warn"
    MISS = "miss"
    ESCALATE = "escalate"
    HAND_OVER = "hand_over"
    CORRECT = "correct"
    MERGE = "merge"
    ABSORB = "absorb"
    SPLIT = "split"
    FIND_CAUSE = "find_cause"
    RANK_SUSPECTS = "rank_suspects"
    PUBLISH = "publish"
    REMIND = "remind"
    CHECK_OFF = "check_off"
    FALL_DUE = "fall_due"


#: What only time asks for.
_OF_THE_CLOCK: Final = frozenset(
    {
        Trigger.WARN,
        Trigger.MISS,
        Trigger.ESCALATE,
        Trigger.HAND_OVER,
        Trigger.REMIND,
        Trigger.FALL_DUE,
    }
)
_OPEN: Final = (Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING)
_MOVES: Final = {
    Trigger.INVESTIGATE: Status.INVESTIGATING,
    Trigger.IDENTIFY: Status.IDENTIFIED,
    Trigger.MONITOR: Status.MONITORING,
}

TRANSITIONS: Final[Mapping[tuple[Status, Trigger], tuple[Status, StepKind]]] = {
    # While it is open, alerts and people add to it and its status stays.
    **{
        (status, trigger): (status, kind)
        for status in _OPEN
        for trigger, kind in {
            Trigger.ATTACH: StepKind.ALERT_ATTACHED,
            Trigger.CHANGE_ALERT: StepKind.ALERT_CHANGED,
            Trigger.CLEAR_ALERT: StepKind.ALERT_RESOLVED,
            Trigger.ACKNOWLEDGE: StepKind.ACKNOWLEDGED,
            Trigger.ASSIGN: StepKind.ASSIGNED,
            Trigger.NOTE: StepKind.NOTED,
            Trigger.SET_SEVERITY: StepKind.SEVERITY_CHANGED,
            Trigger.MITIGATE: StepKind.MITIGATED,
            Trigger.UNACKNOWLEDGE: StepKind.UNACKNOWLEDGED,
            Trigger.WARN: StepKind.AT_RISK,
            Trigger.MISS: StepKind.MISSED,
            Trigger.ESCALATE: StepKind.ESCALATED,
            Trigger.HAND_OVER: StepKind.HANDED_OVER,
            Trigger.CORRECT: StepKind.CORRECTED,
            Trigger.ABSORB: StepKind.ABSORBED,
            Trigger.SPLIT: StepKind.SPLIT,
            Trigger.FIND_CAUSE: StepKind.CAUSE_FOUND,
            Trigger.RANK_SUSPECTS: StepKind.SUSPECTS_RANKED,
            Trigger.PUBLISH: StepKind.PUBLISHED,
            Trigger.REMIND: StepKind.REMINDED,
            Trigger.CHECK_OFF: StepKind.CHECKED_OFF,
            Trigger.FALL_DUE: StepKind.OVERDUE,
        }.items()
    },
    # A person moves it between the open statuses, in any order.
    **{
        (status, trigger): (aim, StepKind.STATUS_CHANGED)
        for status in _OPEN
        for trigger, aim in _MOVES.items()
        if status is not aim
    },
    **{(status, Trigger.RESOLVE): (Status.RESOLVED, StepKind.RESOLVED) for status in _OPEN},
    # Until it is closed it can turn out to be part of another one; that is its end.
    **{
        (status, Trigger.MERGE): (Status.MERGED, StepKind.MERGED)
        for status in (*_OPEN, Status.RESOLVED)
    },
    # Resolved: alerts may still end, people may still write, and it may come back.
    (Status.RESOLVED, Trigger.CHANGE_ALERT): (Status.RESOLVED, StepKind.ALERT_CHANGED),
    (Status.RESOLVED, Trigger.CLEAR_ALERT): (Status.RESOLVED, StepKind.ALERT_RESOLVED),
    (Status.RESOLVED, Trigger.ASSIGN): (Status.RESOLVED, StepKind.ASSIGNED),
    (Status.RESOLVED, Trigger.NOTE): (Status.RESOLVED, StepKind.NOTED),
    (Status.RESOLVED, Trigger.SET_SEVERITY): (Status.RESOLVED, StepKind.SEVERITY_CHANGED),
    # What was done while nobody wrote is ticked afterwards.
    (Status.RESOLVED, Trigger.CHECK_OFF): (Status.RESOLVED, StepKind.CHECKED_OFF),
    # It ended too late, which is seen afterwards.
    (Status.RESOLVED, Trigger.MISS): (Status.RESOLVED, StepKind.MISSED),
    (Status.RESOLVED, Trigger.REOPEN): (Status.INVESTIGATING, StepKind.REOPENED),
    (Status.RESOLVED, Trigger.CLOSE): (Status.CLOSED, StepKind.CLOSED),
    (Status.RESOLVED, Trigger.CORRECT): (Status.RESOLVED, StepKind.CORRECTED),
    # People outside are told last that it is over.
    (Status.RESOLVED, Trigger.PUBLISH): (Status.RESOLVED, StepKind.PUBLISHED),
    # Closed: it takes no alert and never comes back, but what is known of it can still be set right.
    (Status.CLOSED, Trigger.NOTE): (Status.CLOSED, StepKind.NOTED),
    (Status.CLOSED, Trigger.CORRECT): (Status.CLOSED, StepKind.CORRECTED),
    (Status.CLOSED, Trigger.PUBLISH): (Status.CLOSED, StepKind.PUBLISHED),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A trigger, and what it says."""

    trigger: Trigger
    author: str
    #: Fields of the incident that the trigger sets by itself.
    sets: Mapping[str, Any]


def advance(incident: IncidentV1, asked: Asked, at: datetime) -> tuple[IncidentV1, StepKind]:
    """
    Apply what was *asked* at *at*, and name the step it made.

    Raises:
        IllegalTrigger: There is no line for this pair in ``TRANSITIONS``, or the fact is one already.
    """
    try:
        status, kind = TRANSITIONS[incident.status, asked.trigger]
    except KeyError:
        accepted = accepts(incident.status)
        message = (
            f"{incident.incident_id} is {incident.status}: it cannot {asked.trigger}, "
            f"it accepts {', '.join(accepted) or 'nothing'}"
        )
        raise IllegalTrigger(message) from None
    facts = _FACTS[kind](incident, asked, at) if kind in _FACTS else {}
    return incident.model_copy(
        update={
            **asked.sets,
            **facts,
            "status": status,
            "sequence": incident.sequence + 1,
            "occurred_at": at,
        }
    ), kind


def accepts(status: Status) -> list[Trigger]:
    """Return what an incident in *status* accepts from anybody but the clock, in the order of ``Trigger``."""
    return [
        trigger
        for trigger in Trigger
        if (status, trigger) in TRANSITIONS and trigger not in _OF_THE_CLOCK
    ]


def _acknowledged(incident: IncidentV1, asked: Asked, at: datetime) -> dict[str, Any]:
    if incident.acknowledged_at is not None:
        message = (
            f"{incident.incident_id} was acknowledged by {incident.acknowledged_by} "
            f"at {incident.acknowledged_at:%H:%M:%S}"
        )
        raise IllegalTrigger(message)
    return {
        "acknowledged_at": at,
        "acknowledged_by": asked.author,
        # Whoever takes it works on it, until somebody is named.
        "assigned_to": incident.assigned_to or asked.author,
    }


def _unacknowledged(incident: IncidentV1, asked: Asked, at: datetime) -> dict[str, Any]:
    del asked, at
    if incident.acknowledged_at is None:
        message = f"{incident.incident_id} is not acknowledged"
        raise IllegalTrigger(message)
    # Whoever was named otherwise than by taking it stays.
    took = incident.assigned_to == incident.acknowledged_by
    return {
        "acknowledged_at": None,
        "acknowledged_by": None,
        "assigned_to": None if took else incident.assigned_to,
    }


def _mitigated(incident: IncidentV1, asked: Asked, at: datetime) -> dict[str, Any]:
    del asked
    if incident.mitigated_at is not None:
        message = f"{incident.incident_id} was mitigated at {incident.mitigated_at:%H:%M:%S}"
        raise IllegalTrigger(message)
    return {"mitigated_at": at}


def _resolved(incident: IncidentV1, asked: Asked, at: datetime) -> dict[str, Any]:
    del asked
    # Whoever is told that it is over need not be told first that it was mitigated.
    return {"resolved_at": at, "mitigated_at": incident.mitigated_at or at}


def _reopened(incident: IncidentV1, asked: Asked, at: datetime) -> dict[str, Any]:
    del asked
    resolved_at = incident.resolved_at or at
    return {
        "resolved_at": None,
        "mitigated_at": None,
        "time_resolved": incident.time_resolved + (at - resolved_at),
        "reopen_count": incident.reopen_count + 1,
    }


def _closed(incident: IncidentV1, asked: Asked, at: datetime) -> dict[str, Any]:
    del incident, asked
    return {"closed_at": at}


_FACTS: Final[Mapping[StepKind, Callable[[IncidentV1, Asked, datetime], dict[str, Any]]]] = {
    StepKind.ACKNOWLEDGED: _acknowledged,
    StepKind.UNACKNOWLEDGED: _unacknowledged,
    StepKind.MITIGATED: _mitigated,
    StepKind.RESOLVED: _resolved,
    StepKind.REOPENED: _reopened,
    StepKind.CLOSED: _closed,
}
