"""The record hop and the engine are killed at random while history arrives; then history is thrown away and made anew."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.topics import (
    ALERTS,
    CHANGES,
    EXTERNAL,
    HEALTH,
    LIFECYCLE,
    LOGS,
    METRICS,
    NOTICES,
    RECEIPTS,
    by_name,
)
from streams.cli.report import declared_reports
from streams.cli.warehouse import warehouse as warehouse_command
from streams.gateways.clickhouse import ClickHouse, WarehouseUnavailable
from streams.gateways.reporting import told
from tests.brokers import BrokerUnderTest
from tests.integration.comparing import differences
from tests.integration.recomputed import RECOMPUTED
from tests.integration.truth import BEGIN, END, Truth, made_up
from tests.integration.warehouse import RunningWarehouse
from tests.pipeline import Pipeline, environment_of, eventually, publish

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(600)]

KILLS = 20
#: Views whose rows say how many signals they stand for, and the topics of these.
SUMMED = {
    "metric_minutes": METRICS.name,
    "log_minutes": LOGS.name,
    "external_minutes": EXTERNAL.name,
}


def sources(truth: Truth) -> dict[str, int]:
    """What must be there once."""
    return {
        "incident_timeline": sum(map(len, truth.lives)),
        "incidents_now": len(truth.lives),
        "alert_transitions": len(truth.alerts),
        "notice_outcomes": len(truth.notices),
        "receipts FINAL": len(truth.receipts),
        "changes_made": len(truth.changes),
        "health_checks FINAL": len(truth.checks),
        **{source: len(truth.signals[topic]) for source, topic in SUMMED.items()},
    }


async def counted(clickhouse: ClickHouse, truth: Truth) -> dict[str, int]:
    found = {}
    for source in sources(truth):
        try:
            what = "sum(signals)" if source in SUMMED else "count()"
            rows = await clickhouse.select(f"SELECT {what} AS n FROM {source}")  # noqa: S608 - names of tests
        except WarehouseUnavailable:
            return {}
        found[source] = rows[0]["n"]
    return found


async def compare(clickhouse: ClickHouse, truth: Truth) -> None:
    """Every report of the whole time equals another computation."""
    for kind in declared_reports():
        settings: dict[str, Any] = {"until": END}
        if "since" in kind.model_fields:
            settings["since"] = BEGIN
        asked = kind(**settings)
        account = await told(asked, clickhouse)
        assert differences(account, RECOMPUTED[kind.name](asked, truth)) == []


async def test_every_row_is_there_once_after_random_kills_and_after_a_rebuild(
    broker: BrokerUnderTest, pipeline: Pipeline, warehouse: RunningWarehouse, tmp_path: Path
) -> None:
    """A crash, or the loss of the warehouse, would change figures that people decide by."""
    broker.skip_unless("long runs")
    chance = random.Random(7)
    truth = made_up(400, 7)
    topics = (
        (LIFECYCLE, [step for life in truth.lives for step in life]),
        (ALERTS, truth.alerts),
        (NOTICES, truth.notices),
        (RECEIPTS, truth.receipts),
        (CHANGES, truth.changes),
        (HEALTH, truth.checks),
        *((by_name(name), signals) for name, signals in truth.signals.items()),
    )
    clickhouse = ClickHouse(pipeline.settings.warehouse, answer_timeout=timedelta(seconds=5))
    pipeline.start("record")
    await pipeline.ready()
    for number in range(KILLS):
        for topic, messages in topics:
            await publish(pipeline.settings, topic, messages[number::KILLS])
        if chance.random() < 0.5:
            warehouse.kill()
            warehouse.start_again(tmp_path / "warehouse")
        else:
            pipeline.workers["record"].kill()
            pipeline.start("record")

    async def all_there() -> bool:
        found = await counted(clickhouse, truth)
        # More than there was would never become less.
        assert all(count <= sources(truth)[source] for source, count in found.items()), found
        return found == sources(truth)

    await eventually(all_there, "every row is there", pipeline.tails, within=240)
    await compare(clickhouse, truth)

    run = CliRunner(env=environment_of(pipeline.settings))
    rebuilt = await asyncio.to_thread(
        run.invoke, warehouse_command, ["rebuild", "--empty", "--yes"]
    )
    assert rebuilt.exit_code == 0, rebuilt.output
    assert await counted(clickhouse, truth) == sources(truth)
    await compare(clickhouse, truth)
    await clickhouse.close()
