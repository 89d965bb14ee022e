"""What a worker knows of its rules: what they cost, how many series they watch, what they left out."""

import asyncio
import logging
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import REGISTRY

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.agents import rule_watch
from streams.agents.rule_watch import RuleWatch, rule_at
from streams.detection.costs import COST, DetectionSettings, watched_rules
from streams.detection.evaluation import Detector
from streams.detection.kinds.threshold import Threshold
from tests.exposed import exposed
from tests.recording import RecordingEmitter

T0 = datetime(2024, 3, 1, tzinfo=UTC)
LIST = Path("streams/agents/README.md")


class Slow(Threshold):
    """A rule that takes its time."""

    def judge(self, memory, signal, at, origin):
        until = time.thread_time() + 0.005
        while time.thread_time() < until:
            sum(range(100))
        return super().judge(memory, signal, at, origin)


class Seen(Threshold):
    """A rule that says what a sample would find."""

    def judge(self, memory, signal, at, origin):
        memory.unit = str(rule_at(sys._getframe()))
        return super().judge(memory, signal.model_copy(update={"unit": memory.unit}), at, origin)


def load(second: float, host: str = "a", value: float = 0) -> MetricV1:
    return MetricV1(
        occurred_at=T0 + timedelta(seconds=second),
        service="shop",
        name="load",
        value=value,
        labels={"host": host},
    )


def hear(detector: Detector, *signals: MetricV1) -> None:
    for offset, each in enumerate(signals):
        detector.hear(each, Origin(topic="t", partition=0, offset=offset))


def rule(kind: type[Threshold] = Threshold, **settings) -> Threshold:
    return kind(**{"name": "busy", "metric": "load", "threshold": 5, "severity": 3} | settings)


def watching(*detectors: Detector) -> RuleWatch:
    watch = RuleWatch(RecordingEmitter(), lambda: T0)
    watch.detectors = lambda: detectors
    return watch


def figure(name: str, rule_name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"rule": rule_name})


def test_a_sample_finds_the_rule_that_is_evaluated():
    """Otherwise costs would be charged to nobody."""
    detector = Detector([rule(Seen, name="seen")])
    hear(detector, load(0))
    assert [each.memory.unit for each in detector.series_of("seen")] == ["seen"]
    assert rule_at(sys._getframe()) is None
    assert rule_at(None) is None


def test_what_a_rule_costs_is_measured_and_told(caplog):
    """Otherwise one expression could take the worker, and nobody would know which."""
    emitter = RecordingEmitter()
    watch = RuleWatch(emitter, lambda: T0)
    rules = [rule(Slow, name="slow"), rule(name="fast")]
    detector = Detector(watched_rules(rules, DetectionSettings(rule_cost=0.5)))
    watch.detectors = lambda: [detector]

    async def run() -> float:
        await watch.start()
        began = time.thread_time()
        hear(detector, *[load(second) for second in range(60)])
        spent = time.thread_time() - began
        await watch.tell(spent)
        await watch.tell(1.0)
        await watch.stop()
        return spent

    with caplog.at_level(logging.WARNING):
        spent = asyncio.run(run())
    first, second = [MetricV1.from_wire(each.value) for each in emitter.sent]
    assert (first.name, first.labels, second.value) == (COST, {"rule_name": "slow"}, 0)
    assert first.value > 0.5
    assert figure("tocsin_rule_seconds_total", "slow") > spent / 2
    # One of its samples may hit the other rule.
    assert (figure("tocsin_rule_seconds_total", "fast") or 0) < spent / 4
    assert [each.args[0] for each in caplog.records] == ["slow"]


def test_what_was_left_out_and_how_much_is_watched_is_known():
    """Otherwise a producer whose clock is wrong, or a condition that never holds, would stay unseen."""
    window = {"aggregate": "avg", "over": "10s"}
    rules = [
        rule(name="last"),
        rule(name="window", **window),
        rule(name="odd", when="labels.rack == 'x'"),
    ]
    one, other = Detector(rules), Detector(rules)
    watch = watching(one, other)
    # The third is late for the first rule alone, the fourth for both, and the fifth is a copy.
    hear(one, load(20), load(30), load(25), load(5), load(30))
    hear(other, load(0), load(0, "b"))
    REGISTRY.register(watch)
    try:
        assert figure("tocsin_series", "last") == 3
        watch.count()
        assert figure("tocsin_late_signals_total", "last") == 2
        assert figure("tocsin_late_signals_total", "window") == 1
        # Nothing was late for it, and it cost nothing yet: an alert on growth must see where that begins.
        assert figure("tocsin_late_signals_total", "odd") == 0
        assert figure("tocsin_rule_seconds_total", "odd") == 0
        assert figure("tocsin_condition_failures_total", "odd") == 7
        # Again: what was counted is counted once.
        watch.count()
        assert figure("tocsin_late_signals_total", "last") == 2
        # The other one's partition is somebody else's now.
        watch.detectors = lambda: [other]
        watch.count()
        assert figure("tocsin_series", "last") == 2
        assert figure("tocsin_late_signals_total", "last") == 2
    finally:
        REGISTRY.unregister(watch)


