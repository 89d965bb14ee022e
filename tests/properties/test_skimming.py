"""What is only noted down changes nothing: not what is told, and not what a restart knows."""

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import AlertV1
from schemas.telemetry import HealthV1, LogV1, MetricV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, HEALTH, LOGS, METRICS, TICKS
from streams.agents.checkpoints import Slice
from streams.agents.detect import INPUTS, DetectDesk
from streams.detection import feeds, ledger
from streams.detection.evaluation import Detector
from streams.detection.holding import Says
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.anomaly import Anomaly
from streams.detection.kinds.burn_rate import BurnRate
from streams.detection.kinds.health import Health
from streams.detection.kinds.log_novelty import LogNovelty
from streams.detection.kinds.log_pattern import LogPattern
from streams.detection.kinds.rate_of_change import RateOfChange
from streams.detection.kinds.ratio import Ratio
from streams.detection.kinds.threshold import Threshold
from streams.detection.rule import Calm, Evidence, Rule
from tests.recording import Event, ListJournal, Record, RecordingEmitter, chunk_of, took

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
TOPICS = {HealthV1: HEALTH, MetricV1: METRICS, LogV1: LOGS, TickV1: TICKS}


def by_service(name: str, **settings) -> Threshold:
    return Threshold(**{"name": name, "metric": "load", "severity": 3, "group_by": []} | settings)


RULES = (
    Health(name="check", failures=2, of=3, successes=2, severity={"critical": 1, "otherwise": 3}),
    Threshold(name="high", metric="load", threshold=5, clear=3, severity=2, **{"for": "20s"}),
    Threshold(name="low", metric="load", compare="<", threshold=0, severity=3, group_by=["rack"]),
    Threshold(name="avg", metric="load", aggregate="avg", over="30s", threshold=4, severity=3),
    Threshold(
        name="max", metric="load", aggregate="max", over="40s", threshold=5, severity=2, group_by=[]
    ),
    Threshold(
        name="all", metric="load", aggregate="avg", over="40s", threshold=3, severity=2, group_by=[]
    ),
    # Hardly ever calm, or never: the feeds of this service are mostly heard in full.
    Threshold(
        name="sum",
        service="database",
        metric="load",
        aggregate="sum",
        over="15s",
        threshold=90,
        severity=3,
        group_by=[],
    ),
    by_service("many", aggregate="count", over="30s", threshold=9),
    by_service("little", aggregate="sum", compare="<", over="20s", threshold=3, clear=5),
    by_service("below", aggregate="avg", compare="<=", over="30s", threshold=1),
    Threshold(
        name="few",
        service="database",
        metric="load",
        aggregate="count",
        over="20s",
        compare="<",
        threshold=1,
        severity=3,
    ),
    Health(name="soon", failures=1, severity=3, forget_after="8s"),
    LogPattern(name="errors", pattern="refused", count=3, within="20s", severity=2),
    Absence(name="silent", signal="metrics", within="25s", severity=3),
    Absence(name="mute", signal="logs", within="30s", severity=3, group_by=None),
    Threshold(
        name="p90", metric="load", aggregate="p90", over="40s", threshold=3, severity=3, group_by=[]
    ),
    Threshold(
        name="grown", metric="served", aggregate="increase", over="20s", threshold=9, severity=3
    ),
    Threshold(
        name="stuck",
        metric="served",
        aggregate="rate",
        over="30s",
        compare="<",
        threshold=0.05,
        severity=3,
    ),
    RateOfChange(name="jump", metric="load", over="5s", change=3, severity=3),
    RateOfChange(name="drop", metric="load", over="9s", change=2, severity=3, group_by=[]),
    BurnRate(
        name="budget",
        signal="health",
        objective=0.8,
        minimum=3,
        windows=[{"long": "2m", "short": "20s", "burn": 2}],
    ),
    BurnRate(
        name="promise",
        signal="health",
        objective=0.9,
        minimum=6,
        degraded_fails=True,
        group_by=["rack"],
        windows=[
            {"long": "1m", "short": "30s", "burn": 3},
            {"long": "3m", "short": "1m", "burn": 1},
        ],
    ),
    Ratio(
        name="share",
        numerator={"metric": "load", "match": ["host=a"]},
        denominator="load",
        over="1m",
        threshold=0.8,
        minimum=5,
        counters=False,
        severity=3,
    ),
    Ratio(
        name="lost",
        numerator={"metric": "served", "match": ["host=a"]},
        denominator="served",
        over="1m",
        threshold=0.7,
        clear=0.4,
        minimum=3,
        settle="3s",
        severity={"default": 3, "bands": [{"beyond": 0.8, "severity": 1}]},
        **{"for": "4s"},
    ),
    Ratio(
        name="hits",
        numerator={"metric": "served", "match": ["host=b"]},
        denominator="served",
        over="2m",
        compare="<",
        threshold=0.2,
        minimum=3,
        settle="1s",
        severity=3,
        keep_firing_for="9s",
    ),
    BurnRate(
        name="served",
        objective=0.7,
        bad={"metric": "served", "match": ["host=b"]},
        total="served",
        minimum=3,
        settle="2s",
        windows=[
            {"long": "1m", "short": "20s", "burn": 3},
            {"long": "3m", "short": "1m", "burn": 2},
        ],
    ),
    BurnRate(
        name="worth",
        objective=0.4,
        good={"metric": "load", "match": ["host=a"]},
        total="load",
        counters=False,
        minimum=3,
        settle="2s",
        windows=[{"long": "2m", "short": "40s", "burn": 1.4}],
    ),
    LogNovelty(name="new", learn="30s", within="20s", severity=3),
    LogNovelty(
        name="words",
        level="info",
        learn="3s",
        within="9s",
        max_templates=2,
        match=["host!=c"],
        severity={"default": 3, "bands": [{"beyond": 1, "severity": 2}]},
        keep_firing_for="4s",
        **{"for": "2s"},
    ),
    LogNovelty(
        name="lines", level="info", learn="0s", within="5s", group_by=None, severity=3, max_series=2
    ),
    LogNovelty(name="later", level="info", learn="2s", within="5s", lateness="3s", severity=3),
    LogPattern(name="slow", pattern="[5-9] ms", level="info", within="9s", severity=3),
    # Never calm: what it hears waits.
    Threshold(
        name="patient",
        service="database",
        metric="load",
        aggregate="max",
        over="20s",
        threshold=3,
        severity=3,
        group_by=[],
        lateness="4s",
    ),
    Health(name="waits", service="database", failures=2, severity=3, lateness="7s"),
    Anomaly(
        name="odd", metric="load", values=60, learn=4, deviations=2, clear=1, floor=0.5, severity=3
    ),
)

