"""
Records as they are fetched: light ones.

aiokafka makes a dataclass of each record, with a dictionary of its own. At hundreds of thousands of records a second this is a
fifth of a worker's time and more memory than what the records say. A tuple has the same names at half the price. A consumer that
knows what partition it asked for can leave records as they were unpacked, at a fifth: they lack nothing but the partition. And it can
have those of a whole batch at once, instead of one by one through three functions. What is overridden is private to aiokafka 0.14.0:
``tests/unit/agents/test_fetched.py`` fails on any other version and says what to look at.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher


class Record(NamedTuple):
    """What aiokafka's ``ConsumerRecord`` says, under the same names; checksum and sizes are left out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    checksum: None
    serialized_key_size: None
    serialized_value_size: None
    headers: tuple[tuple[str, bytes], ...]


class LightRecords(fetcher.PartitionRecords):
    """The records of one fetched partition."""

    next_fetch_offset: int

    def __init__(self, tp: tuple[str, int], records: Any, *settings: Any) -> None:
        super().__init__(tp, records, *settings)
        self.by_batch = self._key_deserializer is as_unpacked
        if self.by_batch:
            # Checksums, control batches, transactions and positions stay aiokafka's.
            self._records = _Batches(records)
        self._rest: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        # Without a call of aiokafka's own for each record.
        return self if self.by_batch else self._records_iterator

    def __next__(self) -> Any:
        if not self.by_batch:
            return super().__next__()
        for record in self.take(1):
            return record
        raise StopIteration

    def take(self, most: int | None = None) -> list[Any]:
        """Return the next records as they were unpacked, all or at *most* so many, and move the position past them."""
        taken = self._rest
        while most is None or len(taken) < most:
            batch = next(self._records_iterator, None)
            if batch is None:
                break
            taken = taken + batch if taken else batch
        if most is None or len(taken) <= most:
            if self._rest:
                self.next_fetch_offset = max(self.next_fetch_offset, self._rest[-1].offset + 1)
            self._rest = []
            return taken
        self._rest = taken[most:]
        self.next_fetch_offset = self._rest[0].offset
        return taken[:most]

    def _consumer_record(self, tp: tuple[str, int], record: Any) -> Any:
        if not self.by_batch:
            return whole(tp, record)
        records, start = record.records, self.next_fetch_offset
        # A batch is fetched as a whole, also where reading begins in its middle.
        if records[0].offset >= start:
            return records
        return [each for each in records if each.offset >= start]


class LightResult(fetcher.FetchResult):
    """What was fetched of one partition."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return the next records, all or at most so many; none where reading goes on elsewhere by now."""
        records = self._partition_records
        if not (isinstance(records, LightRecords) and records.by_batch):
            return super().getall(max_records)  # type: ignore[no-any-return]
        if not self.check_assignment(self._topic_partition):
            return []
        taken = records.take(max_records)
        self._update_position()
        if max_records is None or len(taken) < max_records:
            self._partition_records = None
        return taken


class _Batches:
    """The batches of a fetched partition; each yields all its records as if they were one."""

    def __init__(self, records: Any) -> None:
        self.has_next = records.has_next
        self._next = records.next_batch

    def next_batch(self) -> "_Batch":
        return _Batch(self._next())


class _Batch:
    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator["_AsOne"]:
        records = list(self._batch)
        return iter([_AsOne(records[-1].offset, records)] if records else [])


class _AsOne(NamedTuple):
    """All records of a batch, with the offset of the last."""

    offset: int
    records: list[Any]


def as_unpacked(key: bytes | None) -> bytes | None:
    """
    Return *key*: a consumer whose keys are decoded by this gets records as they were unpacked.

    They have offset, timestamp, its type, key, value and headers; ``whole`` adds where they are from.
    """
    return key


def whole(place: tuple[str, int], record: Any) -> Record:
    """Return *record*, which was unpacked from the partition at *place*, with all that a record says."""
    headers = record.headers
    return _made(
        Record,
        (
            place[0],
            place[1],
            record.offset,
            record.timestamp,
            record.timestamp_type,
            record.key,
            record.value,
            None,
            None,
            None,
            tuple(headers) if headers else (),
        ),
    )


def fetch_light_records() -> None:
    """Let all consumers of this process make light records, from now on. None may have deserializers, but for ``as_unpacked``: they are not called."""
    fetcher.PartitionRecords = LightRecords
    fetcher.FetchResult = LightResult


#: Without the function in Python that a named tuple has for this.
_made = tuple.__new__
