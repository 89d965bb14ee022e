"""
How far a hop is behind, while it works and while it waits.

The broker is asked where its topics end. What was fetched last would not do: while ClickHouse does not answer, or a rule takes its time,
nothing is fetched, and the lag that grows then is what people must see.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.topics import TopicDeclaration
from streams.agents import metrics
from streams.agents.app import HopApp

log = logging.getLogger(__name__)

#: Seconds between two looks.
EVERY: Final = 2.0


class Lag:
    """Measures one hop."""

    def __init__(
        self,
        app: HopApp,
        hop: str,
        inputs: Mapping[str, TopicDeclaration],
        done: Callable[[TP], int | None],
    ) -> None:
        """
        Measure as soon as *app* runs.

        Args:
            app: The hop's app.
            hop: Its name in the metric.
            inputs: What it reads, by its name on the broker.
            done: Where the next record stands that the hop is not done with; None where that is not known.
        """
        self._app = app
        self._hop = hop
        self._inputs = inputs
        self._done = done
        #: The figures that are shown, by topic and partition.
        self._shown: set[tuple[str, int]] = set()
        app.task(self._keep_measuring)

    async def _keep_measuring(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await self.measure()

    async def measure(self) -> None:
        """Look once."""
        consumer: Any = self._app.consumer
        places = [it for it in consumer.assignment() if it.topic in self._inputs]
        if self._app.rebalancing:
            return
        self._leave_out({(self._inputs[place.topic].name, place.partition) for place in places})
        if not places:
            return
        try:
            ends = await consumer.highwaters(*places)
        except (KafkaError, OSError) as error:
            log.warning("lag not measured hop=%s reason=%s", self._hop, type(error).__name__)
            return
        for place in set(places) & set(consumer.assignment()):
            done = self._done(place)
            if done is None:
                done = consumer._committed_offset.get(place) or 0  # noqa: SLF001 - Faust offers no other way
            topic = self._inputs[place.topic].name
            metrics.LAG.labels(self._hop, topic, place.partition).set(
                max((ends.get(place) or 0) - done, 0)
            )
            self._shown.add((topic, place.partition))

    def _leave_out(self, ours: set[tuple[str, int]]) -> None:
        """Show nothing of what is not *ours*: it would stand still, and whoever has it now shows what is so."""
        for topic, partition in self._shown - ours:
            metrics.LAG.remove(self._hop, topic, partition)
        self._shown &= ours
