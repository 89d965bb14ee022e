"""
Discord by webhook; the first message about an incident stays up to date.

Sources: Discord developer documentation, "Execute webhook" (``wait=true`` answers with the message; ``allowed_mentions``), "Edit webhook
message", "Embed limits" (title 256 characters, description 4096, 6000 in all), "Rate limits" (429 with ``retry_after`` in seconds).
"""

import re
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import (
    Channel,
    SecretAddress,
    document,
    field_of,
    seconds,
    utf16_length,
)
from streams.notifications.rendering import Message

_COLOURS: Final = {1: 0xD62D20, 2: 0xF57C00, 3: 0x1976D2, 4: 0x757575}
_OVER: Final = 0x2E7D32
#: What Markdown would read as its own. Discord takes a backslash before each.
_MARKUP: Final = re.compile(r"([\\*_~`|>\[\]<#@])")
_WEBHOOK: Final = re.compile(r"[0-9]{1,20}")


class Discord(Channel):
    """A Discord channel."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/api/webhooks/7/secret"}]}
    )

    stands_in: ClassVar = True
    quiet: ClassVar = True
    limits: ClassVar = {"title": 256, "description": 4_096}
    usual: ClassVar = 30

    kind: Literal["discord"] = "discord"
    url: SecretAddress = SecretStr("")
    """The webhook's address; it is its own password."""

    def missing(self) -> str | None:
        """A webhook needs its address."""
        return None if self.url.get_secret_value() else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the message as an embed."""
        del at, first
        return httpx.Request(
            "POST", self._address("", "wait=true"), json=self._said(notice, message)
        )

    def refresh(self, notice: NoticeV1, standing: Message, first: str) -> httpx.Request | None:
        """The first message shows where the incident stands now."""
        if not _WEBHOOK.fullmatch(first):
            return None
        address = self._address(f"/messages/{first}", "")
        return httpx.Request("PATCH", address, json=self._said(notice, standing))

    def _address(self, path: str, query: str) -> str:
        parts = urlsplit(self.url.get_secret_value())
        kept = f"{parts.query}&{query}".strip("&")
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, query=kept))

    def _said(self, notice: NoticeV1, message: Message) -> dict[str, Any]:
        over = notice.purpose is Purpose.RESOLUTION
        embed: dict[str, Any] = {
            "title": self.cut(
                _escaped(message.subject), self.limits["title"], notice, utf16_length
            ),
            "description": self.cut(
                _escaped(message.text), self.limits["description"], notice, utf16_length
            ),
            "color": _OVER if over else _COLOURS[notice.incident.severity],
            "timestamp": notice.occurred_at.isoformat(),
            "footer": {"text": notice.incident_id},
        }
        if self.link(notice):
            embed["url"] = self.link(notice)
        # No text can call anybody.
        return {"embeds": [embed], "allowed_mentions": {"parse": []}}

    def provider_id(self, response: httpx.Response) -> str | None:
        """Discord answers with the message."""
        return field_of(response, "id")

    def patience(self, response: httpx.Response) -> timedelta | None:
        """Discord says in the body how many seconds."""
        return seconds(document(response).get("retry_after"))

    def explanation(self, response: httpx.Response) -> str | None:
        """Discord has a number for each fault."""
        code = document(response).get("code")
        known = isinstance(code, int) and not isinstance(code, bool)
        return f"Discord error {code}"[:40] if known else None


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
