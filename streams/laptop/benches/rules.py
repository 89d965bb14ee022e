"""
Rules for measurements, of mixed kinds, of which about ten can hear each signal however many there are.

A metric is heard by the rules for its name and by those for all of them; rules beyond that are for other names.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml

from schemas import topics
from streams.laptop.benches.telemetry import METRICS

_OF_A_METRIC: Final = (
    {"kind": "threshold", "threshold": 300, "severity": 2},
    {"kind": "threshold", "threshold": 250, "clear": 200, "for": "30s", "severity": 3},
    {"kind": "threshold", "threshold": 150, "aggregate": "avg", "over": "1m", "severity": 3},
    {"kind": "threshold", "threshold": 380, "aggregate": "max", "over": "2m", "severity": 4},
    {"kind": "threshold", "threshold": 200, "aggregate": "p95", "over": "1m", "severity": 3},
    {"kind": "rate_of_change", "change": 390, "over": "1m", "severity": 4},
    {"kind": "anomaly", "baseline": "hour_of_day", "severity": 4},
)
_OF_ALL: Final = (
    {"kind": "absence", "signal": "metrics", "within": "5m", "severity": 3},
    {"kind": "absence", "signal": "metrics", "within": "15m", "severity": 2},
    {"kind": "absence", "signal": "logs", "within": "10m", "severity": 4},
    {"kind": "health", "failures": 2, "severity": {"critical": 1, "otherwise": 3}},
    {"kind": "health", "failures": 3, "of": 5, "severity": 2},
    {"kind": "log_pattern", "pattern": "(?i)connection (refused|reset)", "severity": 2},
    {"kind": "log_pattern", "pattern": "(?i)out of memory", "level": "fatal", "severity": 1},
    {"kind": "log_pattern", "pattern": "timed? ?out", "count": 10, "within": "2m", "severity": 3},
    {"kind": "passthrough", "severity": 3},
)


_OF_METRICS: Final[Mapping[str, dict[str, Any]]] = {
    "threshold": {"threshold": 300},
    "threshold of an average": {"threshold": 150, "aggregate": "avg", "over": "1m"},
    "threshold of a sum by service": {
        "threshold": 10_000,
        "aggregate": "sum",
        "over": "1m",
        "group_by": [],
    },
    "threshold of a quantile": {"threshold": 200, "aggregate": "p95", "over": "1m"},
    "threshold of a rate": {"threshold": 300, "aggregate": "rate", "over": "1m"},
    "rate_of_change": {"change": 390, "over": "1m"},
    "anomaly": {"baseline": "recent"},
    "anomaly by the hour": {"baseline": "hour_of_day"},
}
_OF_TWO_METRICS: Final[Mapping[str, dict[str, Any]]] = {
    "ratio": {"over": "5m", "threshold": 100, "counters": False},
    "ratio of counters": {"over": "5m", "threshold": 100},
    "burn_rate of counters": {"objective": 0.5},
}
#: What is told by counters: of values that go up and down, each second one would be a counter that began anew.
OF_COUNTERS: Final = frozenset(
    {"threshold of a rate", "ratio of counters", "burn_rate of counters"}
)
_OF_OTHERS: Final[Mapping[str, tuple[topics.TopicDeclaration, dict[str, Any]]]] = {
    "absence": (topics.METRICS, {"signal": "metrics", "within": "5m"}),
    "health": (topics.HEALTH, {"failures": 2}),
    "burn_rate": (topics.HEALTH, {"signal": "health", "objective": 0.99}),
    "log_pattern": (topics.LOGS, {"pattern": "(?i)connection (refused|reset)"}),
    "log_novelty": (topics.LOGS, {"level": "info", "learn": "1h"}),
    "passthrough": (topics.EXTERNAL, {"source": "grafana"}),
}


def of_one_kind() -> dict[str, tuple[str, str]]:
    """Return, for rules of each kind, the topic that they hear and a policy of nothing else: every signal there is heard by one."""
    made = {
        name: (topic.name, [{"kind": name, **rule}]) for name, (topic, rule) in _OF_OTHERS.items()
    }
    for name, rule in _OF_METRICS.items():
        kind = name.split()[0]
        some = [{"kind": kind, "metric": f"metric_{number}", **rule} for number in range(METRICS)]
        made[name] = topics.METRICS.name, some
    for name, rule in _OF_TWO_METRICS.items():
        kind = name.split()[0]
        pairs = [_of_two(kind, number, rule) for number in range(0, METRICS, 2)]
        made[name] = topics.METRICS.name, pairs
    both = [_both(number) for number in range(METRICS)]
    made["composite"] = topics.METRICS.name, [rule for three in both for rule in three]
    return {
        name: (
            topic,
            _policy(
                {"name": f"rule-{number}", "severity": 3} | rule for number, rule in enumerate(some)
            ),
        )
        for name, (topic, some) in made.items()
    }


def _of_two(kind: str, number: int, rule: dict[str, Any]) -> dict[str, Any]:
    part, whole = ("numerator", "denominator") if kind == "ratio" else ("good", "total")
    two = {part: f"metric_{number}", whole: f"metric_{number + 1}"}
    return {"kind": kind, **two, **rule}


def _both(number: int) -> list[dict[str, Any]]:
    metric = {"kind": "threshold", "metric": f"metric_{number}"}
    high, higher = f"high-{number}", f"higher-{number}"
    return [
        {"name": high, "threshold": 300, **metric},
        {"name": higher, "threshold": 350, **metric},
        {"name": f"both-{number}", "kind": "composite", "all": [high, higher]},
    ]


def _policy(made: Iterable[dict[str, Any]]) -> str:
    return yaml.safe_dump({"rules": list(made)}, sort_keys=False)


def rules(count: int, metrics: int = METRICS) -> str:
    """Return a policy with *count* rules as YAML, for telemetry with so many names of metrics."""
    made: list[dict[str, Any]] = [
        {"name": f"all-{number}", **rule} for number, rule in enumerate(_OF_ALL[: count // 3])
    ]
    metric = 0
    while len(made) < count:
        for rule in _OF_A_METRIC[: count - len(made)]:
            name = f"metric_{metric}" if metric < metrics else f"elsewhere_{metric}"
            made.append({"name": f"{name}-{len(made)}", "metric": name, **rule})
        metric += 1
    return _policy(made)
