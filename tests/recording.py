"""Fakes that remember: a log of records that never leaves the process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka.structs import RecordMetadata, TopicPartition
from faust.types import TP

from schemas.topics import DETECT_JOURNAL
from streams.agents.checkpoints import Slice
from streams.agents.journal import Journal
from streams.agents.outgoing import Outgoing
from streams.agents.transport import Chunk, ChunkSchema, Delivery
from streams.settings import Settings


@dataclass(frozen=True)
class Record:
    """What a hop sees of a consumed record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    #: Milliseconds since 1970; -1 where the broker has none.
    timestamp: int = -1
    timestamp_type: int = 0


def chunk_of(records: Sequence[Record]) -> Chunk:
    """Neighbours in one partition, as the transport hands them out."""
    return Chunk(TP(records[0].topic, records[0].partition), list(records))


class RecordingEmitter:
    """Takes what a hop sends, in order; journals are kept by topic and partition."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.appended: list[tuple[bytes, bytes | None]] = []
        #: Set to make the next call fail, as a crash at that moment would.
        self.fail_next: str | None = None
        #: Where there is one, confirmations of the journal wait for it.
        self.slow: asyncio.Event | None = None

    async def send(self, records: Sequence[Outgoing]) -> None:
        self._maybe_fail("send")
        self.sent.extend(records)

    async def append(
        self, topic: str, partition: int, values: Sequence[tuple[bytes, bytes | None]]
    ) -> list[RecordMetadata]:
        self._maybe_fail("append")
        if self.slow:
            await self.slow.wait()
        start = len(self.appended)
        self.appended.extend(values)
        place = TopicPartition(topic, partition)
        return [
            RecordMetadata(topic, partition, place, start + count, 0, 0, 0)
            for count in range(len(values))
        ]

    def _maybe_fail(self, call: str) -> None:
        if self.fail_next == call:
            self.fail_next = None
            raise ConnectionError(call)


class ListJournal(Journal):
    """A journal whose partition is the recording emitter's list."""

    def __init__(self, emitter: RecordingEmitter, partition: int = 0) -> None:
        super().__init__(DETECT_JOURNAL, partition, Settings(), emitter)  # type: ignore[arg-type]
        self._log = emitter.appended

    async def _records_from(self, offset: int | None) -> AsyncIterator[tuple[bytes, bytes | None]]:
        for record in self._log[offset or 0 :]:
            yield record


@dataclass
class Event:
    """A Faust event, as far as a slice cares."""

    acked: bool = False

    def ack(self) -> None:
        self.acked = True


async def took(piece: Slice, chunk: Chunk, event: Any) -> None:
    """Let *piece* take a chunk with none behind it, as a hop does."""
    await piece.take(chunk, event)
    await piece.settle()


class Moment:
    """Something that an app tells its parts of."""

    def __init__(self) -> None:
        self._told: list[Callable[..., Any]] = []

    def connect(self, told: Callable[..., Any]) -> None:
        self._told.append(told)

    async def comes(self, *facts: Any) -> None:
        for told in self._told:
            await told(None, *facts)


@dataclass
class Consumer:
    """Where a worker reads: it remembers where reading was moved to."""

    sought: list[tuple[TP, int]] = field(default_factory=list)
    ends: dict[TP, int] = field(default_factory=dict)

    async def seek(self, place: TP, offset: int) -> None:
        self.sought.append((place, offset))

    def highwater(self, place: TP) -> int | None:
        return self.ends.get(place)


class Read:
    """A chunk as Faust hands it out."""

    def __init__(self, *records: Record) -> None:
        self.value = chunk_of(records)
        delivery = Delivery(records[-1].offset + 1, len(records))
        self.message = SimpleNamespace(**self.value.place._asdict(), delivery=delivery)
        self.acked = asyncio.Event()

    def ack(self) -> None:
        self.acked.set()


