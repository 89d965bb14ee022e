"""A small shop: takes orders into its database, and says on four endpoints how it is."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.laptop.demo.dependencies import (
    ANSWERS_WITHIN,
    LOOPBACK,
    Database,
    DependencyDown,
    cache,
    ping,
    provider,
    serving,
)
from streams.laptop.demo.reporting import Reporting

SERVICE: Final = "shop"


class Shop:
    """The service while it runs."""

    def __init__(
        self, database: Database, cache_port: int, provider_port: int, reporting: Reporting
    ) -> None:
        self.database = database
        self.port = 0
        self._cache_port = cache_port
        self._provider = f"http://{LOOPBACK}:{provider_port}/v1/models"
        self._reporting = reporting

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    def application(self) -> web.Application:
        """Return what answers requests."""
        application = web.Application(middlewares=[self._measured()])
        application.add_routes(
            [
                web.get("/api/health", _api),
                web.get("/api/health/database", self._checked(self._database)),
                web.get("/api/health/redis", self._checked(self._cache)),
                web.get("/api/health/ai", self._checked(self._ai)),
                web.get("/api/orders", self._count),
                web.post("/api/orders", self._order),
            ]
        )
        return application

    # -- health -----------------------------------------------------------------------------------

    def _checked(self, check: Callable[[], Awaitable[str]]) -> Handler:
        async def answer(_: web.Request) -> web.Response:
            try:
                said = await check()
            except DependencyDown as down:
                return web.json_response(
                    {"status": "unhealthy", "healthy": False, "message": str(down)}, status=503
                )
            return web.json_response({"status": "healthy", "healthy": True, "message": said})

        return answer

    async def _database(self) -> str:
        return f"{await self.database.count()} orders"

    async def _cache(self) -> str:
        await ping(self._cache_port)
        return "answers"

    async def _ai(self) -> str:
        try:
            async with httpx.AsyncClient(timeout=ANSWERS_WITHIN, trust_env=False) as client:
                response = await client.get(self._provider)
                response.raise_for_status()
                return f"{len(response.json()['data'])} model"
        except (httpx.HTTPError, ValueError, KeyError) as error:
            message = f"the AI provider does not answer ({type(error).__name__})"
            raise DependencyDown(message) from None

    # -- orders -----------------------------------------------------------------------------------

    async def _count(self, _: web.Request) -> web.Response:
        return web.json_response({"orders": await self.database.count()})

    async def _order(self, request: web.Request) -> web.Response:
        number = await self.database.add((await request.text())[:200] or "nothing in particular")
        return web.json_response({"number": number}, status=201)

    def _measured(self) -> Middleware:
        @web.middleware
        async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
            begun = time.monotonic()
            try:
                response = await handler(request)
            except DependencyDown as down:
                self._reporting.failed(request.method, request.path, str(down))
                response = web.json_response({"error": "try again later"}, status=503)
            if request.path.startswith("/api/orders"):
                # Health checks are no traffic: they would hide how users fare.
                self._reporting.answered(
                    request.method, request.path, response.status, time.monotonic() - begun
                )
            return response

        return measured


async def _api(_: web.Request) -> web.Response:
    return web.json_response({"status": "healthy", "healthy": True})


@asynccontextmanager
async def shop(folder: Path, reporting: Reporting) -> AsyncIterator[Shop]:
    """Run the service with all it depends on; its database lies in *folder*."""
    async with cache() as cache_port, provider() as provider_port:
        service = Shop(Database(folder / "shop.db"), cache_port, provider_port, reporting)
        async with serving(service.application()) as service.port:
            yield service
