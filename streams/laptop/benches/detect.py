"""
``detect``: how fast rules are applied, how soon an alert is there, what a series costs.

Signals stand in a real broker's topics; a real worker reads them, with its journal. They are those of so many series, each with a value every
ten seconds of event time, read as fast as possible. In the same run, on the same records: a bare aiokafka loop that only
parses JSON, and a plain Faust agent that applies one rule and counts in a table.

Cost grows with the signals; not with rules that cannot hear them, and hardly with those that can, while they are calm. Memory grows
with series: one for each rule and set of labels.
"""

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

import click
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.alerts import AlertState, AlertV1
from schemas.topics import ALERTS, HEALTH, LOGS, METRICS
from streams.agents.hop import FLUSH_EVERY
from streams.broker_access import as_texts
from streams.detection.ledger import WRITTEN_PART
from streams.errors import Unavailable
from streams.gateways.connecting import client
from streams.gateways.topics import create_topics
from streams.laptop.benches.figures import Figures
from streams.laptop.benches.rules import OF_COUNTERS, of_one_kind, rules
from streams.laptop.benches.stage import Worker, Writer, stage, ticking
from streams.laptop.benches.telemetry import METRICS as METRIC_NAMES
from streams.laptop.benches.telemetry import MIX, OFTEN_BAD_OF, Signals
from streams.laptop.children import die_with_parent
from streams.setting_files import variable
from streams.settings import Settings

#: Of a bare loop's events per second.
HALF: Final = 0.5
#: Of a plain Faust agent's.
TIMES_FAUST: Final = 40.0
#: Two workers on two cores against one.
TWO_WORKERS: Final = 1.7
#: A thousand rules against ten.
THOUSAND_RULES: Final = 1.5
#: Milliseconds from an event to its alert, for all but one in a hundred.
SOON: Final = 100.0
#: Seconds to recover a million series.
RECOVERED_WITHIN: Final = 10.0

_READ: Final = (METRICS, HEALTH, LOGS)
#: Records of a topic that the plain agent reads.
_PLAIN: Final = 20_000
_RECORDS: Final = "tocsin_records_total"
_LOOK_EVERY: Final = 0.05
#: Seconds between two values of a series.
_INTERVAL: Final = 10.0
#: What is swept over.
_SERIES: Final = (1_000, 100_000)
_PARTITIONS: Final = (1, 16)
_LATENCY_RATE: Final = 10_000
_LATENCY_SECONDS: Final = 20
#: Seconds after the last signal was read in which its alert is there.
_TOLD_WITHIN: Final = 2.0
#: Alerts without which a percentile says nothing.
_ENOUGH: Final = 100
_GIVES_UP: Final = 600.0
#: Seconds in which all but a twentieth of the series are written down, oldest first: the rest is when the worker stops.
_WRITTEN_WITHIN: Final = 3 * WRITTEN_PART * FLUSH_EVERY


