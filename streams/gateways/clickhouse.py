"""
ClickHouse: rows go in, reports come out.

Of a refused insert it decides what is to blame. Only what the server says about the rows themselves refuses them;
every other failure, and every one that nobody has thought of, means "try again": a row is worth more than a retry.
"""

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError
from pydantic import SecretStr

from streams.errors import Rejected, SettingsError, Unavailable
from streams.gateways.certificates import tls_failure, why_distrusted

T = TypeVar("T")
Row = Mapping[str, Any]

UNKNOWN_DATABASE: Final = 81
HTTP_PORT: Final = 8123
HTTPS_PORT: Final = 8443
THREADS: Final = 4
CONNECT_TIMEOUT: Final = timedelta(seconds=5)
ANSWER_TIMEOUT: Final = timedelta(seconds=30)

#: Codes by which ClickHouse says that a value does not fit: the same rows will never be taken.
ABOUT_THE_ROWS: Final = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        407,  # DECIMAL_OVERFLOW
        469,  # VIOLATED_CONSTRAINT
        691,  # UNKNOWN_ELEMENT_OF_ENUM
    }
)


#: What a person can do about the codes that a person can do something about.
REMEDIES: Final = {
    60: "a table is missing; run `tocsin migrate`",
    81: "the database is missing; run `tocsin migrate`",
    193: "it refuses the user or the password of TOCSIN_WAREHOUSE",
    194: "it refuses the user or the password of TOCSIN_WAREHOUSE",
    516: "it refuses the user or the password of TOCSIN_WAREHOUSE",
}

# Every failure is raised; the library would say it a second time on standard error.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


