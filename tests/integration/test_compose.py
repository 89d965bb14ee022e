"""docker-compose.yml as a person starts it, where a Docker engine with Compose answers."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from click.testing import CliRunner

from streams.cli.incident import incident as incident_command
from streams.laptop.children import free_port
from tests.brokers import docker_answers

#: Images are fetched and built.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

#: From the start of the containers to the last row.
WITHIN = 300.0
PASSWORD = "a-password-for-one-test-only"
PORTS = ("KAFKA_PORT", "CLICKHOUSE_PORT", "BOARD_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")


@dataclass(frozen=True)
class Installation:
    """Everything in containers, under a name and on ports of the test's own."""

    compose: Any
    ports: dict[str, int]

    def answer(self, port: str, path: str, user: str, **query: str) -> httpx.Response | None:
        """Ask a part over HTTP; None while it does not answer."""
        address = f"http://127.0.0.1:{self.ports[port]}{path}"
        try:
            return httpx.get(address, params=query, auth=(user, PASSWORD), timeout=10)
        except httpx.TransportError:
            return None

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """What a reader finds in the warehouse; nothing while there is none."""
        asked = f"{statement} FORMAT JSON"
        found = self.answer("CLICKHOUSE_PORT", "/", "reader", query=asked, database="tocsin")
        return list(found.json()["data"]) if found is not None and found.is_success else []

    def states(self) -> dict[str, str]:
        """Service to its health, or to its exit code where it ended."""
        return {
            it.Service: it.Health or f"{it.State} {it.ExitCode}"
            for it in self.compose.get_containers(include_all=True)
        }


async def until(holds: Callable[[], Any]) -> Any:
    async with asyncio.timeout(WITHIN):
        # What it looks at are containers: nothing tells of them.
        while not (found := await asyncio.to_thread(holds)):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    return found


def _compose_is_there() -> bool:
    asked = subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False, timeout=10
    )
    return asked.returncode == 0


@pytest_asyncio.fixture
async def installation(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    if not await docker_answers():
        pytest.skip("no Docker engine answers `docker version`")
    if not await asyncio.to_thread(_compose_is_there):
        pytest.skip("`docker compose` is not installed")
    module = pytest.importorskip("testcontainers.compose")
    ports = {name: free_port() for name in PORTS}
    # Its end takes the volumes of the project with it: never those of a person's own.
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", f"tocsin-test-{ports['KAFKA_PORT']}")
    for name, port in ports.items():
        monkeypatch.setenv(name, str(port))
    for name in ("TOCSIN_WAREHOUSE_PASSWORD", "TOCSIN_READER_PASSWORD", "GRAFANA_PASSWORD"):
        monkeypatch.setenv(name, PASSWORD)
    # Inside the probe's container, nobody answers there.
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:9")
    running = Installation(module.DockerCompose(".", build=True, wait=False), ports)
    try:
        await asyncio.to_thread(running.compose.start)
        yield running
    finally:
        await asyncio.to_thread(running.compose.stop)


async def test_what_compose_starts_opens_and_keeps_an_incident(installation: Installation) -> None:
    """Each part works by itself, and they do not find each other."""
    wanted = {
        **dict.fromkeys(("topics", "migrate"), "exited 0"),
        **dict.fromkeys(("kafka", "clickhouse", "prometheus", "grafana"), "healthy"),
        **dict.fromkeys(
            ("detect", "incidents", "notify", "record", "probe", "board", "intake"), "healthy"
        ),
    }
    await until(lambda: installation.states() == wanted)

    [opened, *_] = await until(
        lambda: installation.rows("SELECT * FROM open_incidents WHERE service = 'shop'")
    )
    # From outside, as a person on this machine does.
    person = CliRunner(env={"TOCSIN_BROKER": f"127.0.0.1:{installation.ports['KAFKA_PORT']}"})
    said = await asyncio.to_thread(
        person.invoke, incident_command, ["ack", opened["incident_id"], "--author", "responder"]
    )
    assert said.exit_code == 0, said.output
    await until(
        lambda: installation.rows(
            "SELECT 1 FROM open_incidents WHERE service = 'shop' AND acknowledged_by = 'responder'"
        )
    )

    def lag() -> list[Any]:
        query = {"query": "sum by (hop, topic) (tocsin_lag_records)"}
        found = installation.answer("PROMETHEUS_PORT", "/api/v1/query", "nobody", **query)
        return found.json()["data"]["result"] if found is not None and found.is_success else []

    measured = await until(lag)
    assert {it["metric"]["hop"] for it in measured} >= {"detect", "incidents"}
    for source in ("tocsin", "tocsin-prometheus"):
        path = f"/api/datasources/uid/{source}/health"
        health = installation.answer("GRAFANA_PORT", path, "admin")
        assert health is not None
        assert health.json()["status"] == "OK", health.text
