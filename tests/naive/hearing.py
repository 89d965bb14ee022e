"""How rules hear a story, what they tell of it, and what they should."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from schemas.ticks import TickV1
from schemas.topics import EXTERNAL, HEALTH, LOGS, METRICS, TICKS
from streams.agents.detect import DetectDesk
from streams.detection import kinds
from streams.detection.evaluation import Detector
from streams.detection.rule import Rule
from streams.discovery import declared_in, kind_of
from tests.naive import amounts, signals, values
from tests.naive.life import Event, Life
from tests.naive.stories import counted
from tests.properties.test_skimming import again, little_written_down, opened
from tests.recording import Event as Delivered
from tests.recording import Record, RecordingEmitter, chunk_of

MIDNIGHT = datetime(2024, 3, 27, tzinfo=UTC)
START = int(MIDNIGHT.timestamp())
TOPICS = {HealthV1: HEALTH, MetricV1: METRICS, LogV1: LOGS, ExternalV1: EXTERNAL, TickV1: TICKS}
KINDS = {kind_of(kind): kind for kind in declared_in(kinds)}
NAIVE = {
    "threshold": values.Threshold,
    "rate_of_change": values.RateOfChange,
    "anomaly": values.Anomaly,
    "health": signals.Health,
    "absence": signals.Absence,
    "log_pattern": signals.LogPattern,
    "log_novelty": signals.LogNovelty,
    "passthrough": signals.Passthrough,
    "ratio": amounts.Ratio,
    "burn_rate": amounts.BurnRate,
}
SPANS = {"for", "keep_firing_for", "forget_after", "over", "within", "settle", "lateness", "learn"}
GROWING = {"rate", "increase"}


def rule_of(given: Mapping[str, Any], name: str = "rule") -> Rule:
    named = {
        key: f"{value}s" if key in SPANS and (key, given["kind"]) != ("learn", "anomaly") else value
        for key, value in given.items()
        if key not in {"roles", "step", "start"}
    }
    if "windows" in named:
        named["windows"] = [
            {key: f"{value}s" if key in {"long", "short"} else value for key, value in each.items()}
            for each in named["windows"]
        ]
    return KINDS[given["kind"]](name=name, **named)


def series_of(given: Mapping[str, Any], kind: type, said: dict[str, Any]) -> tuple[str, ...]:
    """Where it belongs."""
    labels = said.get("labels", {})
    by = given["group_by"]
    kept = labels if by is None else {name: labels[name] for name in by if name in labels}
    subject = {"health": said.get("check"), "passthrough": said.get("alert_id")}.get(given["kind"])
    return (said["service"], subject or "", *sorted(kept.values()))


def event_of(kind: type, at: int, said: dict[str, Any]) -> Event:
    what: Any = said
    if kind is MetricV1:
        what = said["value"]
    elif kind is LogV1:
        what = said["body"]
    if kind is HealthV1:
        # Of two results of one moment the first counts.
        what = {name: said[name] for name in ("status", "critical")}
    return Event(at, what, said.get("labels", {}).get("host", ""))


def heard_by(given: Mapping[str, Any], kind: type, said: dict[str, Any]) -> bool:
    return given["kind"] != "log_pattern" or "refused" in said["body"]


def expected_of(given: Mapping[str, Any], story: list[tuple[int, type, dict[str, Any]]]):
    lives: dict[tuple[str, ...], Life] = {}
    clock = 0
    for at, kind, said in story:
        if kind is TickV1:
            clock = max(clock, at)
            for life in lives.values():
                life.live(at)
        elif heard_by(given, kind, said):
            key = series_of(given, kind, said)
            life = lives.setdefault(key, Life(given, NAIVE[given["kind"]]))
            if life.heard_at is None and at + given["forget_after"] <= clock:
                continue  # History.
            life.hear(event_of(kind, at, said))
    return {key: life.said for key, life in lives.items() if life.said}


def told_of(alerts: list[AlertV1], given: Mapping[str, Any], rule: str = "rule"):
    by_series = defaultdict(list)
    for alert in alerts:
        if alert.rule != rule:
            continue
        labels = dict(alert.labels)
        subject = labels.pop("check", labels.pop("alert", ""))
        if given["kind"] == "passthrough":
            subject = subject.rsplit("/", 1)[1]
        key = (alert.service, subject, *sorted(labels.values()))
        by_series[key].append(
            (
                int(alert.occurred_at.timestamp()) - START,
                str(alert.state),
                alert.severity,
                alert.value,
            )
        )
    return dict(by_series)


def judged(rules: list[Rule], story, data) -> list[AlertV1]:
    """Each signal by itself."""
    del data
    return one_by_one(rules, story, lambda detector: detector)


def one_by_one(rules: list[Rule], story, next_one) -> list[AlertV1]:
    """Each signal by itself, with *next_one* given the detector after each and returning the one that goes on."""
    detector, alerts = Detector(rules), []
    for offset, (at, kind, said) in enumerate(story):
        moment = MIDNIGHT + timedelta(seconds=at)
        if kind is TickV1:
            alerts += detector.tick(moment)
        else:
            origin = Origin(topic=TOPICS[kind].name, partition=0, offset=offset)
            alerts += detector.hear(kind(occurred_at=moment, **said), origin)
        detector = next_one(detector)
    return alerts


def records_of(story) -> list[Record]:
    records, ends = [], defaultdict(int)
    for at, kind, said in story:
        topic, moment = TOPICS[kind], MIDNIGHT + timedelta(seconds=at)
        reached = {"partition": 0, "reached": dict(ends)} if kind is TickV1 else {}
        value = kind(occurred_at=moment, **said, **reached).to_wire()
        stamp = int(moment.timestamp() * 1000)
        records.append(Record(topic.name, 0, ends[topic.name], b"k", value, (), stamp))
        ends[topic.name] += 1
    return records


def noted(rules: list[Rule], story, data) -> list[AlertV1]:
    """As the worker hears it, with crashes and reloads."""
    records = records_of(story)

    async def run() -> RecordingEmitter:
        emitter = RecordingEmitter()
        crashes = data.draw(st.sampled_from([0, 0, 1, 2]))
        for left in range(crashes, -1, -1):
            detector = Detector(rules)
            piece = await opened(emitter, DetectDesk(detector))
            chunks = again(piece, records)
            for chunk in chunks[: data.draw(st.integers(0, len(chunks)))] if left else chunks:
                await piece.take(chunk_of(chunk), Delivered())
                if data.draw(st.integers(0, 3)) == 0:
                    await piece.flush()
        await piece.flush(final=True)
        return emitter

    with little_written_down():
        emitter = asyncio.run(run())
    alerts = {}
    for sent in emitter.sent:
        alert = AlertV1.from_wire(sent.value)
        alerts.setdefault(alert.event_id, alert)
    return list(alerts.values())


def reloaded(rules: list[Rule], story, data) -> list[AlertV1]:
    """Each signal by itself, under a policy that is read again now and then; or after a restart from what was written down."""
    kept = {}

    def next_one(detector: Detector) -> Detector:
        what = data.draw(st.integers(0, 9))
        if what == 0:
            detector.replace_rules([rule.model_copy(deep=True) for rule in rules])
        if what <= 1:
            for name, entry in detector.changes().entries.items():
                kept.pop(name, None)
                if entry is not None:
                    kept[name] = entry
        if what == 1:
            detector = Detector(rules)
            detector.restore(kept)
        return detector

    return one_by_one(rules, story, next_one)


def close(told, expected) -> None:
    assert told.keys() == expected.keys()
    for key, said in told.items():
        assert [each[:3] for each in said] == [each[:3] for each in expected[key]], key
        for (*_, value), (*_, known) in zip(said, expected[key], strict=True):
            same = (
                value == known
                if None in {value, known}
                else value == pytest.approx(known, rel=1e-8, abs=1e-8)
            )
            assert same, (key, said, expected[key])


def compared(given: list[dict[str, Any]], heard, story, data, as_heard=None) -> None:
    """Whether what rules tell of *story* is what they should, which was heard *as_heard* where that is something else."""
    if any(each.get("counters") or each.get("aggregate") in GROWING for each in given):
        story = counted(story)
    rules = [rule_of(each, f"rule{number}") for number, each in enumerate(given)]
    alerts = heard(rules, story if as_heard is None else as_heard(story), data)
    for rule, each in zip(rules, given, strict=True):
        close(told_of(alerts, each, rule.name), expected_of(each, story))


HOW = {"judged": judged, "noted": noted, "reloaded": reloaded}
ways = st.sampled_from(sorted(HOW))
