"""
Mail to customers: what was published of an incident, to everybody who wants to hear it.

Nobody sees who else gets it: addresses are in the envelope only. Sources: RFC 5322, section 3.4 (an empty group as the only receiver);
RFC 5321, section 4.5.3.1.8 (a server takes a hundred receivers of one message at least); RFC 2369, section 3.2 (List-Unsubscribe).
"""

from datetime import datetime
from email.message import EmailMessage
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from schemas.notices import NoticeV1, Purpose
from streams.notifications.channel import WebAddress
from streams.notifications.mailing import Address, Mailing
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
        return self.letter(
            notice,
            message,
            at,
            # The courier puts those of Bcc into the envelope and leaves them out of the message.
            to={"To": "undisclosed-recipients:;", "Bcc": ", ".join(self.subscribers)},
            begins=len(public.updates) == 1,
            also={"List-Unsubscribe": f"<{self.unsubscribe}>"} if self.unsubscribe else {},
        )
