"""What the demo's service depends on: a database in a file, a cache and an AI provider on sockets of their own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from aiohttp import web

LOOPBACK: Final = "127.0.0.1"
#: How long a dependency may take to answer.
ANSWERS_WITHIN: Final = 2.0


class DependencyDown(Exception):
    """A dependency does not do its part; the text says how."""


class Database:
    """Orders in an SQLite file. Every question opens the file anew, as a pool does after it lost its server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._away = path.with_suffix(".away")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, item TEXT NOT NULL)"
            )

    async def count(self) -> int:
        """
        Return how many orders there are.

        Raises:
            DependencyDown: The database cannot be read.
        """
        (number,) = await self._ask("SELECT count(*) FROM orders")
        return int(number)

    async def add(self, item: str) -> int:
        """
        Keep an order and return its number.

        Raises:
            DependencyDown: The database cannot be written.
        """
        (number,) = await self._ask("INSERT INTO orders (item) VALUES (?) RETURNING number", item)
        return int(number)

    def take_away(self) -> None:
        """Break it: its file is no longer where it was."""
        self._path.rename(self._away)

    def bring_back(self) -> None:
        """Mend it."""
        self._away.rename(self._path)

    async def _ask(self, statement: str, *values: str) -> tuple[int]:
        try:
            return await asyncio.to_thread(self._execute, statement, values)
        except sqlite3.Error as error:
            raise DependencyDown(str(error)) from None

    def _execute(self, statement: str, values: tuple[str, ...]) -> tuple[int]:
        # mode=rw: a file that is missing must be an error, not a new and empty database.
        address = f"file:{quote(str(self._path))}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=ANSWERS_WITHIN)) as connection,
            connection,
        ):
            row = connection.execute(statement, values).fetchone()
            return (int(row[0]),)


@asynccontextmanager
async def cache() -> AsyncIterator[int]:
    """Listen where Redis would, answer ``PING`` as it does, and give the port."""
    talking: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                while await reader.readline():
                    writer.write(b"+PONG\r\n")
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.LimitOverrunError, ValueError):
            pass  # Whoever was there is gone or talks something else.
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(talk(reader, writer))
        talking.add(task)
        task.add_done_callback(talking.discard)

    server = await asyncio.start_server(accept, LOOPBACK, 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(talking):
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)


async def ping(port: int) -> None:
    """
    Ask the cache on *port* whether it is there.

    Raises:
        DependencyDown: It is not, or it says something else.
    """
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(b"PING\r\n")
                await writer.drain()
                said = await reader.readline()
            finally:
                writer.close()
    except (TimeoutError, OSError) as error:
        message = f"the cache does not answer ({type(error).__name__})"
        raise DependencyDown(message) from None
    if said.strip() != b"+PONG":
        message = "the cache does not speak its protocol"
        raise DependencyDown(message)


@asynccontextmanager
async def provider() -> AsyncIterator[int]:
    """Listen where an AI provider would, list its models, and give the port."""

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "small", "object": "model"}]})

    application = web.Application()
    application.add_routes([web.get("/v1/models", models)])
    async with serving(application) as port:
        yield port


@asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[int]:
    """Serve *application* on a free port of the loopback interface, and give the port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, 0)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
