"""The demo's service over HTTP: it is what it says it is."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from schemas.contract import Contract
from schemas.telemetry import HealthStatus, HealthV1, LogV1, MetricV1
from schemas.topics import LOGS, METRICS, TopicDeclaration
from streams.gateways import clock
from streams.gateways.polling import check
from streams.gateways.probes import Probe
from streams.laptop.demo import reporting as under_test
from streams.laptop.demo.dependencies import DependencyDown, cache, ping
from streams.laptop.demo.reporting import ERROR, INFO, Reporting
from streams.laptop.demo.service import Shop, shop
from streams.laptop.demo.traffic import keep_using


async def asked(service: Shop) -> dict[str, HealthV1]:
    """Ask all four endpoints, as the probe does."""
    paths = {
        "API Health": "/api/health",
        "Database": "/api/health/database",
        "Redis": "/api/health/redis",
        "AI Service": "/api/health/ai",
    }
    async with httpx.AsyncClient() as client:
        results = await asyncio.gather(
            *(
                check(Probe(name=name, service="shop", url=f"{service.url}{path}"), client)
                for name, path in paths.items()
            )
        )
    return {result.check: result for result in results}


async def test_a_database_that_is_taken_away_shows_and_one_that_is_brought_back_too(
    tmp_path: Path,
) -> None:
    """Otherwise the demo would show a flag that was flipped, not a failure that was detected."""
    async with shop(tmp_path, Reporting("shop")) as service:
        before = await asked(service)
        service.database.take_away()
        while_away = await asked(service)
        service.database.bring_back()
        after = await asked(service)

    well = dict.fromkeys(before, HealthStatus.HEALTHY)
    assert {name: result.status for name, result in before.items()} == well
    assert {name: result.status for name, result in while_away.items()} == {
        **well,
        "Database": HealthStatus.UNHEALTHY,
    }
    assert while_away["Database"].message == "HTTP 503: unable to open database file"
    assert {name: result.status for name, result in after.items()} == well


async def test_orders_survive_the_outage(tmp_path: Path) -> None:
    """Otherwise the recovery would be a new, empty database."""
    async with (
        shop(tmp_path, Reporting("shop")) as service,
        httpx.AsyncClient(base_url=service.url) as client,
    ):
        assert (await client.post("/api/orders", content="tea")).json() == {"number": 1}
        service.database.take_away()
        assert (await client.post("/api/orders", content="tea")).status_code == 503
        assert not (tmp_path / "shop.db").exists()
        service.database.bring_back()
        assert (await client.post("/api/orders", content="tea")).json() == {"number": 2}
        assert (await client.get("/api/orders")).json() == {"orders": 2}


async def test_failures_are_logged_and_measured(tmp_path: Path) -> None:
    """Otherwise log and metric rules would have nothing to find in the demo."""
    reporting = Reporting("shop")
    async with (
        shop(tmp_path, reporting) as service,
        httpx.AsyncClient(base_url=service.url) as client,
    ):
        await client.get("/api/orders")
        service.database.take_away()
        await client.post("/api/orders", content="tea")
        await client.get("/api/health/database")
        metrics = {metric.name: metric.value for metric in reporting.measured(clock.now())}
        logs = reporting.logged()
        assert reporting.measured(clock.now()) == []

    assert metrics["http_requests"] == 2
    assert metrics["http_errors"] == 1
    assert metrics["http_error_ratio"] == 0.5
    assert 0 < metrics["http_request_duration_p95"] < 5
    assert [
        (record.severity_number, record.body) for record in logs if record.severity_number == ERROR
    ] == [(ERROR, "POST /api/orders failed: database: unable to open database file")]


class Topics:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.records: list[Contract] = []
        self.news = asyncio.Condition()

    async def send_all(self, topic: TopicDeclaration, messages: Sequence[Contract]) -> None:
        assert topic in {LOGS, METRICS}
        async with self.news:
            self.records.extend(messages)
            self.news.notify_all()

    async def fresh(self, *, errors: int = 0, answers: int = 0) -> None:
        """Wait until so many records came after this call."""
        begun = len(self.records)

        def came() -> bool:
            severities = [
                record.severity_number
                for record in self.records[begun:]
                if isinstance(record, LogV1)
            ]
            return severities.count(ERROR) >= errors and severities.count(INFO) >= answers

        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(came)


async def test_people_keep_using_the_service_while_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise traffic would stop at the first error and the outage would show no failures."""
    monkeypatch.setattr(under_test, "REPORT_EVERY", 0.05)
    reporting, topics = Reporting("shop"), Topics()
    async with shop(tmp_path, reporting) as service:
        working = [
            asyncio.create_task(keep_using(service.url)),
            asyncio.create_task(reporting.keep_publishing(topics)),
        ]
        await topics.fresh(answers=2)
        service.database.take_away()
        await topics.fresh(errors=2)
        service.database.bring_back()
        await topics.fresh(answers=2)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
    assert reporting.published == len(topics.records)
    assert {metric.name for metric in topics.records if isinstance(metric, MetricV1)} == {
        "http_requests",
        "http_errors",
        "http_error_ratio",
        "http_request_duration_p95",
    }


async def test_a_cache_that_says_something_else_is_down() -> None:
    """Otherwise any open port would pass for the cache."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with cache() as port:
        await ping(port)
    with pytest.raises(DependencyDown, match="does not answer"):
        await ping(port)
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        with pytest.raises(DependencyDown, match="does not speak its protocol"):
            await ping(server.sockets[0].getsockname()[1])
