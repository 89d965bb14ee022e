"""
ntfy: push messages to telephones, from its public server or one's own.

Sources: ntfy documentation, "Publish as JSON" (the whole of it may be twice as long as a message), "Message priority", "Message templating
and limits" (a message has at most 4096 bytes, longer ones become an attachment), "Access tokens", "Limitations" (429), "Action buttons" (at most three; ``http`` sends a request from the telephone).
"""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Literal, Self

import httpx
import orjson
from pydantic import ConfigDict, SecretStr, model_validator

from schemas.notices import NoticeV1, Purpose
from streams.notifications.callback import (
    Action,
    Callback,
    Heard,
    Refused,
    check_signature,
    command_id,
    hmac_sha256,
    incident_of,
    json_object,
)
from streams.notifications.channel import Channel, WebAddress, byte_length, document, field_of
from streams.notifications.offers import offered, reference
from streams.notifications.rendering import Message

API: Final = "https://ntfy.sh"

#: 5 is the most urgent; 4 vibrates, 3 is the usual one, 2 makes no sound.
_PRIORITIES: Final = {1: 5, 2: 4, 3: 3, 4: 2}
_END_PRIORITY: Final = 3
#: How long a button can be pressed.
OFFERED_FOR: Final = timedelta(hours=12)


class Ntfy(Channel):
    """Subscribers of a topic."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"topic": "a-topic-name", "url": "http://127.0.0.1:9"}]}
    )

    stands_in: ClassVar = True
    limits: ClassVar = {"title": 250, "message": 4_096, "body": 8_192}

    kind: Literal["ntfy"] = "ntfy"
    topic: SecretStr = SecretStr("")
    """The topic; on a public server, whoever knows it can read along."""
    token: SecretStr = SecretStr("")
    """Access token, where the topic needs one."""
    url: WebAddress = API
    """Address of the server."""
    reply_url: WebAddress = ""
    """Address of `tocsin board` that the buttons call: it ends in ``/callbacks/`` and this channel's name. None without it."""
    reply_secret: SecretStr = SecretStr("")
    """What the buttons are signed with."""

    @model_validator(mode="after")
    def _buttons_are_signed(self) -> Self:
        if self.reply_url and not self.reply_secret.get_secret_value():
            message = "reply_url needs reply_secret: a button that is not signed could be anybody's"
            raise ValueError(message)
        return self

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
        if self.reply_url and (offers := offered(notice, message)):
            body["actions"] = [self._button(notice, *each) for each in offers]
        # Quotes, ends of lines and the like count twice in JSON.
        room = self.limits["body"] - _json_length(body | {"message": ""})
        body["message"] = self.cut(body["message"], room, notice, _json_length)
        token = self.token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Request("POST", self.url, json=body, headers=headers)

    def _button(self, notice: NoticeV1, label: str, action: Action) -> dict[str, Any]:
        until = int((notice.occurred_at + OFFERED_FOR).timestamp())
        signed = self._signature(action, reference(notice), str(until))
        said = {
            "action": action,
            "incident": reference(notice),
            "until": until,
            "signature": signed,
        }
        return {
            "action": "http",
            "label": label,
            "url": self.reply_url,
            "method": "POST",
            # In the body, not in a header: a browser would ask the board for permission first.
            "body": orjson.dumps(said).decode(),
            "clear": True,
        }

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """A button was pressed: whoever reads the topic can, while it is offered. Pressed again it is the same command."""
        if not self.reply_url:
            message = "reply_url is not set"
            raise Refused(message)
        said = json_object(callback.body)
        action, named, until = (str(said.get(name)) for name in ("action", "incident", "until"))
        check_signature(self._signature(action, named, until), str(said.get("signature")))
        # What is signed is ours: from here on it is as we wrote it.
        if at > datetime.fromtimestamp(int(until), UTC):
            message = "it was offered too long ago"
            raise Refused(message)
        about = incident_of(named)
        if about is None:
            return []
        return [Heard(Action(action), *about, "ntfy", command_id("ntfy", action, *about, until))]

    def _signature(self, *signed: str) -> str:
        return hmac_sha256(self.reply_secret.get_secret_value(), orjson.dumps(signed))

    def provider_id(self, response: httpx.Response) -> str | None:
        """The server answers with the message."""
        return field_of(response, "id")

    def explanation(self, response: httpx.Response) -> str | None:
        """The server says in a sentence what is wrong."""
        said = document(response).get("error")
        return (self.redacted(said) or None) if isinstance(said, str) else None


def _json_length(said: object) -> int:
    return len(orjson.dumps(said))
