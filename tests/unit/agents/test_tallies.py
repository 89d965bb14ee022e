"""Telemetry counted by service and minute: every count once, whatever is read twice."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.contract import Contract
from schemas.telemetry import ExternalV1, LogV1, MetricV1
from schemas.topics import EXTERNAL, LOGS, METRICS, TopicDeclaration
from streams.agents.tallies import Parts
from streams.telemetry.reading import Formats
from streams.warehouse import tally
from tests.counting import kept, recounted
from tests.payloads import STAMPED, example, published

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
PARTITION = 3


@dataclass
class Record:
    value: bytes
    offset: int
    headers: tuple[Any, ...] = ()
    timestamp: int = int(AT.timestamp() * 1000)


def record(message: Contract, offset: int = 0) -> Record:
    return Record(message.to_wire(), offset)


def log(*messages: Contract) -> list[Record]:
    return [record(message, offset) for offset, message in enumerate(messages)]


def metric(value: float, second: float = 0, **changed: Any) -> MetricV1:
    at = AT + timedelta(seconds=second)
    return MetricV1(
        **{"occurred_at": at, "service": "api", "name": "load", "value": value} | changed
    )


def test_a_metric_is_counted_by_its_minute() -> None:
    """Charts of a service rest on it; the latest is the latest in event time, not in the log."""
    parts = Parts()
    parts.take(
        METRICS,
        PARTITION,
        log(metric(4, 59.5), metric(-1, 10), metric(3, 20), metric(9, 60), metric(8, 60)),
    )

    rows = parts.due()["metric_rollups"]

    assert rows[0] == {
        "tenant": "default",
        "service": "api",
        "environment": "production",
        "name": "load",
        "unit": "",
        "minute": AT,
        "partition": PARTITION,
        "block": 0,
        "signals": 3,
        "total": 6.0,
        "lowest": -1.0,
        "highest": 4.0,
        "last": 4.0,
        "last_at": AT + timedelta(seconds=59.5),
    }
    # Of two at the same time, the later record is the latest.
    assert [(row["minute"], row["signals"], row["last"]) for row in rows] == [
        (AT, 3, 4.0),
        (AT + timedelta(minutes=1), 2, 8.0),
    ]


@pytest.mark.parametrize("topic", [METRICS, LOGS, EXTERNAL], ids=lambda topic: topic.name)
def test_what_is_not_of_its_topic_is_not_counted(topic: TopicDeclaration) -> None:
    """A row of one sort would have another's columns: the worker would stop at it, however often it is started."""
    said = {"occurred_at": AT, "service": "api"}
    alert = {"source": "grafana", "alert_id": "a", "state": "firing", "summary": "x"}
    sent = (metric(1), LogV1(**said, body="x"), ExternalV1(**said, **alert))
    marks = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/shop"}
    parts = Parts()
    parts.take(
        topic,
        PARTITION,
        [
            Record(
                message.to_wire(),
                offset,
                tuple(
                    (name, value.encode())
                    for name, value in (marks | {"ce_type": message.event_type}).items()
                ),
            )
            for offset, message in enumerate(sent)
        ],
    )

    (rows,) = parts.due().values()
    assert [row["signals"] for row in rows] == [1]


def test_a_text_that_a_header_gives_to_a_tenant_stays_its_senders_without_it() -> None:
    """One tenant's numbers would be shown to another, because both send the same."""
    sent = metric(1).to_wire()
    given = (("tocsin_tenant", b"acme"),)
    records = [Record(sent, n, given if n % 2 == 0 else ()) for n in range(6)]
    parts = Parts()
    parts.take(METRICS, PARTITION, records)

    rows = parts.due()["metric_rollups"]
    assert {row["tenant"]: row["signals"] for row in rows} == {"acme": 3, "default": 3}


