"""What a failure of ClickHouse means, and how its address is read."""

import ast
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError
from pydantic import SecretStr

from streams.errors import SettingsError
from streams.gateways.clickhouse import (
    ABOUT_THE_ROWS,
    ClickHouse,
    RowsRefused,
    WarehouseUnavailable,
    judged,
)
from tests.certificates import Authority

SECRET = "a-secret-of-a-row"


@pytest.mark.parametrize("code", sorted(ABOUT_THE_ROWS))
def test_what_is_said_about_rows_refuses_them(code: int) -> None:
    """A row that never fits would be sent for ever."""
    assert isinstance(judged(DatabaseError(SECRET, code=code), "here"), RowsRefused)
    assert isinstance(judged(DataError(SECRET), "here"), RowsRefused)


@pytest.mark.parametrize(
    "error",
    [
        *(
            DatabaseError(SECRET, code=code)
            # Overload, read-only, time-outs, missing tables, passwords, and what nobody has thought of.
            for code in (
                60,
                81,
                159,
                164,
                202,
                209,
                210,
                241,
                242,
                243,
                252,
                319,
                425,
                516,
                999,
                4711,
            )
        ),
        OperationalError(SECRET),
        ConnectionRefusedError(SECRET),
        TimeoutError(SECRET),
    ],
    ids=lambda error: str(getattr(error, "code", None) or type(error).__name__),
)
def test_everything_else_is_tried_again(error: Exception) -> None:
    """A full disk would cost history."""
    assert isinstance(judged(error, "here"), WarehouseUnavailable)


def test_no_message_quotes_a_row() -> None:
    """Reasons end in headers and logs."""
    for error in (
        DatabaseError(SECRET, code=27),
        DatabaseError(SECRET, code=4711),
        DataError(SECRET),
    ):
        assert SECRET not in str(judged(error, "here"))


@pytest.mark.parametrize(
    ("url", "place", "database"),
    [
        ("http://u:p@127.0.0.1:8124/tocsin", "127.0.0.1:8124", "tocsin"),
        ("http://u:p@db/history", "db:8123", "history"),
        ("https://u:p%40%2F@db.internal/history", "db.internal:8443", "history"),
        ("http://[::1]:8123/tocsin", "::1:8123", "tocsin"),
    ],
)
def test_addresses(url: str, place: str, database: str) -> None:
    """Rows would go elsewhere."""
    clickhouse = ClickHouse(SecretStr(url), connect_timeout=timedelta(seconds=1))

    assert (clickhouse.place, clickhouse.database) == (place, database)


def test_whoever_asks_the_warehouse_is_told_who_vouches_for_it() -> None:
    """The one command that is forgotten works everywhere but with an authority of one's own."""
    made = [
        [ast.unparse(argument) for argument in each.args]
        for path in Path("streams").rglob("*.py")
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "ClickHouse"
    ]
    asked = [arguments for arguments in made if arguments[0].endswith(".warehouse")]
    assert len(asked) > 5
    assert [each for each in asked if each[1:] != [f"{each[0]}_ca"]] == []


@contextmanager
def speaking_http(files: tuple[Path, Path] | None) -> Iterator[int]:
    """A server that refuses every password."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(403)
            self.send_header("X-ClickHouse-Exception-Code", "516")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    if files is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    # A client that hangs up in the middle of it is what is tested.
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def said_of(files: tuple[Path, Path] | None, authorities: Path | None) -> str:
    with speaking_http(files) as port:
        clickhouse = ClickHouse(SecretStr(f"https://u:p@127.0.0.1:{port}/history"), authorities)
        try:
            with pytest.raises(WarehouseUnavailable) as said:
                await clickhouse.select("SELECT 1")
        finally:
            await clickhouse.close()
    return str(said.value).replace(f"127.0.0.1:{port}", "HERE")


async def test_a_certificate_that_is_not_trusted_is_said_by_setting(tmp_path: Path) -> None:
    """A warehouse with an authority of its own could not be used, and would seem to be away."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    good = authority.signs("good", "127.0.0.1")

    assert await said_of(good, authority.file) == (
        "ClickHouse at HERE could not do it: it refuses the user or the password of TOCSIN_WAREHOUSE"
    )
    assert await said_of(good, None) == (
        "ClickHouse at HERE shows a certificate of an authority that this machine does not know: "
        "name a PEM file with that authority by TOCSIN_WAREHOUSE_CA"
    )
    assert await said_of(good, stranger.file) == (
        "ClickHouse at HERE shows a certificate of an authority that the file of TOCSIN_WAREHOUSE_CA does not hold: add it there"
    )
    assert await said_of(authority.signs("other", "history.internal"), authority.file) == (
        "ClickHouse at HERE shows a certificate for other names: name it in TOCSIN_WAREHOUSE as its certificate does"
    )
    assert await said_of(None, authority.file) == (
        "ClickHouse at HERE does not speak TLS: name the port that does in TOCSIN_WAREHOUSE, or write http://"
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tocsin",
        "ftp://u:p@db/history",
        "http://u:hunter2@db",
        "http://u:hunter2@/history",
        "http://u:hunter2@db:port/history",
        "http://u:hunter2@db/his;tory",
    ],
)
def test_a_wrong_address_is_said_without_its_password(url: str) -> None:
    """Passwords end in logs."""
    with pytest.raises(SettingsError) as refused:
        ClickHouse(SecretStr(url))

    assert (
        str(refused.value)
        == "TOCSIN_WAREHOUSE: is not http[s]://USER:PASSWORD@HOST[:PORT]/DATABASE"
    )