def test_figures_of_rules_that_are_gone_go():
    """A panel would show for ever what a rule cost that nobody has any more."""
    detector = Detector([rule(name="stays"), rule(name="goes")])
    watch = watching(detector)
    hear(detector, load(20), load(10))
    watch.charge("goes", 1.0)
    asyncio.run(watch.tell(10.0))
    assert figure("tocsin_late_signals_total", "goes") == 1
    assert figure("tocsin_rule_seconds_total", "goes") == 1

    hear(detector, load(11))
    # Changed, it begins with what was counted before: nobody has been told of that.
    detector.replace_rules([rule(name="stays", threshold=6), rule(name="comes")])
    watch.charge("goes", 1.0)
    asyncio.run(watch.tell(10.0))
    for name in ("late_signals_total", "condition_failures_total", "rule_seconds_total"):
        assert figure(f"tocsin_{name}", "goes") is None
        assert figure(f"tocsin_{name}", "comes") == 0
    assert figure("tocsin_late_signals_total", "stays") == 2

    hear(detector, load(12))
    asyncio.run(watch.on_revoked(None, set()))
    # Counted before the partition leaves with it.
    assert figure("tocsin_late_signals_total", "stays") == 3
    watch.detectors = list
    watch.count()
    assert figure("tocsin_late_signals_total", "stays") is None


def test_rules_without_number_have_figures_without_being_as_many(monkeypatch):
    """A policy with ten thousand rules would make fifty thousand series in each worker, and each scrape would hold it up."""
    monkeypatch.setattr(rule_watch, "NAMED", 3)
    names = ["n1", "n2", "n3", "n4", "n5"]
    settings = {"n1": {}, "n2": {"metric": "x"}, "n3": {"metric": "x"}}
    detector = Detector([rule(name=it, **settings.get(it, {})) for it in names])
    watch = watching(detector)
    hear(detector, load(20), load(20, "b"))
    REGISTRY.register(watch)
    try:
        watch.charge("n4", 1.0)
        watch.charge("n5", 2.0)
        asyncio.run(watch.tell(10.0))
        assert figure("tocsin_rule_seconds_total", "n5") == 2
        # Of two that would have taken the last places, the costlier one is first.
        watch.charge("n2", 0.1)
        watch.charge("n3", 0.2)
        asyncio.run(watch.tell(10.0))
        assert figure("tocsin_rule_seconds_total", "n3") == 0.2
        assert figure("tocsin_rule_seconds_total", "n2") is None
        assert figure("tocsin_rule_seconds_total", rule_watch.OTHERS) == 0.1
        assert figure("tocsin_series", "n4") == 2
        assert figure("tocsin_series", rule_watch.OTHERS) == 2

        # Of a policy with few rules, all have figures of their own again.
        detector.replace_rules([rule(name="n1"), rule(name="n2")])
        watch.count()
        assert figure("tocsin_rule_seconds_total", rule_watch.OTHERS) is None
        assert figure("tocsin_rule_seconds_total", "n2") == 0
        assert figure("tocsin_rule_seconds_total", "n5") is None
    finally:
        REGISTRY.unregister(watch)


def test_a_rule_without_room_is_seen():
    """Signals that nobody judges would look as if all were well."""
    rules = [rule(name="full", max_series=1, group_by=["host"]), rule(name="roomy")]
    one, other = Detector(rules), Detector(rules)
    watch = watching(one, other)
    hear(one, load(0), load(0, "b"))
    hear(other, load(0))
    REGISTRY.register(watch)
    try:
        assert figure("tocsin_crowded_partitions", "full") == 1
        assert figure("tocsin_crowded_partitions", "roomy") == 0
        assert figure("tocsin_series", "full") == 2
    finally:
        REGISTRY.unregister(watch)


def test_every_metric_is_listed():
    """An operator would not find it, or wait for one that is not there."""
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in LIST.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `tocsin_")
    ]
    said = [
        (name.strip("`"), tuple(re.findall(r"`(\w+)`", by)), says) for _, name, by, says, _ in rows
    ]
    assert sorted(said) == sorted((each.name, each.labels, each.says) for each in exposed())


def test_metrics_are_called_as_prometheus_has_it():
    """A query that assumes the convention would find nothing, or take minutes for seconds."""
    for metric in exposed():
        assert re.fullmatch(r"tocsin(_[a-z]+)+", metric.name), metric.name
        words = metric.name.split("_")
        # `total` is the last word of counters and of nothing else.
        assert (words[-1] == "total") == (metric.kind == "counter"), metric.name
        odd = {"count", "sum", "bucket", "counter", "gauge", "histogram"}
        odd |= {"milliseconds", "ms", "minutes", "hours", "days", "percent", "kilobytes"}
        assert not odd & set(words), metric.name
        assert metric.says.endswith("."), metric.name
        assert ("seconds" in words) == ("seconds" in metric.says.lower()), metric.name
