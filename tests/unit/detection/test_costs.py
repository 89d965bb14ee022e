"""A rule that costs too much is named, by a rule of its own."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.alerts import AlertState
from schemas.origin import Origin
from streams.detection.costs import COSTLY, DetectionSettings, costs_to_tell, watched_rules
from streams.detection.evaluation import Detector
from streams.detection.kinds.threshold import Threshold

T0 = datetime(2024, 3, 1, tzinfo=UTC)
HERE = Origin(topic="telemetry.metrics", partition=0, offset=0)


def told(share: float, seconds: int, told_before: tuple[str, ...] = ()):
    return list(
        costs_to_tell(
            {"slow": share, "fast": 0.01}, 0.5, told_before, T0 + timedelta(seconds=seconds)
        )
    )


@pytest.mark.parametrize(("share", "names"), [(0.24, []), (0.25, ["slow"]), (0.9, ["slow"])])
def test_what_costs_little_is_not_told(share, names):
    """Otherwise a thousand cheap rules would fill the topic that they read."""
    assert [each.labels["rule_name"] for each in told(share, 0)] == names


def test_what_was_told_is_told_once_more_when_it_is_over():
    """Otherwise the alert would fire until its series is forgotten."""
    assert [each.value for each in told(0.0, 0, ("slow",))] == [0.0]
    assert [each.value for each in costs_to_tell({}, 0.5, ("slow",), T0)] == [0.0]


def test_the_alert_names_the_rule_and_ends():
    """Otherwise an operator would see a lag, and not its cause."""
    detector = Detector(watched_rules((), DetectionSettings()))
    alerts = []
    for second, share in ((0, 0.8), (10, 0.9), (20, 0.8), (30, 0.75), (40, 0.3), (50, 0.1)):
        for each in told(share, second, ("slow",)):
            alerts += [*detector.tick(each.occurred_at), *detector.hear(each, HERE)]
    assert [(alert.state, alert.occurred_at - T0) for alert in alerts] == [
        (AlertState.FIRING, timedelta(seconds=30)),
        (AlertState.RESOLVED, timedelta(seconds=50)),
    ]
    assert alerts[0].summary == "the rule slow costs too much"
    assert alerts[0].description == (
        "It takes 80 % of a processor core in one worker; detection.rule_cost allows 50 %. "
        "Let it hear less (service, match), or group by fewer labels."
    )
    assert (alerts[0].service, alerts[0].severity) == ("tocsin", 4)


def test_a_rule_of_the_policy_takes_its_place():
    """Otherwise nobody could say otherwise."""
    own = Threshold(name=COSTLY, metric="tocsin.rule_cost", threshold=0.1, severity=1)
    assert watched_rules((own,), DetectionSettings()) == (own,)
