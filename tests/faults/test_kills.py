"""Hops are killed while they work: nothing is lost, nothing counts twice, and nobody is called late."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from schemas.commands import Declare
from schemas.lifecycle import StepV1
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from schemas.topics import (
    ALERTS,
    COMMANDS,
    DECLARED,
    LIFECYCLE,
    METRICS,
    NOTICES,
    RECEIPTS,
    TopicDeclaration,
)
from streams.gateways.clickhouse import ClickHouse
from streams.settings import Settings
from tests.pipeline import ROLES, Pipeline, eventually, publish, read_topic
from tests.world import SERVICES, stream

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SIGNALS = 20_000
#: What one service's failure becomes, on every run.
STEPS = ("opened", "alert_resolved", "resolved")
CHANNELS = ("on-call", "pager")


#: Who is called at once, and who when nobody has it by then; long enough for another worker to begin.
ESCALATION = """
people: {first: {channels: [on-call]}, second: {channels: [on-call]}}
escalations:
  short: {steps: [{people: [first]}, {people: [second], after: 9s}]}
"""
CALLED_AFTER = timedelta(seconds=9)


async def written(settings: Settings, topic: TopicDeclaration) -> list[bytes]:
    return [each.value for each in await read_topic(settings, topic.name)]


async def outcome(settings: Settings) -> dict[str, Any]:
    """What the log says happened, told apart by service and not by number: numbers follow the order of arrival."""
    steps = [StepV1.from_wire(each) for each in await written(settings, LIFECYCLE)]
    notices = [NoticeV1.from_wire(each) for each in await written(settings, NOTICES)]
    receipts = [ReceiptV1.from_wire(each) for each in await written(settings, RECEIPTS)]
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
    return bool(await read_topic(settings, topic.name))


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
            assert await read_topic(settings, topic.dead, 1) == [], topic.dead


async def called(settings: Settings) -> list[tuple[datetime, NoticeV1]]:
    """Whom escalations called, with when that was written; what was said again under the same id is the same call."""
    found: dict[str, tuple[datetime, NoticeV1]] = {}
    for record in await read_topic(settings, NOTICES.name):
        notice = NoticeV1.from_wire(record.value)
        if notice.purpose is Purpose.ESCALATION:
            written_at = datetime.fromtimestamp(record.timestamp / 1_000, UTC)
            first = found.setdefault(notice.notice_id, (written_at, notice))
            assert first[1] == notice
    return list(found.values())


async def test_a_worker_that_is_killed_during_an_escalation_goes_on_with_it_in_time(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Whoever is next would not be called, or called twice, or only after another whole delay."""
    pipeline.settings = pipeline.settings.model_copy(
        # The shortest there is: until then nobody else is given the partitions.
        update={"session_timeout": timedelta(seconds=6)}
    )
    settings = pipeline.settings
    (tmp_path / "policy" / "on-call.yaml").write_text(ESCALATION)
    pipeline.start("incidents")
    await pipeline.ready()
    await publish(settings, COMMANDS, [declared(datetime.now(UTC))])
    await eventually(lambda: called(settings), "the first is called", pipeline.tails)

    pipeline.workers["incidents"].kill()
    pipeline.start("incidents")
    await pipeline.ready()
    ready_at = datetime.now(UTC)

    async def both() -> Any:
        found = await called(settings)
        return found if len(found) > 1 else None

    (_, first), (written_at, second) = await eventually(both, "the next is called", pipeline.tails)
    assert (first.people, second.people) == (("first",), ("second",))
    assert second.occurred_at >= first.incident.detected_at + CALLED_AFTER
    # A machine that is slow to begin is no slow escalation: then it is told at once.
    due_at = first.occurred_at + CALLED_AFTER
    assert second.occurred_at <= max(due_at, ready_at) + timedelta(seconds=2)
    assert written_at - second.occurred_at <= timedelta(seconds=2)


def declared(at: datetime) -> Declare:
    return Declare(
        occurred_at=at,
        command_id="one",
        author="tester",
        severity=1,
        service="shop",
        report={"summary": "Nobody can pay"},
    )
