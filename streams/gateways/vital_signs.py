"""``/livez``, ``/readyz`` and ``/metrics`` of every process that does work."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from streams.errors import SettingsError

#: Which policy the process works by: the digest that ``tocsin policy log`` shows.
POLICY_HEADER: Final = "Tocsin-Policy"
#: How long open connections are waited for at the end.
_GOODBYE_SECONDS: Final = 0.5


class Ready(Collector):
    """What ``/readyz`` answers, for Prometheus."""

    def __init__(self, unready: Callable[[], str | None]) -> None:
        self._unready = unready

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return what there is, without asking for it."""
        yield GaugeMetricFamily(
            "tocsin_ready",
            "1 where the process does its work, 0 while it waits: /readyz says for what.",
        )

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return whether the process does its work."""
        for family in self.describe():
            family.add_metric([], self._unready() is None)
            yield family


@asynccontextmanager
async def vital_signs(
    host: str,
    port: int,
    *,
    unready: Callable[[], str | None],
    registry: CollectorRegistry,
    policy: Callable[[], str] | None = None,
) -> AsyncIterator[int]:
    """
    Serve them while the block runs, and give the port.

    *unready* returns what is missing, or None where the process does its work. *policy* returns the digest of the policy in force, which
    ``/readyz`` then tells in a header.

    Raises:
        SettingsError: The address cannot be listened on.
    """

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        missing = unready()
        return web.Response(
            text=f"{missing or 'ok'}\n",
            status=200 if missing is None else 503,
            headers={POLICY_HEADER: policy()} if policy else {},
        )

    async def metrics(request: web.Request) -> web.Response:
        names = request.query.getall("name[]", [])
        # As other exporters have it: whoever asks for a few does not pay for all.
        asked = registry.restricted_registry(names) if names else registry
        return web.Response(
            body=generate_latest(asked), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        )

    # In this form of text, when a counter began is one more series for each counter, which nobody asks for.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # The library types its classes alone.
    application = web.Application()
    application.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            message = (
                f"{host}:{port} cannot be listened on ({error.strerror or error}): "
                "choose another by TOCSIN_WEB_HOST and TOCSIN_WEB_PORT"
            )
            raise SettingsError(message) from None
        ready = Ready(unready)
        registry.register(ready)
        try:
            yield int(runner.addresses[0][1])
        finally:
            registry.unregister(ready)
    finally:
        await runner.cleanup()
