"""
Who may post, and whose telemetry it is.

A token is shown as ``Authorization: Bearer TOKEN``, or as the password of ``Authorization: Basic``, for publishers that know nothing else (Amazon
SNS takes it from its subscription's address). Sentry and PagerDuty sign instead: the one with ``Sentry-Hook-Signature``, the other with
``X-PagerDuty-Signature`` (Sentry, "Webhooks"; PagerDuty, "Verifying Signatures"). A refusal says nothing of what was wrong.
"""

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.intake.settings import IntakeSettings, Signature

_NEEDED: Final = (
    "a token of the policy's intake.tokens is needed, as 'Authorization: Bearer TOKEN' or as the "
    "password of 'Authorization: Basic'"
)
_SIGNED_BY: Final = {"sentry": "sentry-hook-signature", "pagerduty": "x-pagerduty-signature"}


class Refused(Exception):
    """Somebody who may not post; the text says what is needed."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts."""

    name: str
    tenant: str | None


ANYBODY: Final = Sender("anybody", None)


def sender_of(
    settings: IntakeSettings, headers: Mapping[str, str], *, open_to_all: bool
) -> Sender | None:
    """
    Return who posts, by what *headers* show; None where only the signature of the body can tell.

    Raises:
        Refused: A proof is needed, and there is none that is valid.
    """
    if not settings.demanding:
        if not open_to_all:
            raise Refused(
                "the policy names no token under intake.tokens, and without one nobody may post here"
            )
        return ANYBODY
    shown = _shown(headers.get("authorization", ""))
    found = None
    for each in settings.tokens:
        token = each.token.get_secret_value()
        # All are compared, each in constant time.
        if token and shown and hmac.compare_digest(token.encode(), shown.encode()):
            found = Sender(each.name, each.tenant)
    if found is None and (shown or not any(headers.get(name) for name in _SIGNED_BY.values())):
        raise Refused(_NEEDED)
    return found


def signer_of(
    settings: IntakeSettings, named: str, headers: Mapping[str, str], body: bytes
) -> Sender:
    """
    Return who signed *body*, in the format *named*.

    Raises:
        Refused: Nobody whom the policy knows.
    """
    said = headers.get(_SIGNED_BY.get(named, ""), "")
    given = [each.strip().removeprefix("v1=") for each in said.split(",")]
    found = None
    for each in settings.signatures:
        if each.format == named and each.secret.get_secret_value():
            expected = _signature(each, body)
            # PagerDuty signs with the old secret and the new one while they are changed.
            matches = [hmac.compare_digest(expected, one.encode()) for one in given]
            if any(matches):
                found = Sender(named, each.tenant)
    if found is None:
        raise Refused("the signature is not valid")
    return found


def _signature(of: Signature, body: bytes) -> bytes:
    return (
        hmac.new(of.secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest().encode()
    )


def _shown(authorization: str) -> str:
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
