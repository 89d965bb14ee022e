"""Connecting to the broker: every client is made one way, and what keeps it out is said by setting."""

import ast
import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

import streams
from streams.agents.app import HopApp
from streams.broker_access import BrokerAccess
from streams.errors import AccessRefused, Unavailable
from streams.gateways import connecting
from streams.gateways.connecting import about_tls, client, no_broker, refusal
from streams.laptop.ports import free_port
from streams.settings import Settings
from tests.certificates import LONG_AGO, Authority

CLIENTS = {"AIOKafkaProducer", "AIOKafkaConsumer", "AIOKafkaAdminClient", "AIOKafkaClient", "App"}
#: Beside the clients themselves: it asks why they could not connect.
ASKS = "gateways/connecting.py"
BY_PASSWORD = {
    "broker_mechanism": "SCRAM-SHA-512",
    "broker_user": "tocsin",
    "broker_password": "secret",
}


def made_in(path: Path) -> list[ast.Call]:
    """Return where a file makes a client of Kafka."""
    return [
        each
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.Call) and ast.unparse(each.func).rpartition(".")[2] in CLIENTS
    ]


def lets_it_in(made: ast.Call) -> bool:
    """Whether a client is told all that connects it, and nothing that says otherwise."""
    given = {each.arg: ast.unparse(each.value) for each in made.keywords if each.arg}
    if ast.unparse(made.func) == "faust.App":
        return given.get("broker_credentials", "").startswith("credentials(")
    spread = [ast.unparse(each.value) for each in made.keywords if each.arg is None]
    return "bootstrap_servers" not in given and any(each.startswith("client(") for each in spread)


def test_every_client_is_made_with_what_lets_it_in():
    """The one that is forgotten works everywhere but on a managed Kafka."""
    root = Path(streams.__file__).parent
    made = [
        (str(path.relative_to(root)), each) for path in root.rglob("*.py") for each in made_in(path)
    ]

    assert len(made) > 10
    assert [f"{path}:{each.lineno}" for path, each in made if not lets_it_in(each)] == []
    assert [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if "create_conn" in path.read_text()
    ] == [ASKS]


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("AIOKafkaProducer(**client(settings), acks='all')", True),
        ("aiokafka.AIOKafkaConsumer(bootstrap_servers=settings.broker)", False),
        ("AIOKafkaConsumer(**client(settings), bootstrap_servers=other)", False),
        ("AIOKafkaAdminClient()", False),
        ("faust.App('x', broker_credentials=credentials(settings))", True),
        ("faust.App('x', broker='kafka://127.0.0.1')", False),
    ],
)
def test_a_client_that_is_made_otherwise_is_found(tmp_path, written, fits):
    """Otherwise the test above would let it pass."""
    (tmp_path / "module.py").write_text(written)

    (made,) = made_in(tmp_path / "module.py")

    assert lets_it_in(made) is fits


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"broker_security": "SSL"}, {"ssl_context"}),
        (
            {"broker_security": "SASL_PLAINTEXT", **BY_PASSWORD},
            {"sasl_mechanism", "sasl_plain_username", "sasl_plain_password"},
        ),
        (
            {"broker_security": "SASL_SSL", **BY_PASSWORD},
            {"ssl_context", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password"},
        ),
    ],
)
def test_clients_and_faust_are_told_the_same(given, expected):
    """A worker would read, and not write; or its producer would, and its consumer wait for ever."""
    settings = Settings(**given)

    ours = client(settings)
    app = HopApp.for_role("detect", settings)
    theirs = credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context)

    assert ours.keys() == {"bootstrap_servers", "security_protocol", *expected}
    # Where there is no TLS, Faust says so.
    assert {name for name, value in theirs.items() if value is not None} == ours.keys() - {
        "bootstrap_servers"
    }
    for name in theirs.keys() & ours.keys() - {"ssl_context"}:
        assert theirs[name] == ours[name]
    if context := ours.get("ssl_context"):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_a_file_that_vanishes_is_no_bug_of_ours(tmp_path):
    """A secret that is being renewed would end a process by a traceback."""
    access = BrokerAccess(broker_security="SSL", broker_ca=tmp_path / "gone.pem")

    with pytest.raises(Unavailable, match="TOCSIN_BROKER_CA: names a file that is not there"):
        client(access)


def test_requests_are_not_logged(caplog):
    """Where a board logs at DEBUG, the request that proves a password would be in its log."""
    with (
        caplog.at_level(logging.DEBUG, "aiokafka"),
        caplog.at_level(logging.DEBUG, "aiokafka.conn"),
    ):
        for logger in ("aiokafka.conn", "aiokafka"):
            logging.getLogger(logger).debug("secret")
        logging.getLogger("aiokafka.conn").warning("worth knowing")

    assert [(each.name, each.message) for each in caplog.records] == [
        ("aiokafka", "secret"),
        ("aiokafka.conn", "worth knowing"),
    ]


# -- what is said ---------------------------------------------------------------------------------


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Somebody who takes connections and hangs up on whatever is asked."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def shown(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    return context


async def said_of(context: ssl.SSLContext | None, **given: Any) -> str:
    async with listening(context) as port:
        access = BrokerAccess(broker=f"127.0.0.1:{port}", **given)
        said = await no_broker(access, KafkaConnectionError())
    return str(said).replace(f"127.0.0.1:{port}", "HERE")


