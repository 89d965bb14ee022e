"""
PagerDuty by Events API v2.

Sources: PagerDuty developer documentation, "Events API v2 overview" and "Send an alert event" (dedup_key at most 255 characters,
summary at most 1024, an event at most 512 KB, 429 when too many come); "Event management" (a trigger whose key is open is appended to
the alert's log and calls nobody; other actions without an open alert do nothing).
"""

from datetime import datetime
from typing import Any, ClassVar, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import Channel, WebAddress, document, field_of, trimmed
from streams.notifications.rendering import Message

API: Final = "https://events.pagerduty.com"

_SEVERITIES: Final = {1: "critical", 2: "error", 3: "warning", 4: "info"}
#: Services that an event names; a notice can name more.
_SERVICES_NAMED: Final = 50


class PagerDuty(Channel):
    """A PagerDuty service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"routing_key": "a-routing-key", "url": "http://127.0.0.1:9"}]
        }
    )

    limits: ClassVar = {"summary": 1_024, "dedup_key": 255}

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr = SecretStr("")
    """Integration key of the service."""
    url: WebAddress = API
    """PagerDuty's address; ``https://events.eu.pagerduty.com`` in the EU."""

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
            "dedup_key": trimmed(f"{notice.tenant}/{notice.incident_id}", self.limits["dedup_key"]),
            "event_action": _action(notice),
            "client": "Tocsin",
            "payload": {
                "summary": trimmed(message.subject, self.limits["summary"]),
                "source": incident.service,
                "severity": _SEVERITIES[incident.severity],
                "timestamp": incident.started_at.isoformat(),
                "component": incident.service,
                "group": incident.group_key,
                "custom_details": {
                    "notice": notice.notice_id,
                    "incident": incident.incident_id,
                    "impact": incident.impact,
                    "services": list(incident.services[:_SERVICES_NAMED]),
                    "labels": incident.labels,
                    "update": trimmed(notice.update, self.limits["summary"]),
                    "reason": notice.reason,
                },
            },
        }
        if incident.runbook and incident.runbook.startswith(("http://", "https://")):
            body["links"] = [{"href": incident.runbook, "text": "Runbook"}]
        return httpx.Request("POST", f"{self.url.rstrip('/')}/v2/enqueue", json=body)

    def provider_id(self, response: httpx.Response) -> str | None:
        """PagerDuty answers with the key."""
        return field_of(response, "dedup_key")

    def explanation(self, response: httpx.Response) -> str | None:
        """PagerDuty lists what is wrong with an event."""
        listed = document(response).get("errors")
        said = listed if isinstance(listed, list) else []
        errors = [each for each in said if isinstance(each, str)]
        return self.redacted("; ".join(errors)) or None


def _action(notice: NoticeV1) -> str:
    if notice.purpose is Purpose.RESOLUTION:
        return "resolve"
    incident = notice.incident
    worse = notice.step is StepKind.SEVERITY_CHANGED and incident.severity == incident.severity_peak
    # Somebody may have ended the alert over there; what became worse calls again.
    if worse or notice.purpose is Purpose.INITIAL:
        return "trigger"
    # A mere update calls nobody again.
    return "trigger" if incident.acknowledged_at is None else "acknowledge"
