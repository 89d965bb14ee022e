"""Silences, changes and explanations over a real broker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from schemas.changes import ChangeV1
from schemas.notices import ReceiptV1
from schemas.telemetry import MetricV1
from schemas.topics import (
    ALERTS,
    CHANGES,
    CURRENT,
    LIFECYCLE,
    METRICS,
    NOTICES,
    RECEIPTS,
    SILENCES,
    WITHHELD,
)
from streams.detection.kinds.threshold import Threshold
from streams.gateways import changes, explaining, incidents, near_misses, silences
from streams.gateways.producer import Publisher
from streams.gateways.silences import Ending, NoSilence
from streams.gateways.topics import create_topics
from streams.policy import Policy
from streams.settings import Settings
from tests.life import Life, alert, policy, silence
from tests.pipeline import read_topic

pytestmark = pytest.mark.broker

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture
async def settings(broker: Any, tmp_path: Path) -> Settings:
    """An installation of this test's own on the shared broker."""
    made = Settings(
        broker=broker.bootstrap,
        state=tmp_path,
        topic_prefix=f"silencing-{uuid4().hex[:8]}.",
        partitions=4,
        **broker.client_settings,
    )
    await create_topics(made)
    return made


async def test_silences_go_where_their_tenants_alerts_go(settings: Settings) -> None:
    """The worker that decides about the alerts would not know of them."""
    tenants = [f"tenant-{number}" for number in range(8)]
    for tenant in tenants:
        made = silence(f"s-{tenant}", tenant=tenant, starts_at=NOW, ends_at=NOW + HOUR)
        await silences.add(settings, made, source="test")
    async with Publisher(settings, source="test") as publisher:
        await publisher.send_all(ALERTS, [alert(tenant=tenant) for tenant in tenants])

    def places(records: list[Any]) -> dict[str, int]:
        return {
            (record.key or b"").decode().removeprefix("s-"): record.partition for record in records
        }

    heard = places(await read_topic(settings, SILENCES.name))
    assert heard == places(await read_topic(settings, ALERTS.name))
    assert set(heard) == set(tenants)
    assert len(set(heard.values())) > 1


async def test_a_silence_is_listed_until_it_is_ended(settings: Settings) -> None:
    for silence_id, lasts in (("long", 2 * HOUR), ("short", HOUR)):
        made = silence(silence_id, starts_at=NOW - HOUR, ends_at=NOW + lasts)
        await silences.add(settings, made, source="test")
    known = await silences.current(settings, NOW)
    assert [each.silence_id for each in known] == ["short", "long"]
    ending = Ending("Ada", NOW, "done")
    over = await silences.end(settings, "long", ending, tenant="default", source="test")
    assert over.ends_at == NOW
    assert [each.silence_id for each in await silences.current(settings, NOW)] == ["short"]
    with pytest.raises(NoSilence, match="no silence 'long' of tenant default is in force"):
        await silences.end(settings, "long", ending, tenant="default", source="test")


async def test_what_happened_is_explained_from_the_log(settings: Settings) -> None:
    """Why was I paged, and why was nobody?"""
    life = Life(policy(routes=[{"channels": ["pager"]}]), NOW)
    muted = ({"label": "rule", "value": "muted"},)
    life.hear(silence(matchers=muted, starts_at=NOW, ends_at=NOW + HOUR))
    facts = {"occurred_at": NOW, "started_at": NOW}
    life.happen(alert("a", **facts), alert("b", rule="muted", **facts))
    life.happen(alert("c", **facts))
    (incident,) = life.open
    (notice,) = life.notices
    receipts = [
        ReceiptV1(
            occurred_at=NOW + timedelta(seconds=attempt),
            requested_at=NOW,
            took=timedelta(0),
            attempt=attempt,
            outcome="retrying",
            reason="HTTP 500",
            channel_kind="webhook",
            **notice.model_dump(include={"notice_id", "incident_id", "purpose", "channel"}),
        )
        for attempt in (1, 2)
    ]
    async with Publisher(settings, source="test") as publisher:
        for topic, messages in (
            (RECEIPTS, [*receipts, receipts[0]]),
            (LIFECYCLE, life.steps),
            (CURRENT, [incident]),
            (NOTICES, life.notices),
            (WITHHELD, life.withheld),
        ):
            await publisher.send_all(topic, messages)
    told = await explaining.told(settings, "default", incident.incident_id)
    assert (told.incident, told.steps, told.notices) == (incident, life.steps, life.notices)
    assert told.receipts == receipts
    untold = await explaining.untold(settings, NOW, tenant="default", incident_id=None)
    assert untold.withheld == life.withheld
    assert untold.grouped == life.steps[1:]
    later = await explaining.untold(settings, NOW + HOUR, tenant=None, incident_id=None)
    assert (later.withheld, later.grouped) == ([], [])
    # What came near to a rule and told nothing.
    rule = Threshold(name="busy", metric="load", threshold=5, severity=2)
    busy = Policy(rules=(rule,))
    async with Publisher(settings, source="test") as publisher:
        loads = [
            MetricV1(
                occurred_at=NOW + timedelta(seconds=value),
                service=service,
                name="load",
                value=value,
            )
            for service, value in (("shop", 4.0), ("shop", 4.5), ("mail", 3.0), ("hot", 9.0))
        ]
        await publisher.send_all(METRICS, loads)
    when = (NOW - HOUR, NOW + HOUR)
    (near,) = await near_misses.below(
        settings, busy, *when, tenant="default", service="shop", rule="busy"
    )
    assert (near.count, near.value) == (2, 4.5)
    assert near.origin.topic == "telemetry.metrics"
    every = await near_misses.below(
        settings, busy, *when, tenant="default", service=None, rule=None
    )
    assert [each.service for each in every] == ["mail", "shop"]
    with pytest.raises(near_misses.NotAnswered, match="no rule 'bussy'; did you mean 'busy'"):
        await near_misses.below(settings, busy, *when, tenant="default", service=None, rule="bussy")
    with pytest.raises(incidents.NoIncident, match="there is no INC-2026-01-01-001"):
        await explaining.told(settings, "default", "INC-2026-01-01-001")


async def test_a_change_is_published_once_for_each_service(settings: Settings) -> None:
    made = [
        ChangeV1(occurred_at=NOW, change_id=name, service=name, kind="deployment", summary="Deploy")
        for name in ("api", "mail")
    ]
    await changes.publish(settings, made, source="test")
    records = await read_topic(settings, CHANGES.name)
    assert [record.value for record in records] == [each.to_wire() for each in made]
