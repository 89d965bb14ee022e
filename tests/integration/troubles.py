"""A proxy before ClickHouse that makes trouble with inserts, one trouble after the other, and then none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

import httpx
from aiohttp import web

from streams.laptop.ports import free_port


class Trouble(StrEnum):
    """What happens to an insert."""

    REFUSED = "the connection ends before an answer"
    SLOW = "the answer comes when nobody waits any more"
    FULL = "the disk is full"
    READ_ONLY = "the table is read-only"
    BUSY = "too many statements at once"
    PARTS = "too many parts"
    GATEWAY = "a load balancer says that nobody is there"
    HALF = "stored, and half of the answer arrives"
    LOST = "stored, and no answer arrives"


#: The status, ClickHouse's code and its words.
_ANSWERS: Final = {
    Trouble.FULL: (500, 243, "Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"),
    Trouble.READ_ONLY: (500, 242, "Table is in readonly mode. (TABLE_IS_READ_ONLY)"),
    Trouble.BUSY: (503, 202, "Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)"),
    Trouble.PARTS: (500, 252, "Too many parts. (TOO_MANY_PARTS)"),
}


@asynccontextmanager
async def troubled(behind: int, troubles: list[Trouble]) -> AsyncIterator[int]:
    """Listen before the server at the port *behind*; *troubles* become fewer as they are made."""
    over = asyncio.Event()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{behind}", timeout=30) as client:

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            sent = b"INSERT INTO" in body[:200] or "INSERT" in request.query.get("query", "")
            trouble = troubles.pop() if sent and troubles else None
            if trouble in _ANSWERS:
                status, code, words = _ANSWERS[trouble]
                said = {"X-ClickHouse-Exception-Code": str(code)}
                return web.Response(
                    status=status, headers=said, text=f"Code: {code}. DB::Exception: {words}"
                )
            if trouble is Trouble.GATEWAY:
                return web.Response(status=502, text="<html>bad gateway</html>")
            if trouble is Trouble.REFUSED:
                return _cut(request)
            between = _BETWEEN - {"content-encoding"}
            headers = {k: v for k, v in request.headers.items() if k.lower() not in between}
            answer = await client.request(
                request.method, request.raw_path, content=body, headers=headers
            )
            if trouble is Trouble.LOST:
                return _cut(request)
            if trouble is Trouble.SLOW:
                await over.wait()
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in _BETWEEN}
            if trouble is Trouble.HALF:
                half = web.StreamResponse(headers=kept | {"Content-Length": "1000"})
                await half.prepare(request)
                await half.write(b"{")
                return _cut(request)
            return web.Response(status=answer.status_code, headers=kept, body=answer.content)

        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(application, access_log=None, auto_decompress=False)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield port
        finally:
            over.set()
            await runner.cleanup()


#: Headers of one connection, and what httpx has undone.
_BETWEEN: Final = {"connection", "content-length", "transfer-encoding", "content-encoding", "host"}


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
