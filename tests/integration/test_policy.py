"""A policy is put in force while signals flow: nothing is lost, it holds from its place on, and a restart keeps it."""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.alerts import AlertState, AlertV1
from schemas.notices import Outcome, ReceiptV1
from schemas.policies import PolicyV1
from schemas.telemetry import MetricV1
from schemas.topics import ALERTS, METRICS, POLICIES, RECEIPTS
from streams.settings import Settings
from tests.pipeline import (
    Pipeline,
    command,
    dead_letters,
    eventually,
    publish,
    read_topic,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]

HOPS = ("detect", "incidents", "notify")
SERVICES = [f"service-{number:02}" for number in range(12)]
BEFORE = """
rules:
  - {name: load, kind: threshold, metric: load, threshold: 5, severity: 2}
  - {name: gone, kind: threshold, metric: other, threshold: 5, severity: 2}
"""
AFTER = """
rules:
  - {name: load, kind: threshold, metric: load, threshold: 50, severity: 2}
"""
CHANNELS = """
channels:
  old: {kind: webhook, url: "${WEBHOOK_URL}", secret: a-secret-of-the-tests}
routes:
  - {channels: [old]}
incidents: {auto_resolve_after: 1s}
"""


def write(folder: Path, rules: str, channel: str = "old") -> Path:
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (folder / "rules.yaml").write_text(rules.lstrip())
    (folder / "notifications.yaml").write_text(CHANNELS.lstrip().replace("old", channel))
    return folder


def measured(name: str, value: float, at: datetime) -> list[MetricV1]:
    return [
        MetricV1(occurred_at=at, service=service, name=name, value=value) for service in SERVICES
    ]


async def alerts(settings: Settings) -> list[AlertV1]:
    found = await read_topic(settings, ALERTS.name)
    # After a crash the last ones can be there twice; nobody crashes here, but reading is by id.
    return list({each.event_id: each for each in map(_alert, found)}.values())


def _alert(record: Any) -> AlertV1:
    return AlertV1.from_wire(record.value)


async def count(settings: Settings, rule: str, state: AlertState) -> int:
    return sum(each.rule == rule and each.state is state for each in await alerts(settings))


