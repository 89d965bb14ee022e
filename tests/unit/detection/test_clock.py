"""What the clock has to do with signals: which are history, and that a tick does not decide what a late one finds."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.detection.clock import Clock
from streams.detection.evaluation import Detector
from streams.detection.kinds.ratio import Ratio
from streams.detection.kinds.threshold import Threshold

T0 = datetime(2024, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def hear(detector: Detector, seconds: float, value: float, host: str, offset: int):
    signal = MetricV1(
        occurred_at=at(seconds), service="shop", name="load", value=value, labels={"host": host}
    )
    return detector.hear(signal, Origin(topic="t", partition=0, offset=offset))


def said(alerts):
    return [(alert.state.value, (alert.occurred_at - T0).total_seconds()) for alert in alerts]


OF_A = {"metric": "load", "match": ["host=a"]}
MEAN = Threshold(
    name="mean", metric="load", aggregate="avg", over="20s", threshold=2, severity=3, group_by=[]
)
SHARE = Ratio(
    name="share",
    numerator=OF_A,
    denominator="load",
    counters=False,
    over="1m",
    threshold=0.55,
    clear=0.3,
    minimum=1,
    settle="0s",
    severity=3,
)
#: What was heard so far, none of it bad enough; each has something that makes its rule less than calm.
LOADS = [(0, 0, "a"), (0.5, 0, "a"), (1, 0, "a"), (2, 3, "a"), (10, 1, "a")]
AMOUNTS = [(0, 3, "b"), (1, 3, "a"), (30, 3, "b")]


@pytest.mark.parametrize("ticks", [[], [25], [21, 22, 25]])
def test_what_comes_behind_a_tick_is_judged_by_what_was_heard(ticks):
    """Whether a tick looks at a quiet series depends on who else is heard, and would decide when an alert begins."""
    detector = Detector([MEAN])
    for offset, each in enumerate(LOADS):
        assert hear(detector, *each, offset) == []
    assert [detector.tick(at(second)) for second in ticks] == [[] for _ in ticks]
    assert hear(detector, 15, 4, "a", 5) == []
    assert said(detector.tick(at(26))) == [("firing", 21)]


@pytest.mark.parametrize("ticks", [[], [62], [61, 62]])
def test_so_are_amounts(ticks):
    detector = Detector([SHARE])
    for offset, each in enumerate(AMOUNTS):
        assert hear(detector, *each, offset) == []
    assert [detector.tick(at(second)) for second in ticks] == [[] for _ in ticks]
    assert hear(detector, 50, 4, "a", 3) == []
    assert said(hear(detector, 51, 1, "a", 4)) == [("firing", 51)]


@pytest.mark.parametrize("restart", [False, True])
def test_so_it_is_after_a_restart(restart):
    detector = Detector([MEAN])
    for offset, each in enumerate(LOADS):
        hear(detector, *each, offset)
    detector.tick(at(25))
    if restart:
        kept, detector = detector.changes({"t": 5}).entries, Detector([MEAN])
        detector.restore({name: entry for name, entry in kept.items() if entry})
        detector.tick(at(26))
    assert hear(detector, 15, 4, "a", 5) == []
    assert said(hear(detector, 20.2, 5, "a", 6)) == [("firing", 20.2)]


def test_what_a_tick_has_told_stays_told():
    """Otherwise an alert would end and fire again, because a signal was late."""
    detector = Detector([MEAN])
    hear(detector, 0, 0, "a", 0)
    hear(detector, 10, 3, "a", 1)
    assert said(detector.tick(at(25))) == [("firing", 20)]
    assert hear(detector, 15, 2, "a", 2) == []


def test_what_is_too_late_is_what_its_newest_signal_and_not_the_clock_has_left_behind():
    detector = Detector([MEAN])
    hear(detector, 20, 1, "a", 0)
    detector.tick(at(39))
    hear(detector, 20.5, 1, "b", 1)
    detector.tick(at(60))
    assert hear(detector, 0.5, 9, "b", 2) == []
    assert said(hear(detector, 0.6, 9, "b", 3)) == [("firing", 20.5)]


def test_a_moment_has_passed_when_the_clock_shows_it():
    clock, origin = Clock(), Origin(topic="t", partition=0, offset=7)
    assert not clock.has_passed(T0, origin)
    assert not clock.moved
    clock.tick(at(1))
    assert clock.has_passed(at(1), origin)
    assert not clock.has_passed(at(1.000001), origin)


def test_the_clock_does_not_go_back():
    clock, origin = Clock(), Origin(topic="t", partition=0, offset=7)
    clock.tick(at(2))
    clock.tick(at(1))
    assert clock.has_passed(at(2), origin)


def test_what_is_read_again_was_read_when_it_was_earlier():
    clock = Clock()
    clock.tick(at(2))
    again = Clock()
    again.restore(clock.write_down({"t": 7}))
    assert [
        again.has_passed(at(2), Origin(topic="t", partition=0, offset=offset)) for offset in (6, 7)
    ] == [False, True]
    assert not again.moved
    again.tick(at(2))
    assert not again.moved