class Stream:
    """Hands out what it is given; nothing of it is acknowledged by itself."""

    def __init__(self, chunks: Iterable[Read]) -> None:
        self._chunks = chunks
        self._acknowledges = True

    def noack(self) -> "Stream":
        self._acknowledges = False
        return self

    async def events(self) -> AsyncIterator[Read]:
        assert not self._acknowledges
        for chunk in self._chunks:
            yield chunk


class RecordingApp:
    """What a hop needs of Faust: it tells of partitions and of the end, and hands out chunks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.emitter = RecordingEmitter()
        self.consumer = Consumer()
        self.on_partitions_assigned = Moment()
        self.on_partitions_revoked = Moment()
        self.on_before_shutdown = Moment()
        self.tasks: list[Callable[[], Any]] = []
        self.futures: list[asyncio.Future[Any]] = []
        self.topics: tuple[str, ...] = ()

    def topic(self, *names: str, schema: Any, partitions: int, internal: bool) -> None:
        # Otherwise Faust hands out single records, or makes the topics itself.
        assert isinstance(schema, ChunkSchema)
        assert (partitions, internal) == (self.settings.partitions, True)
        self.topics = names

    def agent(self, _: Any, name: str) -> Callable[..., None]:
        del name

        def keep(run: Callable[..., Any]) -> None:
            self._run = run

        return keep

    def task(self, what: Callable[[], Any]) -> None:
        self.tasks.append(what)

    def ready_when(self, missing: Callable[[], str | None]) -> None:
        self.missing = missing

    def add_future(self, what: Any) -> None:
        self.futures.append(asyncio.ensure_future(what))

    async def assign(self, *places: TP) -> None:
        """Give the worker partitions, and let it open them."""
        await self.on_partitions_assigned.comes(set(places))
        await asyncio.gather(*self.futures)

    async def reads(self, *chunks: Read) -> None:
        """Hand out *chunks* one after the other."""
        await self._run(Stream(chunks))


@dataclass
class Warehouse:
    """Keeps the rows that it is given, but for those that it is to refuse."""

    stored: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    #: By table: the place of a row in its insert, and why.
    refuses: dict[str, dict[int, str]] = field(default_factory=dict)
    #: What the next inserts end with.
    fails: list[Exception] = field(default_factory=list)
    inserts: int = 0

    async def insert_sparing(
        self, table: str, rows: Sequence[Mapping[str, Any]]
    ) -> list[tuple[int, str]]:
        self.inserts += 1
        if self.fails:
            raise self.fails.pop(0)
        refused = self.refuses.get(table, {})
        taken = [row for place, row in enumerate(rows) if place not in refused]
        self.stored.setdefault(table, []).extend(taken)
        return list(refused.items())


@dataclass
class CountingDesk:
    """Counts the records of each key, and decides something at every third."""

    counts: dict[str, int] = field(default_factory=dict)
    changed: dict[str, bytes | None] = field(default_factory=dict)
    ticks: list[Any] = field(default_factory=list)
    #: What it says to each record, and to each tick, whatever they are.
    says: list[Outgoing] = field(default_factory=list)
    at_ticks: list[Outgoing] = field(default_factory=list)
    #: What it fails with at a tick.
    fault: Exception | None = None

    def hear(self, topic: Any, record: Any) -> list[Outgoing]:
        del topic
        if record.value == b"fault":
            raise ZeroDivisionError
        name = record.key.decode()
        self.counts[name] = self.counts.get(name, 0) + 1
        self.changed[name] = str(self.counts[name]).encode()
        if self.says or self.counts[name] % 3:
            return self.says
        return [Outgoing("alerts", record.key, f"{name}={self.counts[name]}".encode())]

    def tick(self, tick: Any) -> list[Outgoing]:
        if self.fault is not None:
            raise self.fault
        self.ticks.append(tick.occurred_at)
        return self.at_ticks

    def changes(self) -> Mapping[str, bytes | None]:
        changed, self.changed = self.changed, {}
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        self.counts = {name: int(value) for name, value in entries.items()}
