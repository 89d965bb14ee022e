"""
What channels have that send by SMTP: a server, and how its replies are judged.

Source: RFC 5321, section 4.2.1: replies of 4yz pass by themselves, those of 5yz do not.
"""

import ipaddress
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from streams.notifications.channel import Channel, Judgement, Verdict

_PERMANENT: Final = 500


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


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}
