"""
Makes history anew from the topics that it was made from.

Rows are idempotent by key, so it can be done beside a record hop that works, stopped and begun again: what is there already stays
one row. Topics keep less than the warehouse does: only what is still on them comes back.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.contract import Unreadable
from schemas.topics import TopicDeclaration
from streams.errors import Rejected, Unavailable
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.connecting import client, no_broker
from streams.settings import Settings
from streams.warehouse.rows import Row

#: Records that are written together.
BATCH: Final = 10_000
#: Seconds after which a broker that brings nothing, although there is more, is given up.
SILENCE: Final = 30.0
#: Tables whose rows come from topics.
TABLES: Final = (
    *("incident_steps", "incidents", "incident_turns", "alerts", "notices", "receipts"),
    *("changes", "health_checks", "metric_rollups", "log_rollups", "external_rollups"),
)


@dataclass
class Rebuilt:
    """What was done."""

    records: int = 0
    #: Records that there were when it began.
    expected: int = 0
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Records that are no messages, or whose rows ClickHouse refuses: they stand in the dead letters already.
    refused: int = 0


class Counted(Protocol):
    """What counts telemetry."""

    @property
    def topics(self) -> Iterable[TopicDeclaration]:
        """What it counts."""

    def take(self, topic: TopicDeclaration, partition: int, records: Sequence[Any]) -> object:
        """Count records that follow each other in one partition."""

    def due(self) -> Mapping[str, list[Row]]:
        """Return the rows, by table, that are other than before."""


@dataclass(frozen=True)
class Sources:
    """What history is made of."""

    #: What is kept record by record, by its name on the broker.
    topics: Mapping[str, TopicDeclaration]
    #: What such a record becomes.
    read: Callable[[TopicDeclaration, Any], list[tuple[str, Row]]]
    #: What is kept of telemetry, by topics of its own.
    counted: Counted


async def rebuild(
    settings: Settings,
    sources: Sources,
    warehouse: ClickHouse,
    hear: Callable[[Rebuilt], None],
) -> Rebuilt:
    """
    Read *sources* from their beginning to where they ended when this began, and write what they say.

    Args:
        settings: Where the broker is.
        sources: What is read, and what it becomes.
        warehouse: A migrated warehouse.
        hear: Is told after each batch.

    Raises:
        Unavailable: The broker or the warehouse did not do it; it can be begun again.
    """
    done = Rebuilt()
    topics, counted = sources.topics, sources.counted
    counts = {settings.topic(topic.name): topic for topic in counted.topics}
    async with _reading(settings, [*topics, *counts]) as (consumer, ends):
        first = await consumer.beginning_offsets(list(ends))
        left = {place: end for place, end in ends.items() if end > first[place]}
        done.expected = sum(end - first[place] for place, end in left.items())
        rows: dict[str, list[Row]] = defaultdict(list)
        held = 0
        while left:
            fetched = await _fetched(consumer, settings)
            for place, records in fetched.items():
                held += len(records)
                if place.topic in counts:
                    counted.take(counts[place.topic], place.partition, records)
                for record in records if place.topic in topics else ():
                    try:
                        for table, row in sources.read(topics[record.topic], record):
                            rows[table].append(row)
                    except (Unreadable, Rejected):
                        done.refused += 1
                if place in left and await consumer.position(place) >= left[place]:
                    del left[place]
                    consumer.pause(place)
            if held >= BATCH or not left:
                for table, its in counted.due().items():
                    rows[table].extend(its)
                await _write(warehouse, rows, done)
                done.records += held
                rows, held = defaultdict(list), 0
                hear(done)
    return done


async def forget(warehouse: ClickHouse) -> None:
    """
    Empty every table whose rows come from topics.

    Raises:
        WarehouseUnavailable: It could not be done.
    """
    for table in TABLES:
        await warehouse.command(f"ALTER TABLE {table} DELETE WHERE 1 SETTINGS mutations_sync = 2")


async def _write(warehouse: ClickHouse, rows: dict[str, list[Row]], done: Rebuilt) -> None:
    refused = await asyncio.gather(
        *(warehouse.insert_sparing(table, its) for table, its in rows.items())
    )
    for (table, its), refusals in zip(rows.items(), refused, strict=True):
        done.rows[table] += len(its) - len(refusals)
        done.refused += len(refusals)


@asynccontextmanager
async def _reading(
    settings: Settings, topics: list[str]
) -> AsyncIterator[tuple[AIOKafkaConsumer, dict[TopicPartition, int]]]:
    """Assign all partitions of *topics* from their beginning; with them, where each ends now."""
    consumer = AIOKafkaConsumer(
        **client(settings), client_id="tocsin-rebuild", enable_auto_commit=False
    )
    try:
        await consumer.start()
        places = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in range(settings.partitions)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        yield consumer, dict(await consumer.end_offsets(places))
    except (KafkaError, OSError) as error:
        raise await no_broker(settings, error) from None
    finally:
        await consumer.stop()


async def _fetched(consumer: AIOKafkaConsumer, settings: Settings) -> dict[TopicPartition, Any]:
    loop = asyncio.get_running_loop()
    until = loop.time() + SILENCE
    while loop.time() < until:
        fetched: dict[TopicPartition, Any] = await consumer.getmany(
            timeout_ms=500, max_records=BATCH
        )
        if fetched:
            return fetched
    message = f"the broker {settings.broker} has more records and brings none"
    raise Unavailable(message)
