"""
Email by SMTP: text and HTML, one thread for each incident.

Source: RFC 2156, section 5.3.4 (Importance).
"""

from datetime import datetime
from email.message import EmailMessage
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1
from streams.notifications.channel import as_header
from streams.notifications.mailing import Address, Mailing
from streams.notifications.rendering import Message

#: Incidents of this severity are marked as important.
_URGENT: Final = 1


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
    quiet: ClassVar = True
    # RFC 5322 allows lines of 998 characters; people read fewer.
    limits: ClassVar = {"Subject": 200}

    kind: Literal["email"] = "email"
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=100)]
    """To whom."""

    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> EmailMessage:
        """Return the mail; its id is a function of the notice, so a repeat can be told from a new one."""
        # Threads are made of ids that are known beforehand.
        del first
        urgent = {"Importance": "high"} if notice.incident.severity == _URGENT else {}
        return self.letter(
            notice,
            message,
            at,
            to={"To": ", ".join(self.to)},
            begins=notice.step is StepKind.OPENED,
            also={**urgent, "X-Tocsin-Notice": as_header(notice.notice_id)},
            link=self.link(notice),
        )
