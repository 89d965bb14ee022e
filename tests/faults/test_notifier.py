"""The notifier is killed at random moments while it tells of a hundred incidents."""

import random
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Outcome, ReceiptV1
from schemas.topics import NOTICES, RECEIPTS
from tests.brokers import BrokerUnderTest
from tests.pipeline import Pipeline, eventually, publish, read_topic
from tests.receivers import Answer, HttpReceiver
from tests.told import notice

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(600)]

INCIDENTS, KILLS = 100, 6
LIFE = (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.RESOLVED)
POLICY = """
channels:
  hook: {{kind: webhook, url: "{url}/hook", secret: a-shared-secret}}
"""


def notices(number: int) -> list[NoticeV1]:
    incident = {"incident_id": f"INC-2024-03-01-{number:03}"}
    return [notice(kind, "hook", step, **incident) for step, kind in enumerate(LIFE, start=1)]


async def test_killing_the_notifier_at_random_loses_nothing_and_repeats_nothing_confirmed(
    broker: BrokerUnderTest, pipeline: Pipeline, tmp_path: Path
) -> None:
    """Otherwise a crash in a storm would be silence, or call everybody a second time."""
    broker.skip_unless("long runs")
    chance = random.Random(7)
    arrived: dict[str, list[datetime]] = defaultdict(list)

    def take(posted: Any) -> Answer:
        arrived[posted.headers["Idempotency-Key"]].append(datetime.now(UTC))
        # Every tenth is refused for a passing reason.
        return Answer(500) if chance.random() < 0.1 else Answer(204, b"")

    async with HttpReceiver(take) as web:
        policy = tmp_path / "notifier.yaml"
        policy.write_text(POLICY.format(url=web.url))
        settings = pipeline.settings = pipeline.settings.model_copy(update={"policy": policy})
        told = [each for number in range(1, INCIDENTS + 1) for each in notices(number)]
        ids = {each.notice_id for each in told}
        pipeline.start("notify")
        await pipeline.ready()
        share = len(told) // KILLS
        for kill in range(KILLS):
            await publish(settings, NOTICES, told[kill * share : (kill + 1) * share])
            before = len(arrived)
            # Somewhere in the middle of what was just published.
            some = before + chance.randrange(1, share)
            await eventually(
                lambda some=some: len(arrived) >= some, "some are told", pipeline.tails
            )
            pipeline.workers["notify"].kill()
            pipeline.start("notify")
        await publish(settings, NOTICES, told[KILLS * share :])
        await pipeline.ready()

        async def all_ended() -> bool:
            ended = {
                each.notice_id for each in await receipts() if each.outcome is Outcome.DELIVERED
            }
            return ended == ids

        async def receipts() -> list[ReceiptV1]:
            found = await read_topic(settings, RECEIPTS.name)
            return [ReceiptV1.from_wire(each.value) for each in found]

        await eventually(all_ended, "each is delivered", pipeline.tails, within=180)
        # What is under way ends, and what would be repeated comes.
        pipeline.workers["notify"].stop()

    assert arrived.keys() == ids
    confirmed: dict[str, datetime] = {}
    for receipt in await receipts():
        if receipt.outcome is Outcome.DELIVERED:
            first = confirmed.get(receipt.notice_id, receipt.occurred_at)
            confirmed[receipt.notice_id] = min(first, receipt.occurred_at)
    late = [
        notice_id
        for notice_id, at in confirmed.items()
        if any(moment > at for moment in arrived[notice_id])
    ]
    assert late == [], "told again after a confirmed answer"
    # Lines keep their order: no later message of an incident before the earlier one was taken.
    for number in range(1, INCIDENTS + 1):
        moments = [confirmed[each.notice_id] for each in notices(number)]
        assert moments == sorted(moments)
