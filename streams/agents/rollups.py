"""
Hop 4 as well: telemetry is counted by service and minute, and the counts go into ClickHouse.

No state is kept beside the counts in the warehouse. A chunk is acknowledged when every block of offsets that it reaches into is counted to its
end and stored; a worker that takes over begins with the first block that is not, and makes the same rows again. While ClickHouse does not answer
some rows are held and then nothing is read on.

A record that meets a bug of ours is put aside and the worker goes on; it stops where many do. Whoever counts the block again puts it aside once more.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from faust.types import TP

from schemas.topics import TopicDeclaration
from streams.agents import metrics
from streams.agents.app import HopApp
from streams.agents.dead_letters import Streaks, dead_letter, fault_met
from streams.agents.fetched import whole
from streams.agents.hop import DRAIN_WITHIN
from streams.agents.lag import Lag
from streams.agents.outgoing import Outgoing
from streams.agents.storing import stored
from streams.agents.tallies import COUNTED, Part, Parts
from streams.agents.transport import Chunk, ChunkSchema
from streams.gateways.clickhouse import ClickHouse, Row
from streams.telemetry.reading import Formats

log = logging.getLogger(__name__)

NAME: Final = "rollups"

#: How often counts are written: each time, a series that goes on writes the row of its minute anew.
WRITTEN_EVERY: Final = timedelta(seconds=5)
#: Rows and dead letters after which they are written without waiting for more.
ROWS: Final = 50_000


@dataclass
class Taken:
    """A chunk that was counted."""

    event: Any
    part: Part
    #: The last block that it reaches into.
    block: int


class RollUps:
    """Counts telemetry, writes the counts, acknowledges what is counted to the end."""

    def __init__(self, app: HopApp, warehouse: ClickHouse, formats: Formats | None = None) -> None:
        self._app = app
        self._warehouse = warehouse
        self._formats = formats
        self._inputs = {app.settings.topic(topic.name): topic for topic in COUNTED}
        for topic in COUNTED:
            metrics.DEAD.labels(NAME, topic.name)
        self._parts = Parts(formats)
        self._taken: list[Taken] = []
        #: Dead letters that are not sent.
        self._letters: list[Outgoing] = []
        #: Where the next record stands, by place, as of the last writing.
        self._stored: dict[TP, int] = {}
        self._streaks = Streaks()
        self._writing = asyncio.Lock()
        self._failed = False
        self._stopping = False
        source = app.topic(
            *self._inputs, schema=ChunkSchema(), partitions=app.settings.partitions, internal=True
        )
        app.agent(source, name=NAME)(self._run)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_before_shutdown.connect(self._on_shutdown)
        app.task(self._keep_writing)
        Lag(app, NAME, self._inputs, self._stored.get)

    async def _run(self, stream: Any) -> None:
        async for event in stream.noack().events():
            if self._stopping:
                continue
            chunk = event.value
            topic = self._inputs[chunk.place.topic]
            part = self._parts.take(topic, chunk.place.partition, chunk.unpacked)
            self._put_aside(chunk, topic, part)
            self._taken.append(Taken(event, part, part.tally.block))
            metrics.RECORDS.labels(NAME, topic.name).inc(len(chunk))
            # It is acknowledged later; until then its records need not be kept.
            event.message.delivery.taken = True
            chunk.clear()
            if self._parts.waiting + len(self._letters) >= ROWS:
                await self._write()

    def _put_aside(self, chunk: Chunk, topic: TopicDeclaration, part: Part) -> None:
        faults, part.faults = part.faults, []
        self._streaks.add(topic, len(chunk), [fault for _, fault in faults])
        for unpacked, fault in faults:
            record = whole(chunk.place, unpacked)
            reason = str(fault_met(NAME, record, fault))
            metrics.DEAD.labels(NAME, topic.name).inc()
            self._letters.append(dead_letter(topic, record, hop=NAME, reason=reason))

    async def _keep_writing(self) -> None:
        while not self._stopping:
            await asyncio.sleep(WRITTEN_EVERY.total_seconds())
            await self._write()

    async def _write(self) -> None:
        async with self._writing:
            if self._failed:
                return
            # Rows that are on their way are not due again: should they not arrive, nothing is acknowledged any more.
            self._failed = True
            rows = self._parts.due()
            self._taken = [it for it in self._taken if self._parts.has(it.part)]
            finished = [it for it in self._taken if it.block < it.part.tally.block]
            positions = {
                TP(it.event.message.topic, it.event.message.partition): it.part.position
                for it in self._taken
            }
            self._taken = [it for it in self._taken if it.block >= it.part.tally.block]
            letters, self._letters = self._letters, []
            with metrics.CHECKPOINT.labels(NAME).time():
                await asyncio.gather(*(self._store(table, its) for table, its in rows.items()))
            await self._app.emitter.send(letters)
            for it in finished:
                it.event.ack()
            self._stored |= positions
            self._failed = False

    async def _store(self, table: str, rows: Sequence[Row]) -> None:
        for _, reason in await stored(self._warehouse, table, rows):
            # It stands for many records, which other hops have read: none of them is to blame.
            metrics.ROLLUPS_REFUSED.labels(table).inc()
            log.error("roll-up refused table=%s reason=%s", table, reason)

    async def _on_revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:
        # What is not counted to the end is counted again from its beginning, by whoever has it then.
        del revoked
        self._parts = Parts(self._formats)
        self._taken = []
        self._letters = []
        self._stored.clear()

    async def _on_shutdown(self, _app: Any, **_: Any) -> None:
        self._stopping = True
        try:
            async with asyncio.timeout(DRAIN_WITHIN):
                await self._write()
        except TimeoutError:
            log.warning("work in hand given back hop=%s", NAME)
