"""
Hop 4: everything that happened goes into ClickHouse.

No state is kept: rows are idempotent by key, so a batch that is delivered twice counts once. A chunk is acknowledged when
its rows are stored. While ClickHouse does not answer nothing is read on: Kafka is the buffer. A record that meets a bug of ours is put
aside like one that cannot be read, and the worker goes on: there is no state that could have been spoilt. It stops where many do.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from faust.types import TP

from schemas.contract import Unreadable
from schemas.topics import TopicDeclaration
from streams.agents import metrics
from streams.agents.app import HopApp
from streams.agents.dead_letters import Streaks, dead_letter
from streams.agents.history import NAME, PUT_ASIDE_ELSEWHERE, RECORDED, rows_in
from streams.agents.hop import DRAIN_WITHIN
from streams.agents.lag import Lag
from streams.agents.storing import stored
from streams.agents.transport import Chunk, ChunkSchema
from streams.errors import Fault, Rejected
from streams.gateways.clickhouse import ClickHouse, Row
from streams.telemetry.reading import Formats

log = logging.getLogger(__name__)

#: Records after which a batch is written without waiting for more.
BATCH: Final = 10_000
#: How long a record waits for others.
BATCH_EVERY: Final = timedelta(seconds=1)


@dataclass
class Batch:
    """Rows by table, each with the record that it came from, and the chunks they came in."""

    rows: dict[str, list[tuple[Row, TopicDeclaration, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    unreadable: list[tuple[TopicDeclaration, Any, str]] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    records: int = 0


class Recorder:
    """Collects rows, writes them in batches, acknowledges what is stored."""

    def __init__(self, app: HopApp, warehouse: ClickHouse, formats: Formats | None = None) -> None:
        self._app = app
        self._formats = formats
        self._warehouse = warehouse
        self._emitter = app.emitter
        self._inputs = {app.settings.topic(topic.name): topic for topic in RECORDED}
        for topic in RECORDED:
            metrics.DEAD.labels(NAME, topic.name)
        self._batch = Batch()
        self._streaks = Streaks()
        self._writing = asyncio.Lock()
        self._stopping = False
        source = app.topic(
            *self._inputs, schema=ChunkSchema(), partitions=app.settings.partitions, internal=True
        )
        app.agent(source, name=NAME)(self._run)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_before_shutdown.connect(self._on_shutdown)
        app.task(self._keep_writing)
        # What is acknowledged is stored.
        Lag(app, NAME, self._inputs, lambda _: None)

    async def _run(self, stream: Any) -> None:
        async for event in stream.noack().events():
            if self._stopping:
                continue
            self._take(event.value, event)
            if self._batch.records >= BATCH:
                await self._write()

    def _take(self, chunk: Chunk, event: Any) -> None:
        topic = self._inputs[chunk.place.topic]
        rows: list[tuple[str, Row, Any]] = []
        refused: list[tuple[Any, Exception]] = []
        for record in chunk:
            try:
                rows += [(*each, record) for each in rows_in(topic, record, self._formats)]
            except (Unreadable, Rejected) as refusal:
                refused.append((record, refusal))
        faults = [each for _, each in refused if isinstance(each, Fault)]
        self._streaks.add(topic, len(chunk), faults)
        batch = self._batch
        for table, row, record in rows:
            batch.rows[table].append((row, topic, record))
        for record, why in refused:
            if topic not in PUT_ASIDE_ELSEWHERE or isinstance(why, Fault):
                batch.unreadable.append((topic, record, str(why)))
        batch.records += len(chunk)
        batch.events.append(event)
        metrics.RECORDS.labels(NAME, topic.name).inc(len(chunk))

    async def _keep_writing(self) -> None:
        while not self._stopping:
            await asyncio.sleep(BATCH_EVERY.total_seconds())
            await self._write()

    async def _write(self) -> None:
        async with self._writing:
            batch, self._batch = self._batch, Batch()
            if not batch.events:
                return
            with metrics.CHECKPOINT.labels(NAME).time():
                # Side by side: what one insert waits for, another one's rows are written in.
                for refused in await asyncio.gather(
                    *(self._store(table, rows) for table, rows in batch.rows.items())
                ):
                    batch.unreadable.extend(refused)
                await self._put_aside(batch.unreadable)
            for event in batch.events:
                event.ack()

    async def _store(
        self, table: str, rows: list[tuple[Row, TopicDeclaration, Any]]
    ) -> Iterable[tuple[TopicDeclaration, Any, str]]:
        """Store *rows* however long it takes, and return the records whose rows are refused."""
        refused = await stored(self._warehouse, table, [row for row, _, _ in rows])
        return [(rows[place][1], rows[place][2], reason) for place, reason in refused]

    async def _put_aside(self, refused: Iterable[tuple[TopicDeclaration, Any, str]]) -> None:
        letters = []
        for topic, record, reason in refused:
            log.warning(
                "dead letter hop=%s topic=%s partition=%s offset=%s reason=%s",
                NAME,
                record.topic,
                record.partition,
                record.offset,
                reason,
            )
            metrics.DEAD.labels(NAME, topic.name).inc()
            letters.append(dead_letter(topic, record, hop=NAME, reason=reason))
        await self._emitter.send(letters)

    async def _on_revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:
        # What is not stored yet is somebody else's from now on: twice stored counts once.
        del revoked
        self._batch = Batch()

    async def _on_shutdown(self, _app: Any, **_: Any) -> None:
        self._stopping = True
        try:
            async with asyncio.timeout(DRAIN_WITHIN):
                await self._write()
        except TimeoutError:
            log.warning("work in hand given back hop=%s", NAME)
