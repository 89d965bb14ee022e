"""One outage, from the failing check to the rows of the report, through real hops."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.commands import Acknowledge, Note, Resolve
from schemas.lifecycle import IncidentV1, StepV1
from schemas.notices import Outcome, Purpose, ReceiptV1
from schemas.telemetry import HealthStatus
from schemas.topics import CURRENT, HEALTH, LIFECYCLE, RECEIPTS
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.incidents import Done, Refused, ask
from streams.settings import Settings
from tests.pipeline import ROLES, Pipeline, Worker, eventually, publish, read_topic
from tests.world import health

pytestmark = [pytest.mark.broker, pytest.mark.slow]

EXAMPLE_POLICY = Path("deploy/policy")
CHANNELS = {"pagerduty", "sms", "slack", "email", "webhook"}


def check(status: HealthStatus, *, times: int) -> list[Any]:
    began = datetime.now(UTC)
    return [
        health("shop", status, began + timedelta(milliseconds=number)) for number in range(times)
    ]


async def receipts(settings: Settings) -> list[ReceiptV1]:
    return [ReceiptV1.from_wire(each.value) for each in await read_topic(settings, RECEIPTS.name)]


async def current(settings: Settings) -> IncidentV1 | None:
    records = await read_topic(settings, CURRENT.name, quiet=0.3)
    return IncidentV1.from_wire(records[-1].value) if records else None


async def test_an_outage_is_told_acknowledged_resolved_and_reported(
    pipeline: Pipeline, receivers: Any
) -> None:
    """Nothing else matters if this does not work."""
    settings = pipeline.settings = pipeline.settings.model_copy(update={"policy": EXAMPLE_POLICY})
    pipeline.start()
    await pipeline.ready()

    # Detected, correlated, told to everybody.
    await publish(settings, HEALTH, check(HealthStatus.UNHEALTHY, times=5))
    opened = await eventually(lambda: current(settings), "an incident opens", pipeline.tails)
    assert opened.severity == 1
    assert opened.service == "shop"

    async def all_told(purpose: Purpose) -> bool:
        delivered = {
            each.channel
            for each in await receipts(settings)
            if each.purpose is purpose and each.outcome is Outcome.DELIVERED
        }
        return delivered == CHANNELS

    await eventually(lambda: all_told(Purpose.INITIAL), "every channel is told", pipeline.tails)

    # A person works on it.
    person = {"incident_id": opened.incident_id, "author": "operator"}

    def command(kind: Any, number: int, **given: Any) -> Any:
        return kind(command_id=f"c{number}", occurred_at=datetime.now(UTC), **person, **given)

    for asked in (
        command(Acknowledge, 1),
        command(Note, 2, text="the disk is full"),
        command(Resolve, 3, root_cause="disk full", resolution="logs deleted"),
    ):
        assert isinstance(await ask(settings, asked, source="test"), Done)
    refused = await ask(settings, command(Acknowledge, 4), source="test")
    assert isinstance(refused, Refused)
    assert "resolved" in refused.reason
    await eventually(lambda: all_told(Purpose.RESOLUTION), "all are told it is over")

    # Everything is on the log, once and in order.
    steps = [StepV1.from_wire(each.value) for each in await read_topic(settings, LIFECYCLE.name)]
    assert [step.sequence for step in steps] == list(range(1, len(steps) + 1))
    kinds = [step.kind.value for step in steps]
    assert kinds == ["opened", "acknowledged", "noted", "resolved", "refused"]
    told = Counter((each.channel, each.purpose, each.outcome) for each in await receipts(settings))
    # The beginning, that somebody has taken it, the end: once to each channel.
    told_by = (Purpose.INITIAL, Purpose.UPDATE, Purpose.RESOLUTION)
    assert told == Counter(
        (channel, purpose, Outcome.DELIVERED) for channel in CHANNELS for purpose in told_by
    )
    assert len(receivers.mail.arrived) == len(told_by)

    # The warehouse answers with the same numbers.
    warehouse = ClickHouse(settings.warehouse)
    wanted = {"incident_steps": len(steps), "receipts": sum(told.values()), "alerts": 1}

    async def recorded() -> bool:
        counts = {
            table: len(await warehouse.select(f"SELECT 1 FROM {table} FINAL"))  # noqa: S608 - our own names
            for table in wanted
        }
        return counts == wanted

    await eventually(recorded, f"the warehouse has {wanted}", pipeline.tails)
    (row,) = await warehouse.select(
        "SELECT severity, root_cause, toUnixTimestamp64Milli(resolved_at) AS resolved "
        "FROM incidents FINAL"
    )
    last = await current(settings)
    assert last is not None
    assert last.resolved_at is not None
    assert row == {
        "severity": 1,
        "root_cause": "disk full",
        "resolved": int(last.resolved_at.timestamp() * 1000),
    }
    await warehouse.close()

    # And each hop says of itself that it lives.
    async with httpx.AsyncClient() as asking:
        for worker in pipeline.workers.values():
            address = f"http://127.0.0.1:{worker.port}"
            assert (await asking.get(f"{address}/livez")).text == "ok\n"
            assert f'hop="{worker.role}"' in (await asking.get(f"{address}/metrics")).text


@pytest.mark.parametrize("role", ROLES)
async def test_faust_itself_can_start_a_hop(role: str, pipeline: Pipeline, tmp_path: Path) -> None:
    """Those who run Faust workers already could not run ours beside them."""
    worker = pipeline.workers[role] = Worker(
        role,
        pipeline.settings,
        tmp_path,
        *("-m", "faust", "-A", f"streams.pipeline:{role}", "worker", "--without-web"),
    )
    await pipeline.ready()

    code, seconds = worker.stop()

    assert code == 0, worker.tail()
    assert seconds < 5