async def test_what_keeps_a_client_out_is_said_by_setting(tmp_path):
    """The client's own words are that it found no broker."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    good = authority.signs("good", "127.0.0.1")
    by_tls = {"broker_security": "SSL", "broker_ca": authority.file}

    assert await said_of(shown(good)) == (
        "the broker at HERE speaks TLS: set TOCSIN_BROKER_SECURITY to SSL, "
        "or to SASL_SSL where it asks for a password"
    )
    assert await said_of(shown(good), broker_security="SSL") == (
        "the broker at HERE shows a certificate of an authority that this machine does not know: "
        "name a PEM file with that authority by TOCSIN_BROKER_CA"
    )
    assert await said_of(shown(good), broker_security="SSL", broker_ca=stranger.file) == (
        "the broker at HERE shows a certificate of an authority that the file of TOCSIN_BROKER_CA does not hold: add it there"
    )
    assert await said_of(shown(authority.signs("other", "kafka.internal")), **by_tls) == (
        "the broker at HERE shows a certificate for other names: name it in TOCSIN_BROKER as its certificate does"
    )
    old = authority.signs("old", "127.0.0.1", begins=LONG_AGO)
    assert await said_of(shown(old), **by_tls) == (
        "the broker at HERE shows a certificate that has expired: it has to be renewed, or a clock is wrong"
    )


@pytest.mark.parametrize(
    ("reason", "has_one", "said"),
    [
        (
            "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            False,
            "asks for a certificate: name one, signed by an authority that it trusts, by TOCSIN_BROKER_CERTIFICATE and TOCSIN_BROKER_KEY",
        ),
        (
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            True,
            "does not accept the certificate of TOCSIN_BROKER_CERTIFICATE (it says: certificate expired)",
        ),
        (
            "TLSV1_ALERT_UNKNOWN_CA",
            True,
            "does not accept the certificate of TOCSIN_BROKER_CERTIFICATE (it says: unknown ca)",
        ),
        ("TLSV1_ALERT_INTERNAL_ERROR", True, None),
        ("WRONG_VERSION_NUMBER", True, None),
        (None, True, None),
    ],
)
def test_what_a_broker_says_of_our_certificate_is_told(tmp_path, reason, has_one, said):
    """aiokafka says that the connection was closed; TLS said why, as its cause."""
    certificate, key = Authority(tmp_path).signs("client")
    mine = {"broker_certificate": certificate, "broker_key": key} if has_one else {}
    closed, alert = KafkaConnectionError(), ssl.SSLError()
    alert.reason = reason
    closed.__cause__ = alert

    assert about_tls(closed, BrokerAccess(broker_security="SSL", **mine)) == said


async def test_nobody_there_is_said_as_before():
    """It is no matter of settings, or of one only."""
    address = f"127.0.0.1:{free_port()}"

    said = await no_broker(
        BrokerAccess(broker=address, broker_security="SSL"), KafkaConnectionError()
    )

    assert str(said) == (
        f"no broker answers at {address} (KafkaConnectionError): "
        "start one with `tocsin up` in this folder, or name another by TOCSIN_BROKER"
    )
    assert not isinstance(said, AccessRefused)


async def test_rights_that_are_missing_are_no_absence():
    """Somebody would look for a broker that is there."""
    said = await no_broker(BrokerAccess(broker="gate:9093"), GroupAuthorizationFailedError())

    assert isinstance(said, AccessRefused)
    assert str(said) == (
        "the broker at gate:9093 knows us, and refuses rights on groups: "
        "the README lists under `A managed Kafka` which are needed"
    )


class Connected:
    """A connection to a broker that names its cluster."""

    def __init__(self, *brokers: tuple[str, int]) -> None:
        self._brokers = [(number, *place, None) for number, place in enumerate(brokers)]
        self.closed = False

    async def send(self, request: Any) -> Any:
        return SimpleNamespace(brokers=self._brokers)

    def close(self) -> None:
        self.closed = True


async def test_brokers_that_clients_are_sent_to_are_asked_too(monkeypatch):
    """A bootstrap address is often another one than the brokers': it answers, and nothing works."""
    first = Connected(("gate", 9093), ("inside", 9093))

    async def connect(host: str, port: int, **how: Any) -> Connected:
        if host == "gate":
            return first
        error = ssl.SSLCertVerificationError("")
        error.verify_code = 62
        raise error

    monkeypatch.setattr(connecting, "create_conn", connect)

    said = await refusal(BrokerAccess(broker="gate:9093", broker_security="SSL"))

    assert str(said) == (
        "the broker at gate:9093 sends clients to inside:9093, and that one "
        "shows a certificate for other names: name it in TOCSIN_BROKER as its certificate does"
    )
    assert first.closed


async def test_a_broker_that_lets_everybody_in_is_refused_nothing(monkeypatch):
    """What went wrong would be said of settings that are right."""

    async def connect(host: str, port: int, **how: Any) -> Connected:
        return Connected(("gate", 9093), ("inside", 9093))

    monkeypatch.setattr(connecting, "create_conn", connect)

    assert await refusal(BrokerAccess(broker="gate:9093")) is None


async def test_who_cannot_know_the_password_is_no_broker(monkeypatch):
    """By SCRAM a broker proves it as well; whoever does not is another one, and the client's error is no error of Kafka's."""

    async def connect(host: str, port: int, **how: Any) -> Connected:
        message = "Server sent wrong signature!"
        raise ValueError(message)

    monkeypatch.setattr(connecting, "create_conn", connect)

    said = await refusal(
        BrokerAccess(broker="gate:9093", broker_security="SASL_SSL", **BY_PASSWORD)
    )

    assert str(said) == (
        "the broker at gate:9093 does not prove that it knows the password: it may be another one"
    )
