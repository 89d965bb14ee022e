"""
Opsgenie by Alert API: an alert is created, noted on, acknowledged and closed under one alias.

Sources: Opsgenie documentation, "Alert API" (message at most 130 characters, alias 512, description 15000, entity 512, source 100,
note 25000, at most 20 tags of 50 characters; 202 with a requestId), "Alert fields", "API rate limiting" (429), "Alert deduplication" (creating under an
alias that is open counts up and calls nobody); "Webhook integration" (headers of one's own), "Alert action data" (what it posts; ``updatedAt`` in nanoseconds). Atlassian ends
Opsgenie on 5 April 2027.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal
from urllib.parse import quote

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.callback import (
    Action,
    Callback,
    Heard,
    Refused,
    check_fresh,
    check_signature,
    command_id,
    incident_of,
    json_object,
    part,
    person,
)
from streams.notifications.channel import Channel, WebAddress, document, field_of, trimmed
from streams.notifications.rendering import Message

API: Final = "https://api.opsgenie.com"

#: Who we are over there.
US: Final = "Tocsin"
SECRET_HEADER: Final = "x-tocsin-secret"  # noqa: S105 - a header's name
_HEARD: Final = {"Acknowledge": Action.ACKNOWLEDGE, "Close": Action.RESOLVE}
#: Between tenant and incident in an alias, which is a part of addresses: a slash in it, however it is written, is refused by many servers.
_SEPARATOR: Final = ":"
#: Digits of the seconds since 1970, until 2286.
_SECONDS_DIGITS: Final = 10
#: Messages that call somebody: the others are notes on the alert.
_CALLS: Final = frozenset({Purpose.INITIAL, Purpose.ESCALATION})


class Opsgenie(Channel):
    """An Opsgenie integration."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"api_key": "an-api-key", "url": "http://127.0.0.1:9"}]}
    )

    stands_in: ClassVar = True
    limits: ClassVar = {
        "message": 130,
        "alias": 512,
        "description": 15_000,
        "entity": 512,
        "tag": 50,
        "note": 25_000,
    }
    usual: ClassVar = 120
    # Each incident is an alert there, under a key of its own.
    merges: ClassVar = False

    kind: Literal["opsgenie"] = "opsgenie"
    api_key: SecretStr = SecretStr("")
    """Key of an API integration."""
    url: WebAddress = API
    """Opsgenie's address; ``https://api.eu.opsgenie.com`` in the EU."""
    webhook_secret: SecretStr = SecretStr("")
    """What the webhook integration that calls `tocsin board` back sends in its own header ``X-Tocsin-Secret``."""

    def missing(self) -> str | None:
        """Nothing can be sent without a key."""
        if not self.api_key.get_secret_value():
            return "api_key"
        return None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the request: create, acknowledge, close, or a note."""
        del at, first
        alias = f"{notice.tenant}{_SEPARATOR}{notice.incident_id}"
        action = _action(notice)
        body: dict[str, Any] = {"source": US, "user": US}
        path = "/v2/alerts"
        if action == "create":
            body |= self._alert(notice, message, alias)
        else:
            path += f"/{quote(alias, safe='')}/{action}?identifierType=alias"
            body["note"] = self.cut(message.text, self.limits["note"], notice)
        headers = {"Authorization": f"GenieKey {self.api_key.get_secret_value()}"}
        return httpx.Request("POST", f"{self.url.rstrip('/')}{path}", json=body, headers=headers)

    def _alert(self, notice: NoticeV1, message: Message, alias: str) -> dict[str, Any]:
        incident = notice.incident
        link = self.link(notice)
        return {
            "message": trimmed(message.subject, self.limits["message"]),
            "alias": alias,
            "description": self.cut(message.text, self.limits["description"], notice),
            "priority": f"P{incident.severity}",
            "entity": trimmed(incident.service, self.limits["entity"]),
            "tags": [trimmed(incident.environment, self.limits["tag"])],
            "details": {
                "notice": notice.notice_id,
                "incident": incident.incident_id,
                **({"page": link} if link else {}),
            },
        }

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """
        Somebody acknowledged or closed it there.

        Opsgenie signs nothing: it is known by a header that the integration was given. What it tells a second time makes the same command.
        """
        secret = self.webhook_secret.get_secret_value()
        if not secret:
            message = "webhook_secret is not set"
            raise Refused(message)
        check_signature(secret, callback.headers.get(SECRET_HEADER, ""))
        body = json_object(callback.body)
        alert = part(body, "alert")
        changed_at = alert.get("updatedAt")
        check_fresh(_moment(changed_at), at)
        action, about = _HEARD.get(str(body.get("action"))), _of_alias(alert.get("alias"))
        # What we told Opsgenie ourselves comes back.
        ours = US in (alert.get("username"), part(body, "source").get("name"))
        if action is None or about is None or ours:
            return []
        author = person(alert.get("username"), alert.get("userId"))
        said = command_id("opsgenie", str(alert.get("alertId")), action, str(changed_at))
        return [Heard(action, *about, author, said)]

    def provider_id(self, response: httpx.Response) -> str | None:
        """Opsgenie answers with the id of the request."""
        return field_of(response, "requestId")

    def explanation(self, response: httpx.Response) -> str | None:
        """Opsgenie says in a sentence what is wrong."""
        said = document(response).get("message")
        return (self.redacted(said) or None) if isinstance(said, str) else None


def _of_alias(alias: object) -> tuple[str, str] | None:
    tenant, separator, incident = str(alias).rpartition(_SEPARATOR)
    return incident_of(f"{tenant}/{incident}") if separator else None


def _moment(changed_at: object) -> datetime:
    """Return the time that a number of milliseconds or nanoseconds is, as both are sent."""
    if isinstance(changed_at, bool) or not isinstance(changed_at, int) or changed_at <= 0:
        message = "it has no time"
        raise Refused(message)
    fractions = max(len(str(changed_at)) - _SECONDS_DIGITS, 0)
    return datetime.fromtimestamp(changed_at // 10**fractions, UTC)


def _action(notice: NoticeV1) -> str:
    if notice.purpose is Purpose.RESOLUTION:
        return "close"
    incident = notice.incident
    worse = notice.step is StepKind.SEVERITY_CHANGED and incident.severity == incident.severity_peak
    # Somebody may have closed the alert over there; what became worse calls again.
    if worse or notice.purpose in _CALLS:
        return "create"
    return "acknowledge" if notice.step is StepKind.ACKNOWLEDGED else "notes"