# Rules that hear the same feed have each other's signals absorbed: what a few of them do wrong, the others can hide.
policies = st.one_of(
    st.just(RULES), st.lists(st.sampled_from(RULES), min_size=1, max_size=2, unique=True)
)
services = st.sampled_from(["api", "database"])
hosts = st.sampled_from(["a", "b"])
healths = st.builds(
    lambda service, status, labels: (
        HealthV1,
        {"service": service, "check": "ping", "status": status, "labels": labels},
    ),
    services,
    st.sampled_from(["healthy", "healthy", "healthy", "unhealthy", "degraded"]),
    # The last two are one source, though each is a feed.
    st.sampled_from([{}, {}, {"host": "a"}, {"host": "b"}, {"host": "b", "rack": ""}]),
)
metrics = st.builds(
    lambda service, name, value, host: (
        MetricV1,
        {"service": service, "name": name, "value": value, "labels": {"host": host}},
    ),
    services,
    st.sampled_from(["load", "load", "served"]),
    st.sampled_from([0, 1, 1, 1, 1, 2, 2, 4, 6, 0.1, -1]),
    hosts,
)
logs = st.builds(
    lambda service, body, level, labels: (
        LogV1,
        {"service": service, "body": body, "severity_number": level, "labels": labels},
    ),
    services,
    st.sampled_from(
        ["refused 1", "refused 2", "fine", "took 3 ms", "took 7 ms", "took long ms", "refused b"]
    ),
    st.sampled_from([9, 9, 9, 17, 5]),
    st.sampled_from([{}, {"host": "a"}, {"host": "c"}]),
)
# How long after the one before it happened: some are late, some the same again.
steps = st.sampled_from([1, 1, 1, 2, 5, 5, 0, -3, 30])
everything = st.lists(
    st.tuples(
        st.one_of(healths, metrics, metrics, metrics, logs, st.just((TickV1, {}))),
        steps,
    ),
    max_size=80,
)
# Good values of hosts that take turns: one of them can be silent for long while the others are not.
turns = st.lists(
    st.tuples(
        hosts.map(
            lambda host: (
                MetricV1,
                {"service": "api", "name": "load", "value": 1, "labels": {"host": host}},
            )
        ),
        st.sampled_from([1, 6, 12, 24]),
    ),
    max_size=30,
)
lines = st.lists(st.tuples(logs, steps), max_size=60)
inputs = st.one_of(everything, everything, turns, lines)


def records_of(given_inputs: list[Any]) -> list[Record]:
    """The log that they stand in: each topic numbers its own."""
    at, records, ends = MIDNIGHT, [], defaultdict(int)
    served: dict[tuple[str, str], float] = defaultdict(float)
    for (kind, said), step in given_inputs:
        at += timedelta(seconds=step)
        topic, given = TOPICS[kind], said
        if said.get("name") == "served":
            # A counter, which begins anew at times.
            source, value = (said["service"], said["labels"]["host"]), said["value"]
            served[source] = served[source] + value if value >= 0 else served[source] - 1
            given = said | {"value": served[source]}
        reached = {"partition": 0, "reached": dict(ends)} if kind is TickV1 else {}
        value = kind(occurred_at=at, **given, **reached).to_wire()
        records.append(
            Record(topic.name, 0, ends[topic.name], b"k", value, (), int(at.timestamp() * 1000))
        )
        ends[topic.name] += 1
    return records


