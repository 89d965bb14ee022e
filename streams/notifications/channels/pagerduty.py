"""
PagerDuty by Events API v2.

Sources: PagerDuty developer documentation, "Events API v2 overview" and "Send an alert event" (routing_key has 32 characters,
dedup_key at most 255, summary at most 1024, an event at most 512 KB, 429 when too many come); "Event management" (a trigger whose key
is open is appended to the alert's log and calls nobody; other actions without an open alert do nothing); "Send a change event"; REST API,
"List incidents" (incidents with alerts have no incident key of their own, so that a webhook may not tell ours: the title does, which is the first
event's summary).
"""

import re
from datetime import datetime
from typing import Any, ClassVar, Final, Literal
from urllib.parse import unquote

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.lifecycle import INCIDENT_ID, StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.callback import (
    Action,
    Callback,
    Heard,
    Refused,
    check_fresh,
    check_signature,
    command_id,
    hmac_sha256,
    incident_of,
    json_object,
    part,
    person,
)
from streams.notifications.channel import Channel, WebAddress, document, field_of, trimmed
from streams.notifications.offers import reference
from streams.notifications.rendering import Message

API: Final = "https://events.pagerduty.com"

_SEVERITIES: Final = {1: "critical", 2: "error", 3: "warning", 4: "info"}
#: Services that an event names; a notice can name more.
_SERVICES_NAMED: Final = 50
_HEARD: Final = {
    "incident.acknowledged": Action.ACKNOWLEDGE,
    "incident.resolved": Action.RESOLVE,
}
#: Tenant of a title that names none.
_TENANT: Final = "default"
_ENDING: Final = str.maketrans({each: f"%{ord(each):02X}" for each in "%[]"})
_NAMED: Final = re.compile(INCIDENT_ID.strip("^$"))
#: Messages that call somebody whatever was acknowledged.
_CALLS: Final = frozenset({Purpose.INITIAL, Purpose.ESCALATION})


class PagerDuty(Channel):
    """A PagerDuty service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"routing_key": "R0000000000000000000000000000007", "url": "http://127.0.0.1:9"}
            ]
        }
    )

    stands_in: ClassVar = True
    limits: ClassVar = {"summary": 1_024, "dedup_key": 255}
    usual: ClassVar = 120
    # Each incident is an alert there, under a key of its own.
    merges: ClassVar = False

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretStr = SecretStr("")
    """Integration key of the service."""
    webhook_secret: SecretStr = SecretStr("")
    """Secret of the webhook subscription that calls `tocsin board` back."""
    url: WebAddress = API
    """PagerDuty's address; ``https://events.eu.pagerduty.com`` in the EU."""

    def missing(self) -> str | None:
        """Nothing can be sent without a key."""
        if not self.routing_key.get_secret_value():
            return "routing_key"
        return None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the event: trigger, acknowledge or resolve; what was done against the fault is a change."""
        del first
        if notice.step is StepKind.MITIGATED and notice.purpose is Purpose.UPDATE:
            return self._change(notice, message, at)
        incident = notice.incident
        body: dict[str, Any] = {
            "routing_key": self.routing_key.get_secret_value(),
            # PagerDuty deduplicates on this: a repeat never pages twice.
            "dedup_key": trimmed(f"{notice.tenant}/{notice.incident_id}", self.limits["dedup_key"]),
            "event_action": _action(notice),
            "client": "Tocsin",
            "payload": {
                "summary": _title(notice, message.subject, self.limits["summary"]),
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
        if self.link(notice):
            body["client_url"] = self.link(notice)
        if incident.runbook and incident.runbook.startswith(("http://", "https://")):
            body["links"] = [{"href": incident.runbook, "text": "Runbook"}]
        return httpx.Request("POST", f"{self.url.rstrip('/')}/v2/enqueue", json=body)

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """Somebody acknowledged or resolved it there (PagerDuty documentation, "Webhooks: v3 overview", "Verifying signatures")."""
        secret = self.webhook_secret.get_secret_value()
        if not secret:
            message = "webhook_secret is not set"
            raise Refused(message)
        given = callback.headers.get("x-pagerduty-signature", "").split(",")
        expected = f"v1={hmac_sha256(secret, callback.body)}"
        check_signature(expected, *(each.strip() for each in given))
        event = part(json_object(callback.body), "event")
        try:
            said_at = datetime.fromisoformat(str(event.get("occurred_at")))
        except ValueError:
            message = "it has no time"
            raise Refused(message) from None
        if said_at.tzinfo is None:
            message = "its time has no zone"
            raise Refused(message)
        check_fresh(said_at, at)
        agent, action = part(event, "agent"), _HEARD.get(str(event.get("event_type")))
        data = part(event, "data")
        about = incident_of(data.get("incident_key")) or _titled(str(data.get("title")))
        # What we told PagerDuty ourselves comes back without a person.
        if action is None or about is None or agent.get("type") != "user_reference":
            return []
        author = person(agent.get("summary"), agent.get("id"))
        return [Heard(action, *about, author, command_id("pagerduty", str(event.get("id"))))]

    def _change(self, notice: NoticeV1, message: Message, at: datetime) -> httpx.Request:
        summary = trimmed(f"{message.subject}: {notice.update}", self.limits["summary"])
        body: dict[str, Any] = {
            "routing_key": self.routing_key.get_secret_value(),
            "payload": {
                "summary": summary,
                "source": notice.incident.service,
                "timestamp": min(notice.occurred_at, at).isoformat(),
                "custom_details": {"notice": notice.notice_id, "incident": notice.incident_id},
            },
        }
        if self.link(notice):
            body["links"] = [{"href": self.link(notice), "text": "Incident"}]
        return httpx.Request("POST", f"{self.url.rstrip('/')}/v2/change/enqueue", json=body)

    def provider_id(self, response: httpx.Response) -> str | None:
        """PagerDuty answers with the key."""
        return field_of(response, "dedup_key")

    def explanation(self, response: httpx.Response) -> str | None:
        """PagerDuty lists what is wrong with an event."""
        listed = document(response).get("errors")
        said = listed if isinstance(listed, list) else []
        errors = [each for each in said if isinstance(each, str)]
        return self.redacted("; ".join(errors)) or None


def _title(notice: NoticeV1, subject: str, length: int) -> str:
    """Return *subject* in at most *length* characters, from which ``_titled`` reads the incident."""
    title = trimmed(subject, length)
    if _titled(title) == (notice.tenant, notice.incident_id):
        return title
    # Tenants may be called anything: as in an address, their ends are known. Only what could end them is written so: titles have a limit.
    end = f" [{reference(notice).translate(_ENDING)}]"
    return trimmed(subject, length - len(end)) + end


def _titled(title: str) -> tuple[str, str] | None:
    """Return tenant and incident of a *title*; None where it names no incident, or several."""
    named_last = unquote(title[:-1].rpartition(" [")[2]) if title.endswith("]") else None
    about = incident_of(named_last)
    named = set(_NAMED.findall(title))
    return about or ((_TENANT, named.pop()) if len(named) == 1 else None)


def _action(notice: NoticeV1) -> str:
    if notice.purpose is Purpose.RESOLUTION:
        return "resolve"
    incident = notice.incident
    worse = notice.step is StepKind.SEVERITY_CHANGED and incident.severity == incident.severity_peak
    # Somebody may have ended the alert over there; what became worse calls again.
    if worse or notice.purpose in _CALLS:
        return "trigger"
    # A mere update calls nobody again.
    return "trigger" if incident.acknowledged_at is None else "acknowledge"
