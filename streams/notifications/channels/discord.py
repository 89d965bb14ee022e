"""
Discord by webhook; the first message about an incident stays up to date.

Sources: Discord developer documentation, "Execute webhook" (``wait=true`` answers with the message; ``allowed_mentions``; ``with_components``:
only webhooks that an application owns may have buttons that are pressed), "Edit webhook message", "Embed limits" (title 256 characters,
description 4096, 6000 in all), "Button" (a ``custom_id`` has 1 to 100 characters), "Preparing for Interactions" (a ``PING`` is answered with
a ``PONG``; Ed25519 over time and body, otherwise 401: Discord tries a wrong signature now and then), "Interaction Callback Type", "Rate
limits" (429 with ``retry_after`` in seconds).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import AfterValidator, ConfigDict, SecretStr

from schemas.notices import NoticeV1, Purpose
from streams.notifications.callback import (
    Action,
    Callback,
    Heard,
    Refused,
    check_fresh,
    command_id,
    incident_of,
    json_object,
    part,
    person,
)
from streams.notifications.channel import (
    Channel,
    SecretAddress,
    document,
    field_of,
    seconds,
    utf16_length,
)
from streams.notifications.offers import offered, reference
from streams.notifications.rendering import Message

_COLOURS: Final = {1: 0xD62D20, 2: 0xF57C00, 3: 0x1976D2, 4: 0x757575}
_OVER: Final = 0x2E7D32
#: What Markdown would read as its own. Discord takes a backslash before each.
_MARKUP: Final = re.compile(r"([\\*_~`|>\[\]<#@])")
_WEBHOOK: Final = re.compile(r"[0-9]{1,20}")
_STAMP: Final = re.compile(r"[0-9]{1,11}")
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)

#: Numbers of Discord's documentation: kinds of interactions, and how they are answered.
_PING: Final = 1
_PRESSED: Final = 3
_PONG: Final = 1
#: The button stops turning, and the message is edited later.
_TAKEN: Final = 6
_ROW: Final = 1
_BUTTON: Final = 2
_STYLES: Final = {Action.ACKNOWLEDGE: 1, Action.RESOLVE: 3}


def _public_key(text: str) -> str:
    try:
        if text:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(text if _HEX.fullmatch(text) else ""))
    except ValueError:
        message = "must be the application's public key as Discord shows it: 64 hexadecimal digits"
        raise ValueError(message) from None
    return text


class Discord(Channel):
    """A Discord channel."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "http://127.0.0.1:9/api/webhooks/7/secret"}]}
    )

    stands_in: ClassVar = True
    quiet: ClassVar = True
    limits: ClassVar = {"title": 256, "description": 4_096, "custom_id": 100}
    usual: ClassVar = 30

    kind: Literal["discord"] = "discord"
    url: SecretAddress = SecretStr("")
    """The webhook's address; it is its own password."""
    public_key: Annotated[str, AfterValidator(_public_key)] = ""
    """Public key of the application that owns the webhook and whose buttons call `tocsin board` back. No buttons without it."""

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
        # Without it Discord leaves the buttons out, and says nothing.
        components = "with_components=true" if self.public_key else ""
        kept = "&".join(filter(None, (parts.query, query, components)))
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
        }
        if notice.shift is None:
            embed["footer"] = {"text": notice.incident_id}
        if self.link(notice):
            embed["url"] = self.link(notice)
        # No text can call anybody.
        body: dict[str, Any] = {"embeds": [embed], "allowed_mentions": {"parse": []}}
        if self.public_key:
            # None as well: an edited message would keep those that it had.
            body["components"] = self._rows(notice, message)
        return body

    def _rows(self, notice: NoticeV1, message: Message) -> list[dict[str, Any]]:
        buttons = [
            {
                "type": _BUTTON,
                "style": _STYLES[action],
                "label": label,
                "custom_id": f"{action} {reference(notice)}",
            }
            for label, action in offered(notice, message)
        ]
        fits = self.limits["custom_id"]
        shown = [each for each in buttons if utf16_length(str(each["custom_id"])) <= fits]
        return [{"type": _ROW, "components": shown}] if shown else []

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """A button was pressed, or Discord asks whether somebody listens. An application has one address: it may speak of any of its channels."""
        said_at = callback.headers.get("x-signature-timestamp", "")
        if not self.public_key or not _STAMP.fullmatch(said_at):
            fault = "it has no timestamp" if self.public_key else "public_key is not set"
            raise Refused(fault)
        try:
            signature = bytes.fromhex(callback.headers.get("x-signature-ed25519", ""))
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
            key.verify(signature, said_at.encode() + callback.body)
        except (ValueError, InvalidSignature):
            fault = "its signature is not valid"
            raise Refused(fault) from None
        check_fresh(datetime.fromtimestamp(int(said_at), UTC), at)
        said = json_object(callback.body)
        action, _, named = str(part(said, "data").get("custom_id")).partition(" ")
        about = incident_of(named)
        if said.get("type") != _PRESSED or about is None or action not in set(Action):
            return []
        # In a server it is a member who presses, in a direct message a user.
        user = part(part(said, "member"), "user") or part(said, "user")
        author = person(user.get("username"), user.get("id"))
        known = command_id("discord", str(said.get("id")))
        return [Heard(Action(action), *about, author, known)]

    def reply(self, callback: Callback) -> bytes:
        """Discord believes no address that does not answer its ``PING``, and shows an error for a button that is not answered."""
        kind = json_object(callback.body).get("type")
        return orjson.dumps({"type": _PONG if kind == _PING else _TAKEN})

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
