"""
Email by SMTP: text and HTML, one thread for each incident.

Sources: RFC 5321 (reply codes), RFC 5322 section 3.6.4 (Message-ID, In-Reply-To, References), RFC 3834 section 5 (Auto-Submitted).
"""

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, SecretStr

from schemas.notices import NoticeV1
from streams.notifications.channel import Channel, Judgement, Verdict, trimmed
from streams.notifications.rendering import Message

#: Characters of a subject; RFC 5322 allows lines of 998, people read fewer.
SUBJECT_LENGTH: Final = 200

_PERMANENT: Final = 500
_DOMAIN: Final = "incidents.tocsin.invalid"

Address = Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)]


class Email(Channel):
    """Mail to some people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "host": "127.0.0.1",
                    "port": 2525,
                    "sender": "tocsin@example.org",
                    "to": ["on-call@example.org"],
                    "password": "a-password",
                }
            ]
        }
    )

    kind: Literal["email"] = "email"
    host: str = ""
    """SMTP server."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    """Its port."""
    security: Literal["none", "starttls", "tls"] = "none"
    """``starttls`` on port 587, ``tls`` on port 465, ``none`` only on this machine or a trusted network."""
    username: str = ""
    """User, where the server asks for one."""
    password: SecretStr = SecretStr("")
    """Its password."""
    sender: Address
    """From whom."""
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100)]
    """To whom."""

    def missing(self) -> str | None:
        """Nothing can be sent without a server."""
        return None if self.host else "host"

    def compose(self, notice: NoticeV1, message: Message, at: datetime) -> EmailMessage:
        """Return the mail; its id is a function of the notice, so a repeat can be told from a new one."""
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = trimmed(message.subject, SUBJECT_LENGTH)
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Date"] = at
        first = _id(f"{notice.tenant}/{notice.incident_id}")
        mail["Message-ID"] = _id(notice.notice_id)
        # Mail programs show what refers to the same message as one thread.
        mail["In-Reply-To"] = first
        mail["References"] = first
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Tocsin-Notice"] = notice.notice_id
        mail.set_content(message.text + "\n")
        mail.add_alternative(
            f"<!doctype html><html><body>{message.html}</body></html>", subtype="html"
        )
        return mail

    def judge_reply(self, code: int, text: str) -> Judgement:
        """Say what an SMTP reply that is no success means: 4yz passes, 5yz does not."""
        del text  # It can quote the message or the user.
        if code >= _PERMANENT:
            return Judgement(Verdict.GIVE_UP, f"SMTP {code}: the server refuses the message")
        return Judgement(Verdict.TRY_AGAIN, f"SMTP {code}")


def _id(name: str) -> str:
    return f"<{hashlib.sha256(name.encode()).hexdigest()[:32]}@{_DOMAIN}>"
