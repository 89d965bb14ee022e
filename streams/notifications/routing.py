"""
Who is told of a step, and why.

A route chooses by severity, service and message. Every route that fits adds its channels, so an incident that becomes worse is
told to more people. The end is told to everybody whom the worst moment was told to.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.contract import Name, Severity
from schemas.lifecycle import IncidentV1, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose

#: When the next message can be expected, until the incident is resolved.
UPDATE_EVERY: Final = timedelta(minutes=30)

#: The steps that somebody is told of, and the message each is told by.
TOLD: Final = {
    StepKind.OPENED: Purpose.INITIAL,
    StepKind.REOPENED: Purpose.INITIAL,
    StepKind.ACKNOWLEDGED: Purpose.UPDATE,
    StepKind.ASSIGNED: Purpose.UPDATE,
    StepKind.STATUS_CHANGED: Purpose.UPDATE,
    StepKind.SEVERITY_CHANGED: Purpose.UPDATE,
    StepKind.MITIGATED: Purpose.UPDATE,
    StepKind.RESOLVED: Purpose.RESOLUTION,
}


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
    if purpose is None:
        return []
    incident = step.incident
    # Whoever was called at the worst moment hears of the end.
    ends = purpose is Purpose.RESOLUTION
    severity = incident.severity_peak if ends else incident.severity
    knowing = (
        _chosen(routes, incident, step.severity_before, purpose)
        if step.kind is StepKind.SEVERITY_CHANGED and step.severity_before
        else None
    )
    notices = []
    for channel, reason in _chosen(routes, incident, severity, purpose).items():
        # Whoever is called because it became worse has not heard the beginning.
        new = knowing is not None and channel not in knowing
        notices.append(
            NoticeV1(
                occurred_at=step.occurred_at,
                notice_id=f"{step.step_id}/{channel}",
                tenant=step.tenant,
                incident_id=step.incident_id,
                step=step.kind,
                purpose=Purpose.INITIAL if new else purpose,
                channel=channel,
                reason=reason,
                update=_update(step),
                next_update_at=None if ends else step.occurred_at + UPDATE_EVERY,
                incident=incident,
            )
        )
    return notices


def _chosen(
    routes: Sequence[Route], incident: IncidentV1, severity: int, purpose: Purpose
) -> dict[str, str]:
    """Return the channels that are told, each with the route that chose it first."""
    chosen: dict[str, str] = {}
    for number, route in enumerate(routes):
        if (
            severity in route.severities
            and purpose in route.purposes
            and (not route.services or not set(route.services).isdisjoint(incident.services))
        ):
            for channel in route.channels:
                reason = f"routes[{number}]: severity {severity}, {purpose} message"
                chosen.setdefault(channel, reason)
    return chosen


def _update(step: StepV1) -> str:
    """Say what is new: the words that came with the step, else its reason."""
    return f"{step.reason}\n{step.detail}".strip() if step.detail else step.reason
