"""What is only noted down changes nothing: not what is told, and not what a restart knows."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import AlertV1
from schemas.telemetry import HealthV1, LogV1, MetricV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, DETECT_JOURNAL, HEALTH, LOGS, METRICS, TICKS
from streams.agents.checkpoints import Slice
from streams.agents.detect import INPUTS, DetectDesk
from streams.agents.journal import Journal
from streams.detection import feeds, ledger
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.health import Health
from streams.detection.kinds.log_pattern import LogPattern
from streams.detection.kinds.threshold import Threshold
from streams.settings import Settings
from tests.recording import Event, Record, RecordingEmitter

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
TOPICS = {HealthV1: HEALTH, MetricV1: METRICS, LogV1: LOGS, TickV1: TICKS}

RULES = (
    Health(name="check", failures=2, of=3, successes=2, severity={"critical": 1, "otherwise": 3}),
    Threshold(name="high", metric="load", threshold=5, clear=3, severity=2, **{"for": "20s"}),
    Threshold(name="low", metric="load", compare="<", threshold=0, severity=3, group_by=["rack"]),
    Threshold(name="avg", metric="load", aggregate="avg", over="30s", threshold=4, severity=3),
    Threshold(name="sum", metric="load", aggregate="sum", over="15s", threshold=9, severity=3),
    Threshold(
        name="max", metric="load", aggregate="max", over="40s", threshold=5, severity=2, group_by=[]
    ),
    Threshold(
        name="few",
        metric="load",
        aggregate="count",
        over="20s",
        compare="<",
        threshold=1,
        severity=3,
    ),
    LogPattern(name="errors", pattern="refused", count=3, within="20s", severity=2),
    Absence(name="silent", signal="metrics", within="25s", severity=3),
    Absence(name="mute", signal="logs", within="30s", severity=3, group_by=None),
)

services = st.sampled_from(["api", "database"])
hosts = st.sampled_from(["a", "b"])
healths = st.builds(
    lambda service, status: (HealthV1, {"service": service, "check": "ping", "status": status}),
    services,
    st.sampled_from(["healthy", "healthy", "healthy", "unhealthy", "degraded"]),
)
metrics = st.builds(
    lambda service, value, host: (
        MetricV1,
        {"service": service, "name": "load", "value": value, "labels": {"host": host}},
    ),
    services,
    st.sampled_from([0, 1, 1, 1, 2, 2, 4, 6, 0.1, -1]),
    hosts,
)
logs = st.builds(
    lambda service, body, level: (
        LogV1,
        {"service": service, "body": body, "severity_number": level},
    ),
    services,
    st.sampled_from(["refused 1", "refused 2", "fine"]),
    st.sampled_from([9, 9, 9, 17]),
)
# How long after the one before it happened: some are late, some the same again.
steps = st.sampled_from([1, 1, 1, 2, 5, 5, 0, -3, 30])
inputs = st.lists(
    st.tuples(
        st.one_of(healths, metrics, metrics, metrics, logs, st.just((TickV1, {}))),
        steps,
    ),
    max_size=80,
)


def records_of(given_inputs: list[Any]) -> list[Record]:
    """The log that they stand in: each topic numbers its own."""
    at, records, ends = MIDNIGHT, [], defaultdict(int)
    for (kind, said), step in given_inputs:
        at += timedelta(seconds=step)
        topic = TOPICS[kind]
        reached = {"partition": 0, "reached": dict(ends)} if kind is TickV1 else {}
        value = kind(occurred_at=at, **said, **reached).to_wire()
        records.append(
            Record(topic.name, 0, ends[topic.name], b"k", value, (), int(at.timestamp() * 1000))
        )
        ends[topic.name] += 1
    return records


class ExactDesk:
    """Detection that hears every record in full."""

    def __init__(self) -> None:
        self._desk = DetectDesk(Detector(RULES))
        self.hear, self.tick = self._desk.hear, self._desk.tick
        self.changes, self.restore = self._desk.changes, self._desk.restore


class ListJournal(Journal):
    """A journal whose partition is the recording emitter's list."""

    def __init__(self, emitter: RecordingEmitter) -> None:
        super().__init__(DETECT_JOURNAL, 0, Settings(), emitter)
        self._log = emitter.appended

    async def _records_from(self, offset: int | None):
        for record in self._log[offset or 0 :]:
            yield record


