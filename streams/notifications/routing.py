"""
Who is told of a step, and why.

A route chooses by severity, service and message. Every route that fits adds its channels, so an incident that becomes worse is
told to more people: those who are new are called as if it had begun now. Its end, and that it was made less severe, is told to
everybody whom the worst moment was told to. After its end nobody is told anything until it is reopened: people still correct and
assign then, and a pager would take that for a new call.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas import limits
from schemas.contract import Name, Severity
from schemas.lifecycle import IncidentV1, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose

#: When the next message can be expected, until the incident is resolved.
UPDATE_EVERY: Final = timedelta(minutes=30)

#: The steps that somebody is told of, and the message each is told by. Alerts that come and go, and notes, are read where the
#: incident is worked on: telling everybody of each would teach them to look away.
TOLD: Final = {
    StepKind.OPENED: Purpose.INITIAL,
    # Whoever is only called at the beginning is called again.
    StepKind.REOPENED: Purpose.INITIAL,
    StepKind.ACKNOWLEDGED: Purpose.UPDATE,
    StepKind.ASSIGNED: Purpose.UPDATE,
    StepKind.STATUS_CHANGED: Purpose.UPDATE,
    StepKind.SEVERITY_CHANGED: Purpose.SEVERITY,
    StepKind.MITIGATED: Purpose.UPDATE,
    StepKind.RESOLVED: Purpose.RESOLUTION,
}

#: Steps that those hear of who were told at the worst moment.
_BY_THE_WORST: Final = frozenset({StepKind.RESOLVED, StepKind.SEVERITY_CHANGED})


class Route(BaseModel):
    """One line of the policy's ``routes``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"severities": [1, 2], "channels": ["slack"]}]},
    )

    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = (1, 2, 3, 4)
    """The severities it is for."""
    services: tuple[Name, ...] = ()
    """The services it is for; all where none is named."""
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)] = tuple(Purpose)
    """The messages it is for: ``initial``, ``update``, ``resolution``."""
    channels: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Names of the channels that are told."""


def told(step: StepV1, routes: Sequence[Route]) -> list[NoticeV1]:
    """Return one notice for each channel that hears of *step*; the same step gives the same ids."""
    purpose = TOLD.get(step.kind)
    over = step.incident.resolved_at is not None and purpose is not Purpose.RESOLUTION
    if purpose is None or over:
        return []
    incident = step.incident
    worst = step.kind in _BY_THE_WORST
    severity = incident.severity_peak if worst else incident.severity
    called = _newly_concerned(step, routes)
    others = _chosen(incident, severity, purpose, routes)
    return [
        *(_notice(step, Purpose.INITIAL, channel, reason) for channel, reason in called.items()),
        *(
            _notice(step, purpose, channel, reason)
            for channel, reason in others.items()
            if channel not in called
        ),
    ]


def notice_id(step: StepV1, channel: str) -> str:
    """Return the id of what *channel* is told of *step*."""
    whole = f"{step.step_id}/{channel}"
    if len(whole) <= limits.ID_LENGTH:
        return whole
    # Tenants and channels can have long names: the end of the id tells them apart.
    rest = hashlib.sha256(whole.encode()).hexdigest()[:32]
    return f"{whole[: limits.ID_LENGTH - len(rest) - 1]}#{rest}"


def _newly_concerned(step: StepV1, routes: Sequence[Route]) -> dict[str, str]:
    """Return the channels that are called because the incident became worse, and why."""
    incident, before = step.incident, step.severity_before
    # 1 is the worst.
    if step.kind is not StepKind.SEVERITY_CHANGED or before is None or incident.severity >= before:
        return {}
    # Whoever was called in between, and then told that it is less severe, is called again.
    earlier = {
        channel
        for severity in (before, incident.severity_first)
        for channel in _chosen(incident, severity, Purpose.INITIAL, routes)
    }
    now = _chosen(incident, incident.severity, Purpose.INITIAL, routes)
    return {channel: reason for channel, reason in now.items() if channel not in earlier}


def _chosen(
    incident: IncidentV1, severity: int, purpose: Purpose, routes: Sequence[Route]
) -> dict[str, str]:
    """Return the channels that hear of *incident* at *severity*, each with the first route that says so."""
    chosen: dict[str, str] = {}
    for number, route in enumerate(routes):
        if _fits(route, severity, purpose, incident):
            reason = _reason(number, route, severity, purpose, incident)
            for channel in route.channels:
                chosen.setdefault(channel, reason)
    return chosen


def _notice(step: StepV1, purpose: Purpose, channel: str, reason: str) -> NoticeV1:
    ends = purpose is Purpose.RESOLUTION
    return NoticeV1(
        occurred_at=step.occurred_at,
        notice_id=notice_id(step, channel),
        tenant=step.tenant,
        incident_id=step.incident_id,
        step=step.kind,
        purpose=purpose,
        channel=channel,
        reason=reason,
        update=_update(step),
        next_update_at=None if ends else step.occurred_at + UPDATE_EVERY,
        incident=step.incident,
    )


def _fits(route: Route, severity: int, purpose: Purpose, incident: IncidentV1) -> bool:
    return (
        severity in route.severities
        and purpose in route.purposes
        and (not route.services or not _services(incident).isdisjoint(route.services))
    )


def _services(incident: IncidentV1) -> set[str]:
    return {incident.service, *incident.services}


def _reason(
    number: int, route: Route, severity: int, purpose: Purpose, incident: IncidentV1
) -> str:
    """Say why *route*, the policy's *number*, chose its channels."""
    at_worst = "" if severity == incident.severity else " at its worst"
    parts = [f"severity {severity}{at_worst}", f"{purpose} message"]
    if route.services:
        parts.append(f"service {min(_services(incident).intersection(route.services))}")
    return f"routes[{number}]: {', '.join(parts)}"


def _update(step: StepV1) -> str:
    """Say what is new: why it happened, and the words that came with it."""
    text = f"{step.reason}\n{step.detail}".strip() if step.detail else step.reason
    # Each fits into a notice, both together may not.
    return text[: limits.TEXT_LENGTH]
