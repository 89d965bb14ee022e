"""What integration tests share: the broker that ``TOCSIN_TEST_BROKER`` names, for the whole run."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from streams.laptop.brokers.choosing import choose
from streams.laptop.children import free_port

#: ``wheel``, ``apache``, ``docker``, or the ``HOST:PORT`` of one that runs.
WANTED: Final = os.environ.get("TOCSIN_TEST_BROKER", "wheel")
#: As in docker-compose.yml.
IMAGE: Final = "apache/kafka:4.1.1"
#: Ability to why this broker has it not.
CANNOT: Final[Mapping[str, Mapping[str, str]]] = {
    "wheel": {
        "idempotence": "the wheel broker answers no InitProducerId",
        "keeping state": "the wheel broker keeps everything in memory",
        "long runs": "minutes of kills are for `make test-kafka`, which proves more",
    },
    "docker": {"restart": "the broker runs in a container, its start is not ours"},
    "address": {"restart": "the broker is somebody else's"},
}


@dataclass(frozen=True)
class BrokerUnderTest:
    """A broker that answers."""

    kind: str
    bootstrap: str
    #: Fields of ``Settings`` that its clients need.
    client_settings: Mapping[str, Any] = field(default_factory=dict)

    def skip_unless(self, ability: str) -> None:
        """Skip the test where this broker lacks *ability*, and say why."""
        reason = CANNOT.get(self.kind, {}).get(ability)
        if reason is not None:
            pytest.skip(reason)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrokerUnderTest]:
    """One broker for all tests: topics are what keeps them apart."""
    if WANTED == "docker":
        async with _in_docker() as running:
            yield running
        return
    folder = tmp_path_factory.mktemp("broker")
    chosen, _ = choose(WANTED, folder / "state", free_port(), folder / "broker.log")
    await chosen.start()
    try:
        kind = WANTED if WANTED in {"wheel", "apache"} else "address"
        yield BrokerUnderTest(kind, chosen.bootstrap, dict(chosen.client_settings))
    finally:
        await chosen.stop()


@pytest.fixture
def own_broker(broker: BrokerUnderTest, tmp_path: Path) -> Any:
    """A broker that the test starts, stops and breaks itself."""
    broker.skip_unless("restart")
    chosen, _ = choose(broker.kind, tmp_path / "state", free_port(), tmp_path / "broker.log")
    return chosen


@asynccontextmanager
async def _in_docker() -> AsyncIterator[BrokerUnderTest]:
    container_module = pytest.importorskip("testcontainers.core.container")
    if not await docker_answers():
        pytest.skip("no Docker engine answers `docker version`")
    port = free_port()
    container = container_module.DockerContainer(IMAGE)
    # For this machine only, which ``with_bind_ports`` cannot say.
    container.ports[f"{port}/tcp"] = ("127.0.0.1", port)
    for name, value in _container_settings(port).items():
        container = container.with_env(f"KAFKA_{name}", value)
    with container:
        # It answers as any configured address does.
        chosen, _ = choose(f"127.0.0.1:{port}", Path(), port, Path())
        async with asyncio.timeout(60):
            await chosen.start()
        yield BrokerUnderTest("docker", chosen.bootstrap)


async def docker_answers() -> bool:
    """Whether there is an engine that starts containers."""
    try:
        asked = await asyncio.create_subprocess_exec(
            *("docker", "version"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return False
    try:
        async with asyncio.timeout(10):
            return await asked.wait() == 0
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return False


def _container_settings(port: int) -> dict[str, str]:
    return {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
    }
