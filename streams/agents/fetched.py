"""
Records as they are fetched: light ones.

aiokafka makes a dataclass of each record, with a dictionary of its own. At hundreds of thousands of records a second this is a
fifth of a worker's time and more memory than what the records say. A tuple has the same names at half the price. A consumer that
knows what partition it asked for can leave records as they were unpacked, at a fifth: they lack nothing but the partition. What is
overridden is private to aiokafka 0.14.0: ``tests/unit/agents/test_fetched.py`` fails on any other version and says what to look at.
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

    def __iter__(self) -> Iterator[Record]:
        # Without a call of aiokafka's own for each record.
        return self._records_iterator  # type: ignore[no-any-return]

    def _consumer_record(self, tp: tuple[str, int], record: Any) -> Any:
        return record if self._key_deserializer is as_unpacked else whole(tp, record)


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


#: Without the function in Python that a named tuple has for this.
_made = tuple.__new__
