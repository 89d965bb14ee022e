"""
The journal of a stateful hop: its state, its positions and what it decided, in one log.

Each entry says, all or nothing: so far I have read, from there on read again, this is what changed in my state, these messages
follow. An entry is
confirmed by the broker before its messages are sent and before anything is acknowledged. A worker that takes a partition
over reads its journal and has the state exactly as it was at the positions that stand beside it. The messages of the last
entry may not have gone out: they are sent again, under the same ids.

Layout of one partition (a compacted topic):

* ``TOKEN``           a worker took over and calls itself TOKEN; what others write after it is void.
* ``TOKEN.e<n>.<i>``  part i of entry n.

Most of what an old entry says is said anew by younger ones. Where too much of the log is outdated, each new entry also repeats
what still holds of the oldest ones, and these get tombstones: so the log stays a few times as large as the state, and no
write has to wait for a snapshot of everything. No key is used twice, so compaction removes what has a tombstone and nothing else.

A worker that lost the partition without noticing finds out at its next entry: the offsets of one writer follow each other, and
where they do not it reads who wrote in between. Its entry is void, its messages are not sent, and it stops.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import JournalDeclaration
from streams.agents.outgoing import Emitter, Outgoing
from streams.errors import Unavailable
from streams.gateways.connecting import client
from streams.settings import Settings

#: Bytes after which a part is full, before compression and base64.
PART_BYTES: Final = 400_000
#: Old entries are repeated when the log outweighs the state so many times, and this much at least.
OUTDATED_RATIO: Final = 3
OUTDATED_BYTES: Final = 4_000_000
#: Bytes of old entries that go with a new one: so many times its own, and this much at least.
CLEANED_RATIO: Final = 2
CLEANED_BYTES: Final = 200_000
#: Seconds without an answer after which taking a partition over fails.
PATIENCE: Final = 60.0


class LostPartition(Exception):
    """Another worker took this partition over."""


@dataclass
class Kept:
    """What a journal says."""

    #: Next offset to read, for each input topic.
    positions: dict[str, int] = field(default_factory=dict)
    #: Next offset to read to find again what is in no entry; at most that position.
    resume: dict[str, int] = field(default_factory=dict)
    #: The hop's state: JSON values by key.
    entries: dict[str, bytes] = field(default_factory=dict)
    #: The messages of the last entry.
    decided: list[Outgoing] = field(default_factory=list)
    #: Records that stopped a worker and were put aside: topic and offset.
    aside: set[tuple[str, int]] = field(default_factory=set)
    #: Next offset that may be passed over at a glance, where a glance stopped a worker.
    whole: dict[str, int] = field(default_factory=dict)
    #: Number of the last entry.
    number: int = 0


class _Said(msgspec.Struct, gc=False):
    """One part of an entry. The first part has what is said once."""

    owner: str
    number: int
    part: int
    parts: int
    positions: dict[str, int]
    resume: dict[str, int]
    decided: list[Any]
    aside: list[tuple[str, int]]
    changes: dict[str, msgspec.Raw]
    whole: dict[str, int] = {}


_READ: Final = msgspec.json.Decoder(_Said).decode
_OWNS: Final = b"{}"


@dataclass(eq=False, slots=True)
class _Live:
    """A record that has no tombstone."""

    size: int
    owner: str
    #: The entries that it changed.
    names: list[str] = field(default_factory=list)


class Replay:
    """Reads a journal's records in order, and knows what holds."""

    def __init__(self) -> None:
        self.kept = Kept()
        #: Records by key, oldest first.
        self.live: dict[bytes, _Live] = {}
        #: Bytes of these, and of the state.
        self.log_bytes = 0
        self.state_bytes = 0
        #: The record that says of each entry what holds.
        self._where: dict[str, _Live] = {}
        self._owner = ""
        self._parts: list[tuple[_Live, _Said]] = []

    def hear(self, key: bytes, value: bytes | None) -> None:
        """Take in one record."""
        if value is None:
            self._drop(key)
            return
        if value == _OWNS:
            self._owner = key.decode()
            self._parts = []
            self._live(key, _Live(len(value), self._owner))
            return
        said = _READ(value)
        record = _Live(len(value), said.owner)
        self._live(key, record)
        if said.owner != self._owner:
            return
        if said.part == 0:
            self._parts = []
        if said.part == len(self._parts):  # A producer can have repeated one.
            self._parts.append((record, said))
            if len(self._parts) == said.parts:
                self._apply()

    def _live(self, key: bytes, record: _Live) -> None:
        self.log_bytes += record.size - (self.live[key].size if key in self.live else 0)
        self.live[key] = record

    def _drop(self, key: bytes) -> None:
        record = self.live.pop(key, None)
        if record is None:
            return
        self.log_bytes -= record.size
        for name in record.names:
            if self._where.get(name) is record:
                # What still held was said anew before this: so the entry ended, and compaction has taken the record that said so.
                del self._where[name]
                self.state_bytes -= len(self.kept.entries.pop(name))

    def _apply(self) -> None:
        kept, head = self.kept, self._parts[0][1]
        kept.number = head.number
        kept.positions = head.positions
        kept.resume = head.resume
        kept.decided = [
            Outgoing.from_json(each) for _, part in self._parts for each in part.decided
        ]
        kept.aside = set(head.aside)
        kept.whole = head.whole
        for record, part in self._parts:
            for name, raw in part.changes.items():
                value = bytes(raw)
                self.state_bytes -= len(kept.entries.get(name, b""))
                if value == b"null":
                    kept.entries.pop(name, None)
                    self._where.pop(name, None)
                else:
                    kept.entries[name] = value
                    self.state_bytes += len(value)
                    self._where[name] = record
                    record.names.append(name)
        self._parts = []

    def outdated(self, budget: int) -> tuple[list[bytes], dict[str, bytes]]:
        """
        Return the keys of the oldest records that can go, about *budget* bytes of them, and the entries that must be said anew then.

        None go while the log is not much larger than the state, and never the last entry.
        """
        keys: list[bytes] = []
        anew: dict[str, bytes] = {}
        excess = self.log_bytes - max(OUTDATED_BYTES, OUTDATED_RATIO * self.state_bytes)
        if excess <= 0:
            return keys, anew
        last = f"{self._owner}.e{self.kept.number}.".encode()
        left: Counter[str] = Counter()
        markers: dict[str, bytes] = {}
        for key, record in self.live.items():
            if key.startswith(last):
                break
            if b"." not in key:
                # What it wrote holds as long as this stands.
                markers[record.owner] = key
                continue
            if budget <= 0:
                left[record.owner] += 1
                continue
            budget -= record.size
            keys.append(key)
            for name in record.names:
                if self._where.get(name) is record:
                    anew[name] = self.kept.entries[name]
        for owner, key in markers.items():
            if owner == self._owner or left[owner]:
                # This one, and what came later, say what is void of what still stands.
                break
            keys.append(key)
        return keys, anew


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
    def partition(self) -> int:
        """Number of the partition."""
        return self._partition

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
            self._declared.name, self._partition, [(self._owner, _OWNS)]
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
            **client(self._settings),
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

    async def append(  # noqa: PLR0913 - an entry says all of this at once, or nothing
        self,
        positions: Mapping[str, int],
        changes: Mapping[str, bytes | None],
        decided: Iterable[Outgoing],
        aside: Iterable[tuple[str, int]] = (),
        *,
        resume: Mapping[str, int] | None = None,
        whole: Mapping[str, int] | None = None,
    ) -> None:
        """
        Write one entry; on return the broker has confirmed it. *resume* is *positions* where it is left out, *whole* is ``Kept.whole``.

        Raises:
            LostPartition: Another worker has the partition; the entry is void.
        """
        weight = sum(len(value or b"") for value in changes.values())
        gone, anew = self._replay.outdated(max(CLEANED_BYTES, CLEANED_RATIO * weight))
        records = list(
            self._records(
                positions=positions,
                resume=positions if resume is None else resume,
                changes={**anew, **changes},
                decided=list(decided),
                aside=sorted(aside),
                whole=whole or {},
            )
        )
        await self._write(records)
        if gone:
            await self._write([(key, None) for key in gone])

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
            if value == _OWNS:
                message = (
                    f"{self._declared.name}/{self._partition} was taken over by another worker"
                )
                raise LostPartition(message)

    def _records(  # noqa: PLR0913 - likewise
        self,
        *,
        positions: Mapping[str, int],
        resume: Mapping[str, int],
        changes: Mapping[str, bytes | None],
        decided: list[Outgoing],
        aside: list[tuple[str, int]],
        whole: Mapping[str, int],
    ) -> Iterator[tuple[bytes, bytes | None]]:
        parts = list(_parted(changes, decided))
        number = self.kept.number + 1
        for place, part in enumerate(parts):
            yield (
                f"{self._token}.e{number}.{place}".encode(),
                orjson.dumps(
                    {
                        "owner": self._token,
                        "number": number,
                        "part": place,
                        "parts": len(parts),
                        "positions": positions if place == 0 else {},
                        "resume": resume if place == 0 else {},
                        "decided": [each.to_json() for each in part.decided],
                        "aside": aside if place == 0 else [],
                        "whole": whole if place == 0 else {},
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
