"""What came near to a rule and told nothing: the nearest signal of each series, with the number that decided."""

from datetime import UTC, datetime, timedelta

from schemas.origin import Origin
from schemas.telemetry import HealthV1, MetricV1, Signal
from streams.backtest.nearness import Heard, near_misses
from streams.detection.kinds.health import Health
from streams.detection.kinds.threshold import Threshold

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
RULES = (
    Threshold(name="busy", metric="load", threshold=5, severity=2, **{"for": "30s"}),
    Threshold(name="idle", metric="load", compare="<", threshold=1, severity=3),
    Health(name="failed", failures=3, severity=1),
)


def load(second: int, value: float, service: str = "shop") -> MetricV1:
    at = NOON + timedelta(seconds=second)
    return MetricV1(occurred_at=at, service=service, name="load", value=value)


def missed(*signals: Signal, chosen: tuple[str, ...] = ("busy",)) -> list[tuple[object, ...]]:
    heard = [
        Heard(signal, Origin(topic="t", partition=0, offset=offset))
        for offset, signal in enumerate(signals)
    ]
    found = near_misses(RULES, heard, NOON + timedelta(minutes=10), chosen)
    return [
        (each.rule, each.service, each.count, each.origin.offset, each.reason) for each in found
    ]


def test_the_nearest_value_is_told_for_each_series_in_the_direction_of_the_rule() -> None:
    """A flood of ordinary values would hide the one that mattered."""
    signals = [load(0, 3), load(1, 4.9), load(2, 2), load(2, 4, "mail")]
    assert missed(*signals) == [
        ("busy", "mail", 1, 3, "4 is not what the rule finds: metric load, threshold 5"),
        ("busy", "shop", 3, 1, "4.9 is not what the rule finds: metric load, threshold 5"),
    ]
    assert missed(*signals, chosen=("idle",))[1][3:] == (
        2,
        "2 is not what the rule finds: metric load, compare <, threshold 1",
    )


def test_what_did_not_hold_long_enough_is_nearer_than_any_value() -> None:
    """A rule that waits too long would look like a threshold that is too high."""
    assert missed(load(0, 6), load(20, 6), load(25, 4.9)) == [
        ("busy", "shop", 3, 1, "6 was found, and held for 20s of the 30s that it must")
    ]


def test_what_fired_is_not_told() -> None:
    """Somebody was told of it."""
    assert missed(load(0, 6), load(30, 6), load(40, 2)) == []


def test_checks_are_as_near_as_they_failed() -> None:
    checks = [
        HealthV1(
            occurred_at=NOON + timedelta(seconds=number), service="shop", check="up", status=status
        )
        for number, status in enumerate(["unhealthy", "unhealthy", "healthy", "unhealthy"])
    ]
    assert missed(*checks, chosen=("failed",)) == [
        ("failed", "shop", 4, 3, "2 is not what the rule finds: failures 3")
    ]
