"""Looking at topics from outside any consumer group: from the beginning, or from a moment on, to their present end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from streams.errors import Unavailable
from streams.gateways.connecting import client, no_broker, refusal
from streams.gateways.producer import ANSWERS_WITHIN
from streams.settings import Settings

#: How long a read of whole topics may take.
READ_WITHIN: Final = timedelta(seconds=30)
#: How long the broker may hold back an answer without records.
_FETCH: Final = timedelta(milliseconds=100)


@asynccontextmanager
async def reading(settings: Settings, topics: Sequence[str]) -> AsyncIterator[Any]:
    """A consumer of all partitions of *topics*, in no group: it leaves no trace on the broker."""
    consumer = AIOKafkaConsumer(
        *topics,
        **client(settings),
        client_id="tocsin-look",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=int(_FETCH / timedelta(milliseconds=1)),
        request_timeout_ms=int(ANSWERS_WITHIN / timedelta(milliseconds=1)),
    )
    try:
        async with asyncio.timeout(ANSWERS_WITHIN.total_seconds()):
            await consumer.start()
    except (TimeoutError, UnknownTopicOrPartitionError):
        # The client looks for topics that are not there until it is stopped.
        await consumer.stop()
        message = (
            f"the broker at {settings.broker} does not answer about {' and '.join(topics)}: "
            "`tocsin topics` creates what is missing"
        )
        raise await refusal(settings) or Unavailable(message) from None
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise await no_broker(settings, error) from None
    try:
        yield consumer
    except (KafkaError, OSError) as error:
        message = f"the broker at {settings.broker} stopped answering ({type(error).__name__})"
        raise Unavailable(message) from None
    finally:
        await consumer.stop()


async def fetched(consumer: Any) -> list[Any]:
    """Return what came within a moment, in order for each partition."""
    by_place = await consumer.getmany(timeout_ms=2 * int(_FETCH / timedelta(milliseconds=1)))
    return [record for records in by_place.values() for record in records]


async def read_all(
    consumer: Any, take: Callable[[Any], None], *, since: datetime | None, within: timedelta
) -> None:
    """Give *take* the records from *since* (None: from the beginning) to the end of the partitions."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            if since is None:
                await consumer.seek_to_beginning()
            else:
                await _seek(consumer, since)
            ends = await consumer.end_offsets(consumer.assignment())
            while True:
                records = await fetched(consumer)
                for record in records:
                    take(record)
                # Some brokers tell the beginning of the last batch as the end: an empty answer settles it.
                if not records and await _reached(consumer, ends):
                    return
    except TimeoutError:
        message = f"reading took longer than {within.total_seconds():g} s"
        raise Unavailable(message) from None


async def _reached(consumer: Any, ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True


async def _seek(consumer: Any, since: datetime) -> None:
    moment = int(since.timestamp() * 1000)
    places = await consumer.offsets_for_times(dict.fromkeys(consumer.assignment(), moment))
    for partition, place in places.items():
        if place is None:
            await consumer.seek_to_end(partition)
        else:
            consumer.seek(partition, place.offset)
