"""What each command asks of an incident: the trigger with the fields it sets, the reason, the words that came with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas import limits
from schemas.commands import (
    Acknowledge,
    Assign,
    CheckOff,
    Close,
    Correct,
    IncidentCommand,
    Merge,
    Mitigate,
    Note,
    Publish,
    Reopen,
    Resolve,
    SetSeverity,
    SetStatus,
    Split,
    Unacknowledge,
)
from schemas.lifecycle import IncidentV1, Status
from streams.errors import IllegalTrigger, Rejected
from streams.incidents.checking import checked
from streams.incidents.lifecycle import Asked, Trigger
from streams.incidents.times import MILESTONES, corrected


@dataclass(frozen=True, slots=True)
class Request:
    """A command, read."""

    asked: Asked
    reason: str
    detail: str


def read(incident: IncidentV1, command: IncidentCommand, at: datetime) -> Request:
    """
    Return what *command*, given at *at*, asks of *incident*.

    Raises:
        IllegalTrigger: What it says cannot be so.
        Rejected: This release does not know the action.
    """
    if isinstance(command, Correct):
        return _correct(incident, command, at)
    if isinstance(command, CheckOff):
        sets, reason = checked(incident, command, max(at, incident.occurred_at))
        return Request(Asked(Trigger.CHECK_OFF, command.author, sets), reason, "")
    asking = _ASKING.get(type(command))
    if asking is None:
        kinds: tuple[type[IncidentCommand], ...] = (
            *_ASKING,
            CheckOff,
            Correct,
            Merge,
            Publish,
            Split,
        )
        known = ", ".join(sorted(kind.model_fields["action"].default for kind in kinds))
        action = type(command).model_fields["action"].default
        message = f"this release does not know the action {action}: it knows {known}"
        raise Rejected(message)
    return asking(incident, command)


def severity_fields(incident: IncidentV1, severity: int) -> dict[str, Any]:
    """Return the fields that another severity changes. 1 is the worst, so the peak is the minimum."""
    return {"severity": severity, "severity_peak": min(incident.severity_peak, severity)}


def _acknowledge(_: IncidentV1, command: Acknowledge) -> Request:
    by = command.author
    return Request(Asked(Trigger.ACKNOWLEDGE, by, {}), f"acknowledged by {by}", "")


def _unacknowledge(_: IncidentV1, command: Unacknowledge) -> Request:
    by = command.author
    reason = f"given back by {by}" + (f": {command.reason}" if command.reason else "")
    return Request(Asked(Trigger.UNACKNOWLEDGE, by, {}), reason, "")


def _correct(incident: IncidentV1, command: Correct, at: datetime) -> Request:
    before = getattr(incident, MILESTONES[command.milestone])
    was = f"{before:%Y-%m-%d %H:%M:%S %Z}" if before else "not reached"
    reason = (
        f"{command.milestone}: {was} -> {command.moment:%Y-%m-%d %H:%M:%S %Z}, "
        f"says {command.author}: {command.reason}"
    )
    sets = corrected(incident, command, at)
    return Request(Asked(Trigger.CORRECT, command.author, sets), reason, "")


def _assign(incident: IncidentV1, command: Assign) -> Request:
    sets: dict[str, Any] = {"assigned_to": command.assignee}
    if command.role == "responder":
        others = incident.responders
        if command.assignee not in others and len(others) >= limits.RESPONDERS_LISTED:
            message = f"{incident.incident_id} has {len(others)} responders: it takes no more"
            raise IllegalTrigger(message)
        sets = {"responders": tuple(dict.fromkeys([*others, command.assignee]))}
    reason = f"{command.assignee} is {command.role}, says {command.author}"
    return Request(Asked(Trigger.ASSIGN, command.author, sets), reason, "")


def _note(_: IncidentV1, command: Note) -> Request:
    return Request(
        Asked(Trigger.NOTE, command.author, {}), f"note by {command.author}", command.text
    )


def _status(incident: IncidentV1, command: SetStatus) -> Request:
    trigger = {
        Status.INVESTIGATING: Trigger.INVESTIGATE,
        Status.IDENTIFIED: Trigger.IDENTIFY,
        Status.MONITORING: Trigger.MONITOR,
    }[command.status]
    reason = f"{incident.status} -> {command.status}"
    return Request(Asked(trigger, command.author, {}), reason, command.text)


def _set_severity(incident: IncidentV1, command: SetSeverity) -> Request:
    asked = Asked(Trigger.SET_SEVERITY, command.author, severity_fields(incident, command.severity))
    return Request(
        asked, f"severity {incident.severity} -> {command.severity}: {command.reason}", ""
    )


def _mitigate(_: IncidentV1, command: Mitigate) -> Request:
    return Request(Asked(Trigger.MITIGATE, command.author, {}), "mitigated", command.text)


def _resolve(incident: IncidentV1, command: Resolve) -> Request:
    sets = {
        "root_cause": command.root_cause or incident.root_cause,
        "resolution": command.resolution or incident.resolution,
    }
    asked = Asked(Trigger.RESOLVE, command.author, sets)
    return Request(asked, f"resolved by {command.author}", command.resolution)


def _reopen(_: IncidentV1, command: Reopen) -> Request:
    # By hand: clear alerts must not resolve it again at once.
    return Request(Asked(Trigger.REOPEN, command.author, {"clear_since": None}), command.reason, "")


def _close(_: IncidentV1, command: Close) -> Request:
    return Request(Asked(Trigger.CLOSE, command.author, {}), f"closed by {command.author}", "")


_ASKING: Final[Mapping[type[IncidentCommand], Callable[[IncidentV1, Any], Request]]] = {
    Acknowledge: _acknowledge,
    Unacknowledge: _unacknowledge,
    Assign: _assign,
    Note: _note,
    SetStatus: _status,
    SetSeverity: _set_severity,
    Mitigate: _mitigate,
    Resolve: _resolve,
    Reopen: _reopen,
    Close: _close,
}
