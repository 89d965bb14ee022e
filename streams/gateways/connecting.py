"""
Connecting to the broker: what every client of ours is made with, and why it could not connect.

aiokafka keeps the reason to itself: a client says that it found no broker, and a log line more or less why. So a broker that
could not be reached is asked once more, step by step, and what it answers is said in terms of settings.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.admin import SaslHandShakeRequest
from aiokafka.protocol.metadata import MetadataRequest

from streams.broker_access import BrokerAccess, context_of, user_and_password
from streams.errors import AccessRefused, Unavailable
from streams.gateways.certificates import tls_failure, why_distrusted
from streams.setting_files import Unusable

#: How long one step of asking may take.
_ANSWERS_WITHIN: Final = timedelta(seconds=3)
#: How long all of them may.
_ASKED_WITHIN: Final = timedelta(seconds=8)

_RIGHTS: Final = {
    TopicAuthorizationFailedError: "topics",
    GroupAuthorizationFailedError: "groups",
    # What is said to a producer that may write to no topic at all.
    ClusterAuthorizationFailedError: "the cluster",
}

# At DEBUG it logs requests, and a password is one.
logging.getLogger("aiokafka.conn").addFilter(lambda record: record.levelno > logging.DEBUG)


def client(settings: BrokerAccess) -> dict[str, Any]:
    """
    Return the arguments by which any client of aiokafka finds the broker, and is let in.

    Raises:
        Unavailable: A file that was there when the settings were read cannot be used any more.
    """
    return {"bootstrap_servers": settings.broker, **access(settings)}


def access(settings: BrokerAccess) -> dict[str, Any]:
    """
    Return those of them that let it in.

    Raises:
        Unavailable: As above.
    """
    how: dict[str, Any] = {"security_protocol": settings.broker_security}
    try:
        if settings.encrypts:
            how["ssl_context"] = context_of(settings)
        if settings.authenticates:
            user, password = user_and_password(settings)
            how["sasl_mechanism"] = settings.broker_mechanism
            how["sasl_plain_username"] = user
            how["sasl_plain_password"] = password
    except Unusable as error:
        raise Unavailable(str(error)) from None
    return how


async def no_broker(settings: BrokerAccess, error: BaseException) -> Unavailable:
    """Return what is said where a client found no broker, by *error*, or none that lets it do what it wants."""
    return (
        about_rights(error, settings)
        or await refusal(settings)
        or Unavailable(
            f"no broker answers at {settings.broker} ({type(error).__name__}): "
            "start one with `tocsin up` in this folder, or name another by TOCSIN_BROKER"
        )
    )


def about_rights(error: BaseException, settings: BrokerAccess) -> AccessRefused | None:
    """Return what is said of rights that the user does not have; None where *error* says something else."""
    on = next((on for kind, on in _RIGHTS.items() if isinstance(error, kind)), None)
    if on is None:
        return None
    return AccessRefused(
        f"the broker at {settings.broker} knows us, and refuses rights on {on}: "
        "the README lists under `A managed Kafka` which are needed"
    )


async def refusal(settings: BrokerAccess) -> AccessRefused | None:
    """Return why the broker is there and cannot be used; None where nobody is there, or it can."""
    asking = _Asking(settings)
    try:
        async with asyncio.timeout(_ASKED_WITHIN.total_seconds()):
            for host, port, _ in collect_hosts(settings.broker):
                said = await asking.of(host, port)
                if said is not None:
                    return AccessRefused(f"the broker at {said}")
    except TimeoutError:
        return None
    return None


class _Asking:
    """One look at a broker, by the settings of a client."""

    def __init__(self, settings: BrokerAccess) -> None:
        self._settings = settings
        self._how = access(settings)

    async def of(self, host: str, port: int) -> str | None:
        """Return what is wrong at an address, and the address; None where nothing is, or nobody is there."""
        said, brokers = await self._at(host, port)
        if said is not None:
            return f"{host}:{port} {said}"
        for named in brokers:
            if named != (host, port):
                said, _ = await self._at(*named)
                if said is not None:
                    named_so = f"{host}:{port} sends clients to {named[0]}:{named[1]}, and that one"
                    return f"{named_so} {said}"
        return None

    async def _at(self, host: str, port: int) -> tuple[str | None, list[tuple[str, int]]]:
        """Return what is wrong at an address; else the brokers that it names."""
        try:
            async with _connection(host, port, self._how) as connection:
                told = await connection.send(MetadataRequest([]))
                return None, [(broker[1], broker[2]) for broker in told.brokers]
        except (KafkaError, OSError) as error:
            return await self._reason(host, port, error), []
        except ValueError:
            # What SCRAM says of a server that cannot know the password.
            return "does not prove that it knows the password: it may be another one", []

    async def _reason(self, host: str, port: int, error: BaseException) -> str | None:
        if isinstance(error, UnsupportedSaslMechanismError):
            offered = await self._mechanisms(host, port)
            return (
                f"does not offer {self._settings.broker_mechanism} but {' and '.join(offered)}: "
                "set TOCSIN_BROKER_MECHANISM to that"
            )
        said = about_password(error, self._settings) or about_tls(error, self._settings)
        if said is not None or not await _listens(host, port):
            return said
        # It hung up, or says nothing: as a listener of another protocol does.
        return await self._protocol(host, port) or await self._password(host, port)

    async def _protocol(self, host: str, port: int) -> str | None:
        """Say that one side speaks TLS, and the other does not."""
        if not self._settings.encrypts:
            if await _speaks_tls(host, port):
                return "speaks TLS: set TOCSIN_BROKER_SECURITY to SSL, or to SASL_SSL where it asks for a password"
        elif await _speaks_plainly(host, port):
            return (
                "does not speak TLS: name the port that does in TOCSIN_BROKER, "
                "or set TOCSIN_BROKER_SECURITY to PLAINTEXT"
            )
        return None

    async def _password(self, host: str, port: int) -> str | None:
        """Say that it wants a password, where none is given."""
        if self._settings.authenticates or not (offered := await self._mechanisms(host, port)):
            return None
        protocol = "SASL_SSL" if self._settings.encrypts else "SASL_PLAINTEXT"
        return (
            f"asks for a password ({', '.join(offered)}): set TOCSIN_BROKER_SECURITY to {protocol}, "
            "and TOCSIN_BROKER_MECHANISM, TOCSIN_BROKER_USER and TOCSIN_BROKER_PASSWORD"
        )

    async def _mechanisms(self, host: str, port: int) -> list[str]:
        """Return by which mechanisms the broker lets clients in; none where it wants no password, or does not say."""
        how = dict(self._how)
        # Asked without being let in: a client's own question keeps the answer to itself.
        how["security_protocol"] = "SSL" if self._settings.encrypts else "PLAINTEXT"
        try:
            async with _connection(host, port, how) as connection:
                told = await connection.send(SaslHandShakeRequest("PLAIN"))
                return sorted(told.enabled_mechanisms)
        except (KafkaError, OSError):
            return []


def about_password(error: BaseException, settings: BrokerAccess) -> str | None:
    """Return what *error* says of user and password; None where it says something else."""
    if isinstance(error, SaslAuthenticationFailed):
        return "refuses the user or the password: TOCSIN_BROKER_USER or TOCSIN_BROKER_PASSWORD is wrong"
    if isinstance(error, IllegalSaslStateError):
        instead = "SSL" if settings.encrypts else "PLAINTEXT"
        return f"asks for no password: set TOCSIN_BROKER_SECURITY to {instead}"
    return None


def about_tls(error: BaseException, settings: BrokerAccess) -> str | None:
    """Return what *error* says of certificates; None where it says something else."""
    cause = tls_failure(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return why_distrusted(
            cause,
            address="TOCSIN_BROKER",
            authorities="TOCSIN_BROKER_CA",
            given=settings.broker_ca is not None,
        )
    reason = getattr(cause, "reason", None) or ""
    # Each side numbers and names them its own way; in all of them, one has judged the other's certificate.
    if "ALERT" not in reason or not any(
        word in reason
        for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED")
    ):
        return None
    if settings.broker_certificate is None:
        return (
            "asks for a certificate: name one, signed by an authority that it trusts, "
            "by TOCSIN_BROKER_CERTIFICATE and TOCSIN_BROKER_KEY"
        )
    said = reason.partition("ALERT_")[2].lower().replace("_", " ")
    return f"does not accept the certificate of TOCSIN_BROKER_CERTIFICATE (it says: {said})"


@asynccontextmanager
async def _connection(host: str, port: int, how: dict[str, Any]) -> AsyncIterator[Any]:
    connection = await create_conn(
        host,
        port,
        client_id="tocsin-ask",
        request_timeout_ms=int(_ANSWERS_WITHIN / timedelta(milliseconds=1)),
        **how,
    )
    try:
        yield connection
    finally:
        connection.close()


async def _listens(host: str, port: int) -> bool:
    """Whether anybody is there: what follows would wait for an answer, each time anew."""
    return await _opens(host, port, None)


async def _speaks_plainly(host: str, port: int) -> bool:
    try:
        async with _connection(host, port, {"security_protocol": "PLAINTEXT"}):
            return True
    except (KafkaError, OSError):
        return False


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent to it: whoever it is, it is only asked whether it is there.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await _opens(host, port, context)


async def _opens(host: str, port: int, context: ssl.SSLContext | None) -> bool:
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN.total_seconds()):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
