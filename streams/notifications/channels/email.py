"""
Email by SMTP: text and HTML, one thread for each incident.

Sources: RFC 5322, section 3.6.4 (Message-ID, In-Reply-To, References); RFC 3834, section 5 (Auto-Submitted); RFC 2156, section
5.3.4 (Importance); RFC 2047, section 2 (an encoded word has at most 75 characters).
"""

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1
from streams.notifications.channel import as_header, trimmed
from streams.notifications.mailing import Mailing
from streams.notifications.rendering import Message

#: A folded subject would begin on its second line, with a space; lines may have 998 characters.
_FORM: Final = SMTP.clone(max_line_length=990)
#: Folded so that no encoded word is longer than it may be.
_ENCODED: Final = SMTP.clone(max_line_length=76)
#: Incidents of this severity are marked as important.
_URGENT: Final = 1

# Deliberately narrower than RFC 5322: no quotes, comments or characters beyond ASCII.
Address = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$", max_length=254),
]


class Email(Mailing):
    """Mail to some people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "host": "127.0.0.1",
                    "port": 2525,
                    "security": "none",
                    "username": "tocsin",
                    "password": "a-password",
                    "sender": "tocsin@example.org",
                    "to": ["on-call@example.org"],
                }
            ]
        }
    )

    stands_in: ClassVar = True
    # RFC 5322 allows lines of 998 characters; people read fewer.
    limits: ClassVar = {"Subject": 200}

    kind: Literal["email"] = "email"
    sender: Address
    """From whom."""
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100)]
    """To whom."""

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> EmailMessage:
        """Return the mail; its id is a function of the notice, so a repeat can be told from a new one."""
        # Threads are made of ids that are known beforehand.
        del first
        subject = trimmed(message.subject, self.limits["Subject"])
        mail = EmailMessage(policy=_FORM if subject.isascii() else _ENCODED)
        mail["Subject"] = subject
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.to)
        mail["Date"] = at
        first = self._id(f"{notice.tenant}/{notice.incident_id}/{notice.channel}")
        if notice.step is StepKind.OPENED:
            mail["Message-ID"] = first
        else:
            mail["Message-ID"] = self._id(notice.notice_id)
            # Mail programs show what refers to the same message as one thread, even where that one never came.
            mail["In-Reply-To"] = first
            mail["References"] = first
        mail["Auto-Submitted"] = "auto-generated"
        if notice.incident.severity == _URGENT:
            mail["Importance"] = "high"
        mail["X-Tocsin-Notice"] = as_header(notice.notice_id)
        link = self.link(notice)
        mail.set_content(f"{message.text}\n" + (f"\n{link}\n" if link else ""))
        linked = f'\n<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else ""
        page = f"<!doctype html>\n<html><body>\n{message.html}{linked}\n</body></html>\n"
        mail.add_alternative(page, subtype="html")
        # A text that knew the boundary could add parts of its own; none can hold a hash of itself.
        mail.set_boundary(_hash(notice.notice_id + message.text + message.html))
        return mail

    def _id(self, name: str) -> str:
        return f"<{_hash(name)}@{self.sender.rpartition('@')[2]}>"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
