"""What the roles that answer over HTTP have in common: they follow what is published, and end as all other parts do."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from typing import Any

import uvicorn
from prometheus_client import REGISTRY

from streams.board.in_force import InForce
from streams.gateways.following import Following
from streams.gateways.vital_signs import vital_signs
from streams.settings import Settings


def signs_of(
    settings: Settings, following: Following, in_force: InForce
) -> AbstractAsyncContextManager[int]:
    """Answer ``/livez``, ``/readyz`` and ``/metrics`` while the block runs: ready is who has read what is *in_force*."""
    return vital_signs(
        settings.web_host,
        settings.web_port,
        unready=following.unready,
        registry=REGISTRY,
        policy=lambda: in_force.sha256,
    )


async def serve(
    app: Any, settings: Settings, following: Following, *, host: str, port: int
) -> None:
    """Let *app* answer at *host* and *port*, and *following* read, until SIGTERM."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        # The query of an address can be a secret.
        access_log=False,
        server_header=False,
        # Connections that are kept alive count: a crowd comes when something is down.
        limit_concurrency=500,
        timeout_graceful_shutdown=3,
        log_level=settings.log_level.lower(),
    )
    server = _Server(config)
    async with _followed(following, server):
        await server.serve()


@asynccontextmanager
async def _followed(following: Following, server: uvicorn.Server) -> AsyncIterator[None]:
    """Follow the topics as long as *server* answers; a fault of ours stops it, for it would go by what was."""

    def stop(_: object) -> None:
        server.should_exit = True

    task = asyncio.create_task(following.run())
    task.add_done_callback(stop)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Server(uvicorn.Server):
    """Ends as all other parts do: with 0, where it was asked to."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal; uvicorn's own way ends the process by that signal in the end."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self.handle_exit, name, None)
        yield
