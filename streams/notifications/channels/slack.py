"""
Slack: an incoming webhook, or the Web API.

Sources: Slack API pages "Sending messages using incoming webhooks", "chat.postMessage", "Rate limits", "Section block".
"""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import Channel, Judgement, Verdict, field_of, trimmed
from streams.notifications.rendering import Message, slack_escaped

#: Characters of a section block's text.
SECTION_LENGTH: Final = 3_000

POST_MESSAGE: Final = "https://slack.com/api/chat.postMessage"

#: Errors of the Web API that pass by themselves.
_PASSING: Final = frozenset({"ratelimited", "internal_error", "fatal_error", "request_timeout"})


class Slack(Channel):
    """A Slack channel. With a ``token`` the Web API is used, else the webhook's address."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/services/T0/B0/secret"}]}
    )

    kind: Literal["slack"] = "slack"
    url: SecretStr = SecretStr("")
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
            "text": trimmed(slack_escaped(message.subject), SECTION_LENGTH),
            "blocks": [
                {
                    "type": "section",
                    "text": {"type": "mrkdwn", "text": trimmed(message.slack, SECTION_LENGTH)},
                },
                *_buttons(notice),
            ],
        }
        address = self.url.get_secret_value()
        if not token:
            return httpx.Request("POST", address, json=body)
        body["channel"] = self.channel
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Request("POST", address or POST_MESSAGE, json=body, headers=headers)

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """The Web API says what went wrong in the body of a 200."""
        judged = super().judge(response, at)
        error = field_of(response, "error")
        if judged.verdict is not Verdict.DELIVERED or error is None:
            return judged
        if error in _PASSING:
            return Judgement(Verdict.TRY_AGAIN, f"Slack says {error}", timedelta(seconds=1))
        return Judgement(Verdict.GIVE_UP, f"Slack says {error[:100]}")

    def provider_id(self, response: httpx.Response) -> str | None:
        """The Web API names a message by its time."""
        return field_of(response, "ts")


def _buttons(notice: NoticeV1) -> list[dict[str, Any]]:
    """Offer what a responder does next; the payload says which incident it is."""
    if notice.purpose is Purpose.RESOLUTION:
        return []
    offered = [] if notice.incident.acknowledged_at else [("Acknowledge", "acknowledge")]
    if notice.step is not StepKind.RESOLVED:
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
