"""What channels compose that hand their message to a library of senders instead of to a server."""

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Relayed:
    """A message for the service that an address of the library stands for."""

    address: SecretStr
    """Which service, and its credentials."""
    title: str
    """One line."""
    body: str
    """Plain text."""
    urgency: str
    """``info``, ``success``, ``warning`` or ``failure``."""
