"""
Ticks between the leader's: an alert of the worst severity does not wait for the next second.

Alerts are placed with a tick, so that those of one failure are seen together and their order decides nothing. Who has the partition
sends one of its own a moment after such an alert: it is a message like the leader's, so that a replay places the same alerts together.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from aiokafka.errors import KafkaError

from schemas.ticks import TickV1
from schemas.topics import TICKS
from streams.agents.hop import Hop
from streams.agents.outgoing import Emitter, outgoing

log = logging.getLogger(__name__)

#: Seconds that the first such alert waits for what failed together with it.
SETTLES: Final = 0.1
#: Seconds between two such ticks of one worker at least: a storm is not placed alert by alert.
APART: Final = 0.25
#: Seconds that early ticks go on without one of the leader's: it may be late, and it may be gone.
AHEAD: Final = 5.0


class EarlyTicks:
    """The ticks that the partitions of one worker send themselves."""

    hop: Hop

    def __init__(self, name: str, emitter: Emitter, clock: Callable[[], float]) -> None:
        self._name = name
        self._emitter = emitter
        #: Seconds that only grow.
        self._clock = clock
        self._asked: set[int] = set()
        self._news = asyncio.Event()
        #: The leader's last tick in each partition, and when it passed here.
        self._passed: dict[int, tuple[datetime, float]] = {}

    def ask(self, partition: int) -> None:
        """Have *partition* ticked soon."""
        self._asked.add(partition)
        self._news.set()

    def ticked(self, tick: TickV1) -> None:
        """Learn that a tick passed."""
        if tick.hop is None:
            self._passed[tick.partition] = tick.occurred_at, self._clock()
            return
        passed = self._passed.get(tick.partition)
        if passed is not None and tick.occurred_at <= passed[0]:
            # A tick of the leader's came before it with a later time: nothing was placed by it.
            self.ask(tick.partition)

    def due(self) -> list[TickV1]:
        """Return a tick for each partition that asked; those that work through a backlog go on asking."""
        asked, self._asked = self._asked, set()
        ticks = []
        for partition in sorted(asked):
            piece, passed = self.hop.slices.get(partition), self._passed.get(partition)
            if piece is None or passed is None:
                continue  # Given away, or about to hear the leader's first tick.
            if piece.held_ticks:
                self.ask(partition)
                continue
            # By the leader's clock: two that disagree must not race.
            since = min(self._clock() - passed[1], AHEAD)
            tick = TickV1(
                occurred_at=passed[0] + timedelta(seconds=since),
                partition=partition,
                reached={
                    topic: end for topic, end in piece.positions.items() if topic != TICKS.name
                },
                hop=self._name,
            )
            ticks.append(tick)
        return ticks

    async def keep_ticking(self) -> None:
        """Tick until cancelled, whenever a partition asks."""
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(SETTLES)
            sent = [
                replace(outgoing(TICKS, tick, source=self._name), partition=tick.partition)
                for tick in self.due()
            ]
            try:
                await self._emitter.send(sent)
            except KafkaError as error:
                # The leader's next tick does the same, later.
                log.warning("early tick not sent error=%s", type(error).__name__)
            await asyncio.sleep(APART - SETTLES)