class ExactDesk:
    """Detection that hears every record in full."""

    def __init__(self, rules=RULES) -> None:
        self._desk = DetectDesk(Detector(rules))
        self.hear, self.tick = self._desk.hear, self._desk.tick
        self.changes, self.restore = self._desk.changes, self._desk.restore


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
            await took(piece, chunk_of(chunk), Event())
        await piece.flush(final=True)
        return emitter

    return told(asyncio.run(run()))


@given(inputs, policies)
@settings(max_examples=200)
def test_what_is_noted_down_is_told_like_what_is_heard(given_inputs, rules):
    """Speed would cost alerts, or make up some."""
    records = records_of(given_inputs)
    assert told_by(DetectDesk(Detector(rules)), records) == told_by(ExactDesk(rules), records)


@given(inputs, policies, st.data())
@settings(max_examples=150)
def test_a_crash_at_any_moment_changes_nothing_that_is_told(given_inputs, rules, data):
    """What was noted down and not written down would be lost with the worker, or count twice."""
    records = records_of(given_inputs)

    async def run() -> RecordingEmitter:
        emitter = RecordingEmitter()
        for _ in range(data.draw(st.integers(0, 3))):
            piece = await opened(emitter, DetectDesk(Detector(rules)))
            for chunk in again(piece, records)[: data.draw(st.integers(0, 40))]:
                await took(piece, chunk_of(chunk), Event())
                if data.draw(st.booleans()):
                    await piece.flush()
        piece = await opened(emitter, DetectDesk(Detector(rules)))
        for chunk in again(piece, records):
            await took(piece, chunk_of(chunk), Event())
        await piece.flush(final=True)
        return emitter

    with little_written_down():
        emitter = asyncio.run(run())
    assert told(emitter) == told_by(ExactDesk(rules), records)


@pytest.mark.parametrize("labels", [{"host": "b", "rack": ""}, {"host": "c"}])
def test_results_of_one_source_stay_in_order_though_they_are_two_feeds(labels):
    """Absorbed feed by feed, half of them would come too late to count."""
    said = {"service": "api", "check": "ping", "status": "healthy"}
    both = [(HealthV1, said | {"labels": each}) for each in ({"host": "b"}, labels)]
    records = records_of([(each, 1) for _ in range(10) for each in both])
    rules = [rule for rule in RULES if isinstance(rule, BurnRate)]
    fast, exact = Detector(rules), Detector(rules)
    assert told_by(DetectDesk(fast), records) == {}
    for record in records:
        DetectDesk(exact).hear(HEALTH, record)
    assert memories(fast) == memories(exact) != {}


def memories(detector: Detector) -> dict[str, Any]:
    """What is remembered of each series."""
    return {name: watched.series.memory for name, watched in detector._watched.items()}


@dataclass
class Tally:
    """What a rule remembers that believes everything it hears."""

    heard: int = 0


class Tallying(Rule):
    """Counts whatever it hears, as often as it hears it: nothing but positions keeps it right."""

    kind: Literal["tallying"] = "tallying"

    def hears(self):
        return (MetricV1,)

    def counts_late(self):
        return True

    def fresh(self):
        return Tally()

    def calm(self, memory):
        del memory
        return Calm(high=3)

    def judge(self, memory, signal, at, origin):
        memory.heard += 1
        return Says.BETWEEN

    def evidence(self, memory, says):
        return Evidence("never")


@given(inputs, st.data())
@settings(max_examples=100)
def test_every_series_hears_every_signal_once(given_inputs, data):
    """A rule that counts would count what was read again after a restart."""
    records = [each for each in records_of(given_inputs) if each.topic == METRICS.name]
    rules = (Tallying(name="each", severity=4), Tallying(name="all", severity=4, group_by=[]))

    async def run() -> Detector:
        emitter = RecordingEmitter()
        for crashes in range(3, -1, -1):
            detector = Detector(rules)
            piece = await opened(emitter, DetectDesk(detector))
            chunks = [[each] for chunk in again(piece, records) for each in chunk]
            for chunk in chunks[: data.draw(st.integers(0, 40)) if crashes else None]:
                await took(piece, chunk_of(chunk), Event())
                if data.draw(st.booleans()):
                    await piece.flush()
        await piece.flush(final=True)
        return detector

    with little_written_down():
        detector = asyncio.run(run())
    exact = Detector(rules)
    for record in records:
        DetectDesk(exact).hear(METRICS, record)
    assert tallies(detector) == tallies(exact)


def tallies(detector: Detector) -> dict[str, int]:
    """How often each series heard something."""
    for name in list(detector._asleep):
        detector._wake(name)
    return {name: watched.series.memory.heard for name, watched in detector._watched.items()}


@contextmanager
def little_written_down():
    """Little is written down at one time, so that much is left to the log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "WRITTEN_AT_ONCE", 1)
        patch.setattr(feeds, "ABSORBED_AT_ONCE", 1)
        yield


def again(piece: Slice, records: list[Record]) -> list[list[Record]]:
    """What the broker delivers to a worker: from the last commit on, but for what it asks for again."""
    begin = {**piece._journal.kept.positions, **piece.read_again}
    return chunked([each for each in records if each.offset >= begin.get(each.topic, 0)])
