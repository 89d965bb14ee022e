"""Rules that combine others: what they hear, also after a restart and of rules that are gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.alerts import AlertState
from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.composite import Composite
from streams.detection.kinds.threshold import Threshold

T0 = datetime(2024, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def restarted(before: Detector, rules: list[Any]) -> Detector:
    """A worker that takes over from *before*, which has heard two records."""
    after = Detector(rules)
    entries = before.changes({"t": 2}).entries
    after.restore({name: entry for name, entry in entries.items() if entry})
    return after


def hear(detector: Detector, seconds: float, name: str, value: float, offset: int = 0, **labels):
    signal = MetricV1(
        occurred_at=at(seconds), service="shop", name=name, value=value, labels=labels
    )
    return detector.hear(signal, Origin(topic="t", partition=0, offset=offset))


def high(name: str, **settings) -> Threshold:
    return Threshold(**{"name": name, "metric": name, "threshold": 5, "severity": 3} | settings)


def both(**settings) -> Composite:
    return Composite(**{"name": "both", "all": ["a", "b"], "severity": 1} | settings)


def said(alerts):
    return [
        (alert.rule, alert.state.value, (alert.occurred_at - T0).total_seconds())
        for alert in alerts
    ]


def entries(detector: Detector) -> dict[str, bytes]:
    return {name: entry for name, entry in detector.changes().entries.items() if entry is not None}


def test_it_fires_with_the_last_and_ends_with_the_first_and_names_what_decided():
    detector = Detector([both(), high("a"), high("b")])
    assert said(hear(detector, 0, "a", 6, 0)) == [("a", "firing", 0)]
    alerts = hear(detector, 1, "b", 6, 1)
    assert said(alerts) == [("b", "firing", 1), ("both", "firing", 1)]
    assert (alerts[1].reason, alerts[1].severity) == ("a, b fire", 1)
    assert alerts[1].origins == (Origin(topic="t", partition=0, offset=1),)
    assert said(hear(detector, 2, "a", 0, 2)) == [("a", "resolved", 2), ("both", "resolved", 2)]


def test_a_rule_fires_as_long_as_one_of_its_alerts_does():
    detector = Detector([both(), high("a"), high("b")])
    for number, host in enumerate("xy"):
        hear(detector, number, "a", 6, number, host=host)
    hear(detector, 2, "b", 6, 2)
    assert said(hear(detector, 3, "a", 0, 3, host="x")) == [("a", "resolved", 3)]
    assert said(hear(detector, 4, "a", 0, 4, host="y")) == [
        ("a", "resolved", 4),
        ("both", "resolved", 4),
    ]


def test_rules_of_rules_hear_each_other_whatever_their_order():
    over = Composite(name="over", any=["both"], severity=1)
    detector = Detector([over, both(), high("a"), high("b")])
    hear(detector, 0, "a", 6, 0)
    assert [alert.rule for alert in hear(detector, 1, "b", 6, 1)] == ["b", "both", "over"]


def test_what_time_does_to_one_is_heard_at_its_moment():
    """A heartbeat stops, and what waits for it fires with it, not with the tick that shows it."""
    silent = Absence(name="a", signal="metrics", only="beat", within="10s", severity=3)
    detector = Detector([both(**{"for": "5s"}), silent, high("b")])
    hear(detector, 0, "beat", 1, 0)
    hear(detector, 1, "b", 6, 1)
    assert said(detector.tick(at(60))) == [("a", "firing", 10), ("both", "firing", 15)]


def test_what_fires_is_remembered_over_a_restart():
    rules = [both(), high("a"), high("b")]
    before = Detector(rules)
    hear(before, 0, "a", 6, 0)
    after = Detector(rules)
    after.restore(entries(before))
    # Read again: it is known.
    assert hear(after, 0, "a", 6, 0) == []
    assert said(hear(after, 1, "b", 6, 1)) == [("b", "firing", 1), ("both", "firing", 1)]


def test_what_time_does_after_a_restart_is_heard_although_its_record_was_read_before():
    """The record that decided stands before the position: it is the alert that is new."""
    rules = [
        both(),
        Absence(name="a", signal="metrics", only="beat", within="10s", severity=3),
        high("b"),
    ]
    before = Detector(rules)
    hear(before, 0, "beat", 1, 0)
    hear(before, 1, "b", 6, 1)
    after = restarted(before, rules)
    assert said(after.tick(at(60))) == [("a", "firing", 10), ("both", "firing", 10)]


def test_alerts_and_what_was_made_of_them_are_written_down_together():
    """Otherwise a crash between them would leave a rule that has never heard of what fires."""
    detector = Detector([both(), high("a"), high("b")])
    hear(detector, 0, "a", 6, 0)
    kinds = [entry[:40] for entry in entries(detector).values()]
    assert sum(b"composite" in each for each in kinds) == 1
    assert sum(b"threshold" in each for each in kinds) == 1


def test_an_alert_that_ends_because_its_rule_has_changed_counts_no_longer():
    before = Detector([both(), high("a"), high("b")])
    hear(before, 0, "a", 6, 0)
    hear(before, 1, "b", 6, 1)
    after = Detector([both(), high("a", group_by=["region"]), high("b")])
    after.restore(entries(before))
    assert said(after.tick(at(2))) == [("a", "resolved", 2), ("both", "resolved", 2)]


def test_a_rule_with_too_many_series_does_not_fire_by_that():
    """That it does not see everything is an alert of its own, about nothing that the rule looks for."""
    detector = Detector([both(any=["a"], all=[]), high("a", max_series=1)])
    hear(detector, 0, "a", 0, 0, host="x")
    alerts = hear(detector, 1, "a", 6, 1, host="y")
    assert [alert.state for alert in alerts] == [AlertState.FIRING]
    assert [alert.rule for alert in alerts] == ["a"]


def test_what_is_over_by_time_is_over_for_what_changes_after_it():
    """Otherwise the whole would fire for a moment at which one of its rules has ended, until the next tick."""
    detector = Detector([both(), high("a", keep_firing_for="10s"), high("b")])
    hear(detector, 0, "a", 6, 0)
    hear(detector, 10, "a", 0, 1)
    assert said(hear(detector, 25, "b", 6, 2)) == [("b", "firing", 25), ("a", "resolved", 20)]
    assert detector.tick(at(26)) == []


def test_what_is_over_at_the_very_moment_still_counts():
    """A signal comes before what is due: its own next one could have kept it."""
    detector = Detector([both(), high("a", keep_firing_for="10s"), high("b")])
    hear(detector, 0, "a", 6, 0)
    hear(detector, 10, "a", 0, 1)
    assert said(hear(detector, 20, "b", 6, 2)) == [("b", "firing", 20), ("both", "firing", 20)]
    assert said(detector.tick(at(21))) == [("a", "resolved", 20), ("both", "resolved", 20)]


def test_a_window_that_empties_and_a_silence_are_such_an_end():
    """Whatever makes an alert end by time, and whoever ends because of it."""
    empties = Threshold(name="a", metric="a", aggregate="sum", over="10s", threshold=5, severity=3)
    for part, ended in ((empties, 10), (high("a", forget_after="20s"), 20)):
        over = Composite(name="over", all=["both", "c"], severity=1)
        whole = both(all=["a"])
        detector = Detector([over, whole, part, high("c")])
        hear(detector, 0, "a", 6, 0)
        assert said(hear(detector, 25, "c", 6, 1)) == [
            ("c", "firing", 25),
            ("a", "resolved", ended),
            ("both", "resolved", ended),
        ]


def test_it_is_over_also_where_nobody_has_needed_it_since_a_restart():
    rules = [both(), high("a", keep_firing_for="10s"), high("b")]
    before = Detector(rules)
    hear(before, 0, "a", 6, 0)
    hear(before, 10, "a", 0, 1)
    after = restarted(before, rules)
    assert said(hear(after, 25, "b", 6, 2)) == [("b", "firing", 25), ("a", "resolved", 20)]


def test_what_may_still_come_late_is_not_over():
    """Its own time is behind: a signal that it waits for could keep it."""
    detector = Detector([both(), high("a", keep_firing_for="10s", lateness="10s"), high("b")])
    hear(detector, 0, "a", 6, 0)
    hear(detector, 10, "a", 0, 1)
    assert detector.tick(at(20)) == []
    assert said(hear(detector, 25, "b", 6, 2)) == [("b", "firing", 25), ("both", "firing", 25)]
    assert hear(detector, 19, "a", 6, 3) == []


@pytest.mark.parametrize("name", ["w", "x", "y", "z"])
@pytest.mark.parametrize(
    "part",
    [high("b", **{"for": "10s"}), Composite(name="b", all=["c"], severity=1, **{"for": "10s"})],
)
def test_what_waits_hears_first_what_happens_at_the_moment_when_it_is_due(part, name):
    """A tick finds both due, in an order that would be chance."""
    whole = Composite(name=name, all=["a"], none=["b"], severity=1, **{"for": "10s"})
    detector = Detector([whole, high("a"), part, high("c", metric="b")])
    hear(detector, 0, "b", 6, 0)
    hear(detector, 0, "a", 6, 1)
    assert said(detector.tick(at(10))) == [("b", "firing", 10)]


def test_what_is_waited_for_must_hold_after_all_that_happens_at_that_moment():
    """Two rules end at once, in an order that is chance: the whole would fire after the first of them, for no time."""
    parts = [high(name, forget_after="10s") for name in ("b", "c")]
    whole = Composite(name="whole", any=["b", "c"], severity=1, **{"for": "10s"})
    detector = Detector([whole, *parts])
    hear(detector, 0, "b", 6, 0)
    hear(detector, 0, "c", 6, 1)
    alerts = detector.tick(at(11))
    assert {alert.rule for alert in alerts} == {"b", "c"}
