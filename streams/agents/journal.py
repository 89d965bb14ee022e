"""
The journal of a stateful hop: its state, its positions and what it decided, in one log.

Each entry says, all or nothing: so far I have read, this is what changed in my state, these messages follow. An entry is
confirmed by the broker before its messages are sent and before anything is acknowledged. A worker that takes a partition
over reads its journal and has the state exactly as it was at the positions that stand beside it. The messages of the last
entry may not have gone out: they are sent again, under the same ids.

Layout of one partition (a compacted topic):

* ``TOKEN``           a worker took over and calls itself TOKEN; what others write after it is void.
* ``TOKEN.e<n>.<i>``  part i of entry n.
* ``TOKEN.s<n>.<i>``  part i of a snapshot of the state as of entry n. Once it is complete, everything older gets a
                      tombstone.

No key is used twice, so compaction removes what has a tombstone and nothing else.

A worker that lost the partition without noticing finds out at its next entry: the offsets of one writer follow each other, and
where they do not it reads who wrote in between. Its entry is void, its messages are not sent, and it stops.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import JournalDeclaration
from streams.agents.outgoing import Emitter, Outgoing
from streams.errors import Unavailable
from streams.settings import Settings

#: Bytes after which a part is full, before compression and base64.
PART_BYTES: Final = 400_000
#: A snapshot is written when the entries since the last one outweigh it so many times, and this much at least.
SNAPSHOT_RATIO: Final = 2
SNAPSHOT_BYTES: Final = 4_000_000
#: Seconds without an answer after which taking a partition over fails.
PATIENCE: Final = 60.0


class LostPartition(Exception):
    """Another worker took this partition over."""


@dataclass
class Kept:
    """What a journal says."""

    #: Next offset to read, for each input topic.
    positions: dict[str, int] = field(default_factory=dict)
    #: The hop's state: JSON values by key.
    entries: dict[str, bytes] = field(default_factory=dict)
    #: The messages of the last entry.
    decided: list[Outgoing] = field(default_factory=list)
    #: Records that stopped a worker and were put aside: topic and offset.
    aside: set[tuple[str, int]] = field(default_factory=set)
    #: Number of the last entry.
    number: int = 0


class Replay:
    """Reads a journal's records in order, and knows what holds."""

    def __init__(self) -> None:
        self.kept = Kept()
        #: Keys of the records that a snapshot would replace.
        self.live: set[bytes] = set()
        #: Bytes of entries since the last snapshot.
        self.weight = 0
        self._owner = ""
        self._parts: list[dict[str, Any]] = []

    def hear(self, key: bytes, value: bytes | None) -> None:
        """Take in one record. A tombstone says nothing that the snapshot before it did not."""
        if value is None:
            self.live.discard(key)
            return
        self.live.add(key)
        said = orjson.loads(value)
        if not said:
            self._owner = key.decode()
            self._parts = []
            return
        if said["owner"] != self._owner:
            return
        if said["part"] == 0:
            self._parts = []
        self._parts.append(said)
        if len(self._parts) < said["parts"]:
            return
        self._apply(self._parts)
        self.weight = 0 if said["snapshot"] else self.weight + len(value)
        self._parts = []

    def _apply(self, parts: list[dict[str, Any]]) -> None:
        kept, head = self.kept, parts[0]
        if head["snapshot"]:
            kept.entries.clear()
        kept.number = head["number"]
        kept.positions = head["positions"]
        kept.decided = [Outgoing.from_json(each) for part in parts for each in part["decided"]]
        kept.aside = {(topic, offset) for topic, offset in head["aside"]}
        for part in parts:
            for name, value in part["changes"].items():
                if value is None:
                    kept.entries.pop(name, None)
                else:
                    kept.entries[name] = orjson.dumps(value)


