"""
The board as an ASGI application, put together of parts.

A part brings its addresses, what the description says of them, and what guards them; nothing here knows what it is about. What an operator
asks (``/livez``, ``/readyz``, ``/metrics``) stands on a listener of its own: whoever reads a public page sees none of it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

from fastapi import Depends, FastAPI, status

from streams.board.callbacks import Publishes, callbacks
from streams.board.headers import Heads, SafeHeaders
from streams.board.limits import Rate, limited
from streams.board.part import Part
from streams.notifications.channel import Channel

_DESCRIPTION: Final = """\
What the board of this installation answers over HTTP.

Status pages are public and hold only what was published. Callbacks are heard only with the provider's valid signature and a fresh time."""
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status.HTTP_408_REQUEST_TIMEOUT: {"description": "Its body did not come in time"},
    status.HTTP_413_CONTENT_TOO_LARGE: {"description": "Its body is larger than is read"},
    status.HTTP_429_TOO_MANY_REQUESTS: {"description": "Too often: `Retry-After` says when again"},
    status.HTTP_503_SERVICE_UNAVAILABLE: {"description": "Not now: to be sent again"},
}


def application(
    channels: Mapping[str, Channel],
    publisher: Publishes,
    now: Callable[[], datetime],
    *others: Part,
    guards: Sequence[Any] = (),
) -> FastAPI:
    """
    Return what answers over HTTP, with *others* beside the callbacks; commands go to *publisher*, the time comes from *now*.

    *guards* are dependencies that every callback passes before it is looked at.
    """
    limit = Depends(limited(Rate(), now))
    parts = [
        *others,
        Part(
            "callbacks",
            "What somebody did at a provider, signed by it; becomes a command.",
            callbacks(channels, publisher, now),
            [*guards, limit],
            _REFUSALS,
        ),
    ]
    app = FastAPI(
        title="Tocsin",
        version=version("tocsin"),
        description=_DESCRIPTION,
        openapi_tags=[part.tag for part in parts],
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(SafeHeaders)
    app.add_middleware(Heads)
    for part in parts:
        app.include_router(part.router, dependencies=part.guards, responses=part.refusals)
    return app
