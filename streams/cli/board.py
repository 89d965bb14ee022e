"""``tocsin board``: what providers, and people outside, ask over HTTP."""

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click
from fastapi import Depends

from streams.agents.governed import Folder
from streams.board.application import application
from streams.board.in_force import InForce, settled
from streams.board.status import Pages, status_pages
from streams.cli.serving import serve, signs_of
from streams.errors import TocsinError
from streams.gateways.clock import now
from streams.gateways.following import Following
from streams.gateways.producer import LatePublisher, Publisher
from streams.policy import read_policy
from streams.releases import digest, texts_of
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

    Each page's feeds stand under history.rss and history.atom, Statuspage's API under api/v2, pages of further tenants under /status/TENANT. A published policy takes effect while it runs. Behind a proxy that ends TLS; OpenAPI stands under /openapi.json. /livez, /readyz and /metrics stand elsewhere: at TOCSIN_WEB_HOST and TOCSIN_WEB_PORT.
    """
    try:
        settings = read_settings()
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        asyncio.run(_serve(settings, policy or settings.policy, host, port))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


async def _serve(settings: Settings, path: Path, host: str, port: int) -> None:
    policy, sha256 = read_policy(path), digest(texts_of(path))
    in_force = InForce(Folder(str(path), sha256, os.environ), sha256, policy)
    following = Following(settings, in_force)
    async with (
        signs_of(settings, following, in_force),
        AsyncExitStack() as held,
    ):
        publisher = LatePublisher(
            # One that failed to connect cannot be used again.
            lambda: held.enter_async_context(Publisher(settings, source="board"))
        )
        app = application(
            in_force.channels,
            publisher,
            now,
            status_pages(Pages(in_force, following, now)),
            guards=[Depends(settled(following))],
        )
        await serve(app, settings, following, host=host, port=port)
