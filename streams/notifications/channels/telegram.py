"""
Telegram by Bot API: updates answer the first message about an incident, which stays up to date.

Sources: Telegram Bot API, "sendMessage" (a text has 1 to 4096 characters; without ``parse_mode`` nothing in it is markup),
"editMessageText", "ReplyParameters", "Making requests" (errors are ``ok: false`` with a description; 429 with ``parameters.retry_after``).
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.notices import NoticeV1
from streams.notifications.channel import (
    Channel,
    WebAddress,
    document,
    seconds,
    utf16_length,
)
from streams.notifications.rendering import Message

API: Final = "https://api.telegram.org"
#: Incidents from this severity on arrive without a sound.
_SILENT: Final = 4


class Telegram(Channel):
    """A Telegram chat, group or channel."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"token": "7:a-bot-token", "chat_id": "-1007", "url": "http://127.0.0.1:9"}
            ]
        }
    )

    limits: ClassVar = {"text": 4_096}
    # In a group.
    usual: ClassVar = 20

    kind: Literal["telegram"] = "telegram"
    token: SecretStr = SecretStr("")
    """Token of the bot."""
    chat_id: str = ""
    """Number of the chat, or ``@name`` of a public channel."""
    url: WebAddress = API
    """Address of the Bot API."""

    def missing(self) -> str | None:
        """A bot needs its token and a chat."""
        if not self.token.get_secret_value():
            return "token"
        if not self.chat_id:
            return "chat_id"
        return None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the message; a later one answers the first."""
        del at
        body = self._said(notice, message)
        body["disable_notification"] = notice.incident.severity >= _SILENT
        if first is not None and first.isdecimal():
            # Where somebody deleted the first one, the message still comes.
            body["reply_parameters"] = {
                "message_id": int(first),
                "allow_sending_without_reply": True,
            }
        return self._call("sendMessage", body)

    def refresh(self, notice: NoticeV1, standing: Message, first: str) -> httpx.Request | None:
        """The first message shows where the incident stands now."""
        if not first.isdecimal():
            return None
        return self._call(
            "editMessageText", self._said(notice, standing) | {"message_id": int(first)}
        )

    def _said(self, notice: NoticeV1, message: Message) -> dict[str, Any]:
        body: dict[str, Any] = {
            "chat_id": self.chat_id,
            "text": self.cut(message.text, self.limits["text"], notice, utf16_length),
            "link_preview_options": {"is_disabled": True},
        }
        if self.link(notice):
            button = {"text": "Open", "url": self.link(notice)}
            body["reply_markup"] = {"inline_keyboard": [[button]]}
        return body

    def _call(self, method: str, body: dict[str, Any]) -> httpx.Request:
        address = f"{self.url.rstrip('/')}/bot{self.token.get_secret_value()}/{method}"
        return httpx.Request("POST", address, json=body)

    def provider_id(self, response: httpx.Response) -> str | None:
        """Telegram answers with the message."""
        result = document(response).get("result")
        number = result.get("message_id") if isinstance(result, dict) else None
        known = isinstance(number, int) and not isinstance(number, bool) and number >= 0
        return str(number)[:255] if known else None

    def patience(self, response: httpx.Response) -> timedelta | None:
        """Telegram says in the body how many seconds."""
        parameters = document(response).get("parameters")
        return seconds(parameters.get("retry_after")) if isinstance(parameters, dict) else None

    def explanation(self, response: httpx.Response) -> str | None:
        """Telegram says in a sentence what is wrong."""
        said = document(response).get("description")
        return (self.redacted(said) or None) if isinstance(said, str) else None
