"""Chunked consumption, as far as it can be seen without a broker."""

import inspect
from collections import deque
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.agents.fetched import LightRecords, as_unpacked
from streams.agents.transport import (
    FETCH_WAIT_MS,
    RECORDS_IN_CHUNK,
    Chunk,
    ChunkConsumer,
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


def bare() -> ChunkConsumer:
    """A consumer without its app: only its own bookkeeping."""
    consumer = ChunkConsumer.__new__(ChunkConsumer)
    consumer._inflight = {}
    consumer._done = {}
    consumer._chunked = {"logs"}
    consumer._acked = {TP("logs", 0): []}
    consumer._acked_index = {TP("logs", 0): set()}
    return consumer


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
    place = TP("logs", 0)
    first, second = Delivery(10, 10), Delivery(20, 10)
    consumer._inflight[place] = deque([first, second])
    second.done = True
    assert consumer._new_offset(place) is None
    first.done = True
    assert consumer._new_offset(place) == 20


def test_records_in_flight_are_counted_until_they_are_finished() -> None:
    consumer = bare()
    place = TP("logs", 0)
    first, second = Delivery(10, 10), Delivery(25, 15)
    consumer._inflight[place] = deque([first, second])
    assert consumer._settle(place) == 25
    first.done = True
    assert consumer._settle(place) == 15


def test_after_a_seek_nothing_that_was_in_flight_is_committed() -> None:
    consumer = bare()
    place = TP("logs", 0)
    delivery = Delivery(10, 10)
    consumer._inflight[place] = deque([delivery])
    consumer._forget([place])
    delivery.done = True
    assert consumer._new_offset(place) is None


def test_a_chunked_topic_is_marked_by_its_schema() -> None:
    assert ChunkSchema().key_type is bytes
