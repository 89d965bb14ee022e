"""Chunked consumption, as far as it can be seen without a broker."""

import asyncio
import inspect
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.agents.fetched import LightRecords, as_unpacked
from streams.agents.transport import (
    FETCH_WAIT_MS,
    FEW_APART,
    FEW_RECORDS,
    RECORDS_IN_CHUNK,
    RECORDS_IN_FLIGHT,
    Chunk,
    ChunkConsumer,
    ChunkMessage,
    ChunkSchema,
    ChunkThread,
    Delivery,
    _chop,
)
from tests.recording import Record

CHECK = """
Faust is another version than the one whose private methods streams/agents/transport.py overrides. Before the pin is moved, read
in faust/transport/consumer.py and faust/transport/drivers/aiokafka.py whether these still mean what transport.py relies on:
_getmany, _to_message, _new_offset, _filter_tps_with_pending_acks, _add_gap, perform_seek, seek, on_partitions_revoked,
on_partitions_assigned, _new_consumer_thread, AIOKafkaConsumerThread._create_consumer, _drain_messages (drops what lies below _read_offset), _acked, _acked_index; and in faust/tables/recovery.py
whether partitions are still resumed before the seek to the committed offsets. Then run `make test-kafka`.
"""

OVERRIDDEN = {
    "_getmany": ["self", "active_partitions", "timeout"],
    "_to_message": ["self", "tp", "record"],
    "_new_offset": ["self", "tp"],
    "_filter_tps_with_pending_acks": ["self", "topics"],
    "_add_gap": ["self", "tp", "offset_from", "offset_to"],
    "perform_seek": ["self"],
    "seek": ["self", "partition", "offset"],
    "_new_consumer_thread": ["self"],
    "on_partitions_revoked": ["self", "revoked"],
    "on_partitions_assigned": ["self", "assigned", "generation_id"],
}


def test_faust_is_the_version_whose_private_methods_are_overridden() -> None:
    assert version("faust-streaming") == "0.15.3", CHECK


def test_what_is_overridden_is_still_there() -> None:
    for name, parameters in OVERRIDDEN.items():
        method = getattr(driver.Consumer, name)
        assert list(inspect.signature(method).parameters) == parameters, f"{name}: {CHECK}"
    thread = inspect.signature(driver.AIOKafkaConsumerThread._create_consumer)
    assert list(thread.parameters) == ["self", "loop"], CHECK
    started = inspect.getsource(AIOKafkaConsumer.start)
    assert "_fetch_max_wait_ms" in started, CHECK
    assert "key_deserializer=self._key_deserializer" in started, CHECK
    source = inspect.getsource(faust_consumer.Consumer._drain_messages)
    assert "offset >= r_offset" in source, CHECK


PLACE, OTHER, CHANGES = TP("logs", 0), TP("logs", 1), TP("changes", 0)
PLAIN = TP("leader", 0)


def bare() -> ChunkConsumer:
    """A consumer without its app: only its own bookkeeping."""
    consumer = ChunkConsumer.__new__(ChunkConsumer)
    consumer._inflight = defaultdict(deque)
    consumer._done = {}
    consumer._ask_at = 0.0
    consumer._chunked = {"logs"}
    consumer._acked = defaultdict(list, {PLACE: []})
    consumer._acked_index = defaultdict(set)
    consumer._read_offset = dict.fromkeys((PLACE, OTHER, PLAIN))
    consumer.app = SimpleNamespace(
        rebalancing=False,
        consumer_generation_id=7,
        tables=SimpleNamespace(changelog_topics={"changes"}),
    )
    return consumer


def chunk(*offsets: int, place: TP = PLACE) -> Chunk:
    return Chunk(place, [Record(*place, offset, b"key", b"{}", (), 5_000) for offset in offsets])


class Thread:
    """Remembers what it was to do in Kafka's thread, and what was known of it then."""

    def __init__(self) -> None:
        self.move = object()
        self.called: list[tuple[Any, ...]] = []

    async def call_thread(self, *what: Any) -> None:
        self.called.append(what)


@dataclass
class Fetching:
    """What Faust asks its thread for, and what it is given."""

    found: dict[TP, list[Any]] = field(default_factory=dict)
    asked: list[tuple[set[TP], float]] = field(default_factory=list)


