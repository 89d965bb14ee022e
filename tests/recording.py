"""Fakes that remember: a log of records that never leaves the process."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.structs import RecordMetadata, TopicPartition
from faust.types import TP

from schemas.topics import DETECT_JOURNAL
from streams.agents.journal import Journal
from streams.agents.outgoing import Outgoing
from streams.agents.transport import Chunk
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

    async def send(self, records: Sequence[Outgoing]) -> None:
        self._maybe_fail("send")
        self.sent.extend(records)

    async def append(
        self, topic: str, partition: int, values: Sequence[tuple[bytes, bytes | None]]
    ) -> list[RecordMetadata]:
        self._maybe_fail("append")
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


@dataclass
class CountingDesk:
    """Counts the records of each key, and decides something at every third."""

    counts: dict[str, int] = field(default_factory=dict)
    changed: dict[str, bytes | None] = field(default_factory=dict)
    ticks: list[Any] = field(default_factory=list)

    def hear(self, topic: Any, record: Any) -> list[Outgoing]:
        del topic
        if record.value == b"fault":
            raise ZeroDivisionError
        name = record.key.decode()
        self.counts[name] = self.counts.get(name, 0) + 1
        self.changed[name] = str(self.counts[name]).encode()
        if self.counts[name] % 3:
            return []
        return [Outgoing("alerts", record.key, f"{name}={self.counts[name]}".encode())]

    def tick(self, tick: Any) -> list[Outgoing]:
        self.ticks.append(tick.occurred_at)
        return []

    def changes(self) -> Mapping[str, bytes | None]:
        changed, self.changed = self.changed, {}
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        self.counts = {name: int(value) for name, value in entries.items()}