@pytest.mark.parametrize("topic", [METRICS, LOGS, EXTERNAL], ids=lambda topic: topic.name)
def test_whatever_a_producer_sends_to_a_topic_can_be_written(topic: TopicDeclaration) -> None:
    """One sender with the wrong topic would stop history for all."""
    parts = Parts()
    parts.take(
        topic,
        PARTITION,
        [
            Record(each.value, offset, each.headers, timestamp=STAMPED)
            for offset, each in enumerate(published())
        ],
    )

    (columns,) = {frozenset(row) for rows in parts.due().values() for row in rows}
    assert {"tenant", "service", "minute", "signals"} <= columns


def test_only_what_changed_is_written_again() -> None:
    """Every series of every minute would be written every few seconds."""
    parts = Parts()
    parts.take(METRICS, PARTITION, log(metric(1), metric(2, service="web")))
    parts.due()
    parts.take(METRICS, PARTITION, [record(metric(3), 2)])

    assert [(row["service"], row["signals"]) for row in parts.due()["metric_rollups"]] == [
        ("api", 2)
    ]
    assert parts.due() == {}


def test_logs_are_counted_by_level_and_alerts_of_others_by_source() -> None:
    """A level, or a source, would be another's."""
    parts = Parts()
    numbers = (1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24)
    parts.take(
        LOGS,
        PARTITION,
        log(
            *(LogV1(occurred_at=AT, service="api", severity_number=it, body="x") for it in numbers)
        ),
    )
    said = {"occurred_at": AT, "service": "api", "alert_id": "a", "summary": "down"}
    parts.take(
        EXTERNAL,
        PARTITION,
        log(
            ExternalV1(**said, source="grafana", state="firing", severity=2),
            ExternalV1(**said, source="grafana", state="resolved"),
            ExternalV1(**said, source="datadog", state="firing", severity=2),
        ),
    )

    rows = parts.due()

    assert [(row["level"], row["signals"]) for row in rows["log_rollups"]] == [
        (level, 2) for level in ("trace", "debug", "info", "warn", "error", "fatal")
    ]
    assert [
        (row["source"], row["state"], row["severity"], row["signals"])
        for row in rows["external_rollups"]
    ] == [("grafana", "firing", 2, 1), ("grafana", "resolved", 0, 1), ("datadog", "firing", 2, 1)]


def test_what_detection_puts_aside_is_not_counted() -> None:
    """A sender with broken records would look well; a time that cannot be true would be a minute."""
    good = json.loads(metric(1).to_wire())
    bad = [
        b"{",
        json.dumps(good | {"value": "high"}).encode(),
        json.dumps(good | {"labels": {"": "x"}}).encode(),
        json.dumps(good | {"service": ""}).encode(),
        json.dumps(good | {"occurred_at": "2024-03-01T12:06:00Z"}).encode(),
        json.dumps(good | {"occurred_at": "1969-12-31T23:59:00Z"}).encode(),
    ]
    for first in (False, True):
        parts = Parts()
        values = [*bad, *([metric(1).to_wire()] if first else [])]
        if first:
            parts.take(METRICS, PARTITION, [record(metric(1))])
        parts.take(
            METRICS, PARTITION, [Record(value, offset) for offset, value in enumerate(values, 1)]
        )
        rows = parts.due().get("metric_rollups", [])
        assert sum(row["signals"] for row in rows) == 2 * first


def test_of_a_batch_what_is_right_is_counted() -> None:
    """Detection judges it, and history would tell less than the alerts."""
    document = json.loads(example("alertmanager", "firing").value)
    good = document["alerts"][0]
    document["alerts"] = [good, {"status": "firing"}, good]
    parts = Parts()
    parts.take(EXTERNAL, PARTITION, [Record(json.dumps(document).encode(), 1)])
    (row,) = parts.due()["external_rollups"]
    assert row["signals"] == 2


def test_a_glance_counts_as_the_whole_reading_does() -> None:
    """Figures would depend on what was read before, and a second reading would give others."""
    chance = random.Random(5)
    messages: list[Contract] = [
        metric(
            chance.choice([1, 2.5, -3e300]),
            chance.uniform(-200, 200),
            service=chance.choice(["api", "web"]),
            labels=chance.choice([{}, {"host": "a"}]),
            unit=chance.choice(["", "s"]),
        )
        for _ in range(300)
    ]
    glanced, whole = Parts(), Parts()
    glanced.take(METRICS, PARTITION, log(*messages))
    for one in log(*messages):
        # Nobody is known to a part that is new; headers in no format of ours forbid a glance.
        marked = Record(one.value, one.offset, (("tocsin_format", b"native"),))
        whole.take(METRICS, PARTITION, [marked])

    assert glanced.due() == whole.due()


