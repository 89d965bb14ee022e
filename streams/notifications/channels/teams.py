"""
Microsoft Teams: a workflow that takes webhook requests, as an Adaptive Card.

Sources: Microsoft Teams documentation, "Create incoming webhooks with Workflows" and "Create and send messages" (a message has at most
28 KB); Adaptive Cards schema explorer, "RichTextBlock" (its runs know no Markdown, so no text can add links).
"""

from datetime import datetime
from typing import Any, ClassVar, Final, Literal

import httpx
from orjson import dumps
from pydantic import ConfigDict, SecretStr

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import Channel, SecretAddress, byte_length, trimmed
from streams.notifications.rendering import Message

_COLOURS: Final = {1: "attention", 2: "warning", 3: "accent", 4: "default"}
#: Longer addresses are left out: the card as a whole must fit.
_LINK_LENGTH: Final = 1_000


class Teams(Channel):
    """A Teams channel or chat."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/workflows/secret"}]}
    )

    stands_in: ClassVar = True
    quiet: ClassVar = True
    # Of a message's 28 KB, JSON can make six bytes of one, and each line is a block of a hundred.
    limits: ClassVar = {"message": 28 * 1024, "title": 256, "text": 4_000, "blocks": 18_000}

    kind: Literal["teams"] = "teams"
    url: SecretAddress = SecretStr("")
    """The workflow's address; it is its own password."""

    def missing(self) -> str | None:
        """A workflow needs its address."""
        return None if self.url.get_secret_value() else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return a message with one card."""
        del at, first
        over = notice.purpose is Purpose.RESOLUTION
        colour = "good" if over else _COLOURS[notice.incident.severity]
        text = self.cut(message.text, self.limits["text"], notice, byte_length)
        text = self.cut(text, self.limits["blocks"], notice, lambda cut: len(dumps(_blocks(cut))))
        title = _run(trimmed(message.subject, self.limits["title"])) | {
            "weight": "bolder",
            "color": colour,
        }
        card: dict[str, Any] = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                {"type": "RichTextBlock", "inlines": [title]},
                *_blocks(text),
            ],
        }
        links = [("Open", self.link(notice)), ("Runbook", notice.incident.runbook or "")]
        actions = [
            {"type": "Action.OpenUrl", "title": label, "url": address}
            for label, address in links
            if address.startswith(("http://", "https://")) and len(address) <= _LINK_LENGTH
        ]
        if actions:
            card["actions"] = actions
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        body = {"type": "message", "attachments": [attachment]}
        return httpx.Request("POST", self.url.get_secret_value(), json=body)


def _blocks(text: str) -> list[dict[str, Any]]:
    return [
        {"type": "RichTextBlock", "spacing": "none", "inlines": [_run(line)]}
        for line in text.splitlines()
        if line
    ]


def _run(text: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text}
