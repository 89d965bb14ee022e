"""The warehouse on a real ClickHouse server, set up by deploy/clickhouse as docker-compose.yml does it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from click.testing import CliRunner

from schemas.lifecycle import Status
from streams.cli.report import report as report_command
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.migrations import migrate
from streams.laptop.children import free_port
from streams.laptop.warehouse.authentication import User
from streams.warehouse.migration import migrations
from streams.warehouse.rows import rows_of
from tests.brokers import docker_answers
from tests.integration.history import NOON, count, emptied, incident, step, store

SERVICE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text())["services"][
    "clickhouse"
]
#: Host path, path in the container and mode of what it is set up by.
MOUNTED = [
    (str(Path(source).resolve()), inside, *mode)
    for source, inside, *mode in (volume.split(":") for volume in SERVICE["volumes"])
    if source.startswith(".")
]
#: The image is there by then.
WITHIN = 90.0


@dataclass(frozen=True)
class Server:
    """A ClickHouse server that answers."""

    port: int
    passwords: dict[User, str]

    def url(self, user: User = User.TOCSIN) -> str:
        return f"http://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/tocsin"

    def ask(self, statement: str, user: User | None, **query: str) -> httpx.Response:
        """Send one statement as curl would."""
        return httpx.post(
            f"http://127.0.0.1:{self.port}/",
            params=query,
            content=statement,
            auth=(user, self.passwords[user]) if user else None,
            timeout=30,
        )

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/ping", timeout=2).is_success
        except httpx.TransportError:
            return False


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    if not await docker_answers():
        pytest.skip("no Docker engine answers `docker version`")
    module = pytest.importorskip("testcontainers.core.container")
    passwords = {user: secrets.token_urlsafe(24) for user in User}
    container = module.DockerContainer(SERVICE["image"])
    for name, value in SERVICE["environment"].items():
        container.with_env(name, str(value))
    container.with_env("TOCSIN_WAREHOUSE_PASSWORD", passwords[User.TOCSIN])
    container.with_env("TOCSIN_READER_PASSWORD", passwords[User.READER])
    for mounted in MOUNTED:
        container.with_volume_mapping(*mounted)
    running = Server(free_port(), passwords)
    # On this machine only; `with_bind_ports` would open it to others.
    container.ports["8123/tcp"] = ("127.0.0.1", running.port)
    try:
        # An image that is not there yet is fetched first.
        await asyncio.to_thread(container.start)
        async with asyncio.timeout(WITHIN):
            # It is outside this process: nothing tells of it.
            while not await asyncio.to_thread(running.answers):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        yield running
    finally:
        await asyncio.to_thread(container.stop)


@pytest_asyncio.fixture
async def clickhouse(server: Server) -> AsyncIterator[ClickHouse]:
    async with emptied(server) as it:
        yield it


async def test_migrations_are_applied_once(clickhouse: ClickHouse) -> None:
    """The grants of the user that migrates lack one, or the server knows less than the embedded engine."""
    applied = await clickhouse.select("SELECT name FROM schema_migrations FINAL ORDER BY number")

    assert [row["name"] for row in applied] == [it.name for it in migrations()[1:]]
    assert await migrate(clickhouse) == []


async def test_a_reader_reports_what_was_stored_twice_once(
    clickhouse: ClickHouse, server: Server
) -> None:
    """A redelivery would show in every figure of production, and in none of a laptop."""
    lives = [
        step(
            incident(
                number,
                sequence=2,
                status=Status.RESOLVED,
                resolved_at=NOON + timedelta(minutes=minutes),
            )
        )
        for number, minutes in ((1, 10), (2, 20), (3, 60))
    ]
    for _ in range(2):
        await store(clickhouse, [row for it in lives for row in rows_of(it)])

    assert await count(clickhouse, "incident_timeline") == 3
    reader = CliRunner(env={"TOCSIN_WAREHOUSE": server.url(User.READER)})
    reported = await asyncio.to_thread(reader.invoke, report_command, ["mttr", "--json"])
    assert reported.exit_code == 0, reported.output
    [resolved] = [row for row in json.loads(reported.output)["rows"] if row["measure"] == "TTR"]
    assert (resolved["incidents"], resolved["counted"]) == (3, 3)
    assert (resolved["mean_seconds"], resolved["p50_seconds"]) == (1800.0, 1200.0)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO schema_migrations (number) VALUES (99)",
        "DROP TABLE incidents",
        "CREATE TABLE mine (a UInt8) ENGINE = MergeTree ORDER BY a",
        "SELECT * FROM system.query_log",
        "SELECT * FROM url('http://127.0.0.1:8123/ping', 'RawBLOB')",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
        "SELECT 1 SETTINGS max_memory_usage = 0",
    ],
)
async def test_a_reader_does_no_more_than_read(
    clickhouse: ClickHouse, server: Server, statement: str
) -> None:
    """A dashboard is open to people who may not change history."""
    refused = await asyncio.to_thread(server.ask, statement, User.READER, database="tocsin")
    assert refused.status_code >= 400, refused.text


async def test_nobody_asks_without_a_password(server: Server) -> None:
    """The image has a user without one, unless it is taken out."""
    refused = await asyncio.to_thread(server.ask, "SELECT 1", None)
    assert refused.status_code >= 400, refused.text
