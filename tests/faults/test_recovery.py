"""What a hop knows after crashes is what a recomputation from its inputs says."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson
import pytest

from schemas.alerts import AlertV1
from schemas.lifecycle import IncidentV1, StepV1
from schemas.topics import (
    ALERTS,
    CURRENT,
    DETECT_JOURNAL,
    INCIDENTS_JOURNAL,
    LIFECYCLE,
    METRICS,
    JournalDeclaration,
)
from streams.agents.detect import DetectDesk
from streams.agents.journal import Kept, Replay
from streams.detection.evaluation import Detector
from streams.detection.series import Series
from streams.entries import unnamed
from streams.policy import read_policy
from streams.settings import Settings
from tests.pipeline import Pipeline, eventually, publish, read_topic
from tests.world import SERVICES, stream

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SIGNALS = 6_000
KILLED = ("detect", "incidents")


async def journals(settings: Settings, declared: JournalDeclaration) -> dict[int, Kept]:
    """What the journal of each partition holds."""
    replays: dict[int, Replay] = defaultdict(Replay)
    for record in await read_topic(settings, declared.name):
        replays[record.partition].hear(record.key, record.value)
    return {partition: replay.kept for partition, replay in replays.items()}


async def resolved_services(settings: Settings) -> set[str]:
    steps = [StepV1.from_wire(each.value) for each in await read_topic(settings, LIFECYCLE.name)]
    return {step.incident.service for step in steps if step.kind.value == "resolved"}


def values(entries: dict[str, bytes]) -> dict[str, Any]:
    """State entries, without what a series' entry says of the moment at which it was written down."""
    plain = {name: orjson.loads(value) for name, value in entries.items()}
    return {
        name: {
            each: part
            for each, part in zip(Series.__struct_fields__, value, strict=True)
            if each not in {"moment", "heard_to"}
        }
        if isinstance(value, list)
        else value
        for name, value in plain.items()
    }


async def test_state_after_crashes_is_what_the_log_says(pipeline: Pipeline) -> None:
    """A crash would leave a rule or an incident in a state that nothing in its inputs explains."""
    settings = pipeline.settings
    pipeline.start(*KILLED)
    await pipeline.ready()
    signals = stream(SIGNALS, datetime.now(UTC) - timedelta(milliseconds=SIGNALS))
    await publish(settings, METRICS, islice(signals, SIGNALS // 2))
    for topic, role in ((LIFECYCLE, "incidents"), (ALERTS, "detect")):
        await eventually(lambda name=topic.name: read_topic(settings, name), "it works")
        pipeline.workers[role].kill()
        pipeline.start(role)
    await publish(settings, METRICS, signals)

    async def all_over() -> bool:
        return await resolved_services(settings) == set(SERVICES)

    await eventually(all_over, "all incidents are over", pipeline.tails)
    for role in KILLED:
        assert pipeline.workers[role].stop()[0] == 0

    await detection_is_what_its_signals_say(settings)
    await incidents_are_what_their_steps_say(settings)


async def detection_is_what_its_signals_say(settings: Settings) -> None:
    """The same signals through the same rules again, without a broker."""
    metrics = await read_topic(settings, METRICS.name)
    sent = [AlertV1.from_wire(each.value) for each in await read_topic(settings, ALERTS.name)]
    rules = read_policy(settings.policy).rules
    recomputed = []
    for partition, journal in (await journals(settings, DETECT_JOURNAL)).items():
        desk = DetectDesk(Detector(rules))
        theirs = [record for record in metrics if record.partition == partition]
        assert journal.positions.get(METRICS.name, 0) == len(theirs)
        for record in theirs:
            recomputed.extend(AlertV1.from_wire(each.value) for each in desk.hear(METRICS, record))
        state = {name: entry for name, entry in desk.changes().items() if entry is not None}
        # No tick is heard again here.
        kept = {name: entry for name, entry in journal.entries.items() if name != "clock"}
        assert values(kept) == values(state)
    # After a kill some are sent again, under the same id and the same in every field.
    assert {(alert.event_id, alert.to_wire()) for alert in sent} == {
        (alert.event_id, alert.to_wire()) for alert in recomputed
    }


async def incidents_are_what_their_steps_say(settings: Settings) -> None:
    """The journal holds the last step of each incident, and so does the compacted topic."""
    steps = [StepV1.from_wire(each.value) for each in await read_topic(settings, LIFECYCLE.name)]
    last = {step.incident_id: step.incident for step in steps}
    told = [IncidentV1.from_wire(each.value) for each in await read_topic(settings, CURRENT.name)]
    remembered = [
        IncidentV1.from_wire(entry)
        for journal in (await journals(settings, INCIDENTS_JOURNAL)).values()
        for name, entry in journal.entries.items()
        if unnamed(name)[0] == "incident"
    ]
    assert len(last) == len(SERVICES)
    assert {incident.incident_id: incident for incident in told} == last
    assert {incident.incident_id: incident for incident in remembered} == last