@pytest.fixture
def fetching(monkeypatch: pytest.MonkeyPatch) -> Fetching:
    fetched = Fetching()

    async def get(_: Any, places: set[TP], timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109 - Faust's signature
        fetched.asked.append((places, timeout))
        return fetched.found

    monkeypatch.setattr(driver.Consumer, "_getmany", get)
    return fetched


def test_a_chunk_is_bounded_and_nothing_is_left_out() -> None:
    records = [
        Record("logs", 0, offset, b"key", b"{}") for offset in range(2 * RECORDS_IN_CHUNK + 1)
    ]
    chunks = list(_chop(TP("logs", 0), records))
    assert [len(chunk) for chunk in chunks] == [RECORDS_IN_CHUNK, RECORDS_IN_CHUNK, 1]
    assert [record for chunk in chunks for record in chunk.unpacked] == records
    assert all(type(chunk) is Chunk for chunk in chunks)


def test_a_record_of_a_chunk_says_where_it_is_from() -> None:
    """An alert's place in the log, and a dead letter's, would be nowhere."""
    unpacked = [
        Record("", -1, offset, b"key", b"{}", [("source", b"host")]) for offset in (4, 6, 9)
    ]
    chunk = Chunk(TP("logs", 3), unpacked)
    for records in (list(chunk), [chunk[place] for place in range(len(chunk))], list(chunk[:])):
        assert [each.offset for each in records] == [4, 6, 9]
        assert {(each.topic, each.partition, each.headers) for each in records} == {
            ("logs", 3, (("source", b"host"),))
        }
    assert chunk.after(4) is chunk
    assert [each.offset for each in chunk.after(5)] == [6, 9]
    assert [each.offset for each in chunk.after(6)] == [6, 9]
    assert [each.offset for each in chunk.after(7)] == [9]
    assert not chunk.after(10)


def test_a_chunk_that_was_taken_in_keeps_no_records() -> None:
    """It waits to be acknowledged: a backlog would fill the memory."""
    chunk = Chunk(TP("logs", 3), [Record("logs", 3, 4, b"key", b"{}")])
    chunk.clear()
    assert not chunk.unpacked


def test_what_workers_fetch_is_left_as_it_was_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record would be made twice, and nothing else would show it."""
    fetching = SimpleNamespace(_key_deserializer=None, _fetch_max_wait_ms=1_500)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_consumer", lambda _, **__: fetching)
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    assert ChunkThread.__new__(ChunkThread)._create_consumer(loop=None) is fetching
    assert fetching._key_deserializer is as_unpacked
    assert fetching._fetch_max_wait_ms == FETCH_WAIT_MS
    assert fetcher.PartitionRecords is LightRecords


def test_only_what_has_no_unfinished_chunk_before_it_is_committed() -> None:
    """A chunk that is finished early would commit one that is not."""
    consumer = bare()
    first, second = Delivery(10, 10), Delivery(20, 10)
    consumer._inflight[PLACE] = deque([first, second])
    second.done = True
    assert consumer._new_offset(PLACE) is None
    first.done = True
    assert consumer._new_offset(PLACE) == 20


def test_records_in_flight_are_counted_until_they_are_finished() -> None:
    consumer = bare()
    first, second = Delivery(10, 10), Delivery(25, 15)
    consumer._inflight[PLACE] = deque([first, second])
    assert consumer._settle(PLACE) == 25
    first.done = True
    assert consumer._settle(PLACE) == 15


def test_after_a_seek_nothing_that_was_in_flight_is_committed() -> None:
    consumer = bare()
    delivery = Delivery(10, 10)
    consumer._inflight[PLACE] = deque([delivery])
    consumer._forget([PLACE])
    delivery.done = True
    assert consumer._new_offset(PLACE) is None


async def test_what_a_chunked_topic_carries_is_handed_out_as_it_is() -> None:
    """Faust would decode each chunk, and fail at it."""
    assert ChunkSchema().key_type is bytes
    app = SimpleNamespace(create_event=lambda *given: given)
    message = SimpleNamespace(value=chunk(4), headers=None)
    assert await ChunkSchema().compile(app)(message) == (None, message.value, None, message)


def test_what_was_taken_in_makes_room_before_it_is_committed() -> None:
    """Reading would stand still until the next entry of the journal."""
    consumer = bare()
    first, second = Delivery(10, 10), Delivery(25, 15)
    consumer._inflight[PLACE] = deque([first, second])
    second.taken = True
    assert consumer._settle(PLACE) == 10
    assert consumer._new_offset(PLACE) is None
    assert consumer._settle(OTHER) == 0


@pytest.mark.parametrize("assigned", [{PLACE, OTHER}, {OTHER}])
def test_reading_moves_only_where_the_partition_is_ours(assigned: set[TP]) -> None:
    """A seek in a partition that was taken away ends the thread, and with it the worker."""
    sought: list[tuple[TP, int]] = []
    thread = ChunkThread.__new__(ChunkThread)
    thread._consumer = SimpleNamespace(
        assignment=lambda: assigned, seek=lambda *where: sought.append(where)
    )
    thread.move(PLACE, 40)
    assert sought == [(PLACE, 40)] * (PLACE in assigned)


@pytest.mark.parametrize(("offset", "read"), [(40, 40), (0, None)])
async def test_reading_moves_in_the_thread_that_fetches(offset: int, read: int | None) -> None:
    """Faust would drop what comes as read before, or commit what was thrown away."""
    consumer = bare()
    consumer._thread = thread = Thread()
    consumer._read_offset = {PLACE: 90, OTHER: 80}
    consumer._inflight[PLACE], consumer._inflight[OTHER] = (
        deque([Delivery(9, 1)]),
        deque([Delivery(8, 1)]),
    )
    consumer._done[PLACE] = 70
    await consumer.seek(PLACE, offset)
    assert thread.called == [(thread.move, PLACE, offset)]
    assert consumer._read_offset == {PLACE: read, OTHER: 80}
    assert consumer._new_offset(PLACE) is None
    assert list(consumer._inflight) == [OTHER]


async def test_partitions_with_much_in_flight_wait_and_hold_up_no_other(fetching: Fetching) -> None:
    """Memory would fill with what nobody has taken in, or one busy partition would stop all."""
    consumer = bare()
    full, nearly = Delivery(9, RECORDS_IN_FLIGHT), Delivery(9, RECORDS_IN_FLIGHT - 1)
    consumer._inflight[PLACE], consumer._inflight[OTHER] = deque([full]), deque([nearly])
    await consumer._getmany({PLACE, OTHER}, 1.0)
    full.taken = True
    await consumer._getmany({PLACE, OTHER}, 1.0)
    (fewer, briefly), (all_of_them, long) = fetching.asked
    assert (fewer, all_of_them) == ({OTHER}, {PLACE, OTHER})
    assert briefly < long == 1.0

    full.taken, nearly.records = False, RECORDS_IN_FLIGHT
    # To aiokafka an empty set would mean every partition.
    assert await consumer._getmany({PLACE, OTHER}, 1.0) == {}
    assert len(fetching.asked) == 2


@pytest.mark.parametrize(
    ("records", "waits"),
    [
        pytest.param(0, False, id="what comes first is taken at once"),
        pytest.param(1, True, id="few: soon there are more"),
        pytest.param(FEW_RECORDS, False, id="many: there are more already"),
    ],
)
async def test_records_that_trickle_in_are_gathered(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch, *, records: int, waits: bool
) -> None:
    """Each fetch has its price: at a steady rate they would take most of a worker's time."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    consumer = bare()
    fetching.found = {PLACE: chunk(*range(records)).unpacked}
    await consumer._getmany({PLACE}, 1.0)
    await consumer._getmany({PLACE}, 1.0)
    assert [0 < each <= FEW_APART for each in slept] == [False, waits]


async def test_what_changes_while_records_gather_is_seen(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is fetched in a rebalance is thrown away."""
    consumer = bare()

    async def sleep(_: float) -> None:
        consumer.app.rebalancing = True

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert await consumer._getmany({PLACE}, 1.0) == {}
    assert fetching.asked == []


async def test_nothing_but_changelogs_is_fetched_during_a_rebalance(fetching: Fetching) -> None:
    """Faust throws it away: where nothing is committed yet nobody would notice."""
    consumer = bare()
    consumer.app.rebalancing = True
    await consumer._getmany({PLACE, CHANGES}, 1.0)
    assert fetching.asked[0][0] == {CHANGES}
    assert await consumer._getmany({PLACE}, 1.0) == {}
    await consumer._getmany(set(), 1.0)
    assert [places for places, _ in fetching.asked] == [{CHANGES}, set()]


async def test_what_is_fetched_of_chunked_topics_becomes_chunks(fetching: Fetching) -> None:
    consumer = bare()
    records = chunk(*range(RECORDS_IN_CHUNK + 1)).unpacked
    fetching.found = {PLACE: records, PLAIN: records[:2]}
    found = await consumer._getmany({PLACE, PLAIN}, 1.0)
    assert [(each.place, len(each)) for each in found[PLACE]] == [
        (PLACE, RECORDS_IN_CHUNK),
        (PLACE, 1),
    ]
    assert found[PLAIN] == records[:2]


def test_a_chunk_is_a_message_that_ends_where_its_last_record_does() -> None:
    """The commit after it would repeat its last records, or leave out the next one."""
    consumer = bare()
    made = consumer._to_message(PLACE, chunk(4, 6, 9))
    assert isinstance(made, ChunkMessage)
    assert (made.tp, made.offset, made.timestamp, made.generation_id) == (PLACE, 9, 5.0, 7)
    assert [record.offset for record in made.value] == [4, 6, 9]
    assert list(consumer._inflight[PLACE]) == [made.delivery]
    assert (made.delivery.commit_at, made.delivery.records) == (10, 3)
    assert not made.acked
    made.acked = True
    assert made.acked is True
    assert consumer._new_offset(PLACE) == 10


@pytest.mark.parametrize(("read", "waits"), [(None, True), (9, True), (10, False)])
def test_what_faust_drops_as_read_before_is_waited_for_by_nobody(
    read: int | None,
    waits: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Nothing after it could ever be committed."""
    consumer = bare()
    consumer._read_offset[PLACE] = read
    consumer._to_message(PLACE, chunk(4, 9))
    assert bool(consumer._inflight[PLACE]) is waits


def test_a_record_of_another_topic_stays_one_message() -> None:
    consumer = bare()
    (record,) = chunk(4, place=PLAIN).unpacked
    made = consumer._to_message(PLAIN, record)
    assert type(made) is not ChunkMessage
    assert (made.tp, made.offset, made.value) == (PLAIN, 4, b"{}")
    assert not consumer._inflight


def test_what_was_acknowledged_of_other_topics_is_committed_as_faust_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver.Consumer, "_new_offset", lambda _, place: (place, 5))
    consumer = bare()
    consumer._acked[PLACE], consumer._acked[PLAIN] = [1, 2], [3]
    consumer._acked_index[PLACE] = {1, 2}
    assert consumer._new_offset(PLAIN) == (PLAIN, 5)
    assert consumer._new_offset(PLACE) is None
    # Faust's own lists would grow for as long as the worker lives.
    assert (consumer._acked, consumer._acked_index) == ({PLACE: [], PLAIN: [3]}, {PLACE: set()})


def test_chunks_are_committed_before_their_partition_goes() -> None:
    """What was done with would be done again by whoever has it next."""
    consumer = bare()
    consumer._acked = {PLAIN: [1]}
    consumer._inflight[PLACE], consumer._inflight[OTHER] = deque(), deque()

    def pending(topics: set[Any] | None) -> set[TP]:
        return set(consumer._filter_tps_with_pending_acks(topics))

    assert pending(None) == {PLAIN, PLACE, OTHER}
    assert pending({OTHER}) == {OTHER}
    assert pending({"logs"}) == {PLACE, OTHER}
    assert pending({"leader"}) == {PLAIN}
    consumer._acked[PLACE] = []
    assert sorted(consumer._filter_tps_with_pending_acks(None)) == [PLAIN, PLACE, OTHER]


async def test_a_chunk_that_ends_far_on_leaves_no_gap_to_faust(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would hold a number in memory for each record of a backlog."""
    gaps: list[tuple[Any, ...]] = []

    async def add(_: Any, *gap: Any) -> None:
        gaps.append(gap)

    monkeypatch.setattr(driver.Consumer, "_add_gap", add)
    await bare()._add_gap(PLACE, 3, 2_000)
    await bare()._add_gap(PLAIN, 3, 9)
    assert gaps == [(PLAIN, 3, 9)]


@pytest.mark.parametrize(
    ("override", "change", "left"),
    [
        ("perform_seek", lambda it: it.perform_seek(), {}),
        ("on_partitions_revoked", lambda it: it.on_partitions_revoked({PLACE}), {OTHER: 8}),
    ],
)
async def test_what_was_in_flight_is_forgotten_with_its_place(
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    change: Callable[[ChunkConsumer], Any],
    left: dict[TP, int],
) -> None:
    """Chunks of before would be committed once others are: those in between were never read."""
    consumer = bare()
    at_fausts_turn: list[dict[TP, int]] = []

    async def faust(it: ChunkConsumer, *_: Any) -> None:
        at_fausts_turn.append(dict(it._done))

    monkeypatch.setattr(driver.Consumer, override, faust)
    for place, offset in ((PLACE, 9), (OTHER, 8)):
        consumer._inflight[place], consumer._done[place] = deque([Delivery(offset + 1, 1)]), offset
    await change(consumer)
    assert (consumer._done, consumer._inflight.keys()) == (left, left.keys())
    # Before a partition goes Faust commits what was done with; after a seek there is nothing to commit.
    assert at_fausts_turn == [{PLACE: 9, OTHER: 8} if left else {}]


async def test_what_is_chunked_is_known_before_anything_is_assigned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first records would be handed out one by one, to agents that expect chunks."""
    known: list[set[str]] = []

    async def faust(it: ChunkConsumer, *_: Any) -> None:
        known.append(it._chunked)

    monkeypatch.setattr(driver.Consumer, "on_partitions_assigned", faust)
    consumer = bare()
    consumer.app.topics = [
        SimpleNamespace(schema=ChunkSchema(), topics=["metrics", "logs"]),
        SimpleNamespace(schema=None, topics=["leader"]),
    ]
    await consumer.on_partitions_assigned({PLACE})
    assert known == [{"metrics", "logs"}]
