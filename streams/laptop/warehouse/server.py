"""The HTTP edge: ClickHouse's protocol on the loopback interface."""

import asyncio
import json
import logging
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import click
from aiohttp import web

from streams.errors import SettingsError
from streams.laptop.warehouse.authentication import Passwords, User, identify
from streams.laptop.warehouse.confinement import THREADS
from streams.laptop.warehouse.engine import Engine, EngineError
from streams.laptop.warehouse.reading import (
    NOT_IMPLEMENTED,
    TOO_LARGE,
    Unreadable,
    deflate,
    inflate,
    read,
)
from streams.laptop.warehouse.sessions import Sessions
from streams.laptop.warehouse.statements import DATABASE, Refused

LOOPBACK: Final = "127.0.0.1"
BODY_BYTES: Final = 64 << 20
#: Requests in the house at once; each can hold a body.
REQUESTS: Final = 16
#: How long a request may take to arrive; a sender that stalls holds a place.
ARRIVAL_SECONDS: Final = 60
STOP_SECONDS: Final = 3
SMALLEST_COMPRESSED: Final = 512

AUTHENTICATION_FAILED: Final = 516
TOO_MANY_REQUESTS: Final = 202
TIMEOUT: Final = 159

#: ClickHouse's own choice of status for its codes; 500 for all others.
STATUS: Final = {
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 70, 72, 117, 457), 400),
    **dict.fromkeys((16, 46, 47, 60, 81, 115), 404),
    **dict.fromkeys((164, 452, 497), 403),
    TIMEOUT: 408,
    TOO_LARGE: 413,
    NOT_IMPLEMENTED: 501,
    AUTHENTICATION_FAILED: 401,
    TOO_MANY_REQUESTS: 503,
}
#: Clients read the name from the end of the text, where a server writes it.
NAMES: Final = {
    36: "BAD_ARGUMENTS",
    48: "NOT_IMPLEMENTED",
    62: "SYNTAX_ERROR",
    81: "UNKNOWN_DATABASE",
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    307: "TOO_MANY_BYTES",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
}
CONTENT_TYPES: Final = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "CSVWithNames": "text/csv; charset=UTF-8",
}

log = logging.getLogger(__name__)


class Warehouse:
    """Answers requests; holds the engine, the sessions and the limits."""

    def __init__(self, engine: Engine, passwords: Passwords) -> None:
        self._engine = engine
        self._passwords = passwords
        self._sessions = Sessions()
        self._threads = ThreadPoolExecutor(THREADS, "warehouse")
        self._inside = 0
        self._left = asyncio.Event()
        self._stopping = False

    def application(self) -> web.Application:
        """Return what answers requests."""
        application = web.Application(client_max_size=BODY_BYTES)
        application.add_routes(
            [
                web.get("/ping", _ping),
                web.get("/", self.handle),
                web.post("/", self.handle),
            ]
        )
        return application

    async def finish(self) -> None:
        """Take no more requests, and wait a few seconds for the answers under way."""
        self._stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._inside:
                    self._left.clear()
                    await self._left.wait()

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=True)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        query_id = request.query.get("query_id") or str(uuid.uuid4())
        user = identify(request.headers, request.query, self._passwords)
        if user is None:
            # The body is not read: a stranger costs nothing.
            return _failure(
                query_id,
                AUTHENTICATION_FAILED,
                "Authentication failed: password is incorrect, or there is no user with such name",
            )
        if self._stopping or self._inside >= REQUESTS:
            return _failure(query_id, TOO_MANY_REQUESTS, "Too many simultaneous queries")
        self._inside += 1
        try:
            return await self._answer(request, user, query_id)
        except (Unreadable, Refused, EngineError) as error:
            return _failure(query_id, error.code, str(error))
        except web.HTTPRequestEntityTooLarge:
            return _failure(query_id, TOO_LARGE, f"at most {BODY_BYTES} bytes are taken at once")
        except TimeoutError:
            return _failure(query_id, TIMEOUT, "the request did not arrive in time")
        finally:
            self._inside -= 1
            self._left.set()

    async def _answer(self, request: web.Request, user: User, query_id: str) -> web.StreamResponse:
        run = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        query = dict(request.query)
        async with asyncio.timeout(ARRIVAL_SECONDS):
            if request.content_type == "multipart/form-data":
                form = await request.post()
                if not all(isinstance(value, str) for value in form.values()):
                    raise Unreadable(NOT_IMPLEMENTED, "External data is not offered")
                query |= {name: str(value) for name, value in form.items()}
                body = b""
            else:
                body = await request.read()
        encoding = request.headers.get("Content-Encoding", "").lower()
        if body and encoding:
            body = await run(inflate, body, encoding, BODY_BYTES)
        if not body and "query" not in query and request.method == "GET":
            return web.Response(text="Ok.\n")
        asked = read(query, request.headers, body)
        database = query.get("database") or request.headers.get("X-ClickHouse-Database") or DATABASE
        now = time.monotonic()
        statement, answer = await run(
            partial(
                self._engine.answer,
                user,
                asked,
                # Clients that name no database ask for the one that servers call so.
                database=DATABASE if database == "default" else database,
                remembered=self._sessions.recall(user, asked.session, now),
                reading=request.method == "GET",
            )
        )
        if statement.root == "Set":
            self._sessions.remember(user, asked.session, statement.canonical, now)
        headers = {
            **_headers(query_id),
            "X-ClickHouse-Summary": json.dumps(answer.summary),
            "Content-Type": CONTENT_TYPES.get(answer.format, "application/octet-stream"),
        }
        content = answer.body
        if content:
            headers["X-ClickHouse-Format"] = answer.format
        if query.get("enable_http_compression") == "1" and len(content) > SMALLEST_COMPRESSED:
            accepted = request.headers.get("Accept-Encoding", "")
            content, coding = await run(deflate, content, accepted)
            if coding:
                headers["Content-Encoding"] = coding
        return web.Response(body=content, headers=headers)


