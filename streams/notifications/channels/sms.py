"""
SMS by Twilio.

Source: Twilio API reference, "Messages resource" (create, limits), "API responses" (429).
"""

from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import quote

import httpx
from pydantic import ConfigDict, Field, SecretStr

from schemas.notices import NoticeV1
from streams.notifications.channel import Channel, field_of, trimmed
from streams.notifications.rendering import Message

#: Characters that people read: two segments of 153 in the GSM alphabet.
SHORT: Final = 306

API: Final = "https://api.twilio.com"

Number = Annotated[str, Field(pattern=r"^\+[1-9]\d{5,14}$")]


class Sms(Channel):
    """A text message to one telephone; E.164 numbers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "account_sid": "AC00000000000000000000000000000000",
                    "auth_token": "a-token",
                    "sender": "+15005550006",
                    "to": "+15005550009",
                    "url": "http://127.0.0.1:9",
                }
            ]
        }
    )

    kind: Literal["sms"] = "sms"
    account_sid: str = ""
    """Twilio account."""
    auth_token: SecretStr = SecretStr("")
    """Its token."""
    sender: Number
    """Number that it comes from."""
    to: Number
    """Number that it goes to."""
    url: str = API
    """Twilio's address."""

    def missing(self) -> str | None:
        """Nothing can be sent without an account."""
        if not self.account_sid:
            return "account_sid"
        return None if self.url else "url"

    def compose(self, notice: NoticeV1, message: Message, at: datetime) -> httpx.Request:
        """Return the short form of the message."""
        del at
        account = quote(self.account_sid, safe="")
        request = httpx.Request(
            "POST",
            f"{self.url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json",
            data={"From": self.sender, "To": self.to, "Body": trimmed(message.short, SHORT)},
            headers={"I-Twilio-Idempotency-Token": notice.notice_id},
        )
        login = httpx.BasicAuth(self.account_sid, self.auth_token.get_secret_value())
        return next(login.auth_flow(request))

    def provider_id(self, response: httpx.Response) -> str | None:
        """Twilio calls a message by its SID."""
        return field_of(response, "sid")