class WarehouseUnavailable(Unavailable):
    """ClickHouse did not do it, and may do it later: unreachable, overloaded, read-only, not migrated."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class RowsRefused(Rejected):
    """ClickHouse will never take these rows. The text never quotes them."""


class ClickHouse:
    """One ClickHouse, asked from threads so that the event loop never waits."""

    def __init__(
        self,
        url: SecretStr,
        authorities: Path | None = None,
        *,
        threads: int = THREADS,
        connect_timeout: timedelta = CONNECT_TIMEOUT,
        answer_timeout: timedelta = ANSWER_TIMEOUT,
    ) -> None:
        """
        Read the address; nothing is connected yet. *authorities* is a PEM file with those that vouch for it.

        Raises:
            SettingsError: The URL is not ``http[s]://USER:PASSWORD@HOST[:PORT]/DATABASE``.
        """
        self._where = _address(url)
        self._vouched_for = authorities is not None
        if authorities is not None:
            self._where["ca_cert"] = str(authorities)
        self._timeouts: dict[str, Any] = {
            "connect_timeout": int(max(1, connect_timeout.total_seconds())),
            "send_receive_timeout": int(max(1, answer_timeout.total_seconds())),
        }
        # The HTTP client gives up first; this one is for what hangs elsewhere.
        self._patience = (connect_timeout + answer_timeout).total_seconds() + 5
        self._threads = ThreadPoolExecutor(threads, "clickhouse")
        self._own = threading.local()
        self._opened: list[Client] = []

    @property
    def database(self) -> str:
        """The database of the URL."""
        return str(self._where["database"])

    @property
    def place(self) -> str:
        """Host and port, for messages: no password in it."""
        return f"{self._where['host']}:{self._where['port']}"

    async def insert(self, table: str, rows: Sequence[Row]) -> None:
        """
        Store *rows*, which all have the same columns; they are stored when this returns.

        Raises:
            RowsRefused: At least one of the rows will never be taken.
            WarehouseUnavailable: Try again; some or all of the rows may have been stored.
        """
        if rows:
            await self._insert(table, list(rows[0]), rows)

    async def insert_sparing(self, table: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
        """
        Store all rows that can be stored and return place and reason of the others.

        Raises:
            WarehouseUnavailable: Try again; some or all of the rows may have been stored.
        """
        return await self._insert_sparing(table, list(rows[0]), rows) if rows else []

    async def _insert(self, table: str, columns: list[str], rows: Sequence[Row]) -> None:
        await self._off_the_loop(lambda client: _insert(client, table, columns, rows))

    async def _insert_sparing(
        self, table: str, columns: list[str], rows: Sequence[Row]
    ) -> list[tuple[int, str]]:
        try:
            await self._insert(table, columns, rows)
        except RowsRefused as error:
            if len(rows) == 1:
                return [(0, str(error))]
        else:
            return []
        middle = len(rows) // 2
        first = await self._insert_sparing(table, columns, rows[:middle])
        second = await self._insert_sparing(table, columns, rows[middle:])
        return first + [(middle + place, reason) for place, reason in second]

    async def select(
        self, statement: str, parameters: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """
        Return the rows that a SELECT finds, each as column to value.

        Args:
            statement: SQL with server-side parameters, ``{name:Type}``.
            parameters: Their values.

        Raises:
            WarehouseUnavailable: It could not be done.
        """

        def ask(client: Client) -> list[dict[str, Any]]:
            found = client.query(statement, parameters=dict(parameters or {}))
            return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]

        return await self._off_the_loop(ask)

    async def formatted(self, statement: str, parameters: Mapping[str, Any], form: str) -> bytes:
        """
        Return what a SELECT finds as ClickHouse writes it in the format *form*, such as ``Parquet``.

        Raises:
            WarehouseUnavailable: It could not be done.
        """

        def ask(client: Client) -> bytes:
            found: bytes = client.raw_query(statement, parameters=dict(parameters), fmt=form)
            return found

        return await self._off_the_loop(ask)

    async def command(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        """
        Run a statement that answers nothing.

        Raises:
            WarehouseUnavailable: It could not be done.
        """

        def run(client: Client) -> None:
            client.command(statement, parameters=dict(parameters or {}))

        await self._off_the_loop(run)

    async def create_database(self) -> None:
        """
        Make the database of the URL where it is missing.

        Raises:
            WarehouseUnavailable: It could not be done.
        """
        try:
            await self.select("SELECT 1")
        except WarehouseUnavailable as error:
            if error.code != UNKNOWN_DATABASE:
                raise
            await asyncio.to_thread(self._create_database)

    def _create_database(self) -> None:
        try:
            client = clickhouse_connect.get_client(
                **(self._where | {"database": "default"}), **self._timeouts
            )
            try:
                # The constructor took nothing but an identifier.
                client.command(f"CREATE DATABASE IF NOT EXISTS {self.database}")
            finally:
                client.close()
        except (ClickHouseError, OSError) as error:
            raise judged(error, self.place, vouched_for=self._vouched_for) from None

    async def ping(self) -> bool:
        """Say whether ClickHouse answers."""
        try:
            await self.select("SELECT 1")
        except WarehouseUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Wait for the statements at work and hang up."""
        await asyncio.to_thread(self._threads.shutdown)
        for client in self._opened:
            client.close()

    async def _off_the_loop(self, work: Callable[[Client], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                return await loop.run_in_executor(self._threads, self._with_client, work)
        except TimeoutError:
            message = f"ClickHouse at {self.place} did not answer in time"
            raise WarehouseUnavailable(message) from None

    def _with_client(self, work: Callable[[Client], T]) -> T:
        try:
            client = getattr(self._own, "client", None)
            if client is None:
                client = self._own.client = self._open()
            return work(client)
        except (ClickHouseError, OSError) as error:
            raise judged(error, self.place, vouched_for=self._vouched_for) from None

    def _open(self) -> Client:
        # One client for each thread: a client runs one statement at a time.
        client = clickhouse_connect.get_client(
            **self._where,
            **self._timeouts,
            # A repeat is the caller's decision.
            query_retries=0,
            autogenerate_session_id=False,
            settings={
                # An insert is acknowledged when its rows are stored, not when they are queued.
                "async_insert": 0,
                # A batch after an outage, or a sender with a wild clock, reaches many months: never a reason to refuse.
                "max_partitions_per_insert_block": 0,
                # Keys never change their partition, so no two of them have the same one.
                "do_not_merge_across_partitions_select_final": 1,
            },
            tz_mode="aware",
        )
        self._opened.append(client)
        return client


def _insert(client: Client, table: str, columns: list[str], rows: Sequence[Row]) -> None:
    try:
        # By column, as it travels: the client would turn rows around value by value.
        data = [[row[column] for row in rows] for column in columns]
    except KeyError as error:
        message = f"a row for {table} has no column {error.args[0]!r}"
        raise RowsRefused(message) from None
    context = client.create_insert_context(table, columns, column_oriented=True)
    context.data = data
    try:
        client.insert(context=context)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        # The client could not write a value as its column's type.
        message = f"a row for {table} does not fit its columns ({type(error).__name__})"
        raise RowsRefused(message) from None


def judged(
    error: Exception, place: str, *, vouched_for: bool = False
) -> RowsRefused | WarehouseUnavailable:
    """Return what a failure of the client means; *place* is named to the person who reads it, be it *vouched_for* or not."""
    code = getattr(error, "code", None)
    name = getattr(error, "name", None) or ""
    if code in ABOUT_THE_ROWS:
        return RowsRefused(f"ClickHouse refuses a row: {name or code}")
    if isinstance(error, DataError) and code is None:
        return RowsRefused(f"a row does not fit its columns ({type(error).__name__})")
    distrust = _about_tls(error, vouched_for=vouched_for)
    if distrust is not None:
        return WarehouseUnavailable(f"ClickHouse at {place} {distrust}")
    if code is None:
        return WarehouseUnavailable(
            f"ClickHouse at {place} does not answer: "
            "start one with `tocsin up` in this folder, or name another by TOCSIN_WAREHOUSE"
        )
    said = REMEDIES.get(code, f"it says {name or 'code'} {code}")
    return WarehouseUnavailable(f"ClickHouse at {place} could not do it: {said}", code)


def _about_tls(error: Exception, *, vouched_for: bool) -> str | None:
    failure = tls_failure(error)
    if isinstance(failure, ssl.SSLCertVerificationError):
        return why_distrusted(
            failure,
            address="TOCSIN_WAREHOUSE",
            authorities="TOCSIN_WAREHOUSE_CA",
            given=vouched_for,
        )
    if failure is not None and failure.reason == "WRONG_VERSION_NUMBER":
        return "does not speak TLS: name the port that does in TOCSIN_WAREHOUSE, or write http://"
    return None


def _address(url: SecretStr) -> dict[str, Any]:
    shape = "http[s]://USER:PASSWORD@HOST[:PORT]/DATABASE"
    try:
        parts = urlsplit(url.get_secret_value())
        secure = parts.scheme == "https"
        port = parts.port or (HTTPS_PORT if secure else HTTP_PORT)
    except ValueError:
        message = f"TOCSIN_WAREHOUSE: is not {shape}"
        raise SettingsError(message) from None
    database = parts.path.strip("/")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not database.isidentifier():
        message = f"TOCSIN_WAREHOUSE: is not {shape}"
        raise SettingsError(message)
    return {
        "interface": parts.scheme,
        "host": parts.hostname,
        "port": port,
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": database,
    }
