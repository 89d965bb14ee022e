"""
How a hop runs inside Faust: chunks of its inputs go to the slice of their partition.

Faust assigns partitions, rebalances and commits. A hop hears of it here, and nowhere else.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from faust.types import TP

from schemas.topics import JournalDeclaration, TopicDeclaration
from streams.agents import metrics
from streams.agents.app import HopApp
from streams.agents.checkpoints import Desk, Slice
from streams.agents.journal import Journal
from streams.agents.lag import Lag
from streams.agents.transport import ChunkSchema
from streams.errors import SettingsError

log = logging.getLogger(__name__)

#: Seconds between two looks at what is not journaled yet.
FLUSH_EVERY: Final = 1.0
#: Seconds that finishing the work in hand may take when the worker is asked to stop.
DRAIN_WITHIN: Final = 4.0
#: Seconds for which chunks that wait are taken before what was decided is written down.
TOGETHER: Final = 0.05


class Hop:
    """A stateful hop: one desk and one journal for each partition this worker was assigned."""

    def __init__(
        self,
        app: HopApp,
        *,
        name: str,
        inputs: Iterable[TopicDeclaration],
        journal: JournalDeclaration,
        desk: Callable[[], Desk],
    ) -> None:
        settings = app.settings
        self.name = name
        self._app = app
        self._inputs = {settings.topic(topic.name): topic for topic in inputs}
        self._journal = journal
        self._desk = desk
        self._settings = settings
        self._emitter = app.emitter
        self._slices: dict[int, Slice] = {}
        #: Partitions that were assigned; none is opened after it was revoked.
        self._assigned: set[int] = set()
        #: Whether it was told which; there can be none.
        self._informed = False
        self._opening = asyncio.Lock()
        #: What was read and not taken, by partition: events of chunks.
        self._lines: dict[int, asyncio.Queue[Any]] = {}
        self._stopping = False
        #: What was asked for again, by place: from where on, and where the records stood that had some missing before them.
        self._sought: dict[TP, tuple[int, int]] = {}
        source = app.topic(
            *self._inputs, schema=ChunkSchema(), partitions=settings.partitions, internal=True
        )
        app.agent(source, name=name)(self._run)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_partitions_assigned.connect(self._on_assigned)
        app.on_before_shutdown.connect(self._on_shutdown)
        app.task(self._keep_flushing)
        app.ready_when(self._unready)
        Lag(app, name, self._inputs, self._position)
        # There from the start: growth from nothing is no growth to Prometheus.
        metrics.GAPS.labels(name)
        # Told when they are asked for: a hop that is busy must not tell what was.
        metrics.PARTITIONS.labels(name).set_function(lambda: len(self._slices))
        metrics.HELD_TICKS.labels(name).set_function(self._held_ticks)

    @property
    def slices(self) -> dict[int, Slice]:
        """The partitions this worker has."""
        return self._slices

    def _unready(self) -> str | None:
        if not self._informed:
            return f"partitions of {self.name} are being assigned"
        closed = self._assigned - self._slices.keys()
        return f"{len(closed)} partitions of {self.name} are being opened" if closed else None

    async def _open_assigned(self) -> None:
        for partition in sorted(self._assigned):
            await self._slice_of(partition)

    async def _slice_of(self, partition: int) -> Slice | None:
        """Return the slice of *partition*, taking it over if need be; None where it is no longer ours."""
        async with self._opening:
            if partition not in self._assigned:
                return None  # Opening it would void its new owner's entries.
            found = self._slices.get(partition)
            if found is None:
                found = Slice(
                    self.name,
                    self._inputs,
                    self._desk(),
                    Journal(self._journal, partition, self._settings, self._emitter),
                    self._emitter,
                    clock=asyncio.get_running_loop().time,
                )
                with metrics.OPENED.labels(self.name, partition).time():
                    await found.open()
                self._slices[partition] = found
                await self._read_again(found)
                log.info("partition opened hop=%s partition=%s", self.name, partition)
            return found

    async def _read_again(self, piece: Slice) -> None:
        """Go back to where the journal says that reading must resume: what is committed can lie behind it."""
        positions = piece.read_again
        for name, topic in self._inputs.items():
            if topic.name in positions:
                await self._app.consumer.seek(TP(name, piece.partition), positions[topic.name])

    async def _run(self, stream: Any) -> None:
        """Let each partition have a line of its own: one that waits for the broker holds up no other."""
        try:
            async with asyncio.TaskGroup() as tasks:
                working: list[asyncio.Task[None]] = []
                async for event in stream.noack().events():
                    partition = event.value.place.partition
                    if partition not in self._lines:
                        line: asyncio.Queue[Any] = asyncio.Queue()
                        self._lines[partition] = line
                        working.append(tasks.create_task(self._work_off(line)))
                    self._lines[partition].put_nowait(event)
                for line in self._lines.values():
                    await line.join()
                for task in working:
                    task.cancel()
        except BaseExceptionGroup as failed:
            # One of them is reason enough, and says more than that some failed.
            raise failed.exceptions[0] from None
        finally:
            self._lines.clear()

    async def _work_off(self, line: asyncio.Queue[Any]) -> None:
        while True:
            first = await line.get()
            # Who is stopped because another line failed finishes what is in hand: left half-way, its messages would be sent again.
            await asyncio.shield(self._take_waiting(line, first))

    async def _take_waiting(self, line: asyncio.Queue[Any], first: Any) -> None:
        """Take *first* and what waits in *line* behind it; what follows from all of it waits for the broker once."""
        clock = asyncio.get_running_loop().time
        until = clock() + TOGETHER
        piece, taken = await self._take(first), 1
        while not line.empty() and clock() < until:
            await asyncio.sleep(0)
            piece = await self._take(line.get_nowait()) or piece
            taken += 1
        if piece is not None:
            await piece.settle()
        for _ in range(taken):
            line.task_done()

    async def _take(self, event: Any) -> Slice | None:
        """Hand a chunk to the slice of its partition; return the slice, None where the chunk was not taken."""
        if self._stopping:
            return None
        chunk = event.value
        place = chunk.place
        piece = await self._slice_of(place.partition)
        if piece is None:
            return None  # Revoked while it waited in a queue.
        missing_from = piece.gap(chunk)
        if missing_from is not None and not self._gone(place, missing_from, chunk[0].offset):
            self._sought[place] = (missing_from, chunk[0].offset)
            metrics.GAPS.labels(self.name).inc()
            log.warning("records missing topic=%s from=%s", place, missing_from)
            await self._app.consumer.seek(place, missing_from)
            return None
        await piece.take(chunk, event)
        # It is acknowledged later; until then its records need not be kept.
        event.message.delivery.taken = True
        chunk.clear()
        return piece

    def _gone(self, place: TP, missing_from: int, found: int) -> bool:
        """
        Whether the records between *missing_from* and *found* were asked for and still did not come: the broker deleted them.

        What was on its way here when they were asked for says nothing of them. It stands further on.
        """
        asked = self._sought.get(place)
        return asked is not None and asked[0] == missing_from and found <= asked[1]

    async def _keep_flushing(self) -> None:
        while not self._stopping:
            # One after the other: what all of them write down at one moment, an alert would have to wait for.
            turns = list(self._slices.values())
            for piece in turns:
                await asyncio.sleep(FLUSH_EVERY / len(turns))
                if self._slices.get(piece.partition) is piece:
                    await piece.flush()
            if not turns:
                await asyncio.sleep(FLUSH_EVERY)

    def _held_ticks(self) -> int:
        return sum(piece.held_ticks for piece in list(self._slices.values()))

    def _position(self, place: TP) -> int | None:
        piece = self._slices.get(place.partition)
        return piece.positions.get(self._inputs[place.topic].name) if piece else None

    async def _on_assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        ours = [place for place in assigned if place.topic in self._inputs]
        by_topic: dict[str, set[int]] = {topic: set() for topic in self._inputs}
        for place in ours:
            by_topic[place.topic].add(place.partition)
        if len({frozenset(partitions) for partitions in by_topic.values()}) > 1:
            counts = ", ".join(f"{name}: {sorted(have)}" for name, have in by_topic.items())
            message = (
                f"the inputs of {self.name} were not assigned alike ({counts}): "
                f"every topic must have TOCSIN_PARTITIONS={self._settings.partitions} partitions"
            )
            raise SettingsError(message)
        self._assigned, self._informed = {place.partition for place in ours}, True
        # Deadlines run from now on, not from the first record on.
        self._app.add_future(self._open_assigned())

    async def _on_revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:
        gone = {place.partition for place in revoked if place.topic in self._inputs}
        self._assigned -= gone
        async with self._opening:  # What is half open is opened first, then given away.
            leaving = [self._slices.pop(partition) for partition in gone & self._slices.keys()]
        await asyncio.gather(*[piece.flush(final=True) for piece in leaving])
        metrics.forget_partitions(self.name, gone)
        self._sought.clear()

    async def _on_shutdown(self, _app: Any, **_: Any) -> None:
        self._stopping = True
        try:
            async with asyncio.timeout(DRAIN_WITHIN):
                # Side by side: each waits for the broker.
                await asyncio.gather(*[piece.flush(final=True) for piece in self._slices.values()])
        except TimeoutError:
            # Nothing is lost: what is not journaled is not acknowledged either.
            log.warning("work in hand given back hop=%s", self.name)
