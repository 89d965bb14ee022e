"""
What channels have that send by SMTP: a server, how its replies are judged, and the form of a mail.

Sources: RFC 5321, section 4.2.1 (replies of 4yz pass by themselves, those of 5yz do not); RFC 5322, section 3.6.4 (Message-ID,
In-Reply-To, References); RFC 3834, section 5 (Auto-Submitted); RFC 2047, section 2 (an encoded word has at most 75 characters).
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from schemas.notices import NoticeV1
from streams.notifications.channel import Channel, Judgement, Verdict, trimmed
from streams.notifications.rendering import Message

_PERMANENT: Final = 500
#: A folded subject would begin on its second line, with a space; lines may have 998 characters.
_FORM: Final = SMTP.clone(max_line_length=990)
#: Folded so that no encoded word is longer than it may be.
_ENCODED: Final = SMTP.clone(max_line_length=76)

# Deliberately narrower than RFC 5322: no quotes, comments or characters beyond ASCII.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        message = "must be an address such as tocsin@example.org, without a name before it"
        raise ValueError(message)
    return text


Address = Annotated[str, Field(max_length=254), AfterValidator(_address)]


class Mailing(Channel):
    """Settings of a mail server."""

    host: str = ""
    """SMTP server."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    """Its port."""
    security: Literal["none", "starttls", "tls"] = "starttls"
    """``starttls`` on port 587, ``tls`` on port 465, ``none`` only on this machine or a trusted network."""
    username: str = ""
    """User, where the server asks for one."""
    password: SecretStr = SecretStr("")
    """Its password."""
    sender: Address
    """From whom."""

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Self:
        given = bool(self.password.get_secret_value())
        if given and self.security == "none" and not _on_this_machine(self.host):
            message = (
                "security: none would send the password readable for everybody on the way: "
                "write starttls or tls, or leave the password out"
            )
            raise ValueError(message)
        return self

    def missing(self) -> str | None:
        """Nothing can be sent without a server."""
        return None if self.host else "host"

    def judge_reply(self, code: int) -> Judgement:
        """Say what an SMTP reply that is no success means; its text can quote the message, so it is not repeated."""
        if code >= _PERMANENT:
            return Judgement(Verdict.GIVE_UP, f"SMTP {code}: the server refuses the message")
        return Judgement(Verdict.TRY_AGAIN, f"SMTP {code}")

    def letter(  # noqa: PLR0913 - a mail is made of these
        self,
        notice: NoticeV1,
        message: Message,
        at: datetime,
        *,
        to: Mapping[str, str],
        begins: bool,
        also: Mapping[str, str],
        link: str = "",
    ) -> EmailMessage:
        """
        Return a mail; its id is a function of the notice, so a repeat can be told from a new one.

        Args:
            notice: What it is made of.
            message: What it says.
            at: When it is sent.
            to: The headers that say to whom.
            begins: Whether it is the first of its thread, to which the others of the incident refer.
            also: Further headers.
            link: An address that stands below the message; none where it is empty.
        """
        subject = trimmed(message.subject, self.limits["Subject"])
        mail = EmailMessage(policy=_FORM if subject.isascii() else _ENCODED)
        mail["Subject"] = subject
        mail["From"] = self.sender
        for name, value in to.items():
            mail[name] = value
        mail["Date"] = at
        first = self._id(f"{notice.tenant}/{notice.incident_id}/{notice.channel}")
        mail["Message-ID"] = first if begins else self._id(notice.notice_id)
        if not begins:
            # Mail programs show what refers to the same message as one thread, even where that one never came.
            mail["In-Reply-To"] = first
            mail["References"] = first
        mail["Auto-Submitted"] = "auto-generated"
        for name, value in also.items():
            mail[name] = value
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


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}
