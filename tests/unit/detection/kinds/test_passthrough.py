"""Alerts of other systems: of one moment, the end counts."""

from datetime import UTC, datetime, timedelta
from operator import itemgetter

import pytest

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.telemetry import ExternalV1
from schemas.topics import EXTERNAL
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.kinds.passthrough import Passthrough
from tests.recording import Record

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def signal(second: int, state: str) -> ExternalV1:
    """That an alert is in a state, so many seconds past noon."""
    return ExternalV1(
        occurred_at=NOON + timedelta(seconds=second),
        service="shop",
        source="pagerduty",
        alert_id="Q1",
        state=state,
        summary="it is slow",
    )


def told(*heard: tuple[int, str], every: bool = False) -> list[tuple[str, int]]:
    """What follows from states of one alert at so many seconds past noon; *every* time after a restart."""
    rules = [Passthrough(name="others", severity=3)]
    detector, alerts, kept = Detector(rules), [], {}
    for offset, (second, state) in enumerate(heard):
        alerts += detector.hear(
            signal(second, state), Origin(topic="t", partition=0, offset=offset)
        )
        if every:
            kept |= {name: each for name, each in detector.changes().entries.items() if each}
            detector = Detector(rules)
            detector.restore(kept)
    return [
        (alert.state.value, int((alert.occurred_at - NOON).total_seconds())) for alert in alerts
    ]


@pytest.mark.parametrize("every", [False, True])
def test_an_alert_that_ends_in_the_second_in_which_it_fired_ends(every):
    """Its source tells whole seconds: the end was dropped, and people were paged for a week."""
    assert told((1, "firing"), (1, "resolved"), every=every) == [("firing", 1), ("resolved", 1)]


def test_of_one_moment_the_end_counts_in_whatever_order_it_comes():
    assert told((0, "firing"), (1, "resolved"), (1, "firing")) == [("firing", 0), ("resolved", 1)]


def test_what_is_older_than_what_was_heard_changes_nothing():
    """A late copy of the beginning would fire again."""
    assert told((1, "firing"), (2, "resolved"), (1, "firing"), (1, "resolved")) == [
        ("firing", 1),
        ("resolved", 2),
    ]


HOUR = 3_600
DAY = 24 * HOUR


def said_again(*heard: tuple[int, int, str], until: int, every: bool = False, **settings):
    """What the worker tells of states that arrived at one second and bear another, and of a tick each hour."""
    rules = [Passthrough(name="others", severity=3, **settings)]
    desk, alerts, kept = DetectDesk(Detector(rules)), [], {}
    ticks = [(second, None, None) for second in range(0, until + 1, HOUR)]
    for offset, (arrived, second, state) in enumerate(sorted([*heard, *ticks], key=itemgetter(0))):
        now = NOON + timedelta(seconds=arrived)
        if state is None:
            alerts += desk.detector.tick(now)
        else:
            stamp, value = int(now.timestamp() * 1000), signal(second, state).to_wire()
            record = Record(EXTERNAL.name, 0, offset, b"k", value, (), stamp)
            alerts += [AlertV1.from_wire(sent.value) for sent in desk.hear(EXTERNAL, record)]
        if every:
            for name, entry in desk.changes().items():
                kept.pop(name, None)
                if entry is not None:
                    kept[name] = entry
            desk = DetectDesk(Detector(rules))
            desk.restore(kept)
    return [
        (alert.state.value, int((alert.occurred_at - NOON).total_seconds())) for alert in alerts
    ]


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("settings", [{}, {"lateness": "10s"}])
def test_an_alert_that_is_said_again_fires_as_long_as_it_is(every, settings):
    """Alertmanager repeats it every few hours with the time when it began: after a week it ended as if nothing had been heard."""
    repeats = [(arrived, 0, "firing") for arrived in range(0, 9 * DAY, 4 * HOUR)]
    latest = repeats[-1][0]
    assert said_again(*repeats, until=15 * DAY, every=every, **settings) == [("firing", 0)]
    assert said_again(*repeats, until=17 * DAY, every=every, **settings) == [
        ("firing", 0),
        ("resolved", latest + 7 * DAY),
    ]


def test_it_ends_when_its_source_says_so():
    repeats = [(arrived, 0, "firing") for arrived in range(0, 8 * DAY, 4 * HOUR)]
    ended = (8 * DAY, 8 * DAY - 60, "resolved")
    assert said_again(*repeats, ended, until=16 * DAY) == [
        ("firing", 0),
        ("resolved", 8 * DAY - 60),
    ]


def test_an_alert_that_began_long_ago_is_alive_when_it_is_heard_first():
    """It would be forgotten before it is said again."""
    began = -6 * DAY
    assert said_again((HOUR, began, "firing"), until=3 * DAY) == [("firing", began)]


def heard_directly(*heard: tuple[int, int, str]) -> Detector:
    """What is left of states that arrived at one second and bear another, in whatever order."""
    detector = Detector([Passthrough(name="others", severity=3)])
    for offset, (arrived, second, state) in enumerate(heard):
        origin = Origin(topic="t", partition=0, offset=offset)
        detector.hear(signal(second, state), origin, NOON + timedelta(seconds=arrived))
    return detector


def test_what_is_over_is_not_remembered_for_copies_of_its_end():
    detector = heard_directly((0, 0, "firing"), (60, 60, "resolved"), (DAY, 60, "resolved"))
    assert detector.series_counts() == {"others": 1}
    detector.tick(NOON + timedelta(seconds=60, days=7))
    assert detector.series_counts() == {"others": 0}


def test_of_several_repeats_the_newest_counts():
    """They come in another order where one is read again."""
    detector = heard_directly((0, 0, "firing"), (5 * DAY, 0, "firing"), (DAY, 0, "firing"))
    assert detector.tick(NOON + timedelta(days=12, seconds=-1)) == []
    assert [alert.state.value for alert in detector.tick(NOON + timedelta(days=12))] == ["resolved"]


def test_an_older_beginning_shows_nothing_of_a_later_one():
    heard = [(0, 0, "firing"), (DAY, DAY, "firing"), (5 * DAY, 0, "firing")]
    assert said_again(*heard, until=8 * DAY)[1:] == [("resolved", 8 * DAY)]


def test_a_beginning_ahead_of_our_clock_counts_from_its_own_time():
    """Its arrival, which is remembered as a repeat, lies before it."""
    heard = [(0, 0, "firing"), (DAY, 0, "firing"), (3 * DAY, 3 * DAY + 60, "firing")]
    assert said_again(*heard, until=11 * DAY)[-1] == ("resolved", 10 * DAY + 60)
