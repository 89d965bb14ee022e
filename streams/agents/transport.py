"""
Chunked topics for Faust: one Faust message carries many records of one partition.

Faust's cost is per message, not per byte; a chunk pays it once. Agents, assignment, rebalancing and commits
stay Faust's. What is overridden here is private to Faust 0.15.3: ``tests/unit/agents/test_transport.py`` fails on any
other version and says what to look at.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, overload

import faust
from faust.transport.consumer import RecordMap, ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from streams.agents.fetched import Record, as_unpacked, fetch_light_records, whole

#: Records in one chunk: bounds how long one step holds the event loop.
RECORDS_IN_CHUNK = 2_000
#: Records of one partition that are delivered and not yet taken in: bounds memory, and is the back-pressure.
RECORDS_IN_FLIGHT = 4 * RECORDS_IN_CHUNK

#: Milliseconds that the broker waits for news before it answers that there are none.
FETCH_WAIT_MS = 100

#: Seconds between two fetches that bring few records: each has its price, however much it brings.
FEW_APART = 0.01
FEW_RECORDS = 1_000

#: Seconds between two looks at partitions that are all held back.
_HELD = 0.005
#: Seconds to wait for the others while some partitions are held back.
_PARTLY_HELD = 0.02


class Chunk(Sequence[Record]):
    """Consecutive records of one partition; each is made whole when it is asked for, because most are only glanced at."""

    __slots__ = ("place", "unpacked")

    def __init__(self, place: TP, unpacked: list[Any]) -> None:
        self.place = place
        #: The records as they were fetched: they do not say where they are from.
        self.unpacked = unpacked

    def __len__(self) -> int:
        return len(self.unpacked)

    @overload
    def __getitem__(self, number: int) -> Record: ...

    @overload
    def __getitem__(self, number: slice) -> "Chunk": ...

    def __getitem__(self, number: int | slice) -> "Record | Chunk":
        if isinstance(number, slice):
            return Chunk(self.place, self.unpacked[number])
        return whole(self.place, self.unpacked[number])

    def __iter__(self) -> Iterator[Record]:
        return map(partial(whole, self.place), self.unpacked)

    def after(self, position: int) -> "Chunk":
        """Return the records from *position* on."""
        if not self.unpacked or self.unpacked[0].offset >= position:
            return self
        return Chunk(self.place, [each for each in self.unpacked if each.offset >= position])

    def clear(self) -> None:
        """Let go of the records."""
        self.unpacked = []


class Delivery:
    """One chunk handed to an agent: where to commit once it is done with."""

    __slots__ = ("commit_at", "done", "records", "taken")

    def __init__(self, commit_at: int, records: int) -> None:
        self.commit_at = commit_at
        self.records = records
        #: Whether its records need no memory any more.
        self.taken = False
        #: Whether it may be committed.
        self.done = False


class ChunkMessage(ConsumerMessage):
    """A message whose ``acked`` flag lives in its delivery, so the consumer need not keep the records alive."""

    __slots__ = ("delivery",)

    def __init__(self, delivery: Delivery, *args: Any, **kwargs: Any) -> None:
        self.delivery = delivery
        super().__init__(*args, **kwargs)

    @property
    def acked(self) -> bool:
        """Whether the agent is done with the chunk."""
        return self.delivery.done

    @acked.setter
    def acked(self, value: bool) -> None:
        self.delivery.done = value


class ChunkSchema(faust.Schema):
    """Marks a topic as chunked: events carry the chunk as it is, nothing is decoded."""

    def __init__(self, **kwargs: Any) -> None:
        raw = {
            "key_type": bytes,
            "value_type": bytes,
            "key_serializer": "raw",
            "value_serializer": "raw",
        }
        super().__init__(**{**raw, **kwargs})

    def compile(self, app: Any, **_: Any) -> Any:
        """Return the decoder that Faust calls for each message."""

        async def decode(message: Message, *, propagate: bool = False) -> Any:  # noqa: ARG001
            # The signature, and that it is a coroutine, are Faust's.
            return app.create_event(None, message.value, message.headers, message)

        return decode


class ChunkThread(driver.AIOKafkaConsumerThread):
    """Faust's thread that fetches, which does not let idle partitions hold up busy ones."""

    def _create_consumer(self, loop: Any) -> Any:
        fetch_light_records()
        consumer = super()._create_consumer(loop=loop)
        # aiokafka asks a broker one thing at a time, and Faust lets it wait 1.5 s for partitions without news: the others stood
        # still for so long as soon as what was fetched of them had been read.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - Faust has no setting for it
        # Faust decodes keys itself.
        consumer._key_deserializer = as_unpacked  # noqa: SLF001 - nor for this
        return consumer

    def move(self, partition: TP, offset: int) -> None:
        """Seek, in this thread, unless the partition has been taken away meanwhile."""
        consumer = self._ensure_consumer()
        if partition in consumer.assignment():
            consumer.seek(partition, offset)


