"""
Headers that every answer has: what a browser may not do with it.

What an answer says itself, such as the page's own policy for its style, stays.
"""

from typing import Any, Final

#: Nothing that the board answers is loaded from elsewhere, runs, or is taken for another type than it says.
SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_ADDED: Final = [(name.lower().encode(), value.encode()) for name, value in SAFE.items()]


class SafeHeaders:
    """The ASGI application inside, with the headers that it does not set by itself."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                added = [each for each in _ADDED if each[0] not in said]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, told)


class Heads:
    """The ASGI application inside, which is asked for the headers alone as well: by monitors, and by caches."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; HEAD as GET, without what it would send (RFC 9110, section 9.3.2)."""
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return

        async def told(message: Any) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, told)
