"""The embedded warehouse answers the clients that a ClickHouse server answers."""

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest

from streams.laptop.warehouse.authentication import User
from tests.integration.warehouse import RunningWarehouse, launch, running_warehouse

TABLE = """
CREATE TABLE IF NOT EXISTS tocsin.visits
(
    id UInt64,
    at DateTime64(3, 'UTC'),
    page LowCardinality(String),
    labels Map(LowCardinality(String), String),
    seconds Nullable(Float64)
)
ENGINE = ReplacingMergeTree ORDER BY id
"""
AT = datetime(2024, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
ROWS = [
    [1, AT, "/", {"host": "a"}, 0.5],
    [2, AT, "/'quoted'\n\tü", {}, None],
]
COLUMNS = ["id", "at", "page", "labels", "seconds"]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


@pytest.fixture(autouse=True)
def _table(warehouse: RunningWarehouse) -> Iterator[None]:
    assert warehouse.ask(TABLE).status_code == 200
    yield
    assert warehouse.ask("DROP TABLE tocsin.visits SYNC").status_code == 200


def _arguments(warehouse: RunningWarehouse, user: User = User.TOCSIN) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": warehouse.port,
        "username": str(user),
        "password": warehouse.password(user),
        "database": "tocsin",
    }


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_the_sync_client_writes_and_reads(
    warehouse: RunningWarehouse,
    compress: str | bool,  # noqa: FBT001 - the client's own type
) -> None:
    """The pipeline and every Python analyst use it."""
    client = clickhouse_connect.get_client(**_arguments(warehouse), compress=compress)
    try:
        summary = client.insert("visits", ROWS, column_names=COLUMNS)
        found = client.query(
            "SELECT * FROM visits WHERE id >= {least:UInt64} ORDER BY id",
            parameters={"least": 1},
            settings={"max_threads": 1},
        )
        many = client.query("SELECT number, toString(number) FROM numbers(100000)")
    finally:
        client.close()

    assert summary.written_rows == len(ROWS)
    assert [row[0] for row in found.result_rows] == [1, 2]
    assert found.result_rows[0][3] == {"host": "a"}
    assert found.result_rows[1][2] == "/'quoted'\n\tü"
    assert len(many.result_rows) == 100_000


async def test_the_async_client_writes_and_reads(warehouse: RunningWarehouse) -> None:
    """Web applications use it."""
    client = await clickhouse_connect.get_async_client(**_arguments(warehouse))
    try:
        await client.insert("visits", ROWS, column_names=COLUMNS)
        found = await client.query("SELECT id, page FROM visits ORDER BY id")
    finally:
        await client.close()

    assert found.result_rows == [(1, "/"), (2, "/'quoted'\n\tü")]


def test_parameters_arrive_as_they_were_sent(warehouse: RunningWarehouse) -> None:
    """A text with quotes or line ends would be another text, or another statement."""
    hostile = "'); DROP TABLE visits; -- \\ \n\t` ü"
    client = clickhouse_connect.get_client(**_arguments(warehouse, User.READER))
    try:
        found = client.query(
            "SELECT {text:String}, {several:Array(String)}, {at:DateTime64(3, 'UTC')}",
            parameters={"text": hostile, "several": [hostile, ""], "at": AT},
        )
        counted = client.query(
            "SELECT count() FROM {table:Identifier}", parameters={"table": "visits"}
        )
    finally:
        client.close()

    assert found.result_rows[0][:2] == (hostile, [hostile, ""])
    assert counted.result_rows == [(0,)]


def test_a_session_remembers_what_was_set(warehouse: RunningWarehouse) -> None:
    """Tools set once and ask afterwards."""
    client = clickhouse_connect.get_client(**_arguments(warehouse))
    other = clickhouse_connect.get_client(**_arguments(warehouse))
    ask = "SELECT getSetting('join_use_nulls')"
    try:
        client.command("SET join_use_nulls = 1")

        assert str(client.command(ask)) in {"1", "True", "true"}
        assert str(other.command(ask)) in {"0", "False", "false"}
    finally:
        client.close()
        other.close()


def test_errors_are_clickhouses(warehouse: RunningWarehouse) -> None:
    """Clients tell errors apart by code."""
    client = clickhouse_connect.get_client(**_arguments(warehouse))
    try:
        with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError) as caught:
            client.query("SELECT * FROM nowhere")
    finally:
        client.close()

    assert caught.value.code == 60


def test_arrow_and_raw_formats_work(warehouse: RunningWarehouse) -> None:
    """Notebooks read Arrow; loaders send CSV."""
    client = clickhouse_connect.get_client(**_arguments(warehouse))
    try:
        client.raw_insert("visits", ["id", "page"], insert_block=b"7,/seven\n8,/eight\n", fmt="CSV")
        table = client.query_arrow("SELECT id, page FROM visits ORDER BY id")
    finally:
        client.close()

    assert table.column("id").to_pylist() == [7, 8]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
