"""What a rule with an allowed lateness hears, it hears in order, once, and without end only up to a limit."""

from datetime import timedelta

import pytest

from schemas.alerts import AlertState
from streams.detection import lateness
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.composite import Composite
from tests.unit.detection.test_evaluation import at, entries, load, origin, rule, said


def late(detector: Detector) -> int:
    return sum(each.late for each in detector.figures())


def test_a_signal_is_judged_when_its_lateness_is_over():
    """One second before and exactly at."""
    detector = Detector([rule(lateness="10s")])
    assert detector.hear(load(0, 6), origin(0)) == []
    assert detector.tick(at(9)) == []
    assert said(detector.tick(at(10))) == [(AlertState.FIRING, 0)]


def test_the_edge_of_the_lateness():
    """What is less late counts; what is exactly so late does not."""
    detector = Detector([rule(lateness="10s")])
    heard = [detector.hear(load(s, v), origin(o)) for o, (s, v) in enumerate([(20, 0), (11, 6)])]
    heard.append(detector.hear(load(10, 7), origin(2)))
    assert (heard, late(detector)) == ([[], [], []], 1)
    assert said(detector.tick(at(30))) == [(AlertState.FIRING, 11), (AlertState.RESOLVED, 20)]


def test_signals_that_wait_survive_a_restart():
    """Otherwise what nobody has judged yet would be lost with the worker."""
    before = Detector([rule(lateness="10s")])
    before.hear(load(5, 0), origin(0))
    before.hear(load(3, 6, signal_id="x"), origin(1))
    after = Detector([rule(lateness="10s")])
    after.restore(entries(before))
    assert said(after.tick(at(20))) == [(AlertState.FIRING, 3), (AlertState.RESOLVED, 5)]


@pytest.mark.parametrize("order", [(9, 10), (10, 9)])
def test_of_one_moment_the_smaller_value_of_a_counter_is_heard_first(order):
    """As text 10 is before 9: the counter would seem to have begun anew, and all that it counted would be growth."""
    queue = lateness.Queue()
    for offset, value in enumerate(order):
        queue.take(load(1, value), at(1), origin(offset), timedelta(seconds=10))
    assert [kept.signal.value for kept in queue.waiting] == [9, 10]


def test_what_waits_is_bounded(monkeypatch):
    """Otherwise a flood would be kept in memory for as long as a policy allows."""
    monkeypatch.setattr(lateness, "ROOM", 2)
    detector = Detector([rule(lateness="59m")])
    heard = [detector.hear(load(s, 6 - s), origin(s)) for s in range(4)]
    assert [said(alerts) for alerts in heard] == [
        [],
        [],
        [(AlertState.FIRING, 0)],
        [(AlertState.RESOLVED, 1)],
    ]


def test_a_heartbeat_that_waits_is_a_heartbeat():
    """Otherwise an absence would be told of what is only waiting."""
    beats = Absence(name="beat", signal="metrics", within="25s", severity=3, lateness="30s")
    detector = Detector([beats])
    for second in range(0, 60, 10):
        assert detector.hear(load(second, 1), origin(second)) == []
        assert detector.tick(at(second)) == []
    assert detector.tick(at(104)) == []
    assert said(detector.tick(at(105))) == [(AlertState.FIRING, 75)]


@pytest.mark.parametrize(("before", "after"), [("10s", "0s"), ("0s", "10s")])
def test_a_policy_can_allow_another_lateness(before, after):
    """Otherwise what waits under the old rule would wait for ever."""
    detector = Detector([rule(lateness=before)])
    detector.hear(load(0, 0), origin(0))
    detector.hear(load(1, 6), origin(1))
    detector.replace_rules([rule(lateness=after)])
    detector.hear(load(2, 0), origin(2))
    detector.tick(at(30))
    detector.hear(load(40, 7), origin(3))
    detector.tick(at(60))
    assert [series.memory.value for series in detector.series_of("busy")] == [7]


def test_a_series_that_is_forgotten_while_signals_wait_begins_anew():
    """Otherwise they would be lost, or judged by what was forgotten."""
    detector = Detector([rule(lateness="10s", forget_after="20s")])
    detector.hear(load(0, 6), origin(0))
    assert said(detector.tick(at(10))) == [(AlertState.FIRING, 0)]
    detector.hear(load(25, 7), origin(1))
    assert said(detector.tick(at(31))) == [(AlertState.RESOLVED, 20)]
    assert said(detector.tick(at(35))) == [(AlertState.FIRING, 25)]


def test_rules_that_combine_have_none_of_their_own():
    """What they hear is as late as their rules make it."""
    with pytest.raises(
        ValueError, match="lateness has no meaning here: write it at the rules that are combined"
    ):
        Composite(name="both", all=["a", "b"], severity=1, lateness="5s")


def test_it_must_be_shorter_than_a_series_is_remembered():
    """Otherwise what waits would be forgotten first."""
    with pytest.raises(
        ValueError, match=r"lateness \(1m\) must be shorter than forget_after \(1m\)"
    ):
        rule(lateness="1m", forget_after="1m")


def test_what_time_has_decided_is_not_decided_again():
    """A signal from before the moment at which an absence was told comes too late, though nothing newer was heard."""
    beats = Absence(name="beat", signal="metrics", within="25s", severity=3, lateness="30s")
    detector = Detector([beats])
    detector.hear(load(0, 1), origin(0))
    assert said(detector.tick(at(55))) == [(AlertState.FIRING, 25)]
    detector.hear(load(25, 1), origin(1))
    assert late(detector) == 1
    detector.hear(load(26, 1), origin(2))
    assert said(detector.tick(at(56))) == [(AlertState.RESOLVED, 26)]
