"""Hops are killed one after another during a stream of 20,000 signals: nothing is lost, nothing counts twice."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from schemas.lifecycle import StepV1
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from schemas.topics import ALERTS, DECLARED, LIFECYCLE, METRICS, NOTICES, RECEIPTS
from streams.gateways.clickhouse import ClickHouse
from streams.settings import Settings
from tests.pipeline import ROLES, Pipeline, eventually, publish, read_topic
from tests.world import SERVICES, stream

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SIGNALS = 20_000
#: What one service's failure becomes, on every run.
STEPS = ("opened", "alert_resolved", "resolved")
CHANNELS = ("on-call", "pager")


async def outcome(settings: Settings) -> dict[str, Any]:
    """What the log says happened, told apart by service and not by number: numbers follow the order of arrival."""
    steps = [StepV1.from_wire(each.value) for each in await read_topic(settings, LIFECYCLE.name)]
    notices = [NoticeV1.from_wire(each.value) for each in await read_topic(settings, NOTICES.name)]
    receipts = [
        ReceiptV1.from_wire(each.value) for each in await read_topic(settings, RECEIPTS.name)
    ]
    service = {step.incident_id: step.incident.service for step in steps}
    unique_steps = {step.step_id: step for step in steps}
    delivered = {
        receipt.notice_id: receipt for receipt in receipts if receipt.outcome is Outcome.DELIVERED
    }
    return {
        "steps": Counter(
            (step.incident.service, step.kind.value) for step in unique_steps.values()
        ),
        "notices": Counter(
            (service[notice.incident_id], notice.channel, notice.purpose.value)
            for notice in {notice.notice_id: notice for notice in notices}.values()
        ),
        "delivered": Counter(
            (service[receipt.incident_id], receipt.channel, receipt.purpose.value)
            for receipt in delivered.values()
        ),
        "ids": (set(unique_steps), set(delivered)),
    }


def expected() -> dict[str, Any]:
    notices = Counter(
        (service, channel, purpose)
        for service in SERVICES
        for channel in CHANNELS
        for purpose in ("initial", "resolution")
    )
    return {
        "steps": Counter((service, kind) for service in SERVICES for kind in STEPS),
        "notices": notices,
        "delivered": notices,
    }


async def first_trace(role: str, settings: Settings, warehouse: ClickHouse, receivers: Any) -> bool:
    """Whether *role* was seen at work: from then on it is in the middle of it."""
    if role == "notify":
        return bool(receivers.notice_ids("on-call"))
    if role == "record":
        return bool(await warehouse.select("SELECT 1 FROM alerts LIMIT 1"))
    topic = {"detect": ALERTS, "incidents": LIFECYCLE}[role]
    return bool(await read_topic(settings, topic.name, quiet=0.2))


@pytest.mark.parametrize("killed", [(), tuple(reversed(ROLES))], ids=["undisturbed", "killed"])
async def test_killing_each_hop_in_turn_changes_nothing(
    killed: tuple[str, ...], pipeline: Pipeline, receivers: Any, tmp_path: Path
) -> None:
    """Somebody would not be paged, or paged again, or a report would be wrong after a crash."""
    settings = pipeline.settings
    warehouse = ClickHouse(settings.warehouse)
    pipeline.start()
    await pipeline.ready()
    signals = stream(SIGNALS, datetime.now(UTC) - timedelta(milliseconds=SIGNALS))
    # Every service has failed after the first half, and none has recovered.
    await publish(settings, METRICS, islice(signals, SIGNALS // 2))
    for role in killed:
        await eventually(partial(first_trace, role, settings, warehouse, receivers), "it works")
        pipeline.workers[role].kill()
        await publish(settings, METRICS, islice(signals, SIGNALS // 20))
        pipeline.start(role)
    await publish(settings, METRICS, signals)

    wanted = expected()

    async def all_recorded() -> bool:
        rows = await warehouse.select(
            "SELECT (SELECT count() FROM incident_steps FINAL WHERE kind = 'resolved') AS resolved, "
            "(SELECT uniqExact(notice_id) FROM receipts FINAL WHERE outcome = 'delivered') AS receipts"
        )
        return (rows[0]["resolved"], rows[0]["receipts"]) == (
            len(SERVICES),
            sum(wanted["delivered"].values()),
        )

    await eventually(all_recorded, "every incident is resolved, told and recorded", pipeline.tails)
    found = await outcome(settings)
    for name, count in wanted.items():
        assert found[name] == count, name

    # The warehouse has each of them, once.
    step_ids, delivered_ids = found["ids"]
    rows = await warehouse.select("SELECT step_id FROM incident_steps FINAL")
    assert sorted(row["step_id"] for row in rows) == sorted(step_ids)
    rows = await warehouse.select(
        "SELECT notice_id FROM receipts FINAL WHERE outcome = 'delivered'"
    )
    assert sorted(row["notice_id"] for row in rows) == sorted(delivered_ids)

    # Only what was under way in the moment of the kill was said again, under the same id.
    said = Counter((each.notice_id, each.purpose) for each in receivers.notices("on-call"))
    assert len(said) == 2 * len(SERVICES)
    for (_, purpose), times in said.items():
        assert times <= (2 if "notify" in killed and purpose is Purpose.INITIAL else 1)

    for topic in DECLARED:
        if topic.dead_letters:
            assert await read_topic(settings, topic.dead, 1, quiet=0.3) == [], topic.dead
