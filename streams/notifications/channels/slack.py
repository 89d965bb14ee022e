"""
Slack: an incoming webhook, or the Web API, with which each incident is one thread whose first message stays up to date.

Sources: Slack API pages "Sending messages using incoming webhooks" (errors are a word in the body), "chat.postMessage" (errors come
with 200; metadata; thread_ts and reply_broadcast), "chat.update" (needs the channel's id), "Rate limits", "Section block" (3000
characters; a block id has at most 255), "Button element" (a value has at most 2000 characters, an address 3000).
"""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal
from urllib.parse import parse_qs

import httpx
import orjson
from pydantic import ConfigDict, SecretStr

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
    person,
)
from streams.notifications.channel import (
    Channel,
    Judgement,
    SecretAddress,
    Verdict,
    WebAddress,
    document,
    field_of,
    plain,
    trimmed,
)
from streams.notifications.offers import offered, reference
from streams.notifications.rendering import Message, slack_escaped

API: Final = "https://slack.com/api"

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
#: Messages that are shown in the channel besides the thread.
_FOR_ALL: Final = frozenset(
    {Purpose.INITIAL, Purpose.RESOLUTION, Purpose.SEVERITY, Purpose.ESCALATION, Purpose.AT_RISK}
)
_WORD: Final = re.compile(r"[a-z_]{1,60}")


class Slack(Channel):
    """A Slack channel. With a ``token`` the Web API is used, else the webhook's address."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/services/T0/B0/secret"}]}
    )

    stands_in: ClassVar = True
    quiet: ClassVar = True
    limits: ClassVar = {"text": 3_000, "section": 3_000, "block_id": 255}

    kind: Literal["slack"] = "slack"
    url: SecretAddress = SecretStr("")
    """The incoming webhook's address (it is its own password). Not used with a token."""
    api: WebAddress = API
    """The Web API's address."""
    token: SecretStr = SecretStr("")
    """Bot token with ``chat:write``."""
    signing_secret: SecretStr = SecretStr("")
    """Signing secret of the Slack app whose buttons call `tocsin board` back."""
    channel: str = "#incidents"
    """Channel that the Web API posts to; a webhook has its own."""

    def missing(self) -> str | None:
        """A webhook needs its address, the Web API its token."""
        if self.url.get_secret_value() or self.token.get_secret_value():
            return None
        return "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the message as blocks, with a text for notifications and screen readers."""
        del at
        body = self._said(notice, message)
        if not self.token.get_secret_value():
            return httpx.Request("POST", self.url.get_secret_value(), json=body)
        body["channel"] = self.channel
        body["metadata"] = {
            "event_type": "tocsin_notice",
            "event_payload": {"notice_id": notice.notice_id, "incident_id": notice.incident_id},
        }
        if first is not None:
            body["thread_ts"] = first.rpartition("/")[2]
            # Who does not follow the thread must hear of these all the same.
            body["reply_broadcast"] = notice.purpose in _FOR_ALL
        return self._call("chat.postMessage", body)

    def refresh(self, notice: NoticeV1, standing: Message, first: str) -> httpx.Request | None:
        """The thread's first message shows where the incident stands now."""
        channel, _, written_at = first.rpartition("/")
        if not self.token.get_secret_value() or not channel:
            return None
        body = self._said(notice, standing) | {"channel": channel, "ts": written_at}
        return self._call("chat.update", body)

    def _call(self, method: str, body: dict[str, Any]) -> httpx.Request:
        headers = {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        address = f"{self.api.rstrip('/')}/{method}"
        return httpx.Request("POST", address, json=body, headers=headers)

    def _said(self, notice: NoticeV1, message: Message) -> dict[str, Any]:
        return {
            # Slack reads mrkdwn here too.
            "text": trimmed(slack_escaped(message.subject), self.limits["text"]),
            "blocks": [
                {
                    "type": "section",
                    # Slack has no idempotency key; so at least a reader of the log can tell a repeat.
                    "block_id": trimmed(notice.notice_id, self.limits["block_id"]),
                    "text": {
                        "type": "mrkdwn",
                        "text": self.cut(message.slack, self.limits["section"], notice),
                        "verbatim": True,
                    },
                },
                *(_buttons(notice, message, self.link(notice)) if message.about == 1 else ()),
            ],
            # A link in somebody's log line is not a page to be shown.
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """A button was pressed (Slack API, "Verifying requests from Slack", "block_actions payload")."""
        secret = self.signing_secret.get_secret_value()
        said_at = callback.headers.get("x-slack-request-timestamp", "")
        if not secret or not re.fullmatch(r"\d{1,12}", said_at):
            message = "signing_secret is not set" if not secret else "it has no timestamp"
            raise Refused(message)
        signed = b":".join([b"v0", said_at.encode(), callback.body])
        given = callback.headers.get("x-slack-signature", "")
        check_signature(f"v0={hmac_sha256(secret, signed)}", given)
        check_fresh(datetime.fromtimestamp(int(said_at), UTC), at)
        payload = _payload(callback.body)
        user = payload.get("user")
        names = user if isinstance(user, dict) else {}
        author = person(names.get("username"), names.get("name"), names.get("id"))
        actions = payload.get("actions")
        heard = []
        for each in actions if isinstance(actions, list) else []:
            if not isinstance(each, dict):
                continue
            about, button = incident_of(each.get("value")), str(each.get("action_id"))
            if about is not None and button in set(Action):
                action = Action(button)
                pressed = command_id("slack", action, *about, author, str(each.get("action_ts")))
                heard.append(Heard(action, *about, author, pressed))
        return heard

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """The Web API says in the body of a 200 what went wrong."""
        judged = super().judge(response, at)
        if judged.verdict is not Verdict.DELIVERED or document(response).get("ok", True) is True:
            return judged
        error = _word(field_of(response, "error") or "") or "no"
        verdict = Verdict.TRY_AGAIN if error in _PASSING else Verdict.GIVE_UP
        return Judgement(verdict, f"Slack says {error}")

    def provider_id(self, response: httpx.Response) -> str | None:
        """The Web API names a message by its channel and its time."""
        written_at, channel = field_of(response, "ts"), field_of(response, "channel")
        return f"{channel}/{written_at}"[:255] if written_at and channel else written_at

    def explanation(self, response: httpx.Response) -> str | None:
        """A webhook answers with one word."""
        word = _word(plain(response).strip())
        return f"Slack says {word}" if word else None


def _payload(body: bytes) -> dict[str, Any]:
    fields = parse_qs(body.decode(errors="replace"))
    try:
        payload = orjson.loads(fields.get("payload", [""])[0])
    except orjson.JSONDecodeError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _word(text: str) -> str | None:
    return text if _WORD.fullmatch(text) else None


def _buttons(notice: NoticeV1, message: Message, link: str) -> list[dict[str, Any]]:
    """Offer what a responder does next; the payload says which incident it is."""
    elements = [
        _button(label, action) | {"value": reference(notice)}
        for label, action in offered(notice, message)
    ]
    if link:
        elements.append(_button("Open", "open") | {"url": link})
    return [{"type": "actions", "block_id": "tocsin", "elements": elements}] if elements else []


def _button(label: str, action: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": label},
    }
