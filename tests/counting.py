"""Counts of telemetry worked out of the messages themselves, and what is left of rows when ClickHouse has merged them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from schemas.telemetry import ExternalV1, LogV1, MetricV1
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
