"""Laws of detection, for any signals in any order: no broker, no clock."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import HealthV1, LogV1, MetricV1, Signal
from streams.detection.evaluation import Detector
from streams.detection.kinds.absence import Absence
from streams.detection.kinds.anomaly import Anomaly
from streams.detection.kinds.burn_rate import BurnRate
from streams.detection.kinds.health import Health
from streams.detection.kinds.log_novelty import LogNovelty
from streams.detection.kinds.log_pattern import LogPattern
from streams.detection.kinds.rate_of_change import RateOfChange
from streams.detection.kinds.ratio import Ratio
from streams.detection.kinds.threshold import Threshold

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)

RULES = (
    Health(name="check", failures=2, of=3, successes=2, severity={"critical": 1, "otherwise": 3}),
    Threshold(name="high", metric="load", threshold=5, clear=3, severity=2, **{"for": "20s"}),
    Threshold(
        name="average",
        metric="load",
        aggregate="avg",
        over="30s",
        threshold=4,
        severity=3,
        keep_firing_for="10s",
    ),
    Threshold(name="sum", metric="load", aggregate="sum", over="15s", threshold=9, severity=3),
    LogPattern(name="errors", pattern="refused", count=3, within="20s", severity=2),
    Absence(name="silent", signal="metrics", within="25s", severity=3, forget_after="90s"),
    Threshold(name="p90", metric="load", aggregate="p90", over="30s", threshold=3, severity=3),
    Threshold(
        name="grown", metric="load", aggregate="increase", over="40s", threshold=8, severity=3
    ),
    RateOfChange(name="jump", metric="load", over="10s", change=3, clear=2, severity=3),
    Ratio(
        name="share",
        numerator={"metric": "load", "match": ["host=a"]},
        denominator="load",
        over="1m",
        threshold=0.6,
        minimum=5,
        settle="2s",
        counters=False,
        severity={"default": 3, "bands": [{"beyond": 0.9, "severity": 1}]},
    ),
    BurnRate(
        name="budget",
        signal="health",
        objective=0.8,
        minimum=3,
        windows=[{"long": "2m", "short": "20s", "burn": 2}],
        forget_after="1h",
    ),
    LogNovelty(name="new", learn="30s", within="20s", severity=3, forget_after="1h"),
    Threshold(
        name="patient", metric="load", threshold=5, severity=2, lateness="20s", **{"for": "9s"}
    ),
    Absence(name="waits", signal="logs", within="25s", severity=3, lateness="30s"),
    Anomaly(
        name="odd",
        metric="load",
        values=10,
        learn=4,
        deviations=2,
        clear=1,
        floor=0.5,
        severity=3,
        forget_after="1h",
    ),
)


@dataclass(frozen=True)
class Tick:
    """The time."""

    at: datetime


def moment(seconds: int) -> datetime:
    return MIDNIGHT + timedelta(seconds=seconds)


seconds = st.integers(0, 240)
services = st.sampled_from(["api", "database"])

healths = st.builds(
    lambda s, service, status, critical: HealthV1(
        occurred_at=moment(s), service=service, check="ping", status=status, critical=critical
    ),
    seconds,
    services,
    st.sampled_from(["healthy", "unhealthy", "degraded"]),
    st.booleans(),
)
metrics = st.builds(
    lambda s, service, value, host: MetricV1(
        occurred_at=moment(s), service=service, name="load", value=value, labels={"host": host}
    ),
    seconds,
    services,
    st.sampled_from([0, 2, 4, 6, 0.1]),
    st.sampled_from(["a", "b"]),
)
logs = st.builds(
    lambda s, service, body: LogV1(
        occurred_at=moment(s), service=service, body=body, severity_number=17
    ),
    seconds,
    services,
    st.sampled_from(["refused 1", "refused 2", "fine"]),
)
ticks = st.builds(lambda s: Tick(moment(s)), seconds)
signals = st.one_of(healths, metrics, logs)
inputs = st.lists(st.one_of(signals, ticks), max_size=60)


def run(detector: Detector, given_inputs: Iterable[Any], start: int = 0) -> list[AlertV1]:
    return run_at(detector, enumerate(given_inputs, start))


def run_at(detector: Detector, placed: Iterable[tuple[int, Any]]) -> list[AlertV1]:
    alerts = []
    for offset, each in placed:
        if isinstance(each, Tick):
            alerts += detector.tick(each.at)
        else:
            alerts += detector.hear(each, Origin(topic="t", partition=0, offset=offset))
    return alerts


def told(alerts: Iterable[AlertV1], *, origins: bool = False) -> dict[str, list[Any]]:
    """Return what was said of each fingerprint, without the numbers that depend on its neighbours."""
    said = defaultdict(list)
    for alert in alerts:
        left_out = {"sequence"} | (set() if origins else {"origins"})
        said[alert.fingerprint].append(alert.model_dump(exclude=left_out))
    return dict(said)


@given(inputs)
def test_firing_and_resolved_alternate_and_time_and_numbers_only_grow(given_inputs):
    """Otherwise an incident would wait for an end that came before its beginning."""
    # A series that was forgotten begins anew: what was late for the old one is not for the new one.
    alerts = run(Detector([rule for rule in RULES if rule.name != "silent"]), given_inputs)

    assert [alert.sequence for alert in alerts] == list(range(1, len(alerts) + 1))
    latest: dict[str, AlertV1] = {}
    for alert in alerts:
        before = latest.get(alert.fingerprint)
        fires = before is not None and before.state is not AlertState.RESOLVED
        assert (alert.state is not AlertState.FIRING) == fires
        assert before is None or alert.occurred_at >= before.occurred_at
        assert alert.started_at <= alert.occurred_at
        latest[alert.fingerprint] = alert


@given(inputs, st.data())
def test_state_that_is_restored_goes_on_as_if_nothing_had_happened(given_inputs, data):
    """Otherwise a restart would lose an alert, or tell it twice."""
    cut = data.draw(st.integers(0, len(given_inputs)))
    once = Detector(RULES)
    before = run(once, given_inputs[:cut])
    kept: dict[str, bytes] = {}
    for name, entry in once.changes().entries.items():
        if entry is None:
            kept.pop(name, None)
        else:
            kept[name] = entry
    again = Detector(RULES)
    again.restore(kept)

    expected = before + run(once, given_inputs[cut:], cut)
    assert before + run(again, given_inputs[cut:], cut) == expected
    # What time alone does to a series that is calm is done when it is next needed: what is told in the end is the same.
    end = moment(100_000)
    assert again.tick(end) == once.tick(end)


def without_moment(entry: bytes) -> Any:
    """An entry without when its series is looked at next: that depends on what ticks have found nothing in."""
    read = orjson.loads(entry)
    return [*read[:3], *read[4:]] if isinstance(read, list) and len(read) > 3 else read


@given(inputs)
def test_changes_taken_after_every_input_add_up_to_the_same_state(given_inputs):
    """Otherwise an entry would be missing from the journal that nothing touched later."""
    detector, kept = Detector(RULES), {}
    for offset, each in enumerate(given_inputs):
        run(detector, [each], offset)
        kept |= detector.changes().entries
    kept = {name: entry for name, entry in kept.items() if entry is not None}
    at_once = Detector(RULES)
    run(at_once, given_inputs)
    all_at_once = {n: e for n, e in at_once.changes().entries.items() if e is not None}
    assert {n: without_moment(e) for n, e in kept.items()} == {
        n: without_moment(e) for n, e in all_at_once.items()
    }


@given(st.lists(signals, max_size=40), st.data())
def test_the_same_signal_twice_is_harmless(given_inputs, data):
    """Otherwise a producer that tries again would page somebody."""
    # Where series are forgotten in between, an old signal is one of a new series.
    rules = [rule for rule in RULES if rule.name != "silent"]
    once = list(enumerate(given_inputs))
    repeated = []
    for number, each in enumerate(once, 1):
        repeated.append(each)
        # Further copies stand elsewhere in the log; what is told must name the first.
        repeated.extend(
            (1_000 + len(repeated), once[data.draw(st.integers(0, number - 1))][1])
            for _ in range(data.draw(st.integers(0, 2)))
        )
    # What time does in the end names the signals that it rests on.
    end = (9_999, Tick(moment(10_000)))
    expected = told(run_at(Detector(rules), [*once, end]), origins=True)
    assert told(run_at(Detector(rules), [*repeated, end]), origins=True) == expected


@given(st.lists(signals, max_size=50), st.data())
def test_the_order_of_different_series_does_not_matter(given_inputs, data):
    """Otherwise the same telemetry, read again in other chunks, would give other alerts."""
    of_one = defaultdict(list)
    for each in given_inputs:
        of_one[type(each), each.service].append(each)
    left = [list(each) for each in of_one.values()]
    shuffled = []
    while left:
        chosen = data.draw(st.sampled_from(left))
        shuffled.append(chosen.pop(0))
        left = [each for each in left if each]
    assert told(run(Detector(RULES), shuffled)) == told(run(Detector(RULES), given_inputs))


@given(st.lists(signals, max_size=50))
def test_it_does_not_matter_whether_ticks_come_between_signals_or_after_them(given_inputs):
    """Otherwise reading ahead of the clock after an outage would give other alerts than reading along with it."""
    in_time = sorted(given_inputs, key=lambda each: each.occurred_at)
    clock = [Tick(moment(s)) for s in range(0, 400, 7)]
    along = sorted([*in_time, *clock], key=when)
    assert told(run(Detector(RULES), along)) == told(run(Detector(RULES), [*in_time, *clock]))


def when(each: Signal | Tick) -> tuple[datetime, bool]:
    """Signals first: a tick comes after whatever happened by then."""
    tick = isinstance(each, Tick)
    return (each.at if tick else each.occurred_at, tick)


@given(st.lists(signals, max_size=50))
def test_everything_that_fires_ends_when_nothing_more_is_heard(given_inputs):
    """Otherwise an alert of a machine that is gone would stay for ever."""
    detector = Detector(RULES)
    alerts = run(detector, [*given_inputs, Tick(moment(100_000))])
    latest = {alert.fingerprint: alert.state for alert in alerts}
    assert set(latest.values()) <= {AlertState.RESOLVED}
    assert all(
        entry is None
        for name, entry in detector.changes().entries.items()
        if name not in {"sequence", "clock"}
    )


LATENESS = timedelta(seconds=30)
PATIENT = tuple(rule.model_copy(update={"lateness": LATENESS}) for rule in RULES)
delayed = st.lists(
    st.tuples(signals, st.integers(0, int(LATENESS.total_seconds()) - 1)), max_size=50
)
END = Tick(moment(100_000))


def in_order(given_inputs: Iterable[Signal]) -> list[Signal]:
    """As they happened; of one moment, what they say decides."""
    return sorted(given_inputs, key=lambda each: (each.occurred_at, each.to_wire()))


def arriving(given_inputs: Iterable[tuple[Signal, int]]) -> list[tuple[datetime, Signal]]:
    """When each arrives, so many seconds after it happened."""
    arrivals = [(each.occurred_at + timedelta(seconds=late), each) for each, late in given_inputs]
    return sorted(arrivals, key=lambda arrival: arrival[0])


@given(delayed, st.sampled_from([None, 1, 7]))
def test_within_the_allowed_lateness_the_order_of_arrival_does_not_matter(given_inputs, tick_every):
    """Otherwise a producer that is cut off for a moment, or two that are not equally fast, would make or hide alerts."""
    arrivals = arriving(given_inputs)
    heard: list[Any] = [each for _, each in arrivals]
    if tick_every is not None:
        clock = [(moment(s), Tick(moment(s))) for s in range(0, 400, tick_every)]
        # A tick comes after whatever arrived by then.
        placed = sorted([*arrivals, *clock], key=lambda each: (each[0], isinstance(each[1], Tick)))
        heard = [each for _, each in placed]
    detector = Detector(PATIENT)
    alerts = told(run(detector, [*heard, END]))
    assert alerts == told(
        run(Detector(RULES_IN_ORDER), [*in_order(e for e, _ in given_inputs), END])
    )
    assert sum(each.late for each in detector.figures()) == 0


RULES_IN_ORDER = tuple(rule.model_copy(update={"lateness": timedelta(0)}) for rule in RULES)


@given(
    st.lists(st.tuples(metrics, st.integers(0, 29)), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(30, 90)), min_size=1, max_size=5),
)
@pytest.mark.parametrize("rule", [rule for rule in PATIENT if rule.name in {"high", "average"}])
def test_what_is_later_than_allowed_is_counted_and_changes_nothing(rule, given_inputs, stale):
    """Otherwise a machine that wakes up with its old telemetry would change what was told."""
    of_one = {"service": "api", "labels": {}}
    heard = [each.model_copy(update=of_one) for _, each in arriving(given_inputs)]
    mixed, newest, late = [], MIDNIGHT, 0
    for number, each in enumerate(heard):
        mixed.append(each)
        newest = max(newest, each.occurred_at)
        for place, seconds in stale:
            if place == number:
                at = newest - timedelta(seconds=seconds)
                mixed.append(each.model_copy(update={"occurred_at": at, "value": 6.0}))
                late += 1
    detector = Detector([rule])
    assert told(run(detector, [*mixed, END])) == told(run(Detector([rule]), [*heard, END]))
    assert [each.late for each in detector.figures()] == [late]