@dataclass(frozen=True)
class Load:
    """What is read, under which rules, by how many."""

    signals: int
    series: int
    partitions: int
    workers: int = 1
    policy: str = field(default_factory=lambda: rules(100))
    #: The topic of all signals, where it is only one.
    only: str | None = None
    #: Names of metrics.
    metrics: int = METRIC_NAMES
    #: Whether they are counters.
    counters: bool = False

    @property
    def settling(self) -> int:
        """Signals after which every series is known, in whatever order partitions are read: what a first signal costs is left out."""
        return max(_heard_twice(self.series), self.signals // 2)

    async def write(self, settings: Settings) -> dict[str, int]:
        """Write all signals, and return how many each topic got."""
        _say(f"writing {self.signals} signals of {self.series} sets of labels")
        apart = timedelta(seconds=_INTERVAL * 0.8 / self.series)
        begin = datetime.now(UTC) - self.signals * apart
        made = Signals(
            self.series,
            begin=begin,
            apart=apart,
            only=self.only,
            metrics=self.metrics,
            counters=self.counters,
        )
        async with Writer(settings) as writer:
            return await writer.write(made.between(0, self.signals))


@dataclass(frozen=True)
class Rate:
    """How fast something was."""

    events: float
    """A second."""
    by_cpu: float
    """A second of its own CPU time."""


async def throughput(
    figures: Figures, broker: str, *, signals: int, series: int, partitions: int
) -> None:
    """Measure events per second, with everything that they are compared with."""
    load = Load(signals, series, partitions)
    async with stage(broker, load.policy, partitions=partitions) as (settings, folder):
        counts = await load.write(settings)
        bare = await _bare(settings, signals)
        plain = await _plain(settings, folder, min(_PLAIN, counts[METRICS.name]))
        figures.tell("bare aiokafka and orjson", bare.events, "events/s", by_cpu=bare.by_cpu)
        figures.tell("plain Faust agent with a table", plain, "events/s")

        one = await detected(settings, folder, load)
        more = {"rules": 100, "series": series, "partitions": partitions, "workers": 1}
        figures.tell(
            "detect",
            one.events,
            "events/s",
            reference="bare aiokafka and orjson",
            reference_value=bare.events,
            **more,
        )
        figures.tell(
            "detect by CPU",
            one.by_cpu,
            "events/CPU s",
            reference="bare aiokafka and orjson",
            reference_value=bare.by_cpu,
            **more,
        )
        figures.tell(
            "detect against plain Faust",
            one.events,
            "events/s",
            reference="plain Faust agent with a table",
            reference_value=plain,
        )
        figures.judge("detect / bare loop", one.events / bare.events, at_least=HALF)
        figures.judge("detect / plain Faust", one.events / plain, at_least=TIMES_FAUST)
        two = await detected(settings, folder, replace(load, workers=2))
        figures.tell("detect, two workers", two.events, "events/s", by_cpu=two.by_cpu)
        figures.judge("two workers / one", two.events / one.events, at_least=TWO_WORKERS)


async def sweeps(figures: Figures, broker: str, *, signals: int, partitions: int) -> None:
    """Measure how events per second change with rules, with series, with partitions, and with the kind of the rules."""
    base = Load(signals, 10_000, partitions)
    async with stage(broker, base.policy, partitions=partitions) as (settings, folder):

        async def tell(what: str, load: Load) -> Rate:
            rate = await detected(settings, folder, load)
            figures.tell(f"detect, {what}", rate.events, "events/s", by_cpu=rate.by_cpu)
            return rate

        # Of one metric, so that each signal is heard by the same rules however many there are.
        of_one = replace(base, metrics=1, signals=2 * signals)
        few = await tell("10 rules", replace(of_one, policy=rules(10, metrics=1)))
        many = await tell("1,000 rules", replace(of_one, policy=rules(1_000, metrics=1)))
        # The work that rules make is time of the processor; the wall clock also has that of the broker, and of others.
        figures.judge("cost of 1,000 / 10 rules", few.by_cpu / many.by_cpu, at_most=THOUSAND_RULES)
        for series in _SERIES:
            # As many again as make every series known.
            enough = max(base.signals, 2 * _heard_twice(series))
            await tell(f"{series:,} sets of labels", replace(base, series=series, signals=enough))
        for count in _PARTITIONS:
            await tell(f"{count} partitions", replace(base, partitions=count))
        for name, (topic, policy) in of_one_kind().items():
            counters = name in OF_COUNTERS
            await tell(f"only {name}", replace(base, policy=policy, only=topic, counters=counters))


async def latency(figures: Figures, broker: str, *, series: int, partitions: int) -> None:
    """Measure the time from an event to its alert, at a steady rate, once every series is known."""
    apart = timedelta(seconds=1 / _LATENCY_RATE)
    async with stage(broker, rules(100), partitions=partitions) as (settings, folder):
        worker = Worker("detect", settings, folder)
        async with worker, ticking(settings):
            await worker.ready()
            known = await _make_known(figures, settings, worker, series, apart)
            begin, over = datetime.now(UTC) + timedelta(seconds=1), asyncio.Event()
            made = Signals(series, begin=begin, apart=apart, bad_of=OFTEN_BAD_OF)
            hearing = asyncio.create_task(_alerts(settings, begin, over))
            await _live(settings, made, begin)
            # However late they are, all alerts count.
            await _reached(worker, known + _LATENCY_RATE * _LATENCY_SECONDS, _GIVES_UP)
            await asyncio.sleep(_TOLD_WITHIN)
            over.set()
            after = await hearing
    if len(after) < _ENOUGH:
        message = f"only {len(after)} alerts came in time: the latency cannot be told"
        raise Unavailable(message)
    cuts = quantiles(after, n=100)
    figures.tell(
        "event to alert, p50", cuts[49], "ms", rate=_LATENCY_RATE, series=series, alerts=len(after)
    )
    figures.tell("event to alert, p99", cuts[98], "ms", rate=_LATENCY_RATE)
    figures.judge("event to alert, p99 ms", cuts[98], at_most=SOON)


async def _make_known(
    figures: Figures, settings: Settings, worker: Worker, series: int, apart: timedelta
) -> int:
    """Have every series heard, say how fast that went, and return in how many signals: each makes a series of every rule that hears it."""
    count = _heard_twice(series) // 2
    made = Signals(series, begin=datetime.now(UTC) - count * apart, apart=apart)
    began = time.perf_counter()
    async with Writer(settings) as writer:
        await writer.write(made.between(0, count))
    await _reached(worker, count, _GIVES_UP)
    figures.tell("signals of new series", count / (time.perf_counter() - began), "events/s")
    return count


async def of_series(figures: Figures, broker: str, *, series: int, partitions: int) -> None:
    """Measure what a series costs in memory, and how long a worker takes to get all of them back."""
    threshold = {"kind": "threshold", "threshold": 300, "severity": 3, "max_series": 100_000}
    count = 10
    policy = orjson.dumps(
        {
            "rules": [
                {"name": f"rule-{number}", "metric": "metric_0", "forget_after": "7d", **threshold}
                for number in range(count)
            ]
        }
    ).decode()
    sets = series // count
    async with stage(broker, policy, partitions=partitions) as (settings, folder):
        async with Worker("detect", settings, folder) as worker:
            await worker.ready()
            before = worker.resident_bytes()
            _say(f"writing the signals of {sets} sets of labels, heard by {count} rules each")
            async with Writer(settings) as writer:
                await writer.write(_sets(sets))
            await _reached(worker, sets, _GIVES_UP)
            # Until then the telemetry itself would have to be read again.
            _say("waiting until all series are written down")
            await asyncio.sleep(_WRITTEN_WITHIN)
            grown = worker.resident_bytes() - before
        figures.tell("memory of a series", grown / series, "bytes", series=series)
        async with Worker("detect", settings, folder) as worker:
            await worker.ready()
            opened = await worker.figures("tocsin_opened_seconds")
            if len(opened) != partitions or not all(opened):
                message = f"only {len(opened)} of {partitions} partitions were recovered in time"
                raise Unavailable(message)
            seconds, again = sum(opened), await worker.figure(_RECORDS)
            if again > sets / 100:
                message = f"{again:.0f} signals were read again: recovery cannot be told from that"
                raise Unavailable(message)
            figures.tell(
                "memory of a series after a restart",
                (worker.resident_bytes() - before) / series,
                "bytes",
            )
    per_million = seconds * 1_000_000 / series
    figures.tell("recovery", per_million, "s/million series", series=series, seconds=seconds)
    figures.judge("recovery of a million series, s", per_million, at_most=RECOVERED_WITHIN)


def _sets(count: int) -> Any:
    at = datetime.now(UTC).isoformat()
    for number in range(count):
        service = f"service-{number % 1_000}"
        said = {
            "occurred_at": at,
            "service": service,
            "labels": {"host": f"host-{number}", "region": "eu-west-1"},
            "name": "metric_0",
            "value": 1.0,
        }
        yield METRICS.name, f"default/{service}".encode(), orjson.dumps(said)


async def detected(settings: Settings, folder: Path, load: Load) -> Rate:
    """Return how fast workers read *load*, in an installation of its own: nothing has been read of it."""
    own = settings.model_copy(
        update={"topic_prefix": f"run-{uuid4().hex[:8]}.", "partitions": load.partitions}
    )
    await create_topics(own)
    await load.write(own)
    own.policy.write_text(load.policy)
    return await _detect(own, folder, load.settling, load.signals, load.workers)


async def _bare(settings: Settings, wanted: int) -> Rate:
    """Read everything with aiokafka and parse it with orjson: what no consumer in Python is faster than."""
    consumer = AIOKafkaConsumer(**client(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        places = [
            TopicPartition(topic.name, partition)
            for topic in _READ
            for partition in range(settings.partitions)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        seen, began, cpu = 0, time.perf_counter(), time.process_time()
        loads = orjson.loads
        while seen < wanted:
            fetched = await consumer.getmany(timeout_ms=1_000, max_records=2_000)
            for records in fetched.values():
                for record in records:
                    loads(record.value)
                seen += len(records)
        return Rate(seen / (time.perf_counter() - began), seen / (time.process_time() - cpu))
    finally:
        await consumer.stop()


async def _plain(settings: Settings, folder: Path, wanted: int) -> float:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.laptop.benches.plain"),
        *(settings.broker, METRICS.name, str(wanted), str(settings.partitions)),
        # Faust makes a folder for the table where it runs.
        cwd=folder,
        env={
            **os.environ,
            **{variable(name): text for name, text in as_texts(settings).items()},
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    async with asyncio.timeout(_GIVES_UP):
        said, _ = await process.communicate()
    return float(said.split()[-1])


async def _detect(settings: Settings, folder: Path, known: int, wanted: int, workers: int) -> Rate:
    """Let workers read everything; return how fast they were once every series was known."""
    running = [Worker("detect", settings, folder) for _ in range(workers)]
    try:
        for worker in running:
            await worker.__aenter__()
        first: tuple[float, float, float] | None = None
        until = time.perf_counter() + _GIVES_UP
        while True:
            seen = sum([await worker.figure(_RECORDS) for worker in running])
            now = (seen, time.perf_counter(), sum(worker.cpu_seconds() for worker in running))
            if first is None and seen >= known:
                first = now
            if seen >= wanted and first is not None:
                break
            if time.perf_counter() > until:
                message = f"only {seen:.0f} of {wanted} signals were read in {_GIVES_UP:.0f} s"
                raise RuntimeError(message)
            await asyncio.sleep(_LOOK_EVERY)
    finally:
        for worker in running:
            await worker.__aexit__()
    events = now[0] - first[0]
    return Rate(events / (now[1] - first[1]), events / (now[2] - first[2]))


async def _reached(worker: Worker, wanted: int, within: float) -> None:
    async with asyncio.timeout(within):
        while await worker.figure(_RECORDS) < wanted:  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(_LOOK_EVERY)


async def _live(settings: Settings, made: Signals, begin: datetime) -> None:
    """Write signals when they happen."""
    step = _LATENCY_RATE // 100
    async with Writer(settings) as writer:
        for first in range(0, _LATENCY_RATE * _LATENCY_SECONDS, step):
            due = begin + timedelta(seconds=(first + step) / _LATENCY_RATE)
            await asyncio.sleep(max((due - datetime.now(UTC)).total_seconds(), 0))
            await writer.write(made.between(first, first + step))


async def _alerts(settings: Settings, begin: datetime, over: asyncio.Event) -> list[float]:
    """Return how many milliseconds after what happened from *begin* on its alert was there; listen until it is *over*."""
    consumer = AIOKafkaConsumer(ALERTS.name, **client(settings))
    await consumer.start()
    after = []
    try:
        while not over.is_set():
            fetched = await consumer.getmany(timeout_ms=200)
            now = datetime.now(UTC)
            for records in fetched.values():
                for record in records:
                    alert = AlertV1.from_wire(record.value)
                    begun = alert.state is AlertState.FIRING
                    if begun and begin <= alert.started_at == alert.occurred_at:
                        after.append((now - alert.occurred_at).total_seconds() * 1_000)
    finally:
        await consumer.stop()
    return after


def _heard_twice(series: int) -> int:
    """Return in how many signals each of so many sets of labels is heard twice."""
    return 2 * series * len(MIX) // MIX.count(METRICS.name)


def _say(line: str) -> None:
    click.echo(line, err=True)
