"""What a worker knows of its rules: what they cost, how many series they watch, what they left out."""

import asyncio
import gc
import logging
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.agents import metrics
from streams.agents.rule_watch import RuleWatch, rule_at
from streams.detection.costs import COST, DetectionSettings, watched_rules
from streams.detection.evaluation import Detector
from streams.detection.kinds.threshold import Threshold
from streams.gateways.digests import MAILED
from streams.gateways.polling import Polling
from streams.settings import Settings
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
    detector = watch.look_after(Detector(watched_rules(rules, DetectionSettings(rule_cost=0.5))))

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
    watch = RuleWatch(RecordingEmitter(), lambda: T0)
    window = {"aggregate": "avg", "over": "10s"}
    rules = [
        rule(name="last"),
        rule(name="window", **window),
        rule(name="odd", when="labels.rack == 'x'"),
    ]
    one, other = (watch.look_after(Detector(rules)) for _ in range(2))
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
        del one
        gc.collect()
        watch.count()
        assert figure("tocsin_series", "last") == 2
        assert figure("tocsin_late_signals_total", "last") == 2
    finally:
        REGISTRY.unregister(watch)


def test_every_metric_is_listed():
    """An operator would not find it, or wait for one that is not there."""
    said = {
        line.split("`")[1]: line.split("|")[3].strip()
        for line in LIST.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `tocsin_")
    }
    watch = RuleWatch(RecordingEmitter(), lambda: T0)
    kinds = (Counter, Gauge, Histogram)
    declared = [each for each in vars(metrics).values() if isinstance(each, kinds)]
    probe = Polling([], Settings()).registry
    families = [family for each in (*declared, MAILED, watch, probe) for family in each.collect()]
    known = {
        each.name + "_total" * (each.type == "counter"): each.documentation for each in families
    }
    assert said == known
