"""
What providers call back: what somebody did over there, and the proof that the provider says so.

A callback without a valid signature, or with an old one, is refused; so is one that is about nothing of ours. A repeat makes the same
command id, and the same command twice is one command.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import orjson

from schemas.lifecycle import INCIDENT_ID, INCIDENT_ID_LENGTH

#: How old a signature may be, and how far a provider's clock may be ahead (Slack API, "Verifying requests from Slack").
FRESH_FOR: Final = timedelta(minutes=5)

_REFERENCE: Final = re.compile(rf"(?P<tenant>.{{1,128}})/(?P<incident>{INCIDENT_ID.strip('^$')})")


class Refused(Exception):
    """A callback that is not believed; the text says why, and quotes nothing of it."""


class Action(StrEnum):
    """What somebody asks for."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Callback:
    """One request of a provider. Names of headers are in small letters."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody asked for at a provider."""

    action: Action
    tenant: str
    incident_id: str
    author: str
    #: A function of the callback, so that a repeat is known.
    command_id: str


def check_fresh(said_at: datetime, at: datetime) -> None:
    """
    Do nothing.

    Raises:
        Refused: What was said at *said_at* is too old at *at*, or of a time to come.
    """
    if abs(at - said_at) > FRESH_FOR:
        message = f"its time is more than {FRESH_FOR.total_seconds():.0f} s away"
        raise Refused(message)


def check_signature(expected: str, *given: str) -> None:
    """
    Do nothing.

    Raises:
        Refused: None of the signatures that were *given* is the *expected* one.
    """
    # All are compared, each in constant time.
    matches = [hmac.compare_digest(expected.encode(), each.encode()) for each in given]
    if not any(matches):
        message = "its signature is not valid"
        raise Refused(message)


def hmac_sha256(secret: str, signed: bytes) -> str:
    """Return the HMAC-SHA256 of what is *signed*, in hexadecimal digits."""
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def incident_of(reference: object) -> tuple[str, str] | None:
    """Return tenant and incident of a *reference* that a channel gave away; None where it is none."""
    found = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    # What nobody's tenant or incident can be called is none of ours.
    if found is None or len(found["incident"]) > INCIDENT_ID_LENGTH:
        return None
    tenant = found["tenant"].strip()
    return (tenant, found["incident"]) if tenant and tenant.isprintable() else None


def person(*names: object) -> str:
    """Return the first of *names* that can be an author's."""
    for name in names:
        if isinstance(name, str) and name.strip().isprintable() and name.strip():
            return name.strip()[:128]
    return "unknown"


def command_id(*parts: str) -> str:
    """Return an id that the same callback makes again."""
    whole = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()
    return f"callback/{whole[:32]}"


def json_object(raw: bytes) -> dict[str, Any]:
    """Return the object that a body is; an empty one where it is none."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def part(of: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object within another; an empty one where there is none."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}
