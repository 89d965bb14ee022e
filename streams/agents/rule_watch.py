"""
What a worker knows of each of its rules: series, late signals, conditions that could not be told, and what evaluating it costs.

Costs are sampled: after every ``EVERY`` seconds of CPU time the system interrupts the worker, and the rule that it was busy with is
charged with the time since the sample before. So nothing is measured where signals are judged, and a worker at rest is not woken.
"""

import asyncio
import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from types import FrameType
from typing import Final

from aiokafka.errors import KafkaError
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.topics import METRICS
from streams.agents import metrics
from streams.agents.outgoing import Emitter, outgoing
from streams.detection.costs import COSTLY, LABEL, costs_to_tell
from streams.detection.evaluation import Detector
from streams.detection.kinds.threshold import Threshold
from streams.detection.rule import Rule

log = logging.getLogger(__name__)

NAME: Final = "detect"
#: Seconds of CPU time between two samples.
EVERY: Final = 0.02
#: Seconds after which costs are told.
TOLD_EVERY: Final = 10.0
#: Rules that have figures of their own. Of a policy with more, those of which something was counted first have; those that cost most are
#: among them, since samples find them first.
NAMED: Final = 1_000
#: What stands for all the others: no rule has such a name.
OTHERS: Final = "(others)"
_COUNTERS: Final = (metrics.LATE, metrics.CONDITION_FAILURES, metrics.RULE_SECONDS)
#: Calls that are looked at from the inside: recursion in somebody's expression must not take long here.
_DEPTH: Final = 50


def rule_at(frame: FrameType | None) -> str | None:
    """Return the name of the rule that is being evaluated where *frame* is; None where none is."""
    for _ in range(_DEPTH):
        if frame is None:
            return None
        if frame.f_code.co_varnames[:1] == ("self",):
            found = frame.f_locals.get("self")
            if isinstance(found, Rule):
                return found.name
        frame = frame.f_back
    return None


