"""Telemetry that is posted, through a real intake and a real detection, on a real broker."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from schemas.alerts import AlertV1
from schemas.topics import ALERTS, EXTERNAL, LOGS, METRICS
from streams.agents.dead_letters import REASON
from streams.gateways import policies
from streams.gateways.topics import create_topics
from streams.laptop.ports import free_port
from streams.releases import Release, released
from streams.settings import Settings
from tests.payloads import example, protobuf
from tests.pipeline import Worker, dead_letters, eventually, read_topic

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TOKEN = "token-of-the-producers"
POLICY = """
rules:
  - {name: others, kind: passthrough, severity: 3}
  - {name: queue, kind: threshold, metric: queue_length, compare: ">", threshold: 100, severity: 2}
intake:
  tokens: [{name: producers, token: token-of-the-producers, tenant: acme}]
"""


class Running:
    """An intake, and the detection that reads what it writes."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.port = free_port()
        arguments = ("-m", "streams", "intake", "--port", str(self.port))
        self.intake = Worker("intake", settings, folder, *arguments)
        self.workers = [self.intake]
        self._folder = folder

    def detect(self) -> None:
        self.workers.append(Worker("detect", self.settings, self._folder))

    async def ready(self) -> None:
        await eventually(lambda: all(each.ready() for each in self.workers), "ready", self.tails)

    def tails(self) -> str:
        return "\n".join(each.tail() for each in self.workers)

    async def post(self, path: str, body: bytes, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {TOKEN}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
            return await client.post(path, content=body, headers=given, timeout=30)

    async def alerts(self) -> dict[tuple[str, str, str], str]:
        """What is told of each tenant, rule and service last."""
        read = [
            AlertV1.from_wire(each.value) for each in await read_topic(self.settings, ALERTS.name)
        ]
        return {(each.tenant, each.rule, each.service): each.state.value for each in read}

    def end(self) -> None:
        for each in self.workers:
            if each.alive():
                each.kill()


@pytest_asyncio.fixture
async def running(broker: Any, tmp_path: Path) -> Any:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    settings = Settings(
        broker=broker.bootstrap,
        topic_prefix=f"intake{free_port()}.",
        policy=policy,
        state=tmp_path,
        **broker.client_settings,
    )
    await create_topics(settings)
    parts = Running(settings, tmp_path)
    try:
        yield parts
    finally:
        parts.end()


def queue_length(*of: tuple[str, float]) -> bytes:
    """A request of the Collector: one gauge of each service."""
    now = str(int(datetime.now(UTC).timestamp() * 1_000_000_000))
    resources = [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": service}}]
            },
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "queue_length",
                            "gauge": {"dataPoints": [{"timeUnixNano": now, "asDouble": value}]},
                        }
                    ]
                }
            ],
        }
        for service, value in of
    ]
    return protobuf(json.dumps({"resourceMetrics": resources}).encode())


def alertmanager(status: str, *services: str) -> bytes:
    group = json.loads(example("alertmanager", "firing").value)
    now = datetime.now(UTC).isoformat()
    group["alerts"] = [
        {
            "status": status,
            "labels": {"alertname": "Down", "service": service},
            "annotations": {"summary": "It is down"},
            "startsAt": now,
            "endsAt": now,
            "fingerprint": service,
        }
        for service in services
    ]
    return json.dumps(group).encode()


