"""
The status page over HTTP: as HTML, as feeds, and as Statuspage's public API has it.

Everybody may read it. It is made anew at most once a second, however many ask.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import orjson
from fastapi import APIRouter, HTTPException, Request, Response, status

from streams.status_page.api import ANSWERS
from streams.status_page.feeds import atom, rss
from streams.status_page.html import html
from streams.status_page.settings import StatusPage
from streams.status_page.showing import Page, State, page

#: Nothing on the page is loaded from anywhere.
_HEADERS = {
    "Cache-Control": "public, max-age=10",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Known(Protocol):
    """What is known of incidents and maintenance."""

    @property
    def ready(self) -> bool:
        """Whether all of it was read."""

    def state(self) -> State:
        """Return what a page is made of now."""


class Shown:
    """The page as it was last made."""

    def __init__(self, settings: StatusPage, known: Known, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._known = known
        self._now = now
        self._page: Page | None = None
        self._made: dict[str, bytes] = {}

    def page(self) -> Page:
        """
        Return the page.

        Raises:
            HTTPException: 503, not everything was read yet.
        """
        if not self._known.ready:
            raise HTTPException(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                "the incidents are still being read",
                {"Retry-After": "5"},
            )
        at = self._now().replace(microsecond=0)
        if self._page is None or self._page.at != at:
            self._page = page(self._settings, self._known.state(), at)
            self._made.clear()
        return self._page

    def answer(
        self, name: str, kind: str, make: Callable[[Page, str], bytes], request: Request
    ) -> Response:
        """Return the page as *make* writes it, under its *name*."""
        shown = self.page()
        address = self._settings.url or f"{str(request.base_url).rstrip('/')}/status"
        key = f"{name} {address}"
        if key not in self._made:
            self._made[key] = make(shown, address)
        return Response(self._made[key], media_type=kind, headers=_HEADERS)


def status_page(settings: StatusPage, known: Known, now: Callable[[], datetime]) -> APIRouter:
    """Return the addresses of the status page."""
    router = APIRouter(tags=["status page"])
    shown = Shown(settings, known, now)

    @router.get("/status", summary="The status page")
    async def as_html(request: Request) -> Response:
        return shown.answer("html", "text/html", lambda of, _: html(of).encode(), request)

    @router.get("/status/history.rss", summary="Its history as RSS")
    async def as_rss(request: Request) -> Response:
        return shown.answer("rss", "application/rss+xml", rss, request)

    @router.get("/status/history.atom", summary="Its history as Atom")
    async def as_atom(request: Request) -> Response:
        return shown.answer("atom", "application/atom+xml", atom, request)

    @router.get("/api/v2/{name:path}", summary="Statuspage's public API, version 2")
    async def as_json(name: str, request: Request) -> Response:
        written = ANSWERS.get(name)
        if written is None:
            known = ", ".join(sorted(ANSWERS))
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there are {known}")
        answer = shown.answer(
            name, "application/json", lambda of, where: orjson.dumps(written(of, where)), request
        )
        # Other sites' pages may show it.
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    return router
