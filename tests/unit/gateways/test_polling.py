"""Polling: own pace, own limit, and a broker that may be away. The endpoints are real, on the loopback."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Self

import httpx
import pytest
from aiohttp import ClientSession, web
from prometheus_client import CollectorRegistry, Counter

from schemas.contract import Contract
from schemas.telemetry import HealthStatus, HealthV1
from schemas.topics import HEALTH, TopicDeclaration
from streams.errors import SettingsError, Unavailable
from streams.gateways import polling as under_test
from streams.gateways.polling import Polling, check
from streams.gateways.probes import Probe
from streams.gateways.vital_signs import vital_signs
from streams.settings import Settings

SETTINGS = Settings(broker="127.0.0.1:1")


class Broker:
    """Stands for the broker's publisher and remembers what it was given."""

    def __init__(self) -> None:
        self.away = False
        self.taken: list[HealthV1] = []
        self.news = asyncio.Condition()

    def __call__(self, settings: Settings, *, source: str) -> "Broker":
        assert source == "probe"
        return self

    async def __aenter__(self) -> Self:
        if self.away:
            raise Unavailable("the broker at 127.0.0.1:1 speaks TLS")
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send_all(self, topic: TopicDeclaration, messages: Sequence[Contract]) -> None:
        assert topic is HEALTH
        if self.away:
            raise Unavailable("the broker did not confirm a message")
        async with self.news:
            self.taken.extend(messages)  # type: ignore[arg-type]
            self.news.notify_all()

    def about(self, name: str) -> list[HealthV1]:
        return [result for result in self.taken if result.check == name]

    async def until(self, claim: Any) -> None:
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(claim)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    monkeypatch.setattr(under_test, "Publisher", made)
    monkeypatch.setattr(under_test, "FIRST_PAUSE", timedelta(milliseconds=20))
    return made


