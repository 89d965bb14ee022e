"""
ntfy: push messages to telephones, from its public server or one's own.

Sources: ntfy documentation, "Publish as JSON", "Message priority", "Message templating and limits" (a message has at most 4096 bytes,
longer ones become an attachment), "Access tokens", "Limitations" (429).
"""

from datetime import datetime
from typing import Any, ClassVar, Final, Literal

import httpx
from pydantic import ConfigDict, SecretStr

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import Channel, WebAddress, byte_length, document, field_of
from streams.notifications.rendering import Message

API: Final = "https://ntfy.sh"

#: 5 is the most urgent; 4 vibrates, 3 is the usual one, 2 makes no sound.
_PRIORITIES: Final = {1: 5, 2: 4, 3: 3, 4: 2}
_END_PRIORITY: Final = 3


class Ntfy(Channel):
    """Subscribers of a topic."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"topic": "a-topic-name", "url": "http://127.0.0.1:9"}]}
    )

    limits: ClassVar = {"title": 250, "message": 4_096}

    kind: Literal["ntfy"] = "ntfy"
    topic: SecretStr = SecretStr("")
    """The topic; on a public server, whoever knows it can read along."""
    token: SecretStr = SecretStr("")
    """Access token, where the topic needs one."""
    url: WebAddress = API
    """Address of the server."""

    def missing(self) -> str | None:
        """A message needs a topic."""
        if not self.topic.get_secret_value():
            return "topic"
        return None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the message."""
        del at, first
        over = notice.purpose is Purpose.RESOLUTION
        body: dict[str, Any] = {
            "topic": self.topic.get_secret_value(),
            "title": self.cut(message.subject, self.limits["title"], notice, byte_length),
            "message": self.cut(message.text, self.limits["message"], notice, byte_length),
            "priority": _END_PRIORITY if over else _PRIORITIES[notice.incident.severity],
            "tags": ["white_check_mark" if over else "rotating_light"],
        }
        if self.link(notice):
            body["click"] = self.link(notice)
        token = self.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Request("POST", self.url, json=body, headers=headers)

    def provider_id(self, response: httpx.Response) -> str | None:
        """The server answers with the message."""
        return field_of(response, "id")

    def explanation(self, response: httpx.Response) -> str | None:
        """The server says in a sentence what is wrong."""
        said = document(response).get("error")
        return (self.redacted(said) or None) if isinstance(said, str) else None
