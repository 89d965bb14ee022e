"""
The wall clock becomes messages here, and nowhere else.

One worker of the installation, the leader Faust elects, sends a tick to every partition about once a second. Each says how far
the inputs reached when it was made, so that a hop that lags does not see time run ahead.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.ticks import TickV1
from schemas.topics import ALERTS, CHANGES, COMMANDS, NOTICES, POLICIES, SILENCES, TELEMETRY, TICKS
from streams.agents.outgoing import Emitter, outgoing
from streams.gateways.connecting import client
from streams.settings import Settings

log = logging.getLogger(__name__)

NAME = "tick"
#: Seconds between two ticks.
EVERY: Final = 1.0
#: Inputs of the hops that keep deadlines.
WAITED_FOR: Final = (*TELEMETRY, ALERTS, CHANGES, SILENCES, COMMANDS, NOTICES, POLICIES)


class Ticker:
    """Sends ticks while this worker leads."""

    def __init__(self, settings: Settings, emitter: Emitter) -> None:
        self._settings = settings
        self._emitter = emitter
        self._places = {
            TopicPartition(settings.topic(topic.name), partition): topic.name
            for topic in WAITED_FOR
            for partition in range(settings.partitions)
        }
        self._asking: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect."""
        self._asking = AIOKafkaConsumer(
            **client(self._settings),
            client_id="tocsin-tick",
            enable_auto_commit=False,
        )
        await self._asking.start()

    async def stop(self) -> None:
        """Disconnect."""
        if self._asking is not None:
            await self._asking.stop()

    async def tick(self) -> None:
        """Send one tick to each partition."""
        # The time first: whatever was written before it is then waited for.
        at = datetime.now(UTC)
        ends = await self._ends()
        ticks = [
            TickV1(
                occurred_at=at,
                partition=partition,
                reached={
                    name: ends[place]
                    for place, name in self._places.items()
                    if place.partition == partition
                },
            )
            for partition in range(self._settings.partitions)
        ]
        await self._emitter.send(
            [
                replace(outgoing(TICKS, tick, source=NAME), partition=tick.partition)
                for tick in ticks
            ]
        )

    async def _ends(self) -> dict[TopicPartition, int]:
        if self._asking is None:
            message = "the ticker was used before it was started"
            raise RuntimeError(message)
        ends: dict[TopicPartition, int] = await self._asking.end_offsets(list(self._places))
        return ends

    async def keep_ticking(self, leads: Callable[[], bool]) -> None:
        """Tick until cancelled, whenever *leads* says so."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if leads():
                try:
                    await self.tick()
                except KafkaError as error:
                    log.warning("tick not sent error=%s", type(error).__name__)
            # Missed ticks are not made up for: a tick tells the time, it does not count it.
            due = max(due + EVERY, loop.time())
            await asyncio.sleep(due - loop.time())
