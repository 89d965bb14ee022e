"""
Files that settings name: secrets, and certificates in PEM form.

What is wrong with one is said by the setting, and quotes neither: a password stands easily where a file belongs.
"""

import ssl
from pathlib import Path
from typing import Final

CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
KEY: Final = b"PRIVATE KEY-----"
DAMAGED: Final = "names a file with a damaged certificate: copy it anew"


class Unusable(Exception):
    """A file cannot be used: which setting names it, and why not."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{variable(setting)}: {reason}")
        self.setting = setting
        self.reason = reason


def variable(setting: str) -> str:
    """Return the name that *setting* has in the environment."""
    return f"TOCSIN_{setting.upper()}"


def read(setting: str, path: Path, must_hold: bytes = b"") -> bytes:
    """
    Return what the file of *setting* holds.

    Raises:
        Unusable: It cannot be read, or does not hold that.
    """
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        raise Unusable(setting, "names a file that is not there") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise Unusable(setting, f"names a file that cannot be read: {reason}") from None
    if must_hold not in found:
        what = "certificate" if must_hold is CERTIFICATE else "private key"
        message = (
            f"names a file without a {what} in PEM form (-----BEGIN …): "
            "convert what a Java or PKCS#12 keystore holds by `openssl pkcs12`"
        )
        raise Unusable(setting, message)
    return found


def read_password(setting: str, path: Path) -> str:
    """
    Return the password that the file of *setting* holds.

    Raises:
        Unusable: It holds none, or something else.
    """
    try:
        # What editors end a file with is no part of it.
        text = read(setting, path).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Unusable(setting, "names a file that is no text") from None
    if not text or "\n" in text:
        message = "names a file that does not consist of one line, the password"
        raise Unusable(setting, message)
    return text


def trusting(setting: str, path: Path | None) -> ssl.SSLContext:
    """
    Return what TLS is spoken by to those that the file of *setting* vouches for; without one, the machine's authorities do.

    Raises:
        Unusable: It holds no certificates.
    """
    if path is not None:
        read(setting, path, CERTIFICATE)
    try:
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise Unusable(setting, DAMAGED) from None