async def opened(emitter: RecordingEmitter, desk: Any) -> Slice:
    names = {topic.name: topic for topic in INPUTS}
    piece = Slice("detect", names, desk, ListJournal(emitter), emitter, clock=lambda: 0.0)
    await piece.open()
    return piece


def chunked(records: list[Record]) -> list[list[Record]]:
    """Neighbours of one topic, as a fetch brings them."""
    chunks: list[list[Record]] = []
    for record in records:
        if chunks and chunks[-1][0].topic == record.topic:
            chunks[-1].append(record)
        else:
            chunks.append([record])
    return chunks


def told(emitter: RecordingEmitter) -> dict[str, list[Any]]:
    """What was said of each fingerprint, each once, without numbers that depend on the neighbours."""
    said: dict[str, dict[str, Any]] = defaultdict(dict)
    for sent in emitter.sent:
        assert sent.topic == ALERTS.name
        alert = AlertV1.from_wire(sent.value)
        said[alert.fingerprint][alert.event_id] = alert.model_dump(exclude={"sequence"})
    return {name: list(alerts.values()) for name, alerts in sorted(said.items())}


def told_by(desk: Any, records: list[Record]) -> dict[str, list[Any]]:
    async def run() -> RecordingEmitter:
        emitter = RecordingEmitter()
        piece = await opened(emitter, desk)
        for chunk in chunked(records):
            await piece.take(chunk, Event())
        await piece.flush(final=True)
        return emitter

    return told(asyncio.run(run()))


@given(inputs)
@settings(max_examples=300)
def test_what_is_noted_down_is_told_like_what_is_heard(given_inputs):
    """Speed would cost alerts, or make up some."""
    records = records_of(given_inputs)
    assert told_by(DetectDesk(Detector(RULES)), records) == told_by(ExactDesk(), records)


@given(inputs, st.data())
@settings(max_examples=300)
def test_a_crash_at_any_moment_changes_nothing_that_is_told(given_inputs, data):
    """What was noted down and not written down would be lost with the worker, or count twice."""
    records = records_of(given_inputs)

    async def run() -> RecordingEmitter:
        emitter = RecordingEmitter()
        for _ in range(data.draw(st.integers(0, 3))):
            piece = await opened(emitter, DetectDesk(Detector(RULES)))
            for chunk in again(piece, records)[: data.draw(st.integers(0, 40))]:
                await piece.take(chunk, Event())
                if data.draw(st.booleans()):
                    await piece.flush()
        piece = await opened(emitter, DetectDesk(Detector(RULES)))
        for chunk in again(piece, records):
            await piece.take(chunk, Event())
        await piece.flush(final=True)
        return emitter

    # Little is written down at one time, so that much is left to the log.
    kept = (ledger.WRITTEN_AT_ONCE, feeds.ABSORBED_AT_ONCE)
    ledger.WRITTEN_AT_ONCE = feeds.ABSORBED_AT_ONCE = 1
    try:
        emitter = asyncio.run(run())
    finally:
        ledger.WRITTEN_AT_ONCE, feeds.ABSORBED_AT_ONCE = kept
    assert told(emitter) == told_by(ExactDesk(), records)


def again(piece: Slice, records: list[Record]) -> list[list[Record]]:
    """What the broker delivers to a worker that begins where its journal says."""
    begin = piece.positions
    return chunked([each for each in records if each.offset >= begin.get(each.topic, 0)])
