"""
The status pages over HTTP: as HTML, as feeds, and as Statuspage's public API has them.

Everybody may read them. Each is made anew at most once a second, however many ask, and not sent again to whoever has it already.
"""

import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Protocol, get_type_hints
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response, status
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from streams.board.part import Part
from streams.policy import Policy
from streams.status_page.addresses import page_at
from streams.status_page.api import ANSWERS
from streams.status_page.feeds import atom, rss
from streams.status_page.html import STYLE, history, html, unread
from streams.status_page.settings import StatusPage
from streams.status_page.showing import Page, State, page

_NAME: Final = "status page"
_ABOUT: Final = (
    "What was published, for everybody: as a page, as feeds, and as Statuspage's public API has it."
)
_CACHED: Final = {"Cache-Control": "public, max-age=10", "Vary": "Accept-Encoding"}
#: The page's own style and nothing else, in whatever frame somebody shows it: there is nothing to click that does anything.
_HTML: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE}'; base-uri 'none'; form-action 'none'; frame-ancestors *"
}
_UNREAD: Final = {"description": "Not everything was read yet"}
#: Other sites' pages may show it.
_OPEN: Final = {"Access-Control-Allow-Origin": "*"}
#: Bytes from which on an answer is worth compressing.
_LARGE: Final = 1_000
#: Answers of one page in one second: addresses are in them, and those can be made up.
_KEPT: Final = 100
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class Known(Protocol):
    """What is known of incidents and maintenance."""

    @property
    def ready(self) -> bool:
        """Whether all of it was read."""

    def state(self) -> State:
        """Return what pages are made of now."""


class Governs(Protocol):
    """Who knows the policy in force."""

    @property
    def policy(self) -> Policy:
        """The policy in force."""


class Refusal(BaseModel):
    """Why there is no answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    detail: str
    """What is wrong, and what there is instead."""


class _Made:
    """One answer, as it was made."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        # Weak: compressed or not, it says the same.
        self.tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'

    @cached_property
    def small(self) -> bytes:
        return gzip.compress(self.body, mtime=0)


class Shown:
    """A page as it was last made."""

    def __init__(
        self,
        settings: StatusPage,
        of_services: dict[str, tuple[str, ...]],
        known: Known,
        now: Callable[[], datetime],
    ) -> None:
        self.settings = settings
        self._of_services = of_services
        self._known = known
        self._now = now
        self._page: Page | None = None
        self._made: dict[tuple[str, str], _Made] = {}

    def _current(self) -> Page:
        at = self._now().replace(microsecond=0)
        if self._page is None or self._page.at != at:
            state = replace(self._known.state(), of_services=self._of_services)
            self._page = page(self.settings, state, at)
            self._made.clear()
        return self._page

    def made(self, name: str, place: str, make: Callable[[Page], bytes]) -> _Made:
        """Return the page as *make* writes it, under its *name*, for whoever reads it at *place*."""
        current = self._current()
        found = self._made.get((name, place))
        if found is None:
            found = _Made(make(current))
            if len(self._made) < _KEPT:
                self._made[name, place] = found
        return found


@dataclass(frozen=True)
class Asked:
    """What somebody asks for."""

    request: Request
    shown: Shown
    #: Where people find the page.
    address: str
    #: What links to what stands below the page begin with.
    links: str

    @property
    def beside(self) -> tuple[str, str]:
        """The links from the history to the page, and to what stands below the page."""
        url = self.shown.settings.url
        if url:
            return url, self.links
        return f"../{self.links.rstrip('/')}" if self.links else "./", ""

    def answer(
        self, name: str, kind: str, make: Callable[[Page], bytes], **headers: str
    ) -> Response:
        """Return the page as *make* writes it, or nothing where whoever asks has it."""
        made = self.shown.made(name, f"{self.address} {self.links}", make)
        told = {**_CACHED, "ETag": made.tag, **headers}
        given = self.request.headers
        if _has(given.get("if-none-match", ""), made.tag):
            return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=told)
        if len(made.body) > _LARGE and _takes_gzip(given.get("accept-encoding", "")):
            told["Content-Encoding"] = "gzip"
            return Response(made.small, media_type=kind, headers=told)
        return Response(made.body, media_type=kind, headers=told)


class Unread(HTTPException):
    """Nobody knows yet what a page would show."""

    def __init__(self) -> None:
        super().__init__(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            "the incidents are still being read",
            {"Retry-After": "5"},
        )


