"""
PagerDuty's V3 webhooks.

Source: PagerDuty developer documentation, "Webhooks: Overview".
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from pydantic import ConfigDict

from schemas.telemetry import Signal
from streams.telemetry.documents import Part, read_document
from streams.telemetry.external import AlertFormat, Told, first_of
from streams.telemetry.moments import from_text
from streams.telemetry.payload import Payload


class _Reference(Part):
    summary: str | None = None


class _Incident(Part):
    id: str
    status: str
    title: str
    service: _Reference | None = None
    priority: _Reference | None = None
    escalation_policy: _Reference | None = None
    teams: list[_Reference] | None = None
    urgency: str | None = None
    html_url: str | None = None


class _Event(Part):
    id: str
    event_type: str
    occurred_at: str
    resource_type: str
    data: msgspec.Raw


class _Webhook(Part):
    event: _Event


class _Kind(Part):
    type: str = ""


class PagerDuty(AlertFormat):
    """Reads what happened to an incident; what happened to anything else is passed over."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"severities": {"P1": 1, "low": 4}, "tenant": "default"}]}
    )

    kind: Literal["pagerduty"] = "pagerduty"

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is a webhook of PagerDuty: an event and nothing beside it."""
        return payload.top.keys() == {"event"} and b'"event_type"' in bytes(payload.top["event"])

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the incident of *payload*; nothing where it is about something else.

        Raises:
            Unreadable: It is no such webhook.
        """
        event = read_document(_Webhook, payload.body).event
        place = "event.data"
        if read_document(_Kind, event.data, place).type != "incident":
            return ()
        incident = read_document(_Incident, event.data, place)
        at = from_text(event.occurred_at, "event.occurred_at")
        urgent = {"high": "high", "low": "low"}.get(incident.urgency or "")
        teams = ",".join(sorted(team.summary for team in incident.teams or () if team.summary))
        labels = (
            ("urgency", incident.urgency),
            ("team", teams),
            (
                "escalation_policy",
                incident.escalation_policy and incident.escalation_policy.summary,
            ),
        )
        alert = self.alert(
            place,
            Told(
                alert_id=incident.id,
                firing=incident.status != "resolved",
                at=first_of(at, payload.arrived, place="event.occurred_at"),
                labels={name: value for name, value in labels if value},
                summary=incident.title,
                url=incident.html_url,
                severity=(_summary(incident.priority), urgent),
                service=_summary(incident.service),
                signal_id=event.id,
            ),
        )
        return (alert,)

    def kept_with(self, signal: Signal) -> str:
        """Return what all incidents have in common: they are moved from one service to another."""
        del signal
        return self.source or self.called()


def _summary(reference: _Reference | None) -> str | None:
    return reference.summary if reference else None
