"""What workers tell Prometheus of themselves, counted by hand: before and after another worker came, and under another policy."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.policies import PolicyV1
from schemas.telemetry import MetricV1
from schemas.topics import METRICS, POLICIES
from streams.gateways.producer import partition_of
from streams.releases import Release, released
from streams.settings import Settings
from tests.pipeline import Pipeline, Worker, eventually, producing, publish

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SERVICES = [f"service-{number:02}" for number in range(12)]
HOSTS = 3
RULES = "rules: [{name: load, kind: threshold, metric: load, threshold: 5, severity: 2, group_by: [host]}"
FULL = "{name: full, kind: threshold, metric: load, threshold: 99, severity: 2, group_by: [host], max_series: 1}"
BEFORE, AFTER = f"{RULES}, {FULL}]\n", f"{RULES}]\n"


def figures(worker: Worker, name: str, **labels: str) -> dict[str, float]:
    """The samples of a metric that have *labels*, by the others."""
    answer = httpx.get(f"http://127.0.0.1:{worker.port}/metrics", timeout=10)
    answer.raise_for_status()
    return {
        " ".join(value for name, value in sorted(sample.labels.items()) if name not in labels): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    }


def lag(worker: Worker) -> dict[str, float]:
    return figures(worker, "tocsin_lag_records", hop="detect", topic=METRICS.name)


def loads(at: datetime, services: list[str] = SERVICES) -> list[MetricV1]:
    return [
        MetricV1(occurred_at=at, service=it, name="load", value=1, labels={"host": str(host)})
        for it in services
        for host in range(HOSTS)
    ]


async def changed(settings: Settings, text: str) -> None:
    release = Release("ana", "less", datetime.now(UTC))
    messages: list[PolicyV1] = released({"a.yaml": text}, None, release, settings.partitions)
    async with producing(settings) as producer:
        for message in messages:
            await producer.send_and_wait(
                settings.topic(POLICIES.name), message.to_wire(), partition=message.partition
            )


async def test_figures_are_right_and_go_with_what_they_are_about(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """An operator would be woken by what stood still, or sleep while nothing flows."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(BEFORE)
    settings = pipeline.settings = pipeline.settings.model_copy(
        update={"policy": tmp_path / "rules"}
    )
    pipeline.start("detect", "incidents")
    await pipeline.ready()
    one = pipeline.workers["detect"]
    began = datetime.now(UTC) - timedelta(minutes=1)
    await publish(settings, METRICS, loads(began))
    # Seven that are late, and two that nobody can read.
    await publish(settings, METRICS, loads(began - timedelta(seconds=1), ["service-00"]) * 2)
    await publish(settings, METRICS, [loads(began - timedelta(seconds=2))[0]])
    await publish(settings, METRICS, [(b"default/x", b"{"), (b"default/x", b"[]")])

    every = {str(number) for number in range(settings.partitions)}
    homes = Counter(
        str(partition_of(f"default/{it}".encode(), settings.partitions)) for it in SERVICES
    )
    # All hosts of one service are in one partition, where the rule has room for one of them.
    crowded = len(homes)
    told = {
        "tocsin_records_total": {"hop": "detect", "topic": METRICS.name},
        "tocsin_dead_letters_total": {"hop": "detect", "topic": METRICS.name},
        "tocsin_late_signals_total": {"rule": "load"},
        "tocsin_series": {"rule": "load"},
        "tocsin_crowded_partitions": {"rule": "full"},
        "tocsin_ready": {},
    }

    def told_by(worker: Worker) -> list[float]:
        return [sum(figures(worker, name, **labels).values()) for name, labels in told.items()]

    read = HOSTS * len(SERVICES) + 7 + 2
    right = [read, 2, 7, HOSTS * len(SERVICES), crowded, 1]
    await eventually(lambda: told_by(one) == right, f"{right}", lambda: f"{told_by(one)}")
    await eventually(lambda: lag(one) == dict.fromkeys(every, 0), "no lag", pipeline.tails)
    now = datetime.now(UTC).timestamp()
    await eventually(
        lambda: min(figures(one, "tocsin_reached_timestamp_seconds").values()) > now,
        "time goes on",
        pipeline.tails,
    )

    other = pipeline.workers["detect-2"] = Worker("detect", settings, tmp_path)
    await eventually(
        lambda: other.ready() and lag(one).keys() | lag(other).keys() == every,
        "partitions are shared",
        pipeline.tails,
    )
    for worker in (one, other):
        ours = figures(worker, "tocsin_opened_seconds", hop="detect").keys()
        assert 0 < len(ours) < len(every)
        await eventually(lambda w=worker, o=ours: lag(w).keys() == o, "its own lag", pipeline.tails)
        reached = figures(worker, "tocsin_reached_timestamp_seconds", hop="detect")
        assert reached.keys() <= ours
        watched = sum(homes[number] for number in ours) * HOSTS
        assert figures(worker, "tocsin_series", rule="load") == {"": watched}

    await changed(settings, AFTER)

    def rules(worker: Worker) -> set[str]:
        names = ("tocsin_series", "tocsin_late_signals_total", "tocsin_rule_seconds_total")
        return {rule for name in names for rule in figures(worker, name)}

    for worker in (one, other):
        await eventually(
            lambda w=worker: rules(w) == {"load", "costly-rule"}, "it is gone", pipeline.tails
        )
