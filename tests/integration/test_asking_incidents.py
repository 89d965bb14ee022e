"""Commands and looks over a real broker; the incidents hop at the other end is played by the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer

from schemas.commands import Acknowledge, Close, Command, CommandV1, Reopen
from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.topics import COMMANDS, CURRENT, LIFECYCLE
from streams.agents.dead_letters import dead_letter
from streams.agents.outgoing import Emitter
from streams.errors import Unavailable
from streams.gateways import clock, looking
from streams.gateways.incidents import Done, Refused, Unanswered, ask, current, timeline
from streams.gateways.producer import Publisher
from streams.gateways.topics import create_topics
from streams.laptop.children import free_port
from streams.settings import Settings

pytestmark = pytest.mark.broker

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "INC-2026-03-01-001"


@pytest_asyncio.fixture
async def settings(broker: Any, tmp_path: Path) -> Settings:
    """An installation of this test's own on the shared broker."""
    made = Settings(
        broker=broker.bootstrap,
        state=tmp_path,
        topic_prefix=f"asking-{uuid4().hex[:8]}.",
        partitions=2,
        **broker.client_settings,
    )
    await create_topics(made)
    return made


def incident(number: int, **changes: Any) -> IncidentV1:
    values: dict[str, Any] = {
        "occurred_at": AT,
        "incident_id": f"INC-2026-03-01-{number:03}",
        "sequence": 1,
        "status": Status.INVESTIGATING,
        "severity": 1,
        "severity_first": 1,
        "severity_peak": 1,
        "summary": "Database is down",
        "service": "shop",
        "group_key": "shop/production",
        "started_at": clock.now(),
        "detected_at": AT + timedelta(minutes=number),
    }
    return IncidentV1(**{**values, **changes})


def step(kind: StepKind, of: IncidentV1, sequence: int, trigger_id: str = "t") -> StepV1:
    return StepV1(
        occurred_at=AT,
        step_id=f"{of.incident_id}.{sequence}",
        incident_id=of.incident_id,
        tenant=of.tenant,
        sequence=sequence,
        kind=kind,
        author="operator",
        source="cli",
        reason="it is closed: it accepts reopen" if kind is StepKind.REFUSED else "asked for",
        trigger_id=trigger_id,
        incident=of,
    )


@asynccontextmanager
async def hop(settings: Settings) -> AsyncIterator[None]:
    """Stands for the incidents hop: acknowledges, refuses to reopen, puts anything else aside."""
    # From the beginning: where the end is, a consumer learns some time after its start, and what came before then is passed over.
    consumer = AIOKafkaConsumer(
        settings.topic(COMMANDS.name),
        bootstrap_servers=settings.broker,
        auto_offset_reset="earliest",
    )
    emitter = Emitter(settings)
    await consumer.start()
    await emitter.start()

    async def answer(publisher: Publisher) -> None:
        sequence = 0
        async for record in consumer:
            sequence += 1
            command = CommandV1.from_wire(record.value)
            if isinstance(command, Close):
                letter = dead_letter(
                    COMMANDS, record, hop="incidents", reason="there is no such incident"
                )
                await emitter.send([letter])
                continue
            refused = isinstance(command, Reopen)
            kind = StepKind.REFUSED if refused else StepKind.ACKNOWLEDGED
            made = step(kind, incident(1), sequence, command.command_id)
            await publisher.send_all(LIFECYCLE, [made])

    async with Publisher(settings, source="incidents") as publisher:
        answering = asyncio.create_task(answer(publisher))
        try:
            yield
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering
            await consumer.stop()
            await emitter.stop()


def command(kind: type[Command], number: int, **fields: Any) -> Any:
    return kind(
        occurred_at=AT, command_id=f"c-{number}", author="operator", incident_id=ID, **fields
    )


async def test_each_command_learns_what_became_of_it_and_of_no_other(settings: Settings) -> None:
    """Otherwise a person would be told of somebody else's command, or of nothing."""
    async with hop(settings):
        together = await asyncio.gather(
            *(ask(settings, command(Acknowledge, n), source="cli") for n in range(3))
        )
        refused = await ask(settings, command(Reopen, 8, reason="again"), source="cli")
        aside = await ask(settings, command(Close, 9), source="cli")
    nobody = await ask(
        settings, command(Close, 10), source="cli", within=timedelta(milliseconds=300)
    )
    assert [each.step.trigger_id for each in together if isinstance(each, Done)] == [
        "c-0",
        "c-1",
        "c-2",
    ]
    assert refused == Refused("it is closed: it accepts reopen")
    assert aside == Refused("there is no such incident")
    assert nobody == Unanswered(timedelta(milliseconds=300))


async def test_incidents_are_shown_as_they_stand(settings: Settings) -> None:
    """Otherwise an old state, or somebody else's incident, would be shown."""
    assert await current(settings) == []
    async with Publisher(settings, source="incidents") as publisher:
        first, second = incident(1), incident(2)
        resolved = incident(1, sequence=2, status=Status.RESOLVED)
        elsewhere = incident(3, tenant="other")
        await publisher.send_all(CURRENT, [first, second, elsewhere])
        await publisher.send(CURRENT, resolved)
        told = [
            step(StepKind.OPENED, first, 1),
            step(StepKind.OPENED, second, 1),
            step(StepKind.RESOLVED, first, 2),
        ]
        # A redelivery is the same step.
        await publisher.send_all(LIFECYCLE, [*told, told[0]])
    assert await current(settings, tenant="default") == [second, resolved]
    assert await current(settings) == [elsewhere, second, resolved]
    assert await timeline(settings, resolved) == [told[0], told[2]]


async def test_topics_that_are_not_there_are_told_from_a_broker_that_is_away(
    broker: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an installation that was never set up would look like an outage."""
    monkeypatch.setattr(looking, "ANSWERS_WITHIN", timedelta(seconds=2))
    away = settings.model_copy(update={"broker": f"127.0.0.1:{free_port()}"})
    with pytest.raises(Unavailable, match=f"no broker answers at {away.broker}"):
        await current(away)
    if broker.kind == "wheel":
        return  # It creates every topic that is asked for.
    other = settings.model_copy(update={"topic_prefix": "other."})
    with pytest.raises(Unavailable, match=r"about other\.incidents\.current: `tocsin topics`"):
        await current(other)
