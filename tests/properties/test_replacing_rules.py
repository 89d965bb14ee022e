"""Laws of a policy that changes while signals flow: nothing happens to rules that stay, and the rest is as after a restart."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import HealthV1, LogV1, MetricV1
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.health import Health
from streams.detection.kinds.log_pattern import LogPattern
from streams.detection.kinds.threshold import Threshold
from streams.detection.rule import Rule

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
#: Each rule as it can be; one that is not chosen is gone.
VARIANTS: Sequence[Sequence[Rule]] = (
    (
        Threshold(name="high", metric="load", threshold=5, severity=2, **{"for": "20s"}),
        Threshold(name="high", metric="load", threshold=3, severity=1),
        Threshold(name="high", metric="load", threshold=3, severity=1, group_by=(), max_series=1),
        Threshold(name="high", metric="load", threshold=3, aggregate="p95", over="30s", severity=1),
        Threshold(
            name="high", metric="load", threshold=1, aggregate="rate", over="60s", severity=1
        ),
        # Another kind under the same name.
        Health(name="high", failures=1, severity=2),
    ),
    (
        Threshold(name="sum", metric="load", aggregate="sum", over="15s", threshold=9, severity=3),
        Threshold(name="sum", metric="load", aggregate="sum", over="40s", threshold=9, severity=3),
    ),
    (
        LogPattern(name="errors", pattern="refused", count=3, within="20s", severity=2),
        LogPattern(name="errors", pattern="refused", count=1, within="20s", severity=2),
    ),
    (Absence(name="silent", signal="metrics", within="25s", severity=3, forget_after="90s"),),
)


def moment(seconds: int) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


seconds = st.integers(0, 240)
signals = st.one_of(
    st.builds(
        lambda s, value, host: MetricV1(
            occurred_at=moment(s), service="shop", name="load", value=value, labels={"host": host}
        ),
        seconds,
        st.sampled_from([0, 4, 6]),
        st.sampled_from(["a", "b"]),
    ),
    st.builds(
        lambda s, status: HealthV1(
            occurred_at=moment(s), service="shop", check="ping", status=status
        ),
        seconds,
        st.sampled_from(["healthy", "unhealthy"]),
    ),
    st.builds(
        lambda s: LogV1(occurred_at=moment(s), service="shop", body="refused", severity_number=17),
        seconds,
    ),
)
inputs = st.lists(st.one_of(signals, seconds.map(moment)), max_size=40)
policies = st.tuples(*(st.sampled_from([None, *each]) for each in VARIANTS)).map(
    lambda chosen: [rule for rule in chosen if rule]
)


def again(rules: Sequence[Rule]) -> list[Rule]:
    """The same rules, read a second time."""
    return [type(each)(**each.model_dump(by_alias=True)) for each in rules]


def run(detector: Detector, given_inputs: Sequence[Any], start: int = 0) -> list[AlertV1]:
    alerts = []
    for offset, each in enumerate(given_inputs, start):
        if isinstance(each, datetime):
            alerts += detector.tick(each)
        else:
            alerts += detector.hear(each, Origin(topic="t", partition=0, offset=offset))
    return alerts


def kept(entries: dict[str, bytes], detector: Detector) -> dict[str, bytes]:
    """The journal after what *detector* changed."""
    changed = {**entries, **detector.changes().entries}
    return {name: entry for name, entry in changed.items() if entry is not None}


@given(inputs, inputs, policies)
def test_the_same_rules_again_change_nothing(before, after, rules):
    """Somebody who mends a typo in a comment would end or repeat alerts."""
    replaced, left = Detector(rules), Detector(rules)
    assert run(replaced, before) == run(left, before)
    replaced.replace_rules(again(rules))
    assert run(replaced, after, len(before)) == run(left, after, len(before))
    assert kept({}, replaced) == kept({}, left)


def told(alerts: Sequence[AlertV1]) -> dict[str, list[Any]]:
    """What was said of each fingerprint, without the numbers that depend on its neighbours."""
    said = defaultdict(list)
    for alert in alerts:
        said[alert.fingerprint].append(alert.model_dump(exclude={"sequence"}))
    return dict(said)


@given(inputs, inputs, policies, policies)
def test_other_rules_are_as_a_restart_with_them(before, after, first, second):
    """A worker that was restarted meanwhile would tell people something else than one that was not."""
    replaced, stopped = Detector(first), Detector(first)
    run(replaced, before)
    run(stopped, before)
    restarted = Detector(second)
    restarted.restore(kept({}, stopped))
    replaced.replace_rules(again(second))
    # A series that sleeps after a restart may be looked at later; whatever was due by then bears its own time.
    after = [*after, moment(100_000), moment(200_000)]
    assert told(run(replaced, after, len(before))) == told(run(restarted, after, len(before)))
    assert kept({}, replaced).keys() <= {"sequence", "clock"}


@given(inputs, policies, policies, st.booleans())
def test_alerts_of_rules_that_are_gone_are_written_down_until_they_are_ended(
    before, first, second, written
):
    """A crash between the change and the next tick would leave them firing for ever."""
    detector = Detector(first)
    alerts = run(detector, before)
    journal = kept({}, detector) if written else {}
    detector.replace_rules(again(second))
    journal = kept(journal, detector)
    after = Detector(second)
    after.restore(journal)
    alerts += run(after, [moment(100_000), moment(200_000)])
    latest = {alert.fingerprint: alert.state for alert in alerts}
    assert set(latest.values()) <= {AlertState.RESOLVED}


@given(inputs, st.lists(policies, min_size=1, max_size=4))
def test_every_alert_ends_whatever_is_replaced_and_how_often(before, in_turn):
    """An alert of a rule that is gone would fire for ever."""
    detector = Detector(in_turn[0])
    alerts = run(detector, before)
    for rules in in_turn[1:]:
        # No tick in between: what waits to be ended must not be forgotten.
        detector.replace_rules(again(rules))
    alerts += run(detector, [moment(100_000), moment(200_000)])
    latest = {alert.fingerprint: alert.state for alert in alerts}
    assert set(latest.values()) <= {AlertState.RESOLVED}
    assert kept({}, detector).keys() <= {"sequence", "clock"}
