"""
Everything else: the services that the apprise library knows, by its addresses.

Source: apprise wiki, "URL basics". It says whether a message went out, not why it did not: so a failure is always tried again.
"""

from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict, SecretStr

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import Channel, trimmed
from streams.notifications.relaying import Relayed
from streams.notifications.rendering import Message

_URGENCIES: Final = {1: "failure", 2: "failure", 3: "warning", 4: "info"}


def _address(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text and ("://" not in text or not text.isprintable()):
        # Never with the text: it holds a password.
        message = "must be an apprise address, such as matrixs://user:password@example.org/#room"
        raise ValueError(message)
    return secret


class Apprise(Channel):
    """A service of the apprise library."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "json://user:a-password@127.0.0.1:9/hook"}]}
    )

    stands_in: ClassVar = True
    # The library cuts to what each service takes; this is what any text may be at all.
    limits: ClassVar = {"title": 250, "body": 16_000}

    kind: Literal["apprise"] = "apprise"
    url: Annotated[SecretStr, AfterValidator(_address)] = SecretStr("")
    """The address by which apprise knows the service; it holds its credentials."""

    def missing(self) -> str | None:
        """Nothing can be sent without an address."""
        return None if self.url.get_secret_value() else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> Relayed:
        """Return what the library sends."""
        del at, first
        over = notice.purpose is Purpose.RESOLUTION
        link = self.link(notice)
        body = self.cut(message.text, self.limits["body"], notice)
        return Relayed(
            address=self.url,
            title=trimmed(message.subject, self.limits["title"]),
            body=f"{body}\n\n{link}" if link else body,
            urgency="success" if over else _URGENCIES[notice.incident.severity],
        )
