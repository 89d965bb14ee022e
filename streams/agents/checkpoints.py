"""
A slice: one partition of a stateful hop, its state and its positions, kept together.

Records are taken one after another: read, decide; and whenever something was decided, and no more records wait: write the journal,
emit, acknowledge.
Where nothing is decided the journal is written about once a second. So a crash repeats no decision.

A desk may keep back what it only noted down (``Skimming``). An entry then has two positions for each input: how far was read, and
from where on reading must *resume* to find again what is in no entry. What is read a second time was answered the first time:
it changes what the desk kept back and nothing else.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, runtime_checkable

from schemas.contract import Unreadable
from schemas.ticks import TickV1
from schemas.topics import TICKS, TopicDeclaration
from streams.agents import metrics
from streams.agents.dead_letters import Aside, dead_letter, fault_met
from streams.agents.gate import Gate
from streams.agents.journal import Journal
from streams.agents.outgoing import Emitter, Outgoing
from streams.agents.transport import Chunk
from streams.detection.ledger import Changes, Keep
from streams.errors import Rejected

log = logging.getLogger(__name__)

#: Bytes of decided messages after which they are sent without reading on: one journal record must hold them.
DECIDED_BYTES: Final = 300_000
#: Seconds after which positions are written although the state did not change.
POSITIONS_EVERY: Final = 10.0
#: Seconds after which records let others have a turn: a rule that takes long must not keep Prometheus, or the broker, from an answer.
HOLDS: Final = 0.05
#: Seconds by which the clocks of who ticks and of the broker may differ.
TICK_AHEAD: Final = 60.0
#: Seconds without any news from a lagging input after which a tick passes all the same.
PATIENCE: Final = 15.0


class Desk(Protocol):
    """
    What decides for one partition: pure, synchronous, its state in its own hands.

    State entries are JSON values.
    """

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing | Aside]:
        """
        Take in one record and return what follows, and what of it cannot be read.

        Raises:
            Unreadable: It is not what its topic carries.
            Rejected: It can never be processed.
        """

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Take in the time and return what follows."""

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the state entries that changed since the last call; None where one is gone."""

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the state that a journal kept."""


@runtime_checkable
class Skimming(Protocol):
    """A desk that passes over most records at a glance, and writes down in its own time what it noted of them."""

    def begin(self, positions: Mapping[str, int]) -> None:
        """Learn that what stands before *positions* is in the state."""

    def skim(self, topic: TopicDeclaration, records: Sequence[Any], start: int) -> int:
        """
        Take in *records* from *start* on, and return the place of the first that must be heard.

        Records are as they were unpacked: they do not say where they are from.
        """

    def write_down(self, positions: Mapping[str, int], keep: Keep) -> Changes:
        """Return what is to be kept, now that everything before *positions* was taken in."""


