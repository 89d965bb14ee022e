"""
Rules for measurements, of mixed kinds, of which about ten can hear each signal however many there are.

A metric is heard by the rules for its name and by those for all of them; rules beyond that are for other names.
"""

from typing import Any, Final

import yaml

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


def rules(count: int) -> str:
    """Return a policy with *count* rules as YAML."""
    made: list[dict[str, Any]] = [
        {"name": f"all-{number}", **rule} for number, rule in enumerate(_OF_ALL[:count])
    ]
    metric = 0
    while len(made) < count:
        for rule in _OF_A_METRIC[: count - len(made)]:
            name = f"metric_{metric}" if metric < METRICS else f"elsewhere_{metric}"
            made.append({"name": f"{name}-{len(made)}", "metric": name, **rule})
        metric += 1
    return yaml.safe_dump({"rules": made}, sort_keys=False)
