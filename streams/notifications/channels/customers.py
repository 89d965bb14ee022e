"""
Mail to customers: what was published of an incident, to everybody who wants to hear it.

Nobody sees who else gets it: addresses are in the envelope only. Sources: RFC 5322, sections 3.4 (an empty group as the only
receiver) and 3.6.4 (threads); RFC 5321, section 4.5.3.1.8 (a server takes a hundred receivers of one message at least); RFC 3834, section
5; RFC 2369, section 3.2 (List-Unsubscribe).
"""

import hashlib
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import WebAddress, trimmed
from streams.notifications.channels.email import Address
from streams.notifications.mailing import Mailing
from streams.notifications.rendering import Message


class Customers(Mailing):
    """Mail to customers, of what is published only."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "host": "127.0.0.1",
                    "port": 2525,
                    "security": "none",
                    "username": "tocsin",
                    "password": "a-password",
                    "sender": "status@example.org",
                    "subscribers": ["first@example.com", "second@example.net"],
                }
            ]
        }
    )

    limits: ClassVar = {"Subject": 200}
    # One incident is nothing to customers of another component.
    merges: ClassVar = False
    outward: ClassVar = True

    kind: Literal["customers"] = "customers"
    sender: Address
    """From whom."""
    subscribers: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100)]
    """To whom: a hundred at most; more need a list's address, or several channels."""
    unsubscribe: WebAddress = ""
    """Address where a subscriber can end it."""

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> EmailMessage:
        """
        Return the mail; its id is a function of the notice, so a repeat can be told from a new one.

        Raises:
            ValueError: The notice is for people inside.
        """
        # Threads are made of ids that are known beforehand.
        del first
        public = notice.incident.public
        if notice.purpose is not Purpose.PUBLIC or public is None:
            fault = "customers are told what was published, and nothing else"
            raise ValueError(fault)
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = trimmed(message.subject, self.limits["Subject"])
        mail["From"] = self.sender
        mail["To"] = "undisclosed-recipients:;"
        # The courier puts them into the envelope and leaves them out of the message.
        mail["Bcc"] = ", ".join(self.subscribers)
        mail["Date"] = at
        begins = self._id(f"{notice.tenant}/{notice.incident_id}/{notice.channel}")
        if len(public.updates) == 1:
            mail["Message-ID"] = begins
        else:
            mail["Message-ID"] = self._id(notice.notice_id)
            mail["In-Reply-To"] = begins
            mail["References"] = begins
        mail["Auto-Submitted"] = "auto-generated"
        if self.unsubscribe:
            mail["List-Unsubscribe"] = f"<{self.unsubscribe}>"
        mail.set_content(f"{message.text}\n")
        page = f"<!doctype html>\n<html><body>\n{message.html}\n</body></html>\n"
        mail.add_alternative(page, subtype="html")
        # A text that knew the boundary could add parts of its own; none can hold a hash of itself.
        mail.set_boundary(_hash(notice.notice_id + message.text + message.html))
        return mail

    def _id(self, name: str) -> str:
        return f"<{_hash(name)}@{self.sender.rpartition('@')[2]}>"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
