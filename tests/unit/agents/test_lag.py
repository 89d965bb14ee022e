"""How far a hop is behind."""

from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import KafkaConnectionError
from faust.types import TP
from prometheus_client import REGISTRY

from schemas.topics import LOGS, METRICS
from streams.agents.lag import Lag

METRICS_0, LOGS_0, OTHER = TP("a.telemetry.metrics", 0), TP("a.telemetry.logs", 0), TP("x", 0)


@dataclass
class Consumer:
    ends: dict[TP, int]
    broken: bool = False
    _committed_offset: dict[TP, int] = field(default_factory=lambda: {LOGS_0: 40})
    assigned: set[TP] = field(default_factory=lambda: {METRICS_0, LOGS_0, OTHER})

    def assignment(self) -> set[TP]:
        return self.assigned

    async def highwaters(self, *places: TP) -> dict[TP, int]:
        if self.broken:
            raise KafkaConnectionError
        return {place: self.ends[place] for place in places}


@dataclass
class App:
    consumer: Consumer
    rebalancing: bool = False

    def task(self, _: Any) -> None:
        pass


def shown(topic: str) -> float | None:
    return REGISTRY.get_sample_value(
        "tocsin_lag_records", {"hop": "a-hop", "topic": topic, "partition": "0"}
    )


async def test_what_nobody_fetches_is_behind_all_the_same() -> None:
    """While ClickHouse is down nothing is read: a lag that stands still would say that all is well."""
    consumer = Consumer({METRICS_0: 10, LOGS_0: 50})
    inputs = {METRICS_0.topic: METRICS, LOGS_0.topic: LOGS}
    lag = Lag(App(consumer), "a-hop", inputs, {METRICS_0: 7}.get)  # type: ignore[arg-type]

    await lag.measure()
    assert (shown(METRICS.name), shown(LOGS.name)) == (3, 10)

    consumer.ends = {METRICS_0: 1_000, LOGS_0: 50}
    await lag.measure()
    assert shown(METRICS.name) == 993

    # A broker that does not answer ends no worker.
    consumer.broken = True
    await lag.measure()
    assert shown(METRICS.name) == 993


async def test_what_was_given_away_is_not_shown() -> None:
    """It would stand still at what it was, and two workers would say different things of one partition."""
    consumer = Consumer({METRICS_0: 10, LOGS_0: 50})
    inputs = {METRICS_0.topic: METRICS, LOGS_0.topic: LOGS}
    lag = Lag(App(consumer), "a-hop", inputs, lambda _: 0)  # type: ignore[arg-type]
    await lag.measure()
    assert (shown(METRICS.name), shown(LOGS.name)) == (10, 50)

    consumer.assigned = {METRICS_0}
    await lag.measure()
    assert (shown(METRICS.name), shown(LOGS.name)) == (10, None)

    consumer.assigned = set()
    await lag.measure()
    assert shown(METRICS.name) is None


async def test_what_is_given_away_while_the_broker_is_asked_is_not_shown() -> None:
    """Two workers would say different things of it until we look again."""
    consumer = Consumer({METRICS_0: 10, LOGS_0: 50})
    asked = consumer.highwaters

    async def highwaters(*places: TP) -> dict[TP, int]:
        consumer.assigned = {METRICS_0}
        return await asked(*places)

    consumer.highwaters = highwaters  # type: ignore[method-assign]
    inputs = {METRICS_0.topic: METRICS, LOGS_0.topic: LOGS}
    lag = Lag(App(consumer), "another-hop", inputs, lambda _: 0)  # type: ignore[arg-type]
    await lag.measure()
    of = {"hop": "another-hop", "partition": "0"}
    found = [
        REGISTRY.get_sample_value("tocsin_lag_records", of | {"topic": topic.name})
        for topic in (METRICS, LOGS)
    ]
    assert found == [10, None]