class RuleWatch(Collector):
    """The rules of a worker, in all its partitions."""

    #: Gives the detectors of the partitions that the worker has: one that was given away says nothing more, whoever still holds it.
    detectors: Callable[[], Iterable[Detector]]

    def __init__(self, emitter: Emitter, clock: Callable[[], datetime]) -> None:
        self._emitter = emitter
        self._clock = clock
        self.detectors = list
        #: The rules that there are, and those that have figures of their own.
        self._known: set[str] = set()
        self._named: set[str] = set()
        self._spent: Counter[str] = Counter()
        self._sampled_at = 0.0
        #: Rules whose costs were noteworthy when they were told last.
        self._told: set[str] = set()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return what there is, without asking for it."""
        yield GaugeMetricFamily(
            "tocsin_series", "Series that a rule watches in this worker.", labels=["rule"]
        )
        yield GaugeMetricFamily(
            "tocsin_crowded_partitions",
            "Partitions of this worker in which a rule has as many series as max_series allows: it leaves further ones out.",
            labels=["rule"],
        )

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return how many series there are, and where no more have room."""
        series: Counter[str] = Counter()
        crowded: Counter[str] = Counter()
        for detector in self.detectors():
            counts = detector.series_counts()
            self._name(counts.keys())
            for rule, count in counts.items():
                series[self._shown(rule)] += count
                crowded[self._shown(rule)] += 0
            crowded.update(map(self._shown, detector.crowded()))
        for family, counted in zip(self.describe(), (series, crowded), strict=True):
            for rule, count in sorted(counted.items()):
                family.add_metric([rule], count)
            yield family

    def count(self) -> None:
        """Add what was counted since the last time to its counters, and show no more of rules that are gone."""
        late: Counter[str] = Counter()
        failures: Counter[str] = Counter()
        known: set[str] = set()
        for detector in self.detectors():
            for each in detector.figures():
                known.add(each.rule)
                if each.late:
                    late[each.rule] += each.late
                if each.condition_failures:
                    failures[each.rule] += each.condition_failures
        self._know(known)
        self._name_first([*late, *failures])
        for counter, counted in ((metrics.LATE, late), (metrics.CONDITION_FAILURES, failures)):
            for rule, count in counted.items():
                counter.labels(self._shown(rule)).inc(count)

    async def on_revoked(self, *_: object, **__: object) -> None:
        """Count before partitions leave with what was counted in them."""
        self.count()

    def _shown(self, rule: str) -> str:
        return rule if rule in self._named else OTHERS

    def _know(self, rules: set[str]) -> None:
        """Learn which rules there are."""
        for gone in self._named - rules:
            self._named.remove(gone)
            for counter in _COUNTERS:
                counter.remove(gone)
        self._known = rules
        self._name(rules)
        for counter in _COUNTERS:
            if rules <= self._named:
                counter.remove(OTHERS)
            else:
                counter.labels(OTHERS)

    def _name(self, rules: AbstractSet[str]) -> None:
        """Give *rules* figures of their own, if they are few."""
        if len(rules) <= NAMED:
            for rule in rules - self._named:
                self._begin(rule)

    def _name_first(self, rules: Iterable[str]) -> None:
        """Give *rules*, of which something was counted, figures of their own, as long as there is room."""
        for rule in rules:
            if rule not in self._named and len(self._named) < NAMED:
                self._begin(rule)

    def _begin(self, rule: str) -> None:
        self._named.add(rule)
        for counter in _COUNTERS:
            # There with nothing: growth from no value is none to Prometheus.
            counter.labels(rule)

    # -- costs ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to sample, and to be asked by Prometheus."""
        REGISTRY.register(self)
        if threading.current_thread() is not threading.main_thread():
            return  # Only there can a system's interruption be heard.
        self._sampled_at = time.thread_time()
        signal.signal(signal.SIGPROF, self._interrupted)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)

    async def stop(self) -> None:
        """Let the worker be."""
        REGISTRY.unregister(self)
        if threading.current_thread() is threading.main_thread():
            signal.setitimer(signal.ITIMER_PROF, 0)
            # One that is on its way must not end the process.
            signal.signal(signal.SIGPROF, signal.SIG_IGN)

    def _interrupted(self, _: int, frame: FrameType | None) -> None:
        now = time.thread_time()
        self.charge(rule_at(frame), now - self._sampled_at)
        self._sampled_at = now

    def charge(self, rule: str | None, seconds: float) -> None:
        """Charge *rule* with CPU time; None where no rule was evaluated."""
        if rule is not None:
            self._spent[rule] += seconds  # type: ignore[assignment]  # A counter counts anything.

    @property
    def limit(self) -> float:
        """The part of a core that a rule may take, by the policy in force."""
        limits = [
            rule.threshold
            for detector in self.detectors()
            if isinstance(rule := detector.rule_called(COSTLY), Threshold)
        ]
        return min(limits, default=1.0)

    async def tell(self, seconds: float) -> None:
        """Tell what rules cost in the last *seconds*."""
        self.count()
        spent, self._spent = self._spent, Counter()
        ours = {rule: cost for rule, cost in spent.items() if rule in self._known}
        self._name_first(sorted(ours, key=ours.__getitem__, reverse=True))
        for rule, cost in ours.items():
            metrics.RULE_SECONDS.labels(self._shown(rule)).inc(cost)
        limit = self.limit
        shares = {rule: cost / seconds for rule, cost in spent.items()}
        signals = list(costs_to_tell(shares, limit, self._told, self._clock()))
        self._told = {each.labels[LABEL] for each in signals if each.value >= limit / 2}
        for each in signals:
            if each.value > limit:
                log.warning(
                    "a rule costs too much rule=%s share=%.2f allowed=%.2f",
                    each.labels[LABEL],
                    each.value,
                    limit,
                )
        await self._emitter.send([outgoing(METRICS, each, source=NAME) for each in signals])

    async def keep_telling(self) -> None:
        """Tell it until cancelled."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            await asyncio.sleep(TOLD_EVERY)
            now = loop.time()
            try:
                await self.tell(now - before)
            except KafkaError as error:
                log.warning("costs not told error=%s", type(error).__name__)
            before = now