class _ForPeople(APIRoute):
    """An address that answers with a page also where there is nothing to show yet."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except Unread as refusal:
                told = {**_HTML, **(refusal.headers or {})}
                return Response(unread(), refusal.status_code, told, "text/html")

        return handled


class Pages:
    """The pages of the policy in force."""

    def __init__(self, in_force: Governs, known: Known, now: Callable[[], datetime]) -> None:
        self._in_force = in_force
        self._known = known
        self._now = now
        self._policy = in_force.policy
        self._shown: dict[str, Shown] = {}

    def at(self, host: str, tenant: str | None) -> Shown:
        """
        Return the page of *tenant* at *host*.

        Raises:
            HTTPException: 404, there is none.
            Unread: Not everything was read yet.
        """
        if not self._known.ready:
            raise Unread
        policy = self._in_force.policy
        if policy is not self._policy:
            self._policy = policy
            self._shown.clear()
        settings = page_at(policy.status_page, policy.status_pages, host, tenant)
        if settings is None:
            # Which others there are is nobody's business.
            raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no status page here")
        if settings.tenant not in self._shown:
            services = dict(policy.outside.of_services)
            self._shown[settings.tenant] = Shown(settings, services, self._known, self._now)
        return self._shown[settings.tenant]


Finds = Callable[..., Awaitable[Asked]]


def status_pages(pages: Pages) -> Part:
    """Return what is answered about status pages."""
    router = APIRouter(
        tags=[_NAME],
        responses={
            304: {"description": "Whoever asks has it already (`If-None-Match`)"},
            400: {"description": "`Host` is no name", "model": Refusal},
            404: {"description": "There is no such page", "model": Refusal},
            503: {**_UNREAD, "model": Refusal},
        },
    )

    async def at_root(request: Request) -> Asked:
        return _asked(pages, request, "")

    async def first(request: Request) -> Asked:
        return _asked(pages, request, "/status")

    async def of_tenant(
        request: Request, tenant: Annotated[str, Path(description="Whose page it is")]
    ) -> Asked:
        return _asked(pages, request, f"/status/{quote(tenant)}", tenant)

    # One address of each thing is described; the others are for hosts of their own.
    _add_page(_Base(router, "", at_root, described=False))
    _add_api(_Base(router, "", at_root, described=True))
    _add_page(_Base(router, "/status", first, described=True))
    _add_api(_Base(router, "/status", first, described=False))
    _add_page(_Base(router, "/status/{tenant}", of_tenant, described=True))
    _add_api(_Base(router, "/status/{tenant}", of_tenant, described=True))
    return Part(_NAME, _ABOUT, router)


@dataclass(frozen=True)
class _Base:
    """The addresses below one path, all of the page that is found there."""

    router: APIRouter
    path: str
    find: Finds
    described: bool

    def add(
        self,
        below: str,
        endpoint: Callable[..., Any],
        summary: str,
        answers: dict[int | str, dict[str, Any]],
        *,
        route: type[APIRoute] = APIRoute,
    ) -> None:
        """Let *endpoint* answer at what stands *below* it."""
        self.router.add_api_route(
            f"{self.path}{below}" or "/",
            endpoint,
            summary=f"{summary} of a tenant" if "{" in self.path else summary,
            responses=answers,
            response_class=Response,
            include_in_schema=self.described,
            route_class_override=route,
        )


def _add_page(base: _Base) -> None:
    find = base.find

    async def as_html(asked: Annotated[Asked, Depends(find)]) -> Response:
        def written(of: Page) -> bytes:
            return html(of, asked.links).encode()

        return asked.answer("html", "text/html", written, **_HTML)

    async def as_history(asked: Annotated[Asked, Depends(find)]) -> Response:
        def written(of: Page) -> bytes:
            return history(of, *asked.beside).encode()

        return asked.answer("history", "text/html", written, **_HTML)

    async def as_rss(asked: Annotated[Asked, Depends(find)]) -> Response:
        return asked.answer("rss", "application/rss+xml", lambda of: rss(of, asked.address))

    async def as_atom(asked: Annotated[Asked, Depends(find)]) -> Response:
        return asked.answer("atom", "application/atom+xml", lambda of: atom(of, asked.address))

    for path, endpoint, kind, summary in (
        ("", as_html, "text/html", "The status page"),
        ("/history", as_history, "text/html", "Incidents and maintenance of the past"),
        ("/history.rss", as_rss, "application/rss+xml", "The history as RSS 2.0"),
        ("/history.atom", as_atom, "application/atom+xml", "The history as Atom"),
    ):
        written = {"content": {kind: {"schema": {"type": "string"}}}}
        if kind == "text/html":
            base.add(
                path, endpoint, summary, {200: written, 503: _UNREAD | written}, route=_ForPeople
            )
        else:
            base.add(path, endpoint, summary, {200: written})


def _add_api(base: _Base) -> None:
    find = base.find

    def add(name: str, written: Callable[[Page, str], BaseModel]) -> None:
        async def as_json(asked: Annotated[Asked, Depends(find)]) -> Response:
            def made(of: Page) -> bytes:
                return written(of, asked.address).model_dump_json().encode()

            return asked.answer(name, "application/json", made, **_OPEN)

        summary = (written.__doc__ or "").rstrip(".")
        answer = {"model": get_type_hints(written)["return"]}
        base.add(f"/api/v2/{name}", as_json, summary, {200: answer})

    for name, written in ANSWERS.items():
        add(name, written)

    async def nothing(name: str) -> Response:
        raise HTTPException(
            status.HTTP_404_NOT_FOUND,
            f"there is no {name[:100]!r}; there are {', '.join(sorted(ANSWERS))}",
        )

    base.router.add_api_route(f"{base.path}/api/v2/{{name:path}}", nothing, include_in_schema=False)


def _asked(pages: Pages, request: Request, base: str, tenant: str | None = None) -> Asked:
    given = request.headers.get("host", "")
    host = _HOST.fullmatch(given)
    if host is None:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "Host must be a name with a port or none")
    shown = pages.at(host[1].strip("[]").lower(), tenant)
    if shown.settings.url:
        return Asked(request, shown, shown.settings.url, f"{shown.settings.url}/")
    # Below the last part of its own address; from the root, beside it.
    links = f"{base.rpartition('/')[2]}/" if base else ""
    return Asked(request, shown, f"{request.url.scheme}://{given}{base}", links)


def _has(condition: str, tag: str) -> bool:
    """Whether what *condition* lists, as ``If-None-Match`` does, has *tag* (RFC 9110, section 13.1.2: compared weakly)."""
    listed = [each.strip().removeprefix("W/") for each in condition.split(",")]
    return "*" in listed or tag.removeprefix("W/") in listed


def _takes_gzip(accepted: str) -> bool:
    """Whether gzip is *accepted*, as ``Accept-Encoding`` says (RFC 9110, section 12.5.3)."""
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", quality)
    return False