class Journal:
    """One partition of a journal, owned by this process."""

    def __init__(
        self, declared: JournalDeclaration, partition: int, settings: Settings, emitter: Emitter
    ) -> None:
        self._declared = declared
        self._partition = partition
        self._settings = settings
        self._emitter = emitter
        self._token = secrets.token_hex(8)
        self._replay = Replay()
        #: Offset that our next record gets unless somebody else writes.
        self._next = 0

    @property
    def kept(self) -> Kept:
        """What the journal says as of the last entry."""
        return self._replay.kept

    async def take_over(self) -> None:
        """
        Become the owner and read everything.

        Ownership is written first and read back: what precedes it is complete, whatever the broker says about its
        end offsets.

        Raises:
            Unavailable: The broker does not answer.
        """
        written = await self._emitter.append(
            self._declared.name, self._partition, [(self._owner, b"{}")]
        )
        self._next = written[0].offset + 1
        async for key, value in self._records_from(None):
            self._replay.hear(key, value)
            if key == self._owner:
                return

    @property
    def _owner(self) -> bytes:
        return self._token.encode()

    async def _records_from(self, offset: int | None) -> AsyncIterator[tuple[bytes, bytes | None]]:
        """Yield the partition's records from *offset*, or the beginning; the caller knows where it ends."""
        place = TopicPartition(self._settings.topic(self._declared.name), self._partition)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.broker,
            client_id="tocsin-journal",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await consumer.start()
                consumer.assign([place])
                if offset is None:
                    await consumer.seek_to_beginning(place)
                else:
                    consumer.seek(place, offset)
            while True:
                async with asyncio.timeout(PATIENCE):
                    record = await consumer.getone()
                yield record.key, record.value
        except TimeoutError:
            message = (
                f"{place.topic}/{place.partition} could not be read: no answer in {PATIENCE:.0f} s"
            )
            raise Unavailable(message) from None
        finally:
            await consumer.stop()

    async def append(
        self,
        positions: Mapping[str, int],
        changes: Mapping[str, bytes | None],
        decided: Iterable[Outgoing],
        aside: Iterable[tuple[str, int]] = (),
    ) -> None:
        """
        Write one entry; on return the broker has confirmed it.

        Raises:
            LostPartition: Another worker has the partition; the entry is void.
        """
        records = list(
            self._records(
                kind="e",
                number=self.kept.number + 1,
                positions=positions,
                changes=changes,
                decided=list(decided),
                aside=sorted(aside),
            )
        )
        await self._write(records)
        if self._replay.weight > max(SNAPSHOT_BYTES, SNAPSHOT_RATIO * self._state_bytes()):
            await self._snapshot()

    async def _snapshot(self) -> None:
        kept = self.kept
        replaced = sorted(self._replay.live - {self._owner})
        await self._write(
            list(
                self._records(
                    kind="s",
                    number=kept.number,
                    positions=kept.positions,
                    changes=dict(kept.entries),
                    decided=kept.decided,
                    aside=sorted(kept.aside),
                )
            )
        )
        await self._write([(key, None) for key in replaced])

    async def _write(self, records: list[tuple[bytes, bytes | None]]) -> None:
        written = await self._emitter.append(self._declared.name, self._partition, records)
        if written[-1].offset + 1 != self._next + len(records):
            await self._check_ownership(records[-1][0])
        self._next = written[-1].offset + 1
        for key, value in records:
            self._replay.hear(key, value)

    async def _check_ownership(self, last: bytes) -> None:
        """Read what others wrote between our records, up to the one with the key *last*."""
        async for key, value in self._records_from(self._next):
            if key == last:
                return
            if value == b"{}":
                message = (
                    f"{self._declared.name}/{self._partition} was taken over by another worker"
                )
                raise LostPartition(message)

    def _state_bytes(self) -> int:
        return sum(map(len, self.kept.entries.values()))

    def _records(  # noqa: PLR0913 - the fields of one record
        self,
        *,
        kind: str,
        number: int,
        positions: Mapping[str, int],
        changes: Mapping[str, bytes | None],
        decided: list[Outgoing],
        aside: list[tuple[str, int]],
    ) -> Iterator[tuple[bytes, bytes | None]]:
        parts = list(_parted(changes, decided))
        for place, part in enumerate(parts):
            yield (
                f"{self._token}.{kind}{number}.{place}".encode(),
                orjson.dumps(
                    {
                        "owner": self._token,
                        "snapshot": kind == "s",
                        "number": number,
                        "part": place,
                        "parts": len(parts),
                        "positions": positions if place == 0 else {},
                        "decided": [each.to_json() for each in part.decided],
                        "aside": aside if place == 0 else [],
                        "changes": {
                            name: None if value is None else orjson.Fragment(value)
                            for name, value in part.changes.items()
                        },
                    }
                ),
            )


@dataclass
class _Part:
    """What one record of an entry holds."""

    changes: dict[str, bytes | None] = field(default_factory=dict)
    decided: list[Outgoing] = field(default_factory=list)
    size: int = 0


def _parted(changes: Mapping[str, bytes | None], decided: Sequence[Outgoing]) -> Iterator[_Part]:
    """Yield *changes* and *decided* in pieces of about ``PART_BYTES``; at least one, perhaps empty."""
    part = _Part()
    for name, value in changes.items():
        part.changes[name] = value
        part.size += len(name) + len(value or b"")
        if part.size >= PART_BYTES:
            yield part
            part = _Part()
    for each in decided:
        part.decided.append(each)
        part.size += each.size
        if part.size >= PART_BYTES:
            yield part
            part = _Part()
    if part.changes or part.decided or not (changes or decided):
        yield part
