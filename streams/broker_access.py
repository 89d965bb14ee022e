"""
How the broker is spoken to: encrypted or in the clear, and as whom.

It alone decides which settings of this belong together, and says what does not.
No message quotes a value: a password stands easily where another setting belongs.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from streams.policy_faults import nearest
from streams.setting_files import (
    CERTIFICATE,
    KEY,
    Unusable,
    read,
    read_password,
    trusting,
    variable,
)

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
#: What brokers know besides, and why it is not here.
_UNSUPPORTED: Final = {
    "OAUTHBEARER": "tokens are not fetched",
    "AWS_MSK_IAM": "tokens are not signed; Amazon MSK offers SCRAM-SHA-512 as well",
    "GSSAPI": "there is no Kerberos",
}
#: In both forms of an encrypted key.
_ENCRYPTED: Final = b"ENCRYPTED"

#: An address of version 6 stands in brackets.
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")
_LAST_PORT: Final = 65_535

Fault = tuple[str, str]


def none_if_empty(given: Any) -> Any:
    """Take an empty value for none: as Compose passes on a variable that is not set."""
    return given or None


def _one_of(known: tuple[str, ...], given: Any) -> Any:
    if given is None or given in known:
        return given
    close = nearest(str(given), known)
    said = f"must be {', '.join(known[:-1])} or {known[-1]}" + (
        f"; did you mean {close}?" if close else ""
    )
    raise ValueError(said)


def _addresses(given: Any) -> Any:
    addresses = [each.strip() for each in str(given).split(",")]
    for each in addresses:
        found = _ADDRESS.fullmatch(each)
        if found is None or not 0 < int(found["port"]) <= _LAST_PORT:
            message = f"must be HOST:PORT with a port from 1 to {_LAST_PORT}, or several of them separated by commas"
            raise ValueError(message)
    return ",".join(addresses)


def _protocol(given: Any) -> Any:
    return _one_of(PROTOCOLS, given or PROTOCOLS[0])


def _mechanism(given: Any) -> Any:
    if isinstance(given, str) and given in _UNSUPPORTED:
        known = f"{', '.join(MECHANISMS[:-1])} and {MECHANISMS[-1]}"
        message = f"{given} is not supported, {_UNSUPPORTED[given]}: {known} are"
        raise ValueError(message)
    return _one_of(MECHANISMS, given or None)


_Text = Annotated[str | None, BeforeValidator(none_if_empty)]
_Secret = Annotated[SecretStr | None, BeforeValidator(none_if_empty)]
_File = Annotated[Path | None, BeforeValidator(none_if_empty)]


class BrokerAccess(BaseModel):
    """The settings of it; nothing set is Kafka in the clear, without a password."""

    model_config = ConfigDict(frozen=True)

    broker: Annotated[str, BeforeValidator(_addresses)] = "127.0.0.1:9092"
    """Kafka bootstrap servers, ``HOST:PORT`` separated by commas."""
    broker_security: Annotated[str, BeforeValidator(_protocol)] = PROTOCOLS[0]
    """``PLAINTEXT``, ``SSL`` (TLS), ``SASL_SSL`` (TLS and a password) or ``SASL_PLAINTEXT`` (a password in the clear)."""
    broker_ca: _File = None
    """PEM file with the authorities whose brokers are trusted; without it, those that the machine trusts."""
    broker_certificate: _File = None
    """PEM file with the certificate that the broker is shown (mutual TLS), and those between it and its authority."""
    broker_key: _File = None
    """PEM file with the key of that certificate."""
    broker_key_password: _Secret = None
    """What the key is encrypted with."""
    broker_key_password_file: _File = None
    """A file with it."""
    broker_mechanism: Annotated[str | None, BeforeValidator(_mechanism)] = None
    """How the password is proved (SASL): ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``."""
    broker_user: _Text = None
    """Who connects."""
    broker_password: _Secret = None
    """Their password."""
    broker_password_file: _File = None
    """A file with it, as containers are given secrets."""

    @property
    def encrypts(self) -> bool:
        """Whether the broker is spoken to by TLS."""
        return self.broker_security in {"SSL", "SASL_SSL"}

    @property
    def authenticates(self) -> bool:
        """Whether a password is proved to the broker."""
        return self.broker_security.startswith("SASL_")


_TLS: Final = (
    *("broker_ca", "broker_certificate", "broker_key"),
    *("broker_key_password", "broker_key_password_file"),
)
_SASL: Final = ("broker_mechanism", "broker_user", "broker_password", "broker_password_file")
#: What a broker on this machine, in the clear, is reached by: whatever is said about another one.
IN_THE_CLEAR: Final[Mapping[str, Any]] = {
    "broker_security": PROTOCOLS[0],
    **dict.fromkeys((*_TLS, *_SASL), ""),
}


def as_texts(access: BrokerAccess) -> dict[str, str]:
    """
    Return its settings but the address as plain text, secrets as well: for the environment of a process of ours.

    Files are named by whole paths, for it may run elsewhere.
    """
    return {name: _text(getattr(access, name)) for name in IN_THE_CLEAR}


def _text(value: SecretStr | Path | str | None) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.resolve())
    return value or ""


def faults(access: BrokerAccess) -> Iterator[Fault]:
    """Yield what is wrong, as setting and words."""
    unused = [
        *(() if access.encrypts else [(name, ("SSL", "SASL_SSL")) for name in _TLS]),
        *(() if access.authenticates else [(name, ("SASL_SSL",)) for name in _SASL]),
    ]
    for name, protocols in unused:
        if getattr(access, name) is not None:
            without = f"is not used with TOCSIN_BROKER_SECURITY={access.broker_security}"
            yield name, f"{without}: leave it out, or set that to {' or '.join(protocols)}"
    yield from _missing(access)
    for name in ("broker_password", "broker_key_password"):
        if getattr(access, name) is not None and getattr(access, f"{name}_file") is not None:
            yield name, f"stands beside {variable(name)}_FILE: leave one of them out"
    for reading in (_context if access.encrypts else None, user_and_password):
        try:
            if reading is not None:
                reading(access)
        except Unusable as error:
            yield error.setting, error.reason


def _missing(access: BrokerAccess) -> Iterator[Fault]:
    if access.authenticates:
        needed = f"is missing: TOCSIN_BROKER_SECURITY={access.broker_security} needs it"
        if access.broker_mechanism is None:
            yield (
                "broker_mechanism",
                f"{needed}, to be {', '.join(MECHANISMS[:-1])} or {MECHANISMS[-1]}",
            )
        if access.broker_user is None:
            yield "broker_user", needed
        if access.broker_password is None and access.broker_password_file is None:
            yield "broker_password", f"{needed}, or TOCSIN_BROKER_PASSWORD_FILE"
    if access.encrypts:
        pair = ("broker_certificate", "broker_key")
        for name, other in (pair, pair[::-1]):
            if getattr(access, name) is None and getattr(access, other) is not None:
                yield name, f"is missing: {variable(other)} needs it"


def doubts(access: BrokerAccess) -> Iterator[Fault]:
    """Yield what is allowed and seldom meant."""
    if access.broker_security == "SASL_PLAINTEXT" and not all(
        _is_loopback(address) for address in access.broker.split(",")
    ):
        read = "the password and what" if access.broker_mechanism == "PLAIN" else "what"
        yield (
            "broker_security",
            f"SASL_PLAINTEXT encrypts nothing: {read} is sent can be read on the way to the broker; take SASL_SSL",
        )


def _is_loopback(address: str) -> bool:
    host = address.strip().rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def user_and_password(access: BrokerAccess) -> tuple[str, str]:
    """
    Return who connects, and their password.

    Raises:
        Unusable: It stands in a file that does not say it.
    """
    return access.broker_user or "", _secret(access, "broker_password")


def context_of(access: BrokerAccess) -> ssl.SSLContext | None:
    """
    Return what TLS is spoken by; None where it is not. Files are read anew: a certificate may have been renewed.

    Raises:
        Unusable: A file does not hold what it shall.
    """
    return _context(access) if access.encrypts else None


def _context(access: BrokerAccess) -> ssl.SSLContext:
    context = trusting("broker_ca", access.broker_ca)
    if access.broker_certificate is not None and access.broker_key is not None:
        _show(access, access.broker_certificate, access.broker_key, context)
    return context


def _show(access: BrokerAccess, certificate: Path, key: Path, context: ssl.SSLContext) -> None:
    """Have *context* show the certificate."""
    read("broker_certificate", certificate, CERTIFICATE)
    encrypted = _ENCRYPTED in read("broker_key", key, KEY)
    password = _secret(access, "broker_key_password")
    if encrypted and not password:
        message = (
            "is missing: the key is encrypted, TOCSIN_BROKER_KEY_PASSWORD_FILE would do as well"
        )
        raise Unusable("broker_key_password", message)
    # By itself first: what is wrong with one of two files OpenSSL does not tell.
    trusting("broker_certificate", certificate)
    try:
        # With a password, be it none: OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            message = "is not the key of the first certificate in TOCSIN_BROKER_CERTIFICATE"
            raise Unusable("broker_key", message) from None
        if encrypted:
            raise Unusable("broker_key_password", "does not open the key") from None
        raise Unusable("broker_key", "names a file with a damaged key: copy it anew") from None


def _secret(access: BrokerAccess, name: str) -> str:
    given: SecretStr | None = getattr(access, name)
    if given is not None:
        return given.get_secret_value()
    file: Path | None = getattr(access, f"{name}_file")
    return "" if file is None else read_password(f"{name}_file", file)
