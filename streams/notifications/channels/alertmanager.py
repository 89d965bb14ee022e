"""
Whatever takes the webhooks of Prometheus Alertmanager.

Source: Prometheus documentation, "Alerting: configuration", ``webhook_config`` (version 4 of the payload; 5xx are tried again).
"""

import re
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.lifecycle import AttachedAlert, IncidentV1
from schemas.notices import NoticeV1
from streams.notifications.channel import Channel, SecretAddress, as_header, trimmed
from streams.notifications.rendering import Message

#: How Go writes a time that is none: the alert still fires.
_NEVER: Final = "0001-01-01T00:00:00Z"
#: Ours may have dots, dashes and slashes in their names; theirs may not.
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_]")


class Alertmanager(Channel):
    """A receiver of Alertmanager webhooks."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/alerts", "token": "a-token"}]}
    )

    limits: ClassVar = {"alerts": 100, "text": 8_000}
    # A program takes what it is sent, and says 429 where it does not.
    usual: ClassVar = 60_000
    merges: ClassVar = False

    kind: Literal["alertmanager"] = "alertmanager"
    url: SecretAddress = SecretStr("")
    """The address; it can hold a password."""
    token: SecretStr = SecretStr("")
    """Bearer token, where the receiver asks for one."""

    def missing(self) -> str | None:
        """A webhook needs its address."""
        return None if self.url.get_secret_value() else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the incident as a group of alerts."""
        del at, first
        incident = notice.incident
        over = incident.resolved_at is not None
        known = {_STRANGE.sub("_", name): value for name, value in incident.labels.items()}
        group = {"incident": incident.incident_id}
        shared = {**known, "severity": str(incident.severity), **group}
        alerts = [
            _alert(incident, each, shared) for each in incident.alerts[: self.limits["alerts"]]
        ] or [_declared(incident, shared)]
        text = self.cut(message.text, self.limits["text"], notice)
        body = {
            "version": "4",
            "groupKey": f"{notice.tenant}/{incident.group_key}",
            "truncatedAlerts": max(incident.alert_count - len(alerts), 0),
            "status": "resolved" if over else "firing",
            "receiver": notice.channel,
            "groupLabels": group,
            "commonLabels": _common(alerts),
            "commonAnnotations": {
                "summary": incident.summary,
                "description": text,
                **({"runbook_url": incident.runbook} if incident.runbook else {}),
            },
            "externalURL": self.link(notice),
            "alerts": alerts,
        }
        headers = {"Idempotency-Key": as_header(notice.notice_id)}
        if self.token.get_secret_value():
            headers["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        return httpx.Request("POST", self.url.get_secret_value(), json=body, headers=headers)


def _common(alerts: list[dict[str, Any]]) -> dict[str, str]:
    """Return the labels that all *alerts* have with one value, as Alertmanager does."""
    each = [alert["labels"].items() for alert in alerts]
    return {name: value for name, value in each[0] if all((name, value) in other for other in each)}


def _alert(incident: IncidentV1, alert: AttachedAlert, shared: dict[str, str]) -> dict[str, Any]:
    over = incident.resolved_at is not None or alert.state == "resolved"
    ended = incident.resolved_at or alert.changed_at
    return {
        "status": "resolved" if over else "firing",
        "labels": {
            **shared,
            "alertname": alert.rule,
            "service": alert.service,
            "severity": str(alert.severity),
        },
        "annotations": {"summary": alert.summary},
        "startsAt": alert.since.isoformat(),
        "endsAt": ended.isoformat() if over else _NEVER,
        "generatorURL": "",
        "fingerprint": trimmed(alert.fingerprint, 255),
    }


def _declared(incident: IncidentV1, shared: dict[str, str]) -> dict[str, Any]:
    """Return the alert that stands for an incident which a person declared."""
    ended = incident.resolved_at
    # An end before its beginning is none to Alertmanager.
    ends = max(ended, incident.started_at + timedelta(milliseconds=1)) if ended else None
    return {
        "status": "resolved" if ends else "firing",
        "labels": {**shared, "alertname": "declared", "service": incident.service},
        "annotations": {"summary": incident.summary},
        "startsAt": incident.started_at.isoformat(),
        "endsAt": ends.isoformat() if ends else _NEVER,
        "generatorURL": "",
        "fingerprint": incident.incident_id,
    }
