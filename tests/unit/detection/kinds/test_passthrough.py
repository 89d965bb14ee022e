"""Alerts of other systems: of one moment, the end counts."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.origin import Origin
from schemas.telemetry import ExternalV1
from streams.detection.evaluation import Detector
from streams.detection.kinds.passthrough import Passthrough

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def told(*heard: tuple[int, str], every: bool = False) -> list[tuple[str, int]]:
    """What follows from states of one alert at so many seconds past noon; *every* time after a restart."""
    rules = [Passthrough(name="others", severity=3)]
    detector, alerts, kept = Detector(rules), [], {}
    for offset, (second, state) in enumerate(heard):
        signal = ExternalV1(
            occurred_at=NOON + timedelta(seconds=second),
            service="shop",
            source="pagerduty",
            alert_id="Q1",
            state=state,
            summary="it is slow",
        )
        alerts += detector.hear(signal, Origin(topic="t", partition=0, offset=offset))
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