class Slice:
    """One partition of a hop."""

    def __init__(  # noqa: PLR0913 - one slice ties all these together
        self,
        hop: str,
        inputs: Mapping[str, TopicDeclaration],
        desk: Desk,
        journal: Journal,
        emitter: Emitter,
        *,
        clock: Any,
    ) -> None:
        self._hop = hop
        #: By name on the broker.
        self._inputs = inputs
        self._desk = desk
        self._skimming = desk if isinstance(desk, Skimming) else None
        self._journal = journal
        self._emitter = emitter
        self._clock = clock
        self._gate = Gate([topic.name for topic in inputs.values() if topic is not TICKS])
        #: Next offset of each input that was not taken in.
        self._positions: dict[str, int] = {}
        #: The same before the last restart: what lies below is read again, and was answered.
        self._answered: dict[str, int] = {}
        #: Next offset to read: past the ticks that wait.
        self._read: dict[str, int] = {}
        #: Next offset of each input that a restart must read.
        self._resume: dict[str, int] = {}
        self._aside: set[tuple[str, int]] = set()
        #: Next offset that may be passed over at a glance.
        self._whole: dict[str, int] = {}
        self._decided: list[Outgoing] = []
        self._decided_bytes = 0
        #: What changed in the state and is not in the journal.
        self._changes: dict[str, bytes | None] = {}
        #: Whether the positions are ahead of the journal.
        self._moved = False
        self._written_at = 0.0
        #: Whether something failed: state and journal may not fit together, and nothing more is written.
        self._broken = False
        #: Whether it was given away: what still comes is its new owner's.
        self._left = False
        self._turn = asyncio.Lock()
        #: Chunks that were read, with the position that is past each.
        self._unacknowledged: dict[str, deque[tuple[int, Any]]] = {}
        #: When each input was last heard.
        self._heard_at: dict[str, float] = {}
        self._opened_at = 0.0
        for topic in inputs.values():
            # There from the start: growth from nothing is no growth to Prometheus.
            metrics.DEAD.labels(hop, topic.name)

    @property
    def desk(self) -> Desk:
        """What decides for this partition."""
        return self._desk

    @property
    def positions(self) -> Mapping[str, int]:
        """Next offset of each input."""
        return self._positions

    @property
    def read_again(self) -> dict[str, int]:
        """Where reading must resume, of the inputs that had been read further."""
        return {
            topic: position
            for topic, position in self._positions.items()
            if position < self._answered.get(topic, 0)
        }

    @property
    def partition(self) -> int:
        """Number of the partition."""
        return self._journal.partition

    @property
    def failed(self) -> bool:
        """Whether nothing more is written down here: another worker takes over."""
        return self._broken

    @property
    def held_ticks(self) -> int:
        """Ticks that wait for records before them."""
        return len(self._gate)

    async def open(self) -> None:
        """Take the partition over: state as the journal kept it, and what was decided last sent again."""
        await self._journal.take_over()
        kept = self._journal.kept
        # Of a topic that is not in it, nothing that was read is in an entry.
        self._positions = {topic: kept.resume.get(topic, 0) for topic in kept.positions}
        self._answered = dict(kept.positions)
        self._read = dict(self._positions)
        self._aside = set(kept.aside)
        self._whole = dict(kept.whole)
        self._desk.restore(kept.entries)
        if self._skimming is not None:
            self._skimming.begin(self._positions)
        self._opened_at = self._written_at = self._clock()
        await self._emitter.send(kept.decided)

    def gap(self, chunk: Chunk) -> int | None:
        """Return the position to go back to where records are missing before *chunk*; None where none are."""
        expected = self._read.get(self._inputs[chunk.place.topic].name)
        return expected if expected is not None and chunk[0].offset > expected else None

    async def take(self, chunk: Chunk, event: Any) -> None:
        """Process the records of *chunk*; *event* is acknowledged once the journal holds what followed: see ``settle``."""
        topic = self._inputs[chunk.place.topic]
        async with self._undisturbed():
            if self._broken or self._left:
                return
            self._heard_at[topic.name] = self._clock()
            read = self._read.get(topic.name, 0)
            # A redelivery has been read.
            records = chunk.after(read)
            self._read[topic.name] = max(read, chunk[-1].offset + 1)
            if topic is TICKS:
                for record in records:
                    self._hold(record)
            else:
                await self._take_all(topic, records)
            metrics.RECORDS.labels(self._hop, topic.name).inc(len(chunk))
            self._unacknowledged.setdefault(topic.name, deque()).append(
                (chunk[-1].offset + 1, event)
            )
            await self._let_time_pass()

    async def settle(self) -> None:
        """Write down and send what was decided since the last time, all at once, and acknowledge what it followed from."""
        async with self._undisturbed():
            if self._broken:
                return
            if self._decided:
                await self._checkpoint()
            else:
                self._acknowledge()

    async def flush(self, *, final: bool = False) -> None:
        """
        Write the journal where the state is ahead of it, and let ticks pass that waited in vain.

        Positions alone are written less often, unless this is the *final* call: reading on from an older one changes
        nothing. After the final call whoever takes over repeats no message, and nothing more is taken in here.
        """
        async with self._undisturbed():
            if self._broken:
                return
            if final:
                self._left = True
            while self._gate.lagging(self._positions) and self._waited_in_vain():
                await self._force_tick()
            await self._gather(Keep.ALL if final else Keep.SOME)
            overdue = final or self._clock() - self._written_at >= POSITIONS_EVERY
            if self._decided or self._changes or (self._moved and overdue):
                await self._checkpoint()
            if final and self._journal.kept.decided:
                await self._checkpoint()

    async def decide(self, act: Callable[[], Iterable[Outgoing]]) -> None:
        """Let *act* change the desk for another reason than a record; journal and send what it returns."""
        async with self._undisturbed():
            if self._broken:
                return
            self._remember(act())
            if self._decided:
                await self._checkpoint()

    @asynccontextmanager
    async def _undisturbed(self) -> AsyncIterator[None]:
        """
        Let nobody else in, and nobody at all after a failure.

        A state that was written down without what it decided would never say it. Whoever takes over begins where the journal stands.
        """
        async with self._turn:
            try:
                yield
            except BaseException:
                self._broken = True
                raise

    # -- records ----------------------------------------------------------------------------------

    async def _take_all(self, topic: TopicDeclaration, records: Chunk) -> None:
        place, pause_at = 0, self._clock() + HOLDS
        while place < len(records):
            may_skim = records.unpacked[place].offset >= self._whole.get(topic.name, 0)
            if self._skimming is not None and may_skim and not self._aside:
                place = await self._skim(self._skimming, topic, records, place)
            if place < len(records):
                await self._take(topic, records[place])
                place += 1
                if self._clock() >= pause_at:
                    await asyncio.sleep(0)
                    pause_at = self._clock() + HOLDS

    async def _skim(
        self, desk: Skimming, topic: TopicDeclaration, records: Chunk, start: int
    ) -> int:
        try:
            place = desk.skim(topic, records.unpacked, start)
        except Exception as fault:
            await self._hear_all(fault)
            raise
        if place > start:
            self._positions[topic.name] = records.unpacked[place - 1].offset + 1
            self._moved = True
        return place

    async def _take(self, topic: TopicDeclaration, record: Any) -> None:
        if (topic.name, record.offset) not in self._aside:
            try:
                for each in self._desk.hear(topic, record):
                    if isinstance(each, Aside):
                        self._put_aside(topic, record, each.reason, each.unread)
                    else:
                        self._remember([each])
            except (Unreadable, Rejected) as refusal:
                self._put_aside(topic, record, str(refusal))
            except Exception as fault:
                await self._give_in(topic, record, fault)
                raise
        self._positions[topic.name] = record.offset + 1
        self._moved = True
        if self._decided_bytes > DECIDED_BYTES:
            await self._checkpoint()

    def _hold(self, record: Any) -> None:
        try:
            tick = TickV1.from_wire(record.value)
            _check_clock(tick, record)
            ours = tick.hop is None or tick.hop == self._hop
            self._gate.hold(tick if ours else None, record)
        except (Unreadable, Rejected) as refusal:
            # In line with the others: its position must not pass those that wait.
            self._put_aside(TICKS, record, str(refusal))
            self._gate.hold(None, record)

    async def _let_time_pass(self) -> None:
        while held := self._gate.passing(self._positions):
            await self._pass(held.tick, held.record)

    def _waited_in_vain(self) -> bool:
        """Whether none of the inputs that the next tick waits for has said anything for long."""
        lagging = self._gate.lagging(self._positions)
        heard_at = max(self._heard_at.get(topic, self._opened_at) for topic in lagging)
        return bool(self._clock() - heard_at > PATIENCE)

    async def _force_tick(self) -> None:
        lagging = ", ".join(sorted(self._gate.lagging(self._positions)))
        log.warning(
            "tick passed without the records before it hop=%s lagging=%s", self._hop, lagging
        )
        held = self._gate.passing(self._positions, forced=True)
        if held is not None:
            await self._pass(held.tick, held.record)

    async def _pass(self, tick: TickV1 | None, record: Any) -> None:
        if tick is not None and (TICKS.name, record.offset) not in self._aside:
            try:
                self._remember(self._desk.tick(tick))
            except Exception as fault:
                await self._give_in(TICKS, record, fault)
                raise
            reached = metrics.REACHED.labels(self._hop, self.partition)
            reached.set(tick.occurred_at.timestamp())
        self._positions[TICKS.name] = record.offset + 1
        self._moved = True
        if self._decided_bytes > DECIDED_BYTES:
            await self._checkpoint()

    # -- what follows -----------------------------------------------------------------------------

    def _remember(self, decided: Iterable[Outgoing]) -> None:
        for each in decided:
            self._decided.append(each)
            self._decided_bytes += each.size

    def _put_aside(
        self, topic: TopicDeclaration, record: Any, reason: str, unread: Sequence[str] = ()
    ) -> None:
        if record.offset < self._answered.get(topic.name, 0):
            return  # It was put aside when it was read first.
        log.warning(
            "dead letter hop=%s topic=%s partition=%s offset=%s reason=%s",
            self._hop,
            record.topic,
            record.partition,
            record.offset,
            reason,
        )
        metrics.DEAD.labels(self._hop, topic.name).inc()
        letter = dead_letter(topic, record, hop=self._hop, reason=reason, unread=unread)
        self._remember([letter])

    async def _give_in(self, topic: TopicDeclaration, record: Any, fault: Exception) -> None:
        """
        Put a record aside that made us fail, before the worker stops.

        The desk may have failed half-way, so nothing of its state since the last entry is kept: the next worker reads
        the same records again and passes over this one.
        """
        reason = str(fault_met(self._hop, record, fault))
        kept = self._journal.kept
        letter = dead_letter(topic, record, hop=self._hop, reason=reason)
        aside = [*self._aside, (topic.name, record.offset)]
        await self._repeat([letter], aside, kept.whole)
        await self._emitter.send([letter])
        await self._repeat([], aside, kept.whole)

    async def _hear_all(self, fault: Exception) -> None:
        """
        Have the next worker hear everything up to here, before this one stops.

        What fails at a glance, or of what was noted down at one, is no single record. Heard in full, the one to blame is put aside.
        """
        log.error(
            "fault at a glance hop=%s partition=%s fault=%s",
            self._hop,
            self.partition,
            type(fault).__name__,
        )
        kept = self._journal.kept
        whole = {
            topic: max(position, kept.whole.get(topic, 0))
            for topic, position in (kept.whole | self._read).items()
        }
        await self._repeat([], kept.aside, whole)

    async def _repeat(
        self, decided: list[Outgoing], aside: Iterable[tuple[str, int]], whole: Mapping[str, int]
    ) -> None:
        """Write an entry that leaves state and positions as they were."""
        kept = self._journal.kept
        await self._journal.append(
            kept.positions, {}, decided, aside, resume=kept.resume, whole=whole
        )

    async def _gather(self, keep: Keep) -> None:
        """Learn from the desk what is to be written down, and from where on the rest must be read again."""
        if self._skimming is None:
            self._changes.update(self._desk.changes())
            self._resume = dict(self._positions)
        else:
            try:
                entries, resume = self._skimming.write_down(self._positions, keep)
            except Exception as fault:
                await self._hear_all(fault)
                raise
            self._changes.update(entries)
            self._resume = dict(resume)

    async def _checkpoint(self) -> None:
        decided, self._decided, self._decided_bytes = self._decided, [], 0
        with metrics.CHECKPOINT.labels(self._hop).time():
            await self._gather(Keep.TOLD)
            # What is put aside is remembered until it lies behind.
            self._aside = {
                (topic, offset)
                for topic, offset in self._aside
                if offset >= self._resume.get(topic, 0)
            }
            self._whole = {
                topic: position
                for topic, position in self._whole.items()
                if position > self._resume.get(topic, 0)
            }
            reached = {
                topic: max(position, self._answered.get(topic, 0))
                for topic, position in (self._answered | self._positions).items()
            }
            await self._journal.append(
                reached,
                self._changes,
                decided,
                self._aside,
                resume=self._resume,
                whole=self._whole,
            )
            await self._emitter.send(decided)
        for each in decided:
            metrics.DECIDED.labels(self._hop, each.topic).inc()
        self._changes = {}
        self._moved = False
        self._written_at = self._clock()
        self._acknowledge()

    def _acknowledge(self) -> None:
        for topic, waiting in self._unacknowledged.items():
            position = self._journal.kept.positions.get(topic, 0)
            while waiting and waiting[0][0] <= position:
                waiting.popleft()[1].ack()


def _check_clock(tick: TickV1, record: Any) -> None:
    """
    Do nothing.

    Raises:
        Rejected: The tick is ahead of the time at which it was written: once it passed, time would stand still until then.
    """
    ahead = tick.occurred_at.timestamp() - record.timestamp / 1000
    if record.timestamp >= 0 and ahead > TICK_AHEAD:
        message = f"occurred_at: is {ahead:.0f} s ahead of the record that carries it"
        raise Rejected(message)