async def test_a_changed_policy_holds_from_its_place_on_while_signals_flow(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Every change of a threshold would be a restart, and a gap."""
    folder = write(tmp_path / "rules", BEFORE)
    settings = pipeline.settings = pipeline.settings.model_copy(update={"policy": folder})
    pipeline.start(*HOPS)
    await pipeline.ready()

    began = datetime.now(UTC) - timedelta(minutes=1)
    number = 0

    async def flow(name: str, value: float) -> None:
        nonlocal number
        number += 1
        await publish(settings, METRICS, measured(name, value, began + timedelta(seconds=number)))

    await flow("load", 9)
    await flow("other", 9)

    async def fired(rule: str) -> bool:
        return await count(settings, rule, AlertState.FIRING) == len(SERVICES)

    await eventually(lambda: fired("load"), "all are loaded", pipeline.tails)
    await eventually(lambda: fired("gone"), "the other rule fires", pipeline.tails)

    # The load rises no more above what the new rule allows, and goes on to flow meanwhile.
    write(folder, AFTER, channel="new")
    published = asyncio.Event()
    flowing = asyncio.create_task(_keep_flowing(flow, published))
    code, said = await command(
        settings, "policy", "publish", "--author", "ana", "--reason", "Less noise"
    )
    published.set()
    await flowing
    assert code == 0, said
    assert "published, +" in said

    async def ended() -> bool:
        return await count(settings, "gone", AlertState.RESOLVED) == len(SERVICES) and await count(
            settings, "load", AlertState.RESOLVED
        ) == len(SERVICES)

    await flow("load", 9)
    await eventually(ended, "alerts of both rules end", pipeline.tails)
    found = await alerts(settings)
    reasons = Counter(
        (each.rule, each.reason) for each in found if each.state is AlertState.RESOLVED
    )
    assert reasons == {
        ("gone", "the policy has no such rule any more"): len(SERVICES),
        ("load", "load 9 is not > 50"): len(SERVICES),
    }
    # Nothing fired twice or in between, and nothing was put aside.
    assert Counter(each.state for each in found) == {
        AlertState.FIRING: 2 * len(SERVICES),
        AlertState.RESOLVED: 2 * len(SERVICES),
    }
    assert await dead_letters(settings, METRICS) == []
    assert await dead_letters(settings, POLICIES) == []

    # That it is over is told by the new channel.
    async def told() -> bool:
        receipts = [
            ReceiptV1.from_wire(each.value) for each in await read_topic(settings, RECEIPTS.name)
        ]
        return any(each.channel == "new" and each.outcome is Outcome.DELIVERED for each in receipts)

    await eventually(told, "the new channel is told", pipeline.tails)

    # Whoever takes over from a worker that was killed keeps what is in force, whatever stands in the folder, and says so.
    await flow("load", 99)
    write(folder, BEFORE)
    for role in HOPS:
        pipeline.workers[role].kill()
    pipeline.start(*HOPS)
    await pipeline.ready()
    await flow("load", 9)

    async def calm() -> bool:
        return await count(settings, "load", AlertState.RESOLVED) == 2 * len(SERVICES)

    await eventually(calm, "9 is still not too much", pipeline.tails)
    for role in HOPS:
        assert "folder not in force" in pipeline.workers[role].log.read_text()


async def _keep_flowing(flow: Any, until: asyncio.Event) -> None:
    while not until.is_set():
        await flow("load", 9)


async def test_what_is_published_can_be_looked_at_and_what_is_wrong_is_not_published(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Nobody could say since when a rule holds, and why; or one typo would reach all workers."""
    folder = write(tmp_path / "rules", BEFORE)
    settings = pipeline.settings.model_copy(update={"policy": folder})
    nothing = "no policy was published: each worker uses its own folder\n"
    assert await command(settings, "policy", "show") == (0, nothing)
    assert await command(settings, "policy", "log") == (0, nothing)

    def publishing(reason: str) -> Any:
        return command(
            settings, "policy", "publish", str(folder), "--author", "ana", "--reason", reason
        )

    code, said = await command(settings, "policy", "diff", str(folder))
    assert code == 0
    assert "+  - {name: load, kind: threshold, metric: load, threshold: 5, severity: 2}\n" in said
    assert await read_topic(settings, POLICIES.name) == []

    (folder / "rules.yaml").write_text("rulez: []\n")
    assert await publishing("first") == (
        1,
        f"{folder} cannot be used:\n  rules.yaml:1: rulez: is no part of a policy; did you mean 'rules'?\n",
    )
    assert await read_topic(settings, POLICIES.name) == []

    write(folder, BEFORE)
    assert (await publishing("first"))[0] == 0
    code, said = await publishing("again")
    assert (code, "nothing to publish" in said) == (0, True)
    write(folder, AFTER)
    assert (await publishing("second"))[0] == 0

    records = await read_topic(settings, POLICIES.name)
    assert [record.partition for record in records] == sorted([*range(settings.partitions)] * 2)
    assert len({PolicyV1.from_wire(each.value).sha256 for each in records}) == 2
    code, said = await command(settings, "policy", "log", "--json")
    listed = json.loads(said)
    assert [(each["author"], each["reason"]) for each in listed] == [
        ("ana", "second"),
        ("ana", "first"),
    ]
    assert listed[0]["before"] == listed[1]["sha256"]
    assert "-  - {name: gone" in listed[0]["diff"]
    code, said = await command(settings, "policy", "log")
    assert [line.split("  ", 2)[2] for line in said.splitlines()] == [
        "+1 -2  ana: second",
        "+8 -0  ana: first",
    ]
    code, said = await command(settings, "policy", "show")
    assert said.endswith(f"# rules.yaml\n{AFTER.lstrip()}")
    code, said = await command(settings, "policy", "rollback", "--author", "ben", "--reason", "b")
    assert (code, "published, +2 -1 lines" in said) == (0, True)
    code, said = await command(settings, "policy", "show")
    assert said.endswith(f"# rules.yaml\n{BEFORE.lstrip()}")
