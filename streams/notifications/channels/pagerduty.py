"""
PagerDuty by Events API v2.

Source: PagerDuty developer documentation, "Events API v2 overview" and "Send an alert event" (dedup_key at most 255 characters,
summary at most 1024, an event at most 512 KB, 429 when too many come).
"""

from datetime import datetime
from typing import Any, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import Channel, field_of, trimmed
from streams.notifications.rendering import Message

API: Final = "https://events.pagerduty.com"
SUMMARY_LENGTH: Final = 1_024
DEDUP_KEY_LENGTH: Final = 255

_SEVERITIES: Final = {1: "critical", 2: "error", 3: "warning", 4: "info"}


class PagerDuty(Channel):
    """A PagerDuty service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"routing_key": "a-routing-key", "url": "http://127.0.0.1:9"}]
        }
    )

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr = SecretStr("")
    """Integration key of the service."""
    url: str = API
    """PagerDuty's address."""

    def missing(self) -> str | None:
        """Nothing can be sent without a key."""
        if not self.routing_key.get_secret_value():
            return "routing_key"
        return None if self.url else "url"

    def compose(self, notice: NoticeV1, message: Message, at: datetime) -> httpx.Request:
        """Return the event: trigger, acknowledge or resolve."""
        del at
        incident = notice.incident
        body: dict[str, Any] = {
            "routing_key": self.routing_key.get_secret_value(),
            # PagerDuty deduplicates on this: a repeat never pages twice.
            "dedup_key": f"{notice.tenant}/{notice.incident_id}"[:DEDUP_KEY_LENGTH],
            "event_action": _action(notice),
            "client": "Tocsin",
            "payload": {
                "summary": trimmed(message.subject, SUMMARY_LENGTH),
                "source": incident.service,
                "severity": _SEVERITIES[incident.severity],
                "timestamp": incident.started_at.isoformat(),
                "component": incident.service,
                "group": incident.group_key,
                "custom_details": {
                    "incident": incident.incident_id,
                    "impact": incident.impact,
                    "services": list(incident.services),
                    "labels": incident.labels,
                    "update": trimmed(notice.update, SUMMARY_LENGTH),
                    "reason": notice.reason,
                },
            },
        }
        if incident.runbook:
            body["links"] = [{"href": incident.runbook, "text": "Runbook"}]
        return httpx.Request("POST", f"{self.url.rstrip('/')}/v2/enqueue", json=body)

    def provider_id(self, response: httpx.Response) -> str | None:
        """PagerDuty answers with the key."""
        return field_of(response, "dedup_key")


def _action(notice: NoticeV1) -> str:
    if notice.purpose is Purpose.RESOLUTION:
        return "resolve"
    # A trigger for an acknowledged incident would ring again.
    acknowledged = notice.incident.acknowledged_at is not None
    return "acknowledge" if acknowledged and notice.step is not StepKind.REOPENED else "trigger"