def test_a_record_without_a_time_is_no_excuse_for_others() -> None:
    """What is counted would rest on how the log was cut into chunks."""
    ahead = metric(1, 3_600)
    for cut in (1, 3):
        parts = Parts()
        records = [record(metric(1), 0), record(metric(2), 1), record(ahead, 2)]
        records[1].timestamp = -1
        for chunk in filter(None, (records[:cut], records[cut:])):
            parts.take(METRICS, PARTITION, chunk)
        assert [row["signals"] for row in parts.due()["metric_rollups"]] == [2]


def test_another_systems_records_are_counted_as_they_are_read() -> None:
    """A topic that is given to another format would be empty."""
    otlp = {
        "resourceMetrics": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]
                },
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "load",
                                "gauge": {
                                    "dataPoints": [
                                        {
                                            "timeUnixNano": str(int(AT.timestamp()) * 10**9),
                                            "asDouble": it,
                                        }
                                        for it in (1.0, 2.0)
                                    ]
                                },
                            }
                        ]
                    }
                ],
            }
        ]
    }
    parts = Parts(Formats())
    parts.take(METRICS, PARTITION, [Record(json.dumps(otlp).encode(), 0)])

    [row] = parts.due()["metric_rollups"]
    assert (row["service"], row["name"], row["signals"], row["total"]) == ("api", "load", 2, 3.0)


@pytest.mark.parametrize("seed", range(8))
def test_crashes_and_repeats_change_no_count(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """A count that rests on when a worker died would be wrong by as much, for ever."""
    monkeypatch.setattr(tally, "BLOCK", 64)
    chance = random.Random(seed)
    messages: list[tuple[TopicDeclaration, list[Record]]] = [
        (METRICS, log(*(_any_metric(chance) for _ in range(700)))),
        (LOGS, log(*(_any_log(chance) for _ in range(500)))),
    ]
    stored: list[tuple[str, dict[str, Any]]] = []
    for topic, records in messages:
        committed = 0
        while committed < len(records):
            parts, place, taken = Parts(), committed, []
            while place < len(records):
                chunk = records[place : place + chance.randint(1, 90)]
                place += len(chunk)
                part = parts.take(topic, PARTITION, chunk)
                taken.append((place, part.tally.block))
                if chance.random() < 0.5:
                    rows = [(table, row) for table, its in parts.due().items() for row in its]
                    if chance.random() < 0.1:
                        # Some of them were stored, and nobody knows which.
                        stored += chance.sample(rows, len(rows) // 2)
                        break
                    stored += rows
                    committed = max(
                        [committed, *(end for end, block in taken if block < part.tally.block)]
                    )
            else:
                stored += [(table, row) for table, its in parts.due().items() for row in its]
                break
    # A rebuild from where the topic begins by then, in the middle of a block.
    for topic, records in messages:
        parts = Parts()
        parts.take(topic, PARTITION, records[100:])
        stored += [(table, row) for table, its in parts.due().items() for row in its]
    chance.shuffle(stored)

    assert kept(stored) == recounted(
        [(topic, message.value) for topic, its in messages for message in its]
    )


def _any_metric(chance: random.Random) -> MetricV1:
    return metric(
        float(chance.randint(-9, 9)),
        chance.uniform(-300, 60),
        service=chance.choice(["api", "web"]),
        name=chance.choice(["load", "rate"]),
    )


def _any_log(chance: random.Random) -> LogV1:
    return LogV1(
        occurred_at=AT + timedelta(seconds=chance.uniform(-300, 60)),
        service=chance.choice(["api", "web"]),
        severity_number=chance.randint(1, 24),
        body="x",
    )
