"""Ids of notices that fit their field."""

import hashlib

import orjson

from schemas import limits

#: Hexadecimal digits that tell cut ids apart.
_DIGITS = 32


def fitted(whole: str) -> str:
    """Return *whole*, or as much of it as fits with a hash of all of it: tenants and channels can have long names."""
    if len(whole) <= limits.ID_LENGTH:
        return whole
    rest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]
    return f"{whole[: limits.ID_LENGTH - len(rest) - 1]}#{rest}"


def entry_name(*parts: str) -> str:
    """Return the name of a state entry that is no notice's."""
    # JSON, because names may hold any separator; no notice's id begins so.
    return orjson.dumps(parts).decode()


def derived(notice_id: str, suffix: str) -> str:
    """Return the id of a notice that follows from another."""
    return fitted(f"{notice_id}{suffix}")