async def _ping(_request: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


def _headers(query_id: str) -> dict[str, str]:
    printable = "".join(letter for letter in query_id[:128] if letter.isprintable())
    return {
        "X-ClickHouse-Server-Display-Name": "tocsin",
        "X-ClickHouse-Query-Id": printable,
        "X-ClickHouse-Timezone": "UTC",
    }


def _failure(query_id: str, code: int, reason: str) -> web.Response:
    text = reason
    if not text.startswith("Code:"):
        text = f"Code: {code}. DB::Exception: {reason}. ({NAMES.get(code, 'UNKNOWN_EXCEPTION')})"
    log.info("statement_refused", extra={"code": code, "query_id": query_id})
    return web.Response(
        status=STATUS.get(code, 500),
        text=text + "\n",
        headers={**_headers(query_id), "X-ClickHouse-Exception-Code": str(code)},
    )


def bind(port: int) -> socket.socket:
    """
    Take a port of the loopback interface; nobody is answered yet.

    Raises:
        SettingsError: It is taken.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((LOOPBACK, port))
    except OSError as error:
        taken.close()
        message = f"port {port} cannot be taken for the warehouse: {error.strerror}"
        raise SettingsError(message) from None
    return taken


async def serve(folder: Path, port: int, passwords: Passwords, stop: asyncio.Event) -> None:
    """
    Serve *folder* on *port* until *stop* is set, then finish the statements at work.

    Prints one line on standard output when it answers.

    Raises:
        SettingsError: The port or the folder cannot be used.
    """
    taken = bind(port)
    try:
        engine = await asyncio.to_thread(Engine, folder)
    except SettingsError:
        taken.close()
        raise
    warehouse = Warehouse(engine, passwords)
    runner = web.AppRunner(
        warehouse.application(),
        access_log=None,
        # Bodies are inflated here, with a limit.
        auto_decompress=False,
        shutdown_timeout=STOP_SECONDS,
        keepalive_timeout=75,
    )
    try:
        await runner.setup()
        await web.SockSite(runner, taken).start()
        address = f"http://{LOOPBACK}:{taken.getsockname()[1]}"
        # Whoever started this process waits for the line.
        click.echo(f"warehouse ready at {address} (engine {engine.version})")
        await stop.wait()
    finally:
        await warehouse.finish()
        await asyncio.to_thread(engine.interrupt)
        await runner.cleanup()
        await asyncio.to_thread(warehouse.close)
        await asyncio.to_thread(engine.close)
