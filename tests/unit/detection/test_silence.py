"""What silence alone makes of counters and amounts: with less and less in a window, no alert begins."""

from typing import Any

import pytest

from streams.detection.evaluation import Detector
from streams.detection.kinds.ratio import Ratio
from streams.detection.kinds.threshold import Threshold
from tests.unit.detection.test_clock import at, hear, said


def share(**settings: Any) -> Ratio:
    given = {
        "name": "share",
        "numerator": {"metric": "load", "match": ["host=a"]},
        "denominator": "load",
        "counters": False,
        "over": "1m",
        "threshold": 0.55,
        "clear": 0.3,
        "minimum": 1,
        "settle": "0s",
        "severity": 3,
    }
    return Ratio(**given | settings)


def count(detector: Detector, seconds: float, value: float, offset: int):
    return hear(detector, seconds, value, "a", offset)


GROWTH = {"name": "growth", "metric": "load", "over": "1m", "severity": 3}


@pytest.mark.parametrize(
    ("aggregate", "compare", "threshold"),
    [("rate", "<", 0.5), ("increase", "<=", 0), ("increase", "==", 0), ("increase", "!=", 60)],
)
def test_a_counter_that_is_not_heard_any_more_is_no_counter_that_stands_still(
    aggregate, compare, threshold
):
    """With one value left, and with none, Prometheus' rate() says nothing; a rule about too little growth fired."""
    rule = Threshold(**GROWTH, aggregate=aggregate, compare=compare, threshold=threshold)
    detector = Detector([rule])
    for number in range(3):
        assert count(detector, 30 * number, 60 * number, number) == []
    assert detector.tick(at(300)) == []
    count(detector, 330, 120, 3)
    assert detector.tick(at(600)) == []
    assert count(detector, 630, 120, 4) == []
    assert said(count(detector, 640, 120, 5)) == [("firing", 640)]


def test_an_alert_about_too_little_growth_does_not_end_by_silence():
    detector = Detector([Threshold(**GROWTH, aggregate="increase", compare="<", threshold=1)])
    count(detector, 0, 5, 0)
    assert said(count(detector, 30, 5, 1)) == [("firing", 30)]
    assert said(detector.tick(at(7_200))) == [("resolved", 3_630)]


@pytest.mark.parametrize(("clear", "ended"), [(2, 60), (-1, 3_630)])
def test_an_alert_about_much_growth_ends_when_the_window_has_none(clear, ended):
    """Unless none is not little enough."""
    detector = Detector([Threshold(**GROWTH, aggregate="increase", threshold=5, clear=clear)])
    count(detector, 0, 0, 0)
    assert said(count(detector, 30, 9, 1)) == [("firing", 30)]
    assert said(detector.tick(at(7_200))) == [("resolved", ended)]


def test_silence_alone_does_not_make_a_share_bad():
    """What is good leaves the window before what is bad; with less and less in it, any share could be reached."""
    detector = Detector([share()])
    for offset, each in enumerate([(0, 6, "b"), (20, 3, "a")]):
        assert hear(detector, *each, offset) == []
    assert detector.tick(at(300)) == []
    assert said(hear(detector, 301, 3, "a", 2)) == [("firing", 301)]


def test_what_settles_by_time_alone_makes_a_share_bad():
    detector = Detector([share(settle="5s")])
    assert hear(detector, 0, 3, "b", 0) + hear(detector, 1, 9, "a", 1) == []
    assert said(detector.tick(at(300))) == [("firing", 6), ("resolved", 67)]


def test_a_share_that_is_bad_stays_so_in_silence_until_nothing_is_left():
    detector = Detector([share(**{"for": "40s"})])
    assert hear(detector, 0, 1, "b", 0) + hear(detector, 30, 9, "a", 1) == []
    assert said(detector.tick(at(300))) == [("firing", 70), ("resolved", 91)]
