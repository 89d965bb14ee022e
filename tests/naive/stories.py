"""Rules as they can be, and what they can hear: when, which kind of signal, and what it says."""

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st

from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from schemas.ticks import TickV1

waits = st.sampled_from([0, 0, 3, 10, 20])
groups = st.sampled_from([None, [], ["host"]])


def banded(*beyond: float, falling: bool = False):
    """A severity that is a number or goes by value."""
    ordered = sorted(beyond, reverse=falling)
    return st.sampled_from(
        [
            3,
            {"default": 3, "bands": [{"beyond": ordered[0], "severity": 2}]},
            {
                "default": 4,
                "bands": [
                    {"beyond": ordered[0], "severity": 3},
                    {"beyond": ordered[1], "severity": 1},
                ],
            },
            {
                "default": 4,
                "bands": [
                    {"beyond": ordered[0], "severity": 3},
                    {
                        "beyond": ordered[1],
                        "severity": 1,
                        "clear": ordered[0] + (ordered[1] - ordered[0]) / 4,
                    },
                ],
            },
        ]
    )


def patient(**given: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {
        name: each if isinstance(each, st.SearchStrategy) else st.just(each)
        for name, each in given.items()
    }
    return st.fixed_dictionaries(
        {
            "for": waits,
            "keep_firing_for": waits,
            "forget_after": st.sampled_from([80, 200]),
            "group_by": groups,
        }
        | fixed
    )


def _fitting(given: dict[str, Any]) -> dict[str, Any]:
    aggregate = given["aggregate"]
    if aggregate == "last":
        given.pop("over")
    if aggregate in {"rate", "increase"}:
        given["group_by"] = None
        if aggregate == "rate":
            given["threshold"] /= given["over"]
            given.pop("clear", None)
    if given["compare"] in {"==", "!="}:
        given["severity"] = 3
        given.pop("clear", None)
    elif "clear" in given and given["compare"].startswith("<"):
        given["clear"] = given["threshold"] + 2
    return given


def thresholds(compare: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda clear, given: _fitting(given | ({"clear": given["threshold"] - 2} if clear else {})),
        st.booleans(),
        patient(
            kind="threshold",
            metric="load",
            compare=compare,
            threshold=st.sampled_from([3, 0, 5.37, -1]),
            over=st.sampled_from([7, 20, 45]),
            aggregate=st.sampled_from(
                [
                    "last",
                    "last",
                    "last",
                    "avg",
                    "min",
                    "max",
                    "sum",
                    "count",
                    "p50",
                    "p90",
                    "p95",
                    "p99",
                    "rate",
                    "increase",
                ]
            ),
            severity=banded(6, 10)
            if compare.startswith(">")
            else banded(-2, -1.5, falling=True)
            if compare.startswith("<")
            else 3,
        ),
    )


WINDOWS = [
    [{"long": 120, "short": 60, "burn": 2, "severity": 2}],
    [
        {"long": 120, "short": 60, "burn": 3, "severity": 1},
        {"long": 180, "short": 60, "burn": 1, "severity": 3},
    ],
]
ROLES = {"a": ("part", "whole"), "b": ("whole",), "c": ("whole",)}

RULES = {
    "threshold": st.sampled_from([">", ">=", "<", "<=", "==", "!="]).flatmap(thresholds),
    "health": patient(
        kind="health",
        failures=st.integers(1, 3),
        of=st.integers(3, 5),
        successes=st.integers(1, 3),
        degraded_fails=st.booleans(),
        severity=st.one_of(banded(2, 3), st.just({"critical": 1, "otherwise": 3})),
    ),
    "absence": patient(
        kind="absence", signal="metrics", within=st.sampled_from([4, 15, 30]), severity=3
    ),
    "log_pattern": patient(
        kind="log_pattern",
        pattern="refused",
        level="info",
        count=st.integers(1, 4),
        within=st.sampled_from([5, 20]),
        severity=banded(4, 6),
    ),
    "log_novelty": patient(
        kind="log_novelty",
        level="info",
        learn=st.sampled_from([0, 10]),
        within=st.sampled_from([5, 20]),
        severity=banded(1, 2),
    ),
    "rate_of_change": patient(
        kind="rate_of_change",
        metric="load",
        over=st.sampled_from([5, 20, 60, 70]),
        change=st.sampled_from([2, 3.5]),
        clear=st.sampled_from([1, 2]),
        relative=st.booleans(),
        direction=st.sampled_from(["up", "down", "either"]),
        severity=banded(4, 6),
    ),
    "anomaly": patient(
        kind="anomaly",
        metric="load",
        baseline="recent",
        values=st.sampled_from([10, 40, 60]),
        learn=st.sampled_from([4, 8]),
        deviations=st.sampled_from([2, 4]),
        clear=st.sampled_from([1, 2]),
        direction=st.sampled_from(["up", "down", "either"]),
        floor=st.sampled_from([0, 0.5]),
        relative_floor=st.sampled_from([0, 0.01]),
        severity=banded(5, 8),
    ),
    "ratio": patient(
        kind="ratio",
        numerator={"metric": "load", "match": ["host=a"]},
        denominator="load",
        roles=st.just(lambda event: ROLES[event.source]),
        counters=st.booleans(),
        over=st.sampled_from([60, 120]),
        compare=st.sampled_from([">", "<"]),
        threshold=st.sampled_from([0.3, 0.5]),
        minimum=st.sampled_from([1, 5]),
        settle=st.sampled_from([0, 3, 5]),
        severity=st.sampled_from([3, 4]),
        group_by=[],
        forget_after=st.sampled_from([180, 300]),
    ).flatmap(
        lambda given: (
            banded(0.6, 0.8) if given["compare"] == ">" else banded(0.1, 0.2, falling=True)
        ).map(lambda severity: given | {"severity": severity})
    ),
    "burn_rate": patient(
        kind="burn_rate",
        total="load",
        bad={"metric": "load", "match": ["host=a"]},
        roles=st.just(lambda event: ROLES[event.source]),
        objective=st.sampled_from([0.9, 0.75]),
        counters=st.booleans(),
        minimum=st.sampled_from([1, 5]),
        settle=st.sampled_from([0, 3]),
        windows=st.sampled_from(WINDOWS),
        group_by=[],
        forget_after=st.sampled_from([200, 300]),
    ).flatmap(
        lambda given: st.sampled_from(
            [given, given | {"good": given["bad"], "bad": None}, given | {"minimum": 20}]
        )
    ),
    "burn_rate_of_checks": patient(
        kind="burn_rate",
        signal="health",
        objective=st.sampled_from([0.9, 0.75]),
        degraded_fails=st.booleans(),
        minimum=st.sampled_from([1, 5]),
        windows=st.sampled_from(WINDOWS),
        forget_after=st.sampled_from([200, 300]),
    ),
    "passthrough": patient(
        kind="passthrough", severity=3, override_severity=st.booleans(), group_by=[]
    ),
}

NUMBERS = (
    (0, 1, 1, 1, 2, 2, 4, 6, 6, 8, 12, -1, -3, 0.5),
    (1, 1, 1, 1, 1, 2, 2, 2.5, 9),
    (0, 0, 0, 5, 20),
    (3, 3, 3, 5, 6, 6.5, 10, 10.5, 11),
)
HUGE = (1e200, 1, 1, 0, -5, 1e-200)


def metrics(numbers: tuple[float, ...]):
    return st.builds(
        lambda service, host, value: (
            MetricV1,
            {"service": service, "labels": {"host": host}, "name": "load", "value": value},
        ),
        st.sampled_from(["shop", "shop", "shop", "till"]),
        st.sampled_from("aabc"),
        st.sampled_from(numbers),
    )


healths = st.builds(
    lambda host, status, critical: (
        HealthV1,
        {
            "service": "shop",
            "labels": {"host": host},
            "check": "db",
            "status": status,
            "critical": critical,
        },
    ),
    st.sampled_from("aab"),
    st.sampled_from(["healthy", "healthy", "healthy", "unhealthy", "degraded"]),
    st.booleans(),
)
logs = st.builds(
    lambda host, body, number: (
        LogV1,
        {
            "service": "shop",
            "labels": {"host": host},
            "body": f"{body} {number}",
            "severity_number": 17,
        },
    ),
    st.sampled_from("aab"),
    st.sampled_from(["refused by peer", "disk is full", "user gone"]),
    st.integers(1, 2),
)
externals = st.builds(
    lambda number, state, severity: (
        ExternalV1,
        {
            "service": "shop",
            "source": "grafana",
            "alert_id": number,
            "state": state,
            "severity": severity,
            "summary": "s",
        },
    ),
    st.sampled_from("12"),
    st.sampled_from(["firing", "firing", "resolved"]),
    st.sampled_from([None, 1, 3]),
)
SIGNALS = {
    "health": healths,
    "burn_rate_of_checks": healths,
    "log_pattern": logs,
    "log_novelty": logs,
    "passthrough": externals,
}


def stories(name: str, *, late: bool = False):
    """A stream: mostly forward, with pauses, copies, ticks."""
    signals = SIGNALS.get(name)
    steps = st.sampled_from([1, 1, 1, 2, 3, 5, 0, 13, 40] + ([-2, -7, -1] if late else []))

    def of(numbers):
        each = signals if signals is not None else metrics(numbers)
        tick = st.just((TickV1, {}))
        some = st.one_of(each, each, each, each, each, *([] if late else [tick]))
        # Some are said again and again, as nearly all telemetry is.
        often = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 12])
        return st.lists(st.tuples(some, steps, often), max_size=60)

    huge = () if late or name not in {"ratio", "burn_rate"} else (HUGE,)
    return st.sampled_from(NUMBERS + huge).flatmap(of).map(placed)


def ahead(story, data):
    """The same, with a clock that is ahead of it now and then, as of an input that was cut off for a while."""
    return [
        (
            at + data.draw(st.sampled_from([0, 1, 10, 100, 300])) if kind is TickV1 else at,
            kind,
            said,
        )
        for at, kind, said in story
    ]


def placed(steps) -> list[tuple[int, type, dict[str, Any]]]:
    at, story = 0, []
    for (kind, said), step, often in steps:
        for number in range(often):
            at = max(at + (step if not number else min(step, 3)), 0)
            story.append((at, kind, said))
    return [*story, (at + 2_000, TickV1, {})]


def counted(story):
    """What counters say of these amounts: they go up, and begin anew below zero."""
    totals: dict[Any, float] = defaultdict(float)
    made = []
    for at, kind, said in story:
        if kind is MetricV1:
            source = (said["service"], said["labels"]["host"])
            value = said["value"]
            totals[source] = totals[source] + value if value >= 0 else -value
            made.append((at, kind, said | {"value": totals[source]}))
        else:
            made.append((at, kind, said))
    return made
