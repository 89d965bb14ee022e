"""
A webhook of anybody's: a signed CloudEvent.

Sources: CloudEvents 1.0.2 JSON event format; HMAC, RFC 2104. The signature is over ``TIMESTAMP.BODY``, so that neither can be
replayed with another of the other.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal

import httpx
import orjson
from pydantic import ConfigDict, SecretStr

from schemas.notices import NoticeV1
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
    person,
)
from streams.notifications.channel import Channel, SecretAddress, as_header
from streams.notifications.rendering import Message

SIGNATURE: Final = "X-Tocsin-Signature"
TIMESTAMP: Final = "X-Tocsin-Timestamp"
_STAMP: Final = re.compile(r"[0-9]{1,11}")


class Webhook(Channel):
    """An address that takes a POST."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "http://127.0.0.1:9/hook", "secret": "a-shared-secret"}]
        }
    )

    # A notice is a message of ours, and those are bounded; this is what its texts add.
    limits: ClassVar = {"text": 64_000}
    # A program takes what it is sent, and says 429 where it does not.
    usual: ClassVar = 60_000
    merges: ClassVar = False

    kind: Literal["webhook"] = "webhook"
    url: SecretAddress = SecretStr("")
    """The address; it can hold a password."""
    secret: SecretStr = SecretStr("")
    """What both sides know: the receiver checks the signature with it."""
    callbacks: bool = False
    """Whether the receiver may call `tocsin board` back, signed in the same way: it can then acknowledge and resolve."""

    def missing(self) -> str | None:
        """An address is needed, and a secret: an unsigned message could be anybody's."""
        if not self.url.get_secret_value():
            return "url"
        return None if self.secret.get_secret_value() else "secret"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the notice as a CloudEvent in structured mode, signed."""
        del first
        body = orjson.dumps(
            {
                "specversion": "1.0",
                "id": notice.notice_id,
                "type": notice.event_type,
                "source": "/tocsin/notify",
                "subject": f"{notice.tenant}/{notice.incident_id}",
                "time": notice.occurred_at.isoformat(),
                "datacontenttype": "application/json",
                "data": {
                    "text": self.cut(message.text, self.limits["text"], notice),
                    "notice": orjson.Fragment(notice.to_wire()),
                },
            }
        )
        timestamp = str(int(at.timestamp()))
        return httpx.Request(
            "POST",
            self.url.get_secret_value(),
            content=body,
            headers={
                "Content-Type": "application/cloudevents+json; charset=utf-8",
                "Idempotency-Key": as_header(notice.notice_id),
                TIMESTAMP: timestamp,
                SIGNATURE: signature(self.secret.get_secret_value(), timestamp, body),
            },
        )

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """The receiver says ``{"action": "acknowledge", "incident": "TENANT/INC-…", "author": "…"}``."""
        secret = self.secret.get_secret_value()
        stamp = callback.headers.get(TIMESTAMP.lower(), "")
        if not self.callbacks or not secret or not _STAMP.fullmatch(stamp):
            message = "callbacks is not set" if not self.callbacks else "it has no timestamp"
            raise Refused(message)
        given = callback.headers.get(SIGNATURE.lower(), "")
        check_signature(signature(secret, stamp, callback.body), given)
        check_fresh(datetime.fromtimestamp(int(stamp), UTC), at)
        said = json_object(callback.body)
        action, about = str(said.get("action")), incident_of(said.get("incident"))
        if about is None or action not in set(Action):
            return []
        author = person(said.get("author"))
        return [Heard(Action(action), *about, author, command_id("webhook", given))]


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what a receiver compares with the header: ``sha256=`` and the HMAC in hexadecimal digits."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
