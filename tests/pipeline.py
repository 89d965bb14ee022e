"""The hops as processes of their own, on a broker and a warehouse of the test's, with everything they wrote read back."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import TopicDeclaration
from streams.broker_access import as_texts
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.connecting import client
from streams.gateways.migrations import migrate
from streams.gateways.topics import create_topics
from streams.laptop.ports import free_port
from streams.settings import Settings

ROLES = ("detect", "incidents", "notify", "record")
#: Seconds within which anything that a test waits for has happened, even on a busy machine.
WITHIN = 90.0
#: Seconds after which a topic that was read to its end has nothing more: fewer than there are between two ticks, which never end.
AT_THE_END = 0.8


class Worker:
    """One hop, as a process."""

    def __init__(self, role: str, settings: Settings, folder: Path, *arguments: str) -> None:
        self.role = role
        self.port = free_port()
        self.log = folder / f"{role}-{self.port}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
            **environment_of(settings),
            "TOCSIN_WEB_PORT": str(self.port),
        }
        command = arguments or ("-m", "streams", "worker", role)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=1).is_success
        except httpx.HTTPError:
            return False

    def alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> tuple[int, float]:
        """End it as a supervisor does; return its exit code and how many seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15), time.monotonic() - started

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3_000:]


class Pipeline:
    """The hops of one installation."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.workers: dict[str, Worker] = {}

    async def prepare(self) -> None:
        await create_topics(self.settings)
        warehouse = ClickHouse(self.settings.warehouse)
        await migrate(warehouse)
        await warehouse.close()

    def start(self, *roles: str) -> None:
        for role in roles or ROLES:
            self.workers[role] = Worker(role, self.settings, self.folder)

    async def ready(self) -> None:
        for worker in self.workers.values():
            await eventually(
                lambda one=worker: one.ready() or not one.alive(),
                f"{worker.role} is ready",
                worker.tail,
            )
            assert worker.alive(), worker.tail()

    def tails(self) -> str:
        """The last that each worker logged."""
        return "\n".join(f"{name}:\n{each.tail()}" for name, each in self.workers.items())

    def end(self) -> None:
        for worker in self.workers.values():
            if worker.alive():
                worker.kill()


async def eventually(
    holds: Callable[[], Any], what: str, told: Callable[[], str] = str, *, within: float = WITHIN
) -> Any:
    """Wait until *holds* returns something true, and return it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while True:
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert loop.time() < until, f"after {within:.0f} s not true: {what}\n{told()}"
        await asyncio.sleep(0.1)


def environment_of(settings: Settings) -> dict[str, str]:
    values = {**settings.model_dump(mode="python"), **as_texts(settings)}
    values["warehouse"] = settings.warehouse.get_secret_value()
    for name in ("linger", "session_timeout"):
        values[name] = values[name].total_seconds()
    return {
        f"TOCSIN_{name.upper()}": str(value) for name, value in values.items() if value is not None
    }


async def command(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Type a command; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams", *arguments),
        env={**os.environ, **environment_of(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode()


async def publish(
    settings: Settings, topic: TopicDeclaration, messages: Iterable[Any], **how: Any
) -> None:
    """Publish contracts, or pairs of key and value, as a producer would."""
    async with producing(settings, **how) as producer:
        waiting = []
        for message in messages:
            key, value = (
                message
                if isinstance(message, tuple)
                else (topic.key_of(message), message.to_wire())
            )
            name = settings.topic(topic.name)
            waiting.append(await producer.send(name, key=key, value=value))
        for confirmation in waiting:
            await confirmation


class producing:  # noqa: N801 - reads as a verb at the call site
    """A plain producer, confirmed by the broker."""

    def __init__(self, settings: Settings, **how: Any) -> None:
        self._how = {
            **client(settings),
            "acks": "all",
            "enable_idempotence": settings.idempotent,
            "linger_ms": max(5, int(settings.linger.total_seconds() * 1000)),
            **how,
        }

    async def __aenter__(self) -> AIOKafkaProducer:
        self._producer = AIOKafkaProducer(**self._how)
        await self._producer.start()
        return self._producer

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()


async def read_topic(settings: Settings, name: str, partitions: int | None = None) -> list[Any]:
    """Return every record that is on a topic now, partition by partition, in order."""
    consumer = AIOKafkaConsumer(**client(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        places = [
            TopicPartition(settings.topic(name), number)
            for number in range(partitions or settings.partitions)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)

        async def all_read() -> bool:
            return all([await consumer.position(place) >= end for place, end in ends.items()])

        found: dict[int, list[Any]] = defaultdict(list)
        while True:
            # Some brokers tell the beginning of the last batch as the end: an empty answer settles it.
            wait = AT_THE_END if await all_read() else WITHIN
            fetched = await consumer.getmany(timeout_ms=int(wait * 1_000))
            if not fetched:
                break
            for place, records in fetched.items():
                found[place.partition].extend(records)
        return [record for number in sorted(found) for record in found[number]]
    finally:
        await consumer.stop()


async def ends_of(settings: Settings, name: str) -> dict[TopicPartition, int]:
    """Return the end of each partition of a topic."""
    consumer = AIOKafkaConsumer(**client(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(name), n) for n in range(settings.partitions)]
        return dict(await consumer.end_offsets(places))
    finally:
        await consumer.stop()


async def dead_letters(settings: Settings, topic: TopicDeclaration) -> list[Any]:
    return await read_topic(settings, topic.dead, 1)


@contextmanager
def ending(pipeline: Pipeline) -> Any:
    try:
        yield pipeline
    finally:
        pipeline.end()


def counted(rows: Iterable[Mapping[str, Any]], *names: str) -> dict[tuple[Any, ...], int]:
    """How many rows there are of each combination of values."""
    found: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in rows:
        found[tuple(row[name] for name in names)] += 1
    return dict(found)