class TestCurl:
    def _curl(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "20", *arguments],
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    def test_every_way_to_ask(self, warehouse: RunningWarehouse) -> None:
        """The README promises curl."""
        address = f"http://127.0.0.1:{warehouse.port}/"
        basic = ("--user", f"tocsin:{warehouse.password()}")
        own = (
            *("--header", "X-ClickHouse-User: tocsin"),
            *("--header", f"X-ClickHouse-Key: {warehouse.password()}"),
        )

        assert self._curl(address + "ping") == "Ok.\n"
        assert self._curl(*basic, address, "--data-binary", "SELECT 1") == "1\n"
        assert self._curl(*own, address, "--data-binary", "SELECT 1 FORMAT CSV") == "1\n"
        assert self._curl(*basic, "--get", address, "--data-urlencode", "query=SELECT 2") == "2\n"
        assert (
            self._curl(
                *own, address + "?default_format=JSONEachRow", "--data-binary", "SELECT 1 AS a"
            )
            == '{"a":1}\n'
        )
        assert (
            self._curl(
                *own,
                address + "?param_a=it's",
                "--data-binary",
                "SELECT {a:String}",
            )
            == "it\\'s\n"
        )

    def test_every_way_to_insert(self, warehouse: RunningWarehouse) -> None:
        """Rows are sent in the body, behind the statement or behind ?query=."""
        address = f"http://127.0.0.1:{warehouse.port}/"
        basic = ("--user", f"tocsin:{warehouse.password()}")
        into = "INSERT INTO visits (id, page)"
        behind = f'{into} FORMAT JSONEachRow\n{{"id": 1, "page": "FORMAT VALUES ("}}\n'

        self._curl(*basic, address, "--data-binary", "@-", stdin=behind.encode())
        self._curl(*basic, address, "--data-binary", f"{into} VALUES (2, 'two; --'), (3, '(')")
        self._curl(
            *basic,
            f"{address}?query={into.replace(' ', '+')}+FORMAT+TabSeparated",
            *("--data-binary", "@-"),
            stdin=b"4\tfour\n5\tfive\n",
        )
        self._curl(
            *basic,
            f"{address}?query={into.replace(' ', '+')}+FORMAT+CSV",
            *("--header", "Content-Encoding: gzip"),
            *("--data-binary", "@-"),
            stdin=gzip.compress(b'6,"six"\n'),
        )
        self._curl(*basic, address, "--data-binary", f"{into} SELECT 7, 'seven'")

        found = self._curl(
            *basic, address, "--data-binary", "SELECT id, page FROM visits ORDER BY id"
        )
        assert found.splitlines() == [
            "1\tFORMAT VALUES (",
            "2\ttwo; --",
            "3\t(",
            "4\tfour",
            "5\tfive",
            "6\tsix",
            "7\tseven",
        ]


def test_many_write_while_others_read(warehouse: RunningWarehouse) -> None:
    """The demo is watched with curl while the pipeline writes."""

    def write(start: int) -> None:
        for number in range(start, start + 10):
            row = f"{number}\tp\n"
            into = "INSERT INTO visits (id, page) FORMAT TSV"
            assert warehouse.ask(row, query=into).status_code == 200

    def watch(_: int) -> None:
        for _turn in range(10):
            answer = warehouse.ask("SELECT count() FROM visits FINAL", User.READER)
            assert answer.status_code == 200

    with ThreadPoolExecutor(8) as pool:
        done = [
            *(pool.submit(write, 100 * number) for number in range(4)),
            *(pool.submit(watch, number) for number in range(4)),
        ]
        for each in done:
            each.result()

    assert warehouse.ask("SELECT count() FROM visits FINAL").text == "40\n"


def test_a_crowd_is_sent_away(warehouse: RunningWarehouse) -> None:
    """Each request holds a body: without a limit they would fill the memory."""
    slow = "SELECT sum(sipHash64(number)) FROM numbers(300000000)"
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: warehouse.ask(slow, max_execution_time="1"), range(40)))

    sent_away = [answer for answer in answers if answer.status_code == 503]
    assert sent_away
    assert all("TOO_MANY_SIMULTANEOUS_QUERIES" in answer.text for answer in sent_away)
    assert warehouse.ask("SELECT 1").text == "1\n"


def test_answers_are_compressed_where_the_client_asks(warehouse: RunningWarehouse) -> None:
    """Large results over a slow link."""
    for encoding in ("gzip", "zstd", "lz4"):
        answer = httpx.post(
            f"http://127.0.0.1:{warehouse.port}/?enable_http_compression=1",
            content="SELECT number FROM numbers(10000)",
            headers={"Accept-Encoding": encoding},
            auth=("tocsin", warehouse.password()),
        )
        assert answer.headers["Content-Encoding"] == encoding


def test_it_says_when_the_port_is_taken(warehouse: RunningWarehouse, tmp_path: Path) -> None:
    """A person who starts it twice must know why it fails."""
    second = launch(tmp_path / "second", warehouse.port)
    said, _ = second.communicate(timeout=30)

    assert second.returncode == 1
    assert said == (
        f"warehouse: port {warehouse.port} cannot be taken for the warehouse: "
        "Address already in use\n"
    )
    assert not (tmp_path / "second" / "data").exists()
