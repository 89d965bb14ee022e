"""Early ticks: the worst severity does not wait for the leader's next tick, and no clock races another."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.alerts import AlertState, AlertV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, COMMANDS, TICKS
from streams import pipeline
from streams.agents import haste
from streams.agents.haste import EarlyTicks
from streams.agents.incidents import IncidentsDesk
from streams.agents.outgoing import Outgoing
from streams.settings import Settings
from tests.life import Life, alert, policy
from tests.recording import Record

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Emitter:
    """Takes ticks; can fail."""

    def __init__(self) -> None:
        self.sent: list[TickV1] = []
        self.fails = 0
        self.has_sent = asyncio.Event()

    async def send(self, records: list[Outgoing]) -> None:
        if self.fails:
            self.fails -= 1
            raise KafkaConnectionError
        assert {each.topic for each in records} <= {TICKS.name}
        ticks = [TickV1.from_wire(each.value) for each in records]
        assert [each.partition for each in records] == [each.partition for each in ticks]
        self.sent += ticks
        self.has_sent.set()


class Worker:
    """One worker with the partitions 0 and 1."""

    def __init__(self) -> None:
        self.now = 100.0
        self.emitter = Emitter()
        self.early = EarlyTicks("incidents", self.emitter, lambda: self.now)  # type: ignore[arg-type]
        self.slices = {
            each: SimpleNamespace(held_ticks=0, positions={ALERTS.name: 7 + each, TICKS.name: 9})
            for each in (0, 1)
        }
        self.early.hop = SimpleNamespace(slices=self.slices)  # type: ignore[assignment]

    def leader_ticks(self, partition: int, at: datetime = NOON) -> None:
        self.early.ticked(TickV1(occurred_at=at, partition=partition))


def test_a_partition_that_asks_is_ticked_by_the_leaders_clock() -> None:
    """Two clocks that disagree would race, and deadlines with them."""
    worker = Worker()
    worker.leader_ticks(1)
    worker.now += 0.25
    worker.early.ask(1)
    assert worker.early.due() == [
        TickV1(
            occurred_at=NOON + timedelta(seconds=0.25),
            partition=1,
            reached={ALERTS.name: 8},
            hop="incidents",
        )
    ]
    assert worker.early.due() == []


def test_early_ticks_never_run_ahead_of_a_leader_that_is_gone() -> None:
    """Time would go on although nobody keeps it."""
    worker = Worker()
    worker.leader_ticks(0)
    worker.now += 500
    for _ in "12":
        worker.early.ask(0)
        (tick,) = worker.early.due()
        assert tick.occurred_at == NOON + timedelta(seconds=haste.AHEAD)
        worker.early.ticked(tick)


def test_an_early_tick_that_was_overtaken_comes_again() -> None:
    """The alert would wait for the second after all."""
    worker = Worker()
    worker.leader_ticks(0)
    worker.early.ask(0)
    (tick,) = worker.early.due()
    worker.early.ticked(tick.model_copy(update={"occurred_at": NOON + timedelta(seconds=0.5)}))
    assert worker.early.due() == []
    worker.leader_ticks(0, NOON + timedelta(seconds=1))
    worker.early.ticked(tick)
    (again,) = worker.early.due()
    assert again.occurred_at == NOON + timedelta(seconds=1)


def test_who_works_through_a_backlog_asks_again_and_who_has_no_time_or_no_partition_is_silent() -> (
    None
):
    """A backlog would be judged by a time that it has not reached."""
    worker = Worker()
    for partition in (0, 1, 5):
        worker.early.ask(partition)
    assert worker.early.due() == []
    worker.leader_ticks(0)
    worker.slices[0].held_ticks = 3
    worker.early.ask(0)
    assert worker.early.due() == []
    worker.slices[0].held_ticks = 0
    assert [tick.partition for tick in worker.early.due()] == [0]


async def test_a_broker_that_is_away_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    """One lost early tick would be the last."""
    monkeypatch.setattr(haste, "SETTLES", 0.0)
    monkeypatch.setattr(haste, "APART", 0.0)
    worker = Worker()
    worker.leader_ticks(0)
    worker.emitter.fails = 1
    ticking = asyncio.create_task(worker.early.keep_ticking())
    async with asyncio.timeout(5):
        while not worker.emitter.sent:
            worker.early.ask(0)
            await asyncio.sleep(0)
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)
    assert worker.emitter.fails == 0


class Asked:
    """Remembers who asked."""

    def __init__(self) -> None:
        self.partitions: list[int] = []
        self.ticks: list[TickV1] = []

    def ask(self, partition: int) -> None:
        self.partitions.append(partition)

    def ticked(self, tick: TickV1) -> None:
        self.ticks.append(tick)

    async def keep_ticking(self) -> None:
        """Tick."""


@pytest.mark.parametrize(
    ("given", "asks"),
    [
        ({"severity": 1}, [3]),
        ({"severity": 1, "state": AlertState.CHANGED}, [3]),
        ({"severity": 1, "state": AlertState.RESOLVED}, []),
        ({"severity": 2}, []),
    ],
)
def test_only_the_worst_that_fires_asks(given: dict[str, Any], asks: list[int]) -> None:
    """Everything would be placed alert by alert; or the worst would wait for a second."""
    asked = Asked()
    desk = IncidentsDesk.under(policy(), haste=asked)
    said: AlertV1 = alert(**given)
    assert not list(desk.hear(ALERTS, Record("alerts", 3, 0, b"default", said.to_wire())))
    assert asked.partitions == asks
    tick = TickV1(occurred_at=NOON, partition=3)
    list(desk.tick(tick))
    assert asked.ticks == [tick]


@pytest.mark.parametrize("turned", [False, True])
def test_what_falls_between_an_early_tick_and_the_next_is_one_incident(
    turned: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A failure that is heard of in two parts would page twice."""
    life = Life(
        policy(
            services={"shop": {"depends_on": ["database"]}, "database": {}},
            channels={},
        )
    )
    parts = [alert("aa", severity=1), alert("bb", service="shop", severity=1)]
    for part in reversed(parts) if turned else parts:
        life.hear(part)
        life.tick(0.1)
    (incident,) = life.open
    assert incident.probable_cause == "database"
    assert incident.alert_count == 2


def test_topics_that_a_partition_has_read_are_waited_for() -> None:
    """A replay would place alerts that the first run had not heard yet, and a command too late."""
    worker = Worker()
    worker.slices[0].positions = {ALERTS.name: 3, COMMANDS.name: 2, TICKS.name: 1}
    worker.leader_ticks(0)
    worker.early.ask(0)
    (tick,) = worker.early.due()
    assert tick.reached == {ALERTS.name: 3, COMMANDS.name: 2}


def test_the_hop_of_a_worker_hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would notice that the parts are not connected."""
    made: list[dict[str, Any]] = []
    asked = Asked()
    monkeypatch.setattr(pipeline, "Hop", lambda _, **given: made.append(given) or given["name"])
    monkeypatch.setattr(pipeline, "EarlyTicks", lambda *_: asked)
    tasks: list[Any] = []
    app = SimpleNamespace(
        settings=Settings(),
        emitter=None,
        is_leader=lambda: False,
        need=lambda _: None,
        task=tasks.append,
    )

    pipeline.ROLES["incidents"](app)  # type: ignore[arg-type]

    (hop,) = made
    wire = alert(severity=1).to_wire()
    assert not list(hop["desk"]().hear(ALERTS, Record(ALERTS.name, 2, 0, b"default", wire)))
    assert asked.partitions == [2]
    assert asked.keep_ticking in tasks
    assert vars(asked)["hop"] == "incidents"