async def test_what_is_posted_fires_and_ends_alerts(running: Running) -> None:
    """Nothing else matters to whoever can only post."""
    running.detect()
    await running.ready()
    services = [f"service-{number}" for number in range(8)]
    protobuf_type = "application/x-protobuf"

    body = queue_length(*((service, 900.0) for service in services), ("calm", 1.0))
    said = await running.post("/v1/metrics", body, content_type=protobuf_type)
    assert (said.status_code, said.content) == (200, b""), running.tails()
    said = await running.post("/v1/signals/alertmanager", alertmanager("firing", *services))
    assert said.json() == {"accepted": 8}

    expected = {
        ("acme", rule, service): "firing" for rule in ("others", "queue") for service in services
    }

    async def fire() -> bool:
        return await running.alerts() == expected

    await eventually(fire, "all alerts fire", running.tails)
    # Each service is in one partition, whatever it was posted with.
    records = [
        record
        for topic in (METRICS, EXTERNAL)
        for record in await read_topic(running.settings, topic.name)
    ]
    places = {(record.key, record.partition) for record in records}
    assert len(places) == len({key for key, _ in places}) == 9
    assert len({partition for _, partition in places}) > 1

    # Their ends find them, also through the partitions of others.
    body = queue_length(*((service, 1.0) for service in reversed(services)))
    assert (await running.post("/v1/metrics", body, content_type=protobuf_type)).status_code == 200
    for service in services:
        await running.post("/v1/signals/external", alertmanager("resolved", service))

    async def ended() -> bool:
        return set((await running.alerts()).values()) == {"resolved"}

    await eventually(ended, "all alerts end", running.tails)


async def test_what_is_wrong_of_it_is_a_dead_letter_and_told_to_its_sender(
    running: Running,
) -> None:
    """Otherwise it would be lost, or take what is right with it."""
    running.detect()
    await running.ready()
    group = json.loads(alertmanager("firing", "shop", "bank", "till"))
    group["alerts"][1]["startsAt"] = "yesterday"
    said = await running.post("/v1/signals/alertmanager", json.dumps(group).encode())
    reason = "alerts[1].startsAt: is no RFC 3339 time"
    assert said.json() == {"accepted": 2, "rejected": 1, "detail": reason}

    async def two() -> bool:
        return {service for _, _, service in await running.alerts()} == {"shop", "till"}

    await eventually(two, "the others fire", running.tails)
    (letter,) = await eventually(
        lambda: dead_letters(running.settings, EXTERNAL), "it is put aside", running.tails
    )
    # Where it stands in what is left of it.
    assert dict(letter.headers)[REASON] == b"alerts[0].startsAt: is no RFC 3339 time"
    assert json.loads(letter.value)["alerts"] == [group["alerts"][1]]


async def test_a_token_that_is_withdrawn_lets_nobody_in_and_a_stop_loses_nothing(
    running: Running,
) -> None:
    """Whoever has a token that leaked could go on until somebody starts the intake again."""
    await running.ready()
    logs = example("otlp", "logs").value
    assert (
        await running.post("/v1/logs", logs, content_type="application/json")
    ).status_code == 200
    changed = POLICY.replace(TOKEN, "another-token-for-them")
    release = Release("operator", "leaked", datetime.now(UTC))
    settings = running.settings
    messages = released({"policy.yaml": changed}, None, release, settings.partitions)
    await policies.publish(settings, messages)

    async def refused() -> bool:
        said = await running.post("/v1/logs", logs, content_type="application/json")
        return said.status_code == 401

    await eventually(refused, "the old token is refused", running.tails)
    async with httpx.AsyncClient() as client:
        told = (await client.get(f"http://127.0.0.1:{running.intake.port}/metrics")).text
    assert 'tocsin_intake_requests_total{address="otlp",status="401"}' in told
    code, seconds = running.intake.stop()
    assert (code, seconds < 5) == (0, True)
    assert await read_topic(settings, LOGS.name)


async def test_without_a_broker_senders_keep_what_they_have(
    own_broker: Any, tmp_path: Path
) -> None:
    """An intake that said yes would lose it."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    settings = Settings(
        broker=own_broker.bootstrap, policy=policy, partitions=1, **own_broker.client_settings
    )
    running = Running(settings, tmp_path)
    group = alertmanager("firing", "shop")
    try:

        async def told() -> int:
            try:
                said = await running.post("/v1/signals/alertmanager", group)
            except httpx.HTTPError:
                return 0
            assert "Retry-After" in said.headers
            return said.status_code

        assert await eventually(told, "it answers", running.tails) == 503
        await own_broker.start()
        await create_topics(settings)
        await running.ready()
        assert (await running.post("/v1/signals/alertmanager", group)).status_code == 200
        await own_broker.stop()
        assert (await running.post("/v1/signals/alertmanager", group)).status_code == 503
    finally:
        running.end()
        await own_broker.stop()