class ChunkConsumer(driver.Consumer):
    """Faust's aiokafka consumer, delivering chunked topics a chunk at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chunked: set[str] = set()
        #: Delivered and not yet known to be done with, in offset order.
        self._inflight: dict[TP, deque[Delivery]] = defaultdict(deque)
        #: Next offset that is safe to commit.
        self._done: dict[TP, int] = {}
        #: When to ask for records again, so that there are more of them.
        self._ask_at = 0.0

    def _new_consumer_thread(self) -> Any:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching ---------------------------------------------------------------------------------

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:  # noqa: ASYNC109 - Faust's signature
        if not active_partitions:
            return await super()._getmany(active_partitions, timeout)
        await asyncio.sleep(self._ask_at - asyncio.get_running_loop().time())
        if self.app.rebalancing:
            # When recovery ends Faust resumes the partitions, then seeks, then empties its queues:
            # what is fetched in between would be lost where nothing is committed yet.
            held = {tp for tp in active_partitions if not self._is_changelog_tp(tp)}
        else:
            held = {tp for tp in active_partitions if self._settle(tp) >= RECORDS_IN_FLIGHT}
        ready = active_partitions - held
        if not ready:  # To aiokafka, an empty set would mean every partition.
            await asyncio.sleep(_HELD)
            return {}
        records = await super()._getmany(ready, _PARTLY_HELD if held else timeout)
        if 0 < sum(map(len, records.values())) < FEW_RECORDS:
            self._ask_at = asyncio.get_running_loop().time() + FEW_APART
        return {
            tp: list(_chop(tp, fetched)) if tp.topic in self._chunked else fetched
            for tp, fetched in records.items()
        }

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if type(record) is not Chunk:
            return super()._to_message(tp, whole(tp, record))
        last = record.unpacked[-1]
        delivery = Delivery(last.offset + 1, len(record))
        read = self._read_offset[tp]
        if read is None or last.offset >= read:  # Otherwise Faust drops the message as read before.
            self._inflight[tp].append(delivery)
        return ChunkMessage(
            delivery,
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            record,
            None,
            0,
            # How large the records are is of no interest to anybody here.
            0,
            ensure_TP(tp),
            generation_id=self.app.consumer_generation_id,
        )

    # -- offsets ----------------------------------------------------------------------------------

    def _settle(self, tp: TP) -> int:
        """Forget what is done with at the head of the line; return how many records nobody has taken in."""
        inflight = self._inflight.get(tp)
        if not inflight:
            return 0
        while inflight and inflight[0].done:
            self._done[tp] = inflight.popleft().commit_at
        return sum(delivery.records for delivery in inflight if not delivery.taken)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self._chunked:
            offset: int | None = super()._new_offset(tp)
            return offset
        self._settle(tp)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self._done.get(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        # On a rebalance Faust drops its own lists before the final commit: ours are offered as well.
        yield from super()._filter_tps_with_pending_acks(topics)
        for tp in self._inflight.keys() - self._acked.keys():
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        # The order of delivery, not the arithmetic of offsets, says what precedes a chunk.
        if tp.topic not in self._chunked:
            await super()._add_gap(tp, offset_from, offset_to)

    # -- positions --------------------------------------------------------------------------------

    def _forget(self, tps: Iterable[TP] | None = None) -> None:
        for tp in list(self._inflight) if tps is None else [ensure_TP(each) for each in tps]:
            self._inflight.pop(tp, None)
            self._done.pop(tp, None)

    async def perform_seek(self) -> None:
        """Return to the committed offsets; what was in flight will be delivered again."""
        self._forget()
        await super().perform_seek()

    async def seek(self, partition: TP, offset: int) -> None:
        """Move one partition; what was in flight of it will not be committed."""
        self._forget([partition])
        # Faust would do it in the caller's thread, while its own hands out the records that this throws away.
        await self._thread.call_thread(self._thread.move, partition, offset)
        self._read_offset[ensure_TP(partition)] = offset or None

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let Faust wait for the agents and commit, then forget."""
        await super().on_partitions_revoked(revoked)
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Learn which topics are chunked, then let Faust go on."""
        self._chunked = {
            name
            for topic in self.app.topics
            if isinstance(topic.schema, ChunkSchema)
            for name in topic.topics
        }
        await super().on_partitions_assigned(assigned, generation_id)


class ChunkTransport(driver.Transport):
    """Faust's aiokafka transport, whose consumer understands ``ChunkSchema``."""

    Consumer = ChunkConsumer


def _chop(place: TP, records: list[Any]) -> Iterator[Chunk]:
    for start in range(0, len(records), RECORDS_IN_CHUNK):
        yield Chunk(place, records[start : start + RECORDS_IN_CHUNK])
