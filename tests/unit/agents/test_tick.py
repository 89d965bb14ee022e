"""Ticks: the time for every partition, and how far its inputs reached by then."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from schemas.ticks import TickV1
from schemas.topics import ALERTS, COMMANDS, HEALTH
from streams.agents import tick as module
from streams.agents.tick import WAITED_FOR, Ticker
from streams.settings import Settings
from tests.recording import RecordingEmitter

SETTINGS = Settings(partitions=2, topic_prefix="test.")


class Ends:
    """A consumer that knows end offsets; it notes when it was asked."""

    def __init__(self) -> None:
        self.asked_at: list[datetime] = []
        self.fails = 0

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked_at.append(datetime.now(UTC))
        if self.fails:
            self.fails -= 1
            raise KafkaConnectionError
        return {
            place: 10 * place.partition + len(place.topic.removeprefix("test.")) for place in places
        }


def ticker() -> tuple[Ticker, Ends, RecordingEmitter]:
    emitter, ends = RecordingEmitter(), Ends()
    made = Ticker(SETTINGS, emitter)  # type: ignore[arg-type]
    made._asking = ends  # type: ignore[assignment]
    return made, ends, emitter


async def test_every_partition_gets_the_time_and_how_far_its_inputs_reach() -> None:
    """A hop would let time run ahead of the records that came before it."""
    made, ends, emitter = ticker()

    await made.tick()

    sent = [TickV1.from_wire(each.value) for each in emitter.sent]
    assert [
        (each.partition, record.partition) for each, record in zip(sent, emitter.sent, strict=True)
    ] == [
        (0, 0),
        (1, 1),
    ]
    assert sent[1].reached == {topic.name: 10 + len(topic.name) for topic in WAITED_FOR}
    assert {HEALTH.name, ALERTS.name, COMMANDS.name} <= sent[0].reached.keys()
    # What is written after this moment need not be waited for; what was written before it is.
    assert sent[0].occurred_at == sent[1].occurred_at <= ends.asked_at[0]


async def test_only_who_leads_ticks_and_a_broker_that_is_away_is_survived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two clocks would race, or no deadline would ever come again after a hiccup."""
    monkeypatch.setattr(module, "EVERY", 0.001)
    made, ends, emitter = ticker()
    leads = False
    ticking = asyncio.create_task(made.keep_ticking(lambda: leads))
    try:
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert ends.asked_at == []

        ends.fails, leads = 3, True
        async with asyncio.timeout(5):
            while len(emitter.sent) < 4:  # noqa: ASYNC110 - a fake tells nobody
                await asyncio.sleep(0.001)
        assert len(ends.asked_at) >= 5
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
