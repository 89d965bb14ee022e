"""The board as an ASGI application; each part is a router of its own."""

from collections.abc import Callable, Mapping
from datetime import datetime

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse

from streams.board.callbacks import Publishes, callbacks
from streams.notifications.channel import Channel


def application(
    channels: Mapping[str, Channel],
    publisher: Publishes,
    now: Callable[[], datetime],
    *others: APIRouter,
) -> FastAPI:
    """Return what answers over HTTP, with *others* beside the callbacks; commands go to *publisher*, the time comes from *now*."""
    app = FastAPI(title="Tocsin", docs_url=None, redoc_url=None)

    @app.get("/livez", response_class=PlainTextResponse, summary="Whether it answers")
    async def live() -> str:
        return "ok"

    for router in (callbacks(channels, publisher, now), *others):
        app.include_router(router)
    return app
