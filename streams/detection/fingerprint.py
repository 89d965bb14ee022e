"""
The identity of an alert.

What goes in is written as JSON before it is hashed, so that no label can be made to look like two.
"""

import hashlib
from collections.abc import Mapping

import orjson

from schemas.contract import Contract


def fingerprint(  # noqa: PLR0913 - the parts of the identity, by name
    *,
    tenant: str,
    service: str,
    environment: str,
    rule: str,
    subject: str,
    labels: Mapping[str, str],
) -> str:
    """
    Return the identity of the alert of *rule* about these labels, as 16 hexadecimal digits.

    *subject* is what the rule's kind tells alerts apart by besides labels, such as the name of the check.
    An empty label is as good as none.
    """
    given = sorted((name, value) for name, value in labels.items() if value)
    return _digest([tenant, service, environment, rule, subject, given], size=8)


def likeness(signal: Contract) -> str:
    """Return what two copies of one signal share, and two signals of one moment do not."""
    if signal.event_id is not None:
        return _digest([signal.event_id], size=4)
    return hashlib.blake2b(signal.to_wire(), digest_size=4).hexdigest()


def _digest(parts: object, *, size: int) -> str:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=size).hexdigest()
