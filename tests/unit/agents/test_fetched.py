"""Light records, on batches as a broker sends them."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.metadata import version

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.agents.fetched import (
    LightRecords,
    LightResult,
    Record,
    as_unpacked,
    fetch_light_records,
    whole,
)

CHECK = """
aiokafka is another version than the one whose private classes streams/agents/fetched.py overrides. Before the pin is moved, read in
aiokafka/consumer/fetcher.py whether PartitionRecords and FetchResult are still what Fetcher makes of a fetched partition, whether
_consumer_record still makes the records of what a batch yields, and what getall does. Then run `make test-kafka`.
"""

LEFT_OUT = {"checksum", "serialized_key_size", "serialized_value_size"}
HERE = TopicPartition("telemetry.metrics", 3)


def batch(first: int, values: list[bytes | None]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 100_000)
    for number, value in enumerate(values):
        headers = [("source", b"host")] if number % 2 else []
        builder.append(number, 1_700_000_000_000 + number, b"key", value, headers)
    made = bytearray(builder.build())
    made[0:8] = first.to_bytes(8)
    return bytes(made)


def read(kind: type, data: bytes, start: int, keys: Callable | None = None) -> Iterator:
    return kind(HERE, MemoryRecords(data), [], start, keys, None, True, 0)  # noqa: FBT003 - aiokafka's signature


def test_aiokafka_is_the_version_whose_private_class_is_overridden() -> None:
    assert version("aiokafka") == "0.14.0", CHECK
    assert "PartitionRecords(" in inspect.getsource(fetcher.Fetcher._proc_fetch_request), CHECK
    assert [each.name for each in fields(ConsumerRecord)] == list(Record._fields), CHECK


@pytest.mark.parametrize("start", [0, 7, 8, 9])
def test_a_light_record_says_what_a_heavy_one_does(start):
    data = batch(7, [b"one", None, b"three"])
    heavy = list(read(LightRecords.__base__, data, start))
    light = list(read(LightRecords, data, start))
    assert len(light) == len(heavy) == 3 - max(start - 7, 0)
    for ours, theirs in zip(light, heavy, strict=True):
        for name, value in ours._asdict().items():
            assert name in LEFT_OUT or getattr(theirs, name) == value


@pytest.mark.parametrize("start", [0, 8])
def test_a_record_as_unpacked_made_whole_is_a_light_one(start):
    data = batch(7, [b"one", None, b"three"])
    unpacked = list(read(LightRecords, data, start, as_unpacked))
    assert not any(isinstance(each, Record) for each in unpacked)
    assert [whole(HERE, each) for each in unpacked] == list(read(LightRecords, data, start))


class Assignment:
    """Where reading stands in the one partition there is, as aiokafka keeps it."""

    active = True
    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, tp: TopicPartition) -> "Assignment":
        assert tp == HERE
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


@pytest.mark.parametrize("start", [7, 9, 11, 14])
@pytest.mark.parametrize("most", [None, 1, 2, 3, 4, 100])
def test_records_taken_by_batch_are_those_taken_one_by_one(start, most):
    """With gaps between batches and a start in the middle of one: the same records each time, and the same position after each."""
    data = batch(7, [b"1", b"2", b"3"]) + batch(12, [b"4"]) + batch(13, [None, b"5", b"6"])
    told = []
    for result, kind, keys in (
        (fetcher.FetchResult, LightRecords.__base__, None),
        (LightResult, LightRecords, as_unpacked),
    ):
        assignment = Assignment(start)
        records = read(kind, data, start, keys)
        fetched = result(HERE, assignment=assignment, partition_records=records, backoff=0)
        seen = []
        while fetched.has_more():
            some = fetched.getall(most)
            seen.append(([each.offset for each in some], assignment.position))
        told.append(seen)
    assert told[0] == told[1]
    assert told[0][-1][1] == 16


def test_what_was_fetched_before_a_seek_is_thrown_away():
    """Records of one place must not be taken for those of another."""
    assignment = Assignment(7)
    records = read(LightRecords, batch(7, [b"1", b"2", b"3"]), 7, as_unpacked)
    fetched = LightResult(HERE, assignment=assignment, partition_records=records, backoff=0)
    assert [each.offset for each in fetched.getall(2)] == [7, 8]
    assignment.position = 3
    assert fetched.getall() == []
    assert not fetched.has_more()
    assert assignment.position == 3


def test_a_batch_that_lost_all_its_records_moves_the_position_on():
    """Compaction leaves such batches: they would be fetched for ever."""
    for result, kind, keys in (
        (fetcher.FetchResult, LightRecords.__base__, None),
        (LightResult, LightRecords, as_unpacked),
    ):
        assignment = Assignment(10)
        records = read(kind, batch(10, []), 10, keys)
        fetched = result(HERE, assignment=assignment, partition_records=records, backoff=0)
        assert fetched.getall() == []
        assert (fetched.has_more(), assignment.position) == (False, 11)


def test_consumers_make_light_records_once_told():
    before = fetcher.PartitionRecords, fetcher.FetchResult
    try:
        fetch_light_records()
        assert fetcher.PartitionRecords is LightRecords
        assert fetcher.FetchResult is LightResult
    finally:
        fetcher.PartitionRecords, fetcher.FetchResult = before
