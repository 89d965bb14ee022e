"""
Who is asking.

Two users: ``tocsin`` owns its database, ``reader`` reads it. Both always have a password; the rule this
module alone enforces is that the file with the passwords is readable by its owner only.
"""

import base64
import binascii
import hmac
import secrets
import stat
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from streams.errors import SettingsError

#: Shorter ones could be guessed by another process of the machine.
PASSWORD_LENGTH: Final = 16
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class User(StrEnum):
    """Who may ask, and how much."""

    TOCSIN = "tocsin"
    READER = "reader"


Passwords = Mapping[User, SecretStr]


def write_passwords(path: Path) -> Passwords:
    """Make up a password for each user and write them to *path*, replacing what stood there."""
    passwords = {user: SecretStr(secrets.token_urlsafe(24)) for user in User}
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text("".join(f"{user}:{it.get_secret_value()}\n" for user, it in passwords.items()))
    return passwords


def read_passwords(path: Path) -> Passwords:
    """
    Read the file that ``write_passwords`` wrote: one ``user:password`` a line.

    Raises:
        SettingsError: It cannot be read, others can read it, or a user has no proper password.
    """
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        message = f"{path}: the warehouse's passwords cannot be read: {reason}"
        raise SettingsError(message) from None
    if mode & OTHERS:
        message = f"{path}: others can read the warehouse's passwords; run: chmod 600 {path}"
        raise SettingsError(message)
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    for user in User:
        if len(found.get(user, "")) < PASSWORD_LENGTH:
            message = f"{path}: there is no line '{user}:PASSWORD' with at least {PASSWORD_LENGTH} characters"
            raise SettingsError(message)
    return {user: SecretStr(found[user]) for user in User}


def identify(
    headers: Mapping[str, str], query: Mapping[str, str], passwords: Passwords
) -> User | None:
    """
    Say who sent these credentials; None where they are missing or wrong.

    In ClickHouse's order: its own headers, basic authentication, the query string.
    """
    name, password = _credentials(headers, query)
    # An unknown name is compared too, so that it takes as long as a wrong password.
    known = passwords[User(name) if name in set(User) else User.TOCSIN].get_secret_value()
    right = hmac.compare_digest(known.encode(), password.encode(errors="surrogateescape"))
    return User(name) if right and name in set(User) else None


def _credentials(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        return headers.get("X-ClickHouse-User", ""), headers.get("X-ClickHouse-Key", "")
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, password
    return query.get("user", ""), query.get("password", "")
