"""What measurements of one hop run on: a broker with topics, records written fast, workers as processes."""

import asyncio
import logging
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from prometheus_client.parser import text_string_to_metric_families

from streams.agents.outgoing import Emitter
from streams.agents.tick import Ticker
from streams.broker_access import as_texts
from streams.gateways.connecting import client
from streams.gateways.topics import create_topics
from streams.laptop.benches.folders import scratch
from streams.laptop.benches.processes import cpu_in
from streams.laptop.brokers.choosing import choose
from streams.laptop.children import Child
from streams.laptop.ports import free_port
from streams.setting_files import variable
from streams.settings import Settings

_BATCH: Final = 500
_STARTS_WITHIN: Final = 90.0
_ENDS_WITHIN: Final = 15.0
_LOOK_EVERY: Final = 0.1


class Worker:
    """One worker, as a process of its own."""

    def __init__(self, role: str, settings: Settings, folder: Path) -> None:
        self._port = free_port()
        # One for all questions: making one costs more than what is asked, of the same two cores.
        self._client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}")
        self._child = Child(
            role,
            [sys.executable, "-m", "streams", "worker", role],
            folder / f"{role}-{self._port}.log",
            {
                **{name: each for name, each in os.environ.items() if name[:7] != "TOCSIN_"},
                "TOCSIN_BROKER": settings.broker,
                **{variable(name): text for name, text in as_texts(settings).items()},
                "TOCSIN_TOPIC_PREFIX": settings.topic_prefix,
                "TOCSIN_PARTITIONS": str(settings.partitions),
                "TOCSIN_POLICY": str(settings.policy),
                "TOCSIN_WEB_PORT": str(self._port),
                "TOCSIN_LOG_LEVEL": "WARNING",
                "TOCSIN_IDEMPOTENT": str(settings.idempotent),
                "TOCSIN_LINGER": str(settings.linger.total_seconds()),
            },
        )

    async def __aenter__(self) -> Self:
        await self._child.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        await self._child.stop(_ENDS_WITHIN)

    async def ready(self) -> None:
        """Wait until it works."""
        async with asyncio.timeout(_STARTS_WITHIN):
            while True:
                try:
                    if (await self._client.get("/readyz")).is_success:
                        return
                except httpx.HTTPError:
                    pass
                if not self._child.running:
                    raise RuntimeError("\n".join(self._child.last_lines()))
                await asyncio.sleep(_LOOK_EVERY)

    async def figure(self, name: str) -> float:
        """Return the sum of one of its Prometheus metrics; 0 while it does not answer."""
        return sum(await self.figures(name))

    async def figures(self, name: str) -> list[float]:
        """Return one of its Prometheus metrics, a number for each set of labels; none while it does not answer."""
        try:
            answer = await self._client.get("/metrics", params={"name[]": name})
        except httpx.HTTPError:
            return []
        return [
            sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == name
        ]

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used."""
        return cpu_in(self._proc("stat"))

    def resident_bytes(self) -> int:
        """Return the memory that it holds."""
        return int(self._proc("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _proc(self, name: str) -> str:
        return (Path("/proc") / str(self._child.pid) / name).read_text()


@asynccontextmanager
async def stage(
    broker: str, policy: str, *, partitions: int
) -> AsyncIterator[tuple[Settings, Path]]:
    """Run a broker with all topics; yield settings with *policy*, and a folder that is thrown away."""
    # Topics are written to as soon as they are made: until their leaders know, each try is a warning.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    with scratch() as folder:
        chosen, _ = choose(broker, folder / "broker", free_port(), folder / "broker.log")
        await chosen.start()
        try:
            (folder / "policy.yaml").write_text(policy)
            settings = Settings.model_validate(
                {
                    "broker": chosen.bootstrap,
                    "partitions": partitions,
                    "policy": folder / "policy.yaml",
                    **chosen.client_settings,
                }
            )
            await create_topics(settings)
            yield settings, folder
        finally:
            await chosen.stop()


class Writer:
    """Writes records fast: batches are made here, not record by record."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = AIOKafkaProducer(**client(settings), acks="all", max_batch_size=1_000_000)
        self._places: dict[bytes, int] = {}

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def write(self, records: Iterable[tuple[str, bytes, bytes]]) -> dict[str, int]:
        """Write records of topic, key and value, in order for each key; return how many each topic got once all are confirmed."""
        counts: dict[str, int] = defaultdict(int)
        waiting: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
        confirmations: list[Any] = []
        for name, key, value in records:
            topic = self._settings.topic(name)
            place = topic, await self._partition(topic, key)
            waiting[place].append((key, value))
            counts[name] += 1
            if len(waiting[place]) == _BATCH:
                confirmations.append(await self._send(*place, waiting.pop(place)))
        for place, batch in waiting.items():
            confirmations.append(await self._send(*place, batch))
        for confirmation in confirmations:
            await confirmation
        return dict(counts)

    async def _partition(self, topic: str, key: bytes) -> int:
        found = self._places.get(key)
        if found is None:
            partitions = sorted(await self._producer.partitions_for(topic))
            # As every producer of ours chooses; all topics have the same number.
            found = self._places[key] = DefaultPartitioner()(key, partitions, partitions)
        return found

    async def _send(self, topic: str, partition: int, records: list[tuple[bytes, bytes]]) -> Any:
        builder = self._producer.create_batch()
        for key, value in records:
            builder.append(key=key, value=value, timestamp=None)
        builder.close()
        return await self._producer.send_batch(builder, topic, partition=partition)


@asynccontextmanager
async def ticking(settings: Settings) -> AsyncIterator[None]:
    """Send ticks, as the leader of an installation does."""
    emitter = Emitter(settings)
    ticker = Ticker(settings, emitter)
    await emitter.start()
    await ticker.start()
    task = asyncio.create_task(ticker.keep_ticking(lambda: True))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ticker.stop()
        await emitter.stop()
