"""``tocsin board``: what providers, and later people, ask over HTTP."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import click
import uvicorn
from fastapi import APIRouter

from streams.board.application import application
from streams.board.status import status_page
from streams.errors import TocsinError
from streams.gateways.clock import now
from streams.gateways.following import Following
from streams.gateways.producer import Publisher
from streams.policy import Policy, read_policy
from streams.settings import Settings, read_settings


@click.command("board")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=6_070, show_default=True)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Folder or file; without it the one that the other commands would use.",
)
def board(host: str, port: int, policy: Path | None) -> None:
    """
    Answer over HTTP: providers call back under /callbacks/CHANNEL, people read /status.

    Where the policy has a status_page, its feeds stand under /status/history.rss and .atom, and Statuspage's API under /api/v2. Behind a proxy that ends TLS; OpenAPI stands under /openapi.json.
    """
    try:
        settings = read_settings()
        asyncio.run(_serve(settings, read_policy(policy or settings.policy), host, port))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


async def _serve(settings: Settings, policy: Policy, host: str, port: int) -> None:
    async with Publisher(settings, source="board") as publisher, _shown(settings, policy) as parts:
        config = uvicorn.Config(
            application(policy.channels, publisher, now, *parts),
            host=host,
            port=port,
            # The query of an address can be a secret.
            access_log=False,
            server_header=False,
            limit_concurrency=100,
            timeout_graceful_shutdown=3,
            log_level=settings.log_level.lower(),
        )
        await _Server(config).serve()


@asynccontextmanager
async def _shown(settings: Settings, policy: Policy) -> AsyncIterator[list[APIRouter]]:
    """Follow what the status page shows, as long as the board answers; nothing where the policy has no page."""
    if policy.status_page is None:
        yield []
        return
    following = Following(settings, policy.outside.of_services)
    task = asyncio.create_task(following.run())
    try:
        yield [status_page(policy.status_page, following, now)]
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
