"""What no kind decides alone: identity, lateness, forgetting, crowds, and a policy that changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import HealthV1, MetricV1
from streams.detection.evaluation import Detector
from streams.detection.fingerprint import fingerprint
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.health import Health
from streams.detection.kinds.threshold import Threshold
from streams.detection.ledger import Keep
from streams.detection.matching import predicate, read_matchers

T0 = datetime(2024, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def origin(offset: int) -> Origin:
    return Origin(topic="telemetry.metrics", partition=0, offset=offset)


def load(seconds: float, value: float, **fields: Any) -> MetricV1:
    return MetricV1(
        **{"occurred_at": at(seconds), "service": "shop", "name": "load", "value": value} | fields
    )


def rule(**settings: Any) -> Threshold:
    return Threshold(**{"name": "busy", "metric": "load", "threshold": 5, "severity": 2} | settings)


def said(alerts: list[AlertV1]) -> list[tuple[str, float]]:
    return [(alert.state, (alert.occurred_at - T0).total_seconds()) for alert in alerts]


def entries(detector: Detector) -> dict[str, bytes]:
    return {name: entry for name, entry in detector.changes().entries.items() if entry is not None}


def test_an_alert_says_everything():
    detector = Detector(
        [
            rule(
                summary="{{ service }} {{ labels.host }}: {{ value }}",
                runbook="https://example.org/busy",
                owner="platform",
                **{"for": "10s"},
            )
        ]
    )
    detector.hear(load(0, 6, labels={"host": "a"}, unit="1"), origin(3))
    detector.hear(load(5, 7, labels={"host": "a"}, unit="1"), origin(4))
    (alert,) = detector.tick(at(11))
    assert alert == AlertV1(
        occurred_at=at(10),
        fingerprint=alert.fingerprint,
        sequence=1,
        state=AlertState.FIRING,
        rule="busy",
        severity=2,
        service="shop",
        labels={"host": "a"},
        group_key="shop/production",
        summary="shop a: 7.0",
        reason="load 7 > 5, for 10s",
        value=7,
        runbook="https://example.org/busy",
        owner="platform",
        started_at=T0,
        origins=(origin(3), origin(4)),
    )


def test_what_is_waited_for_fires_at_its_moment_and_not_before():
    detector = Detector([rule(**{"for": "10s"})])
    detector.hear(load(0, 6), origin(0))
    assert detector.tick(at(9.999)) == []
    assert said(detector.tick(at(10))) == [("firing", 10)]


def test_a_signal_shows_that_a_moment_has_passed_as_a_tick_does():
    detector = Detector([rule(**{"for": "10s"})])
    detector.hear(load(0, 6), origin(0))
    assert said(detector.hear(load(25, 1), origin(1))) == [("firing", 10), ("resolved", 25)]


def test_a_signal_comes_before_what_is_due_at_the_same_moment():
    detector = Detector([rule(**{"for": "10s"})])
    detector.hear(load(0, 6), origin(0))
    assert detector.hear(load(10, 1), origin(1)) == []
    assert detector.tick(at(60)) == []


def test_what_must_hold_so_long_must_still_hold_at_that_moment():
    """Otherwise an alert would fire and end at one moment, and somebody would be paged for it."""
    window = rule(aggregate="sum", over="10s", **{"for": "10s"})
    detector = Detector([window])
    detector.hear(load(0, 6), origin(0))
    # At that moment the value falls out of the window.
    assert detector.tick(at(60)) == []


def test_what_is_bad_again_at_the_moment_when_it_was_clear_for_long_enough_goes_on():
    """Otherwise an alert would end and fire again at one moment."""
    window = rule(aggregate="sum", over="10s", compare="<", keep_firing_for="10s")
    detector = Detector([window])
    heard = [load(0, 1), load(1, 9)]
    alerts = [
        alert for place, each in enumerate(heard) for alert in detector.hear(each, origin(place))
    ]
    assert said([*alerts, *detector.tick(at(60))]) == [("firing", 0)]


def test_an_older_signal_changes_nothing():
    detector = Detector([rule()])
    detector.hear(load(10, 1), origin(0))
    assert detector.hear(load(5, 9), origin(1)) == []
    assert said(detector.hear(load(11, 9), origin(2))) == [("firing", 11)]
    assert detector.hear(load(9, 1), origin(3)) == []


def test_a_late_signal_counts_in_a_window_that_reaches_back_to_it():
    window = rule(aggregate="sum", over="10s", threshold=9)
    detector = Detector([window])
    detector.hear(load(20, 5), origin(0))
    assert detector.hear(load(10, 5), origin(1)) == []
    (alert,) = detector.hear(load(11, 5), origin(2))
    assert alert.reason == "sum over 10s of load 10 > 9"
    assert alert.origins == (origin(2),)
    assert said(detector.tick(at(21))) == [("resolved", 21)]


def test_an_episode_that_begins_anew_has_a_start_of_its_own():
    detector = Detector([rule()])
    first = detector.hear(load(0, 6), origin(0))
    detector.hear(load(1, 1), origin(1))
    second = detector.hear(load(2, 6), origin(2))
    assert [alert.started_at for alert in first + second] == [at(0), at(2)]
    assert first[0].fingerprint == second[0].fingerprint


def test_hysteresis_holds_between_the_thresholds():
    detector = Detector([rule(clear=3)])
    heard = [detector.hear(load(s, v), origin(s)) for s, v in enumerate([4, 6, 4, 3.1, 3, 4])]
    assert [said(alerts) for alerts in heard] == [
        [],
        [("firing", 1)],
        [],
        [],
        [("resolved", 4)],
        [],
    ]


def test_a_series_that_is_silent_is_forgotten_and_its_alert_ended():
    detector = Detector([rule(forget_after="1m")])
    detector.hear(load(0, 6), origin(0))
    assert detector.tick(at(59)) == []
    (ended,) = detector.tick(at(60))
    assert said([ended]) == [("resolved", 60)]
    assert ended.reason == (
        "nothing heard of it for 1m: it is not watched any longer, which does not mean that it is well"
    )
    assert set(entries(detector)) == {"sequence", "clock"}


def test_what_was_forgotten_twice_is_not_told_again_after_a_restart():
    """What is read again would begin a series that the first run had told of to its end."""
    silent = Absence(name="a", signal="metrics", within="5s", severity=3, forget_after="60s")
    detector, kept = Detector([silent]), {}
    for number, second in enumerate((0, 200)):
        detector.hear(load(second, 1), origin(number))
        assert said(detector.tick(at(second + 90))) == [
            *(("firing", second + 5), ("resolved", second + 60)),
        ]
        # Only what was told is written down: the rest would be read again from the beginning.
        kept |= detector.changes({"telemetry.metrics": number + 1}, Keep.TOLD).entries
    again = Detector([silent])
    again.restore(kept)
    again.begin({})
    for number, second in enumerate((0, 200)):
        assert again.hear(load(second, 1), origin(number)) == []
        assert again.tick(at(second + 90)) == []


def test_a_rule_with_too_many_series_says_so_once_until_there_is_room():
    detector = Detector([rule(max_series=2, forget_after="1m")])
    for number in range(2):
        detector.hear(load(number, 1, labels={"host": str(number)}), origin(number))
    (crowd,) = detector.hear(load(2, 9, labels={"host": "x"}), origin(2))
    assert crowd.summary == "busy does not see everything: it has too many series"
    assert crowd.reason == (
        "2 series are watched, as many as max_series allows: further ones are left out"
    )
    assert detector.hear(load(3, 9, labels={"host": "y"}), origin(3)) == []

    again = Detector([rule(max_series=2, forget_after="1m")])
    again.restore(entries(detector))
    assert again.hear(load(4, 9, labels={"host": "x"}), origin(4)) == []
    (over,) = again.tick(at(60))
    assert (over.fingerprint, over.state) == (crowd.fingerprint, AlertState.RESOLVED)
    assert over.reason == "1 series are watched: there is room again"


def test_a_crowd_ends_when_the_policy_makes_room():
    detector = Detector([rule(max_series=1)])
    detector.hear(load(0, 1), origin(0))
    detector.hear(load(0, 1, labels={"host": "x"}), origin(1))
    again = Detector([rule(max_series=10)])
    again.restore(entries(detector))
    assert said(again.tick(at(1))) == [("resolved", 1)]


@pytest.mark.parametrize(
    "policy",
    [
        [],
        [Absence(name="busy", signal="metrics", within="5m", severity=2)],
        [rule(group_by=["region"])],
    ],
    ids=["gone", "another kind", "grouped otherwise"],
)
def test_an_alert_ends_when_its_rule_is_no_longer_the_same(policy):
    before = Detector([rule()])
    (fired,) = before.hear(load(0, 6, labels={"host": "a"}), origin(0))
    after = Detector(policy)
    after.restore(entries(before))
    (ended,) = after.tick(at(1))
    assert (ended.fingerprint, ended.state) == (fired.fingerprint, AlertState.RESOLVED)
    assert ended.sequence == 2
    assert after.changes().entries[fired.fingerprint] is None
    assert after.tick(at(2)) == []


def test_an_alert_keeps_its_group_whatever_the_policy_says_by_then():
    before = Detector([rule(group="{{ labels.team }}")])
    (fired,) = before.hear(load(0, 6, labels={"team": "blue"}), origin(0))
    after = Detector([rule(group="other")])
    after.restore(entries(before))
    (ended,) = after.hear(load(1, 1, labels={"team": "blue"}), origin(1))
    assert fired.group_key == ended.group_key == "blue/production"


def test_an_alert_that_changes_stays_with_its_incident():
    check = Health(
        name="check",
        failures=1,
        severity={"critical": 1, "otherwise": 3},
        group="of {{ severity }}",
    )
    detector = Detector([check])
    bad = {"service": "shop", "check": "Queue", "status": "unhealthy"}
    (fired,) = detector.hear(HealthV1(occurred_at=at(0), **bad), origin(0))
    (changed,) = detector.hear(HealthV1(occurred_at=at(1), critical=True, **bad), origin(1))
    assert (changed.state, changed.severity) == (AlertState.CHANGED, 1)
    assert changed.group_key == fired.group_key == "of 3/production"


def test_grouping_decides_what_is_one_alert():
    everything = Detector([rule()])
    by_region = Detector([rule(group_by=["region"])])
    for number, host in enumerate("ab"):
        labels = {"host": host, "region": "eu"}
        everything.hear(load(number, 6, labels=labels), origin(number))
        by_region.hear(load(number, 6, labels=labels), origin(number))
    assert len(entries(everything)) == 3
    assert len(entries(by_region)) == 2


def test_tenants_services_and_environments_are_never_one_alert():
    detector = Detector([rule(group_by=[])])
    alerts = [
        alert
        for number, other in enumerate(
            [
                {},
                {"tenant": "b"},
                {"service": "b"},
                {"environment": "b"},
                {"tenant": "b", "service": "b"},
            ]
        )
        for alert in detector.hear(load(0, 6, **other), origin(number))
    ]
    assert len({alert.fingerprint for alert in alerts}) == 5


def test_labels_cannot_forge_an_identity():
    parts = {"tenant": "t", "service": "s", "environment": "e", "rule": "r", "subject": ""}
    prints = [
        fingerprint(**parts, labels=labels)
        for labels in ({"a": "1", "b": "2"}, {"a": '1","b":"2'}, {"a": "1,b=2"}, {"a": "1"}, {})
    ]
    assert len(set(prints)) == 5
    assert fingerprint(**parts, labels={"a": ""}) == fingerprint(**parts, labels={})
    moved = parts | {"tenant": "ts", "service": ""}
    assert fingerprint(**moved, labels={}) != fingerprint(**parts, labels={})


@pytest.mark.parametrize(
    ("written", "labels", "holds"),
    [
        ('region=~"eu-.*"', {"region": "eu-1"}, True),
        ('region=~"eu-.*"', {"region": "xeu-1"}, False),
        ("region!~eu-.*", {"region": "eu-1"}, False),
        ("region!~eu-.*", {}, True),
        ("region=eu", {"region": "eu"}, True),
        ("region = 'eu'", {"region": "eu"}, True),
        ("region!=eu", {"region": "eu"}, False),
        ("region!=eu", {}, True),
        ("region=", {}, True),
        ({"region": "eu", "tier": 1}, {"region": "eu", "tier": "1"}, True),
        ({"region": "eu", "tier": 1}, {"region": "eu"}, False),
        (["region=eu", "environment=production"], {"region": "eu"}, True),
        (["service=~s.*", "tenant!=default"], {}, False),
    ],
)
def test_matchers_do_what_they_look_like(written, labels, holds):
    matches = predicate(read_matchers(written))
    assert matches is not None
    assert matches(load(0, 0, labels=labels)) is holds


@pytest.mark.parametrize("host", "abcdef")
@pytest.mark.parametrize("values", [(1_000_000, 1_000_003), (1_000_003, 1_000_000)])
def test_two_values_of_a_counter_at_one_moment_are_no_new_beginning(values, host):
    """Otherwise all that it ever counted would look like growth, by chance of its labels."""
    grown = rule(aggregate="increase", over="1m", threshold=10)
    detector = Detector([grown])
    for number, value in enumerate(values):
        signal = load(0, value, labels={"host": host})
        assert detector.hear(signal, origin(number)) == []


def test_telemetry_that_is_older_than_a_series_is_remembered_is_history():
    """Otherwise old telemetry that somebody sends again would open incidents of last year, and end them at once."""
    silent = Absence(name="silent", signal="metrics", within="5m", severity=3)
    detector = Detector([silent, rule(forget_after="10m")])
    detector.tick(at(86_400))
    old = [load(second, 9) for second in (-86_400 * 900, -86_400 * 900 + 60, 0)]
    assert [detector.hear(each, origin(place)) for place, each in enumerate(old)] == [[], [], []]
    assert detector.tick(at(86_401)) == []
    assert [(each.rule, each.late) for each in detector.figures()] == [("silent", 3), ("busy", 3)]


def test_telemetry_that_would_be_remembered_for_a_moment_longer_is_news():
    busy = rule(forget_after="10m")
    detector = Detector([busy])
    detector.tick(at(600))
    assert detector.hear(load(0, 9), origin(0)) == []
    assert said(detector.hear(load(0.001, 9), origin(1))) == [("firing", 0.001)]


def test_a_backlog_tells_what_would_have_been_told_in_its_time():
    """Ticks wait for what was written before them: a worker that was away for days finds the outage that there was."""
    silent = Absence(name="silent", signal="metrics", within="5m", severity=3, forget_after="1h")
    detector, alerts = Detector([silent]), []
    detector.tick(at(0))
    for place, second in enumerate((30, 90, 86_400)):
        alerts += detector.hear(load(second, 1), origin(place))
    assert said(alerts) == [("firing", 390), ("resolved", 3_690)]


def test_a_restart_knows_what_time_it_was():
    """Otherwise what is history would be news for a moment after each deploy; or what was news history, when it is read again."""
    busy = rule(forget_after="10m")
    detector = Detector([busy])
    fired = detector.hear(load(0, 9), origin(0))
    ended = detector.tick(at(86_400))
    again = Detector([busy])
    again.restore(entries(detector))
    again.begin({})
    assert (said(fired), said(ended)) == ([("firing", 0)], [("resolved", 600)])
    assert again.hear(load(5, 9), origin(7)) == []

    first = Detector([busy])
    first.hear(load(0, 1), origin(0))
    first.tick(at(500))
    first.hear(load(480, 1), origin(1))
    first.tick(at(1_000))
    kept = first.changes({"telemetry.metrics": 2}, Keep.TOLD).entries
    assert set(kept) == {"clock"}
    again = Detector([busy])
    again.restore(kept)
    again.begin({})
    again.hear(load(0, 1), origin(0))
    assert again.series_counts() == {"busy": 1}
