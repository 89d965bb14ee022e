"""
Slack: an incoming webhook, or the Web API.

Sources: Slack API pages "Sending messages using incoming webhooks" (errors are a word in the body), "chat.postMessage" (errors come
with 200; metadata), "Rate limits", "Section block" (3000 characters; a block id has at most 255).
"""

import re
from datetime import datetime
from typing import Any, ClassVar, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import (
    Channel,
    Judgement,
    SecretAddress,
    Verdict,
    document,
    field_of,
    plain,
    trimmed,
)
from streams.notifications.rendering import Message, slack_escaped

POST_MESSAGE: Final = "https://slack.com/api/chat.postMessage"

#: Errors of the Web API that pass by themselves.
_PASSING: Final = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "request_timeout",
        "service_unavailable",
    }
)
_WORD: Final = re.compile(r"[a-z_]{1,60}")


class Slack(Channel):
    """A Slack channel. With a ``token`` the Web API is used, else the webhook's address."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/services/T0/B0/secret"}]}
    )

    limits: ClassVar = {"text": 3_000, "section": 3_000, "block_id": 255}

    kind: Literal["slack"] = "slack"
    url: SecretAddress = SecretStr("")
    """The incoming webhook's address (it is its own password); or the Web API's, where that is not Slack's own."""
    token: SecretStr = SecretStr("")
    """Bot token with ``chat:write``."""
    channel: str = "#incidents"
    """Channel that the Web API posts to; a webhook has its own."""

    def missing(self) -> str | None:
        """A webhook needs its address, the Web API its token."""
        if self.url.get_secret_value() or self.token.get_secret_value():
            return None
        return "url"

    def compose(self, notice: NoticeV1, message: Message, at: datetime) -> httpx.Request:
        """Return the message as blocks, with a text for notifications and screen readers."""
        del at
        token = self.token.get_secret_value()
        body: dict[str, Any] = {
            # Slack reads mrkdwn here too.
            "text": trimmed(slack_escaped(message.subject), self.limits["text"]),
            "blocks": [
                {
                    "type": "section",
                    # Slack has no idempotency key; so at least a reader of the log can tell a repeat.
                    "block_id": trimmed(notice.notice_id, self.limits["block_id"]),
                    "text": {
                        "type": "mrkdwn",
                        "text": trimmed(message.slack, self.limits["section"]),
                        "verbatim": True,
                    },
                },
                *_buttons(notice),
            ],
            # A link in somebody's log line is not a page to be shown.
            "unfurl_links": False,
            "unfurl_media": False,
        }
        address = self.url.get_secret_value()
        if not token:
            return httpx.Request("POST", address, json=body)
        body["channel"] = self.channel
        body["metadata"] = {
            "event_type": "tocsin_notice",
            "event_payload": {"notice_id": notice.notice_id, "incident_id": notice.incident_id},
        }
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Request("POST", address or POST_MESSAGE, json=body, headers=headers)

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """The Web API says in the body of a 200 what went wrong."""
        judged = super().judge(response, at)
        if judged.verdict is not Verdict.DELIVERED or document(response).get("ok", True) is True:
            return judged
        error = _word(field_of(response, "error") or "") or "no"
        verdict = Verdict.TRY_AGAIN if error in _PASSING else Verdict.GIVE_UP
        return Judgement(verdict, f"Slack says {error}")

    def provider_id(self, response: httpx.Response) -> str | None:
        """The Web API names a message by its time."""
        return field_of(response, "ts")

    def explanation(self, response: httpx.Response) -> str | None:
        """A webhook answers with one word."""
        word = _word(plain(response).strip())
        return f"Slack says {word}" if word else None


def _word(text: str) -> str | None:
    return text if _WORD.fullmatch(text) else None


def _buttons(notice: NoticeV1) -> list[dict[str, Any]]:
    """Offer what a responder does next; the payload says which incident it is."""
    if notice.purpose is Purpose.RESOLUTION:
        return []
    offered = [] if notice.incident.acknowledged_at else [("Acknowledge", "acknowledge")]
    offered.append(("Resolve", "resolve"))
    value = f"{notice.tenant}/{notice.incident_id}"
    return [
        {
            "type": "actions",
            "block_id": "tocsin",
            "elements": [
                {
                    "type": "button",
                    "action_id": action,
                    "value": value,
                    "text": {"type": "plain_text", "text": label},
                }
                for label, action in offered
            ],
        }
    ]
