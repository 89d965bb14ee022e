"""
SMS by Twilio.

Sources: Twilio API reference, "Messages resource" (a body has at most 1600 characters) and "Twilio's response" (429 when too many come);
3GPP TS 23.038, section 6.2.1 (the GSM alphabet; a text with any other character is sent in UCS-2, and fewer fit). Twilio has no place for an idempotency key: where its answer is lost, a message can arrive twice.
"""

import base64
import hashlib
import hmac
import math
import re
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Self
from urllib.parse import parse_qs, quote

import httpx
from pydantic import AfterValidator, ConfigDict, SecretStr, model_validator

from schemas.notices import NoticeV1
from streams.notifications.callback import (
    Action,
    Callback,
    Heard,
    Refused,
    check_signature,
    command_id,
    person,
)
from streams.notifications.channel import (
    Channel,
    Judgement,
    Verdict,
    WebAddress,
    document,
    field_of,
    utf16_length,
)
from streams.notifications.rendering import Message

API: Final = "https://api.twilio.com"

#: The GSM alphabet (its Greek letters are left out), and those of its characters that count twice.
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅå_ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE: Final = frozenset("^{}\\[~]|€")
#: In two segments: 306 characters of the GSM alphabet, or 134 of UCS-2.
_UCS2_COUNTS: Final = 306 / 134

#: What a reply says; it has no room for a tenant.
_REPLY: Final = re.compile(r"\s*ack\s+(?P<incident>INC-\d{4}-\d{2}-\d{2}-\d{3,})\W*", re.IGNORECASE)
_TENANT: Final = "default"

_NUMBER: Final = re.compile(r"\+[1-9]\d{5,14}")


def _number(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        message = "must be a number with its country and without spaces, such as +4930123456"
        raise ValueError(message)
    return text


Number = Annotated[str, AfterValidator(_number)]


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

    stands_in: ClassVar = True
    # Characters of the GSM alphabet in two segments: what people read, and pay for.
    limits: ClassVar = {"Body": 306}

    kind: Literal["sms"] = "sms"
    account_sid: str = ""
    """Twilio account."""
    auth_token: SecretStr = SecretStr("")
    """Its token."""
    sender: Number
    """Number that it comes from."""
    to: Number
    """Number that it goes to."""
    url: WebAddress = API
    """Twilio's address."""
    replies: bool = False
    """Whether replies to the sender's number acknowledge here, so that texts may ask for them."""
    reply_url: WebAddress = ""
    """Address of `tocsin board` that Twilio calls with a reply, exactly as it is written there: it is part of the signature."""

    @model_validator(mode="after")
    def _replies_are_heard(self) -> Self:
        if self.replies and not self.reply_url:
            message = "replies: true needs reply_url, the address of `tocsin board` that Twilio calls: without it nobody hears a reply"
            raise ValueError(message)
        return self

    def missing(self) -> str | None:
        """Nothing can be sent without an account and its token."""
        if not self.account_sid:
            return "account_sid"
        if not self.auth_token.get_secret_value():
            return "auth_token"
        return None if self.url else "url"

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request:
        """Return the short form of the message."""
        del at, first
        account = quote(self.account_sid, safe="")
        incident = notice.incident
        taken = incident.acknowledged_at or incident.resolved_at or message.about != 1
        asks = self.replies and not taken and notice.tenant == _TENANT
        end = f". Reply ACK {notice.incident_id} to acknowledge" if asks else ""
        # An ellipsis is not in the GSM alphabet, and would halve what fits into a segment.
        room = self.limits["Body"] - len(end)
        body = self.cut(message.short, room, notice, _gsm_length, "...") + end
        request = httpx.Request(
            "POST",
            f"{self.url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json",
            data={"From": self.sender, "To": self.to, "Body": body},
        )
        login = httpx.BasicAuth(self.account_sid, self.auth_token.get_secret_value())
        return next(login.auth_flow(request))

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """
        Somebody replied (Twilio documentation, "Validating requests are coming from Twilio").

        Its signature has no time in it: that a reply is new follows from its SID, which makes the command's id.
        """
        del at
        secret = self.auth_token.get_secret_value()
        if not secret or not self.reply_url:
            message = "auth_token or reply_url is not set"
            raise Refused(message)
        fields = parse_qs(callback.body.decode(errors="replace"), keep_blank_values=True)
        said = self.reply_url + "".join(
            name + value for name in sorted(fields) for value in sorted(set(fields[name]))
        )
        expected = hmac.new(secret.encode(), said.encode(), hashlib.sha1).digest()
        given = callback.headers.get("x-twilio-signature", "")
        check_signature(base64.b64encode(expected).decode(), given)
        reply, sender, sid = (fields.get(name, [""])[0] for name in ("Body", "From", "MessageSid"))
        found = _REPLY.fullmatch(reply)
        if found is None or sender != self.to:
            return []
        author = person(sender)
        incident = found["incident"].upper()
        return [
            Heard(Action.ACKNOWLEDGE, _TENANT, incident, author, command_id("sms", sid, incident))
        ]

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """Twilio can take a message that it then knows it will not send."""
        judged = super().judge(response, at)
        error = document(response).get("error_code")
        if judged.verdict is Verdict.DELIVERED and isinstance(error, int):
            return Judgement(Verdict.GIVE_UP, f"HTTP {response.status_code}: Twilio error {error}")
        return judged

    def provider_id(self, response: httpx.Response) -> str | None:
        """Twilio calls a message by its SID."""
        return field_of(response, "sid")

    def explanation(self, response: httpx.Response) -> str | None:
        """Twilio has a number for each fault; its texts quote telephone numbers."""
        code = document(response).get("code")
        return f"Twilio error {code}" if isinstance(code, int) else None


def _gsm_length(text: str) -> int:
    """Return how many characters of the GSM alphabet take as much room as *text* does."""
    if all(each in _GSM or each in _GSM_TWICE for each in text):
        return len(text) + sum(each in _GSM_TWICE for each in text)
    return math.ceil(utf16_length(text) * _UCS2_COUNTS)