@asynccontextmanager
async def endpoints() -> AsyncIterator[str]:
    """An HTTP server whose endpoints are well, ill, silent, trickling or gone in mid-answer."""
    over = asyncio.Event()

    async def well(_: web.Request) -> web.Response:
        return web.json_response({"status": "healthy"})

    async def ill(_: web.Request) -> web.Response:
        return web.json_response({"healthy": False, "message": "no disk"}, status=503)

    async def silent(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async def trickling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not over.is_set():
            await response.write(b" ")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await over.wait()
        return response

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            for _ in range(10_000):
                await response.write(b"x" * 65_536)
        return response

    application = web.Application()
    application.add_routes(
        [
            web.get(f"/{handler.__name__}", handler)
            for handler in (well, ill, silent, trickling, endless)
        ]
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        over.set()
        await runner.cleanup()


@asynccontextmanager
async def polled(probes: list[Probe], settings: Settings = SETTINGS) -> AsyncIterator[Polling]:
    """Poll while the block runs, then stop as SIGTERM does, within its five seconds."""
    stop = asyncio.Event()
    polling = Polling(probes, settings)
    running = asyncio.create_task(polling.run(stop))
    try:
        yield polling
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await running


async def test_an_endpoint_that_hangs_delays_no_other(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one dead service would blind the installation."""
    # Asked every 100 ms, one is waited for no longer than that: on a busy machine not long enough to be well.
    monkeypatch.setattr(Probe, "limit", timedelta(seconds=30))
    async with endpoints() as url:
        probes = [
            Probe(name="silent", service="s", url=f"{url}/silent", every="60s", within="30s"),
            Probe(name="well", service="s", url=f"{url}/well", every="100ms"),
            Probe(name="ill", service="s", url=f"{url}/ill", every="100ms"),
        ]
        async with polled(probes):
            await broker.until(
                lambda: len(broker.about("well")) >= 3 and len(broker.about("ill")) >= 3
            )
        assert not broker.about("silent")
    assert {result.status for result in broker.about("well")} == {HealthStatus.HEALTHY}
    assert {(result.status, result.message) for result in broker.about("ill")} == {
        (HealthStatus.UNHEALTHY, "HTTP 503: no disk")
    }
    moments = [result.occurred_at for result in broker.about("well")]
    assert sorted(moments) == moments
    assert len({result.signal_id for result in broker.taken}) == len(broker.taken)


@pytest.mark.parametrize("kind", ["silent", "trickling"])
async def test_an_answer_that_does_not_end_in_time_is_unhealthy(kind: str) -> None:
    """Otherwise an endpoint that sends a byte now and then would hold its probe for ever."""
    async with endpoints() as url, httpx.AsyncClient() as client:
        probe = Probe(name="p", service="s", url=f"{url}/{kind}", every="1s", within="200ms")
        async with asyncio.timeout(5):
            result = await check(probe, client)
    assert (result.status, result.message) == (HealthStatus.UNHEALTHY, "no answer within 0.2 s")
    assert result.latency is not None
    assert timedelta(milliseconds=190) < result.latency < timedelta(seconds=3)


async def test_an_endless_answer_is_read_to_a_limit() -> None:
    """Otherwise an endpoint could fill the memory of the prober."""
    async with endpoints() as url, httpx.AsyncClient() as client:
        probe = Probe(name="p", service="s", url=f"{url}/endless", every="5s", within="5s")
        result = await check(probe, client)
    assert result.status is HealthStatus.HEALTHY


async def test_a_refused_connection_is_unhealthy_and_says_nothing_secret() -> None:
    """Otherwise a service that is down would raise here, or its address with a token would be told."""
    async with httpx.AsyncClient() as client:
        probe = Probe(name="p", service="s", url="http://user:hush@127.0.0.1:9/x?token=hush")
        result = await check(probe, client)
    assert result.status is HealthStatus.UNHEALTHY
    assert result.message == "no answer: the connection was refused or the host is unknown"


async def test_results_wait_for_a_broker_that_is_away_and_it_is_said_once(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise an outage of the broker would lose what was seen meanwhile, or fill the log."""
    broker.away = True
    async with endpoints() as url:
        probes = [Probe(name="well", service="s", url=f"{url}/well", every="100ms")]
        async with polled(probes) as polling:
            async with asyncio.timeout(5):
                while len(polling._waiting) < 4:
                    await asyncio.wait_for(polling._news.wait(), 5)
                    polling._news.clear()
            assert polling.unready() == "the broker at 127.0.0.1:1 speaks TLS"
            broker.away = False
            await broker.until(lambda: len(broker.taken) >= 5)
            assert polling.unready() is None
    away = [record for record in caplog.records if record.message.startswith("broker away")]
    assert len(away) == 1
    moments = [result.occurred_at for result in broker.taken]
    assert sorted(moments) == moments
    assert len(set(moments)) == len(moments)


async def test_the_oldest_results_make_room(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a long outage of the broker would end in the prober's memory."""
    monkeypatch.setattr(under_test, "WAITING", 3)
    broker.away = True
    polling = Polling([], SETTINGS)
    async with endpoints() as url, httpx.AsyncClient() as client:
        probe = Probe(name="well", service="s", url=f"{url}/well")
        results = [await check(probe, client) for _ in range(5)]
    for result in results:
        polling._keep(result)
    assert list(polling._waiting) == results[2:]
    assert polling.registry.get_sample_value("tocsin_probe_dropped_total") == 2


async def test_what_was_seen_last_leaves_before_the_end(broker: Broker) -> None:
    """Otherwise a restart would lose the results of the last moment."""
    async with endpoints() as url:
        probes = [Probe(name="well", service="s", url=f"{url}/well", every="60s")]
        async with polled(probes):
            await broker.until(lambda: len(broker.taken) == 1)
    assert len(broker.taken) == 1


async def test_vital_signs_say_what_is_missing(broker: Broker) -> None:
    """Otherwise an orchestrator would send traffic to, or spare, a prober that does no work."""
    missing: list[str | None] = ["no broker answers at b"]
    registry = CollectorRegistry()
    for name in ("one", "other"):
        Counter(name, name, registry=registry)
    async with (
        vital_signs("127.0.0.1", 0, unready=lambda: missing[0], registry=registry) as port,
        ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        async with session.get("/livez") as answer:
            assert answer.status == 200
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "no broker answers at b\n")
        missing[0] = None
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        async with session.get("/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain")
            told = await answer.text()
            assert ("other_total" in told, "_created" in told) == (True, False)
        async with session.get("/metrics?name[]=one_total") as answer:
            told = await answer.text()
            assert ("one_total 0.0" in told, "other" in told) == (True, False)


async def test_a_process_says_which_policy_it_works_by() -> None:
    """Otherwise nobody could tell whether what was published is in force there."""
    signs = vital_signs(
        "127.0.0.1", 0, unready=lambda: None, registry=CollectorRegistry(), policy=lambda: "f" * 64
    )
    async with (
        signs as port,
        ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/readyz") as answer,
    ):
        assert answer.headers["Tocsin-Policy"] == "f" * 64


async def test_a_port_that_is_taken_is_said() -> None:
    """Otherwise a second prober would end in a traceback."""
    registry = CollectorRegistry()
    async with vital_signs("127.0.0.1", 0, unready=lambda: None, registry=registry) as port:
        with pytest.raises(SettingsError) as raised:
            async with vital_signs("127.0.0.1", port, unready=lambda: None, registry=registry):
                pass
    said = str(raised.value)
    assert said.startswith(f"127.0.0.1:{port} cannot be listened on (")
    assert said.endswith("choose another by TOCSIN_WEB_HOST and TOCSIN_WEB_PORT")


async def test_a_fault_of_ours_ends_the_process(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a probe could stop for good while the prober looks alive."""

    def fails(*_: object) -> None:
        message = "a fault"
        raise LookupError(message)

    monkeypatch.setattr(under_test, "judge", fails)
    async with httpx.AsyncClient(), endpoints() as url:
        probes = [Probe(name="well", service="s", url=f"{url}/well")]
        with pytest.raises(LookupError):
            async with asyncio.timeout(5):
                await Polling(probes, SETTINGS).run(asyncio.Event())
