"""Telemetry to count, counts worked out of the messages themselves, and what is left of rows when ClickHouse has merged them."""

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.telemetry import ExternalV1, LogV1, MetricV1, Signal
from schemas.topics import EXTERNAL, LOGS, METRICS, TopicDeclaration

LEVELS = {1: "trace", 5: "debug", 9: "info", 13: "warn", 17: "error", 21: "fatal"}
#: What is no part of a row's key.
FIGURES = {"signals", "total", "lowest", "highest", "last", "last_at"}
Figures = dict[tuple[Any, ...], tuple[Any, ...]]


def kept(rows: Iterable[tuple[str, dict[str, Any]]]) -> Figures:
    """Figures by table, series and minute, of what merging leaves of *rows*: of each key the one with most signals."""
    best: dict[Any, tuple[str, dict[str, Any]]] = {}
    for table, row in rows:
        key = (table, *sorted((name, it) for name, it in row.items() if name not in FIGURES))
        if key not in best or row["signals"] >= best[key][1]["signals"]:
            best[key] = (table, row)
    groups = defaultdict(list)
    for table, row in best.values():
        blank = FIGURES | {"partition", "block"}
        groups[table, *(it for name, it in row.items() if name not in blank)].append(row)
    return {
        key: _metric(its) if "total" in its[0] else (sum(it["signals"] for it in its),)
        for key, its in groups.items()
    }


def _metric(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    signals = sum(row["signals"] for row in rows)
    return (
        signals,
        min(row["lowest"] for row in rows),
        max(row["highest"] for row in rows),
        round(sum(row["total"] for row in rows) / signals, 9),
        max((row["last_at"], row["partition"], row["block"], row["last"]) for row in rows)[3],
    )


def recounted(messages: Iterable[tuple[TopicDeclaration, bytes]]) -> Figures:
    """The same of messages, in the order in which they stand in their partition."""
    values: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    newest: dict[tuple[Any, ...], tuple[Any, float]] = {}
    counts: dict[tuple[Any, ...], int] = defaultdict(int)
    for topic, value in messages:
        if topic is METRICS:
            it = MetricV1.from_wire(value)
            series = (it.tenant, it.service, it.environment, it.name, it.unit)
            key = ("metric_rollups", *series, it.occurred_at.replace(second=0, microsecond=0))
            values[key].append(it.value)
            if key not in newest or it.occurred_at >= newest[key][0]:
                newest[key] = (it.occurred_at, it.value)
        elif topic is LOGS:
            entry = LogV1.from_wire(value)
            level = LEVELS[max(low for low in LEVELS if low <= entry.severity_number)]
            minute = entry.occurred_at.replace(second=0, microsecond=0)
            counts[
                "log_rollups", entry.tenant, entry.service, entry.environment, level, minute
            ] += 1
        else:
            assert topic is EXTERNAL
            said = ExternalV1.from_wire(value)
            minute = said.occurred_at.replace(second=0, microsecond=0)
            whose = (said.tenant, said.service, said.environment)
            what = (said.source, str(said.state), said.severity or 0)
            counts["external_rollups", *whose, *what, minute] += 1
    return {
        **{
            key: (len(its), min(its), max(its), round(sum(its) / len(its), 9), newest[key][1])
            for key, its in values.items()
        },
        **{key: (count,) for key, count in counts.items()},
    }


@dataclass
class Record:
    """A record as a consumer gets it."""

    value: bytes
    offset: int
    partition: int = 0
    headers: tuple[Any, ...] = ()
    timestamp: int = int(datetime(2024, 6, 1, tzinfo=UTC).timestamp() * 1000)


def records_of(signals: Iterable[Signal]) -> list[Record]:
    """As they stand in one partition."""
    return [Record(it.to_wire(), offset) for offset, it in enumerate(signals)]


def made_up_signals(count: int, seed: int) -> dict[str, list[Signal]]:
    """Ten minutes of metrics, logs and alerts of other systems, by topic; the same seed gives the same."""
    chance = random.Random(f"signals {seed}")

    def common() -> dict[str, Any]:
        return {
            "occurred_at": datetime(2024, 1, 10, 12, tzinfo=UTC)
            + timedelta(microseconds=chance.randint(0, 600_000_000)),
            "tenant": chance.choice(["default", "acme"]),
            "service": chance.choice(["api", "web"]),
        }

    return {
        METRICS.name: [
            MetricV1(**common(), name=chance.choice(["load", "rate"]), value=chance.randint(-9, 9))
            for _ in range(count)
        ],
        LOGS.name: [
            LogV1(**common(), severity_number=chance.randint(1, 24), body="x") for _ in range(count)
        ],
        EXTERNAL.name: [
            ExternalV1(
                **common(),
                source=chance.choice(["grafana", "datadog"]),
                alert_id="a",
                state=chance.choice(["firing", "resolved"]),
                severity=chance.choice([None, 1, 2]),
                summary="down",
            )
            for _ in range(count // 10)
        ],
    }
