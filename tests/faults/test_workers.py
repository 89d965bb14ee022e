"""Workers that stop, fail or share: whatever they do, every signal is judged once."""

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.alerts import AlertV1
from schemas.telemetry import MetricV1
from schemas.topics import ALERTS, LIFECYCLE, METRICS
from streams.agents.dead_letters import OFFSET, REASON
from streams.gateways.clickhouse import ClickHouse
from streams.settings import Settings
from tests.pipeline import Pipeline, Worker, dead_letters, eventually, publish, read_topic
from tests.world import SERVICES, stream

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SIGNALS = 20_000
#: A worker is stopped by SIGTERM within so many seconds.
STOPS_WITHIN = 5.0
RAISES = """
import sys
from streams.{module} import {name} as victim
from streams.__main__ import main

theirs = victim.{method}

def raising(self, given, *rest):
    if "cursed" in str(given):
        raise RuntimeError("a fault of ours")
    return theirs(self, given, *rest)

victim.{method} = raising
sys.argv = ["tocsin", "worker", "{role}"]
main()
"""


def signals() -> Any:
    return stream(SIGNALS, datetime.now(UTC) - timedelta(milliseconds=SIGNALS))


async def alerts(settings: Settings) -> list[tuple[str, str]]:
    """Service and state of every record on the topic, repeats included."""
    records = await read_topic(settings, ALERTS.name)
    return sorted(
        (alert.service, alert.state.value)
        for alert in (AlertV1.from_wire(each.value) for each in records)
    )


def each_once() -> list[tuple[str, str]]:
    return sorted((service, state) for service in SERVICES for state in ("firing", "resolved"))


async def shares(worker: Worker) -> bool:
    async with httpx.AsyncClient() as asking:
        metrics = (await asking.get(f"http://127.0.0.1:{worker.port}/metrics")).text
    return 'tocsin_partitions{hop="detect"} 2.0' in metrics


async def all_judged(settings: Settings) -> bool:
    return len(set(await alerts(settings))) == 2 * len(SERVICES)


async def test_sigterm_in_mid_work_finishes_it_and_loses_nothing(pipeline: Pipeline) -> None:
    """Every deployment would lose or repeat signals."""
    settings = pipeline.settings
    pipeline.start("detect")
    await pipeline.ready()
    given = signals()
    await publish(settings, METRICS, islice(given, SIGNALS // 2))
    await eventually(lambda: read_topic(settings, ALERTS.name), "it works")
    await publish(settings, METRICS, islice(given, SIGNALS // 4))

    code, seconds = pipeline.workers["detect"].stop()

    assert code == 0, pipeline.tails()
    assert seconds < STOPS_WITHIN
    await publish(settings, METRICS, given)
    pipeline.start("detect")
    await eventually(lambda: all_judged(settings), "every alert", pipeline.tails)
    assert await alerts(settings) == each_once()


async def test_two_workers_share_and_one_leaves(pipeline: Pipeline, tmp_path: Path) -> None:
    """Scaling a role up or down would lose or repeat alerts."""
    settings = pipeline.settings
    pipeline.start("detect")
    pipeline.workers["another"] = Worker("detect", settings, tmp_path)
    await pipeline.ready()
    for worker in pipeline.workers.values():
        await eventually(partial(shares, worker), "each has half of the partitions", worker.tail)
    given = signals()
    half = SIGNALS // 2
    await publish(settings, METRICS, islice(given, half))
    await eventually(lambda: read_topic(settings, ALERTS.name), "they work")

    code, seconds = pipeline.workers.pop("another").stop()
    await publish(settings, METRICS, islice(given, half // 2))

    assert code == 0
    assert seconds < STOPS_WITHIN
    # One comes back while the rest is under way.
    pipeline.workers["another"] = Worker("detect", settings, tmp_path)
    await publish(settings, METRICS, given)
    await eventually(lambda: all_judged(settings), "every alert", pipeline.tails)
    assert await alerts(settings) == each_once()


async def test_a_hop_that_fails_puts_the_record_aside_and_stops(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """A fault of ours would lose signals, or stop the hop for ever."""
    settings = pipeline.settings
    given = list(signals())
    cursed = MetricV1(
        occurred_at=given[0].occurred_at, service="cursed", name="error_rate", value=1, unit="1"
    )
    await publish(settings, METRICS, [*given[: SIGNALS // 2], cursed, *given[SIGNALS // 2 :]])
    script = RAISES.format(
        module="detection.evaluation", name="Detector", method="hear", role="detect"
    )
    worker = pipeline.workers["detect"] = Worker("detect", settings, tmp_path, "-c", script)

    await eventually(lambda: not worker.alive(), "it stops", worker.tail)

    assert worker.process.returncode != 0
    (letter,) = await dead_letters(settings, METRICS)
    headers = dict(letter.headers)
    assert headers[REASON] == b"fault in detect: RuntimeError"
    assert letter.value == cursed.to_wire()
    # A supervisor starts it again: it passes over that record, and does all the others.
    again = pipeline.workers["detect"] = Worker("detect", settings, tmp_path, "-c", script)
    await eventually(lambda: all_judged(settings), "every alert", pipeline.tails)
    assert again.alive()
    assert await alerts(settings) == each_once()
    assert [dict(each.headers)[OFFSET] for each in await dead_letters(settings, METRICS)] == [
        headers[OFFSET]
    ]


async def test_a_recorder_that_fails_stops_and_acknowledges_nothing(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Rows would be missing from every report after a fault of ours."""
    settings = pipeline.settings
    pipeline.start("detect", "incidents")
    script = (
        "import streams.agents.record as module\n"
        "def raising(*given):\n"
        "    raise RuntimeError('a fault of ours')\n"
        "module.rows_in = raising\n"
        "import sys\n"
        "from streams.__main__ import main\n"
        "sys.argv = ['tocsin', 'worker', 'record']\n"
        "main()\n"
    )
    worker = pipeline.workers["record"] = Worker("record", settings, tmp_path, "-c", script)
    await publish(settings, METRICS, signals())

    await eventually(lambda: not worker.alive(), "it stops", worker.tail)

    assert worker.process.returncode != 0
    pipeline.start("record")
    warehouse = ClickHouse(settings.warehouse)

    async def all_recorded() -> bool:
        steps = len(await read_topic(settings, LIFECYCLE.name))
        rows = await warehouse.select("SELECT count() AS n FROM incident_steps FINAL")
        return steps >= 3 * len(SERVICES) and rows[0]["n"] == steps

    await eventually(all_recorded, "every step is a row", pipeline.tails)
    await warehouse.close()
