"""Whatever the feeds of an aggregate take from their pool, it has nothing to say about; and pools hold what is left."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.telemetry import MetricV1
from schemas.ticks import TickV1
from schemas.topics import METRICS
from streams.agents.detect import DetectDesk
from streams.detection.evaluation import Detector
from streams.detection.feeds import narrower
from streams.detection.holding import Says
from streams.detection.kinds.threshold import Threshold
from streams.detection.ledger import Keep
from streams.detection.rule import Calm, Pool, Rule
from tests.properties.test_calm import MIDNIGHT, PALETTES, Series, described, signal
from tests.properties.test_skimming import ExactDesk, memories, records_of, told_by

POOLED = [
    Threshold(
        name="a",
        metric="m",
        threshold=limit,
        compare=compare,
        aggregate=aggregate,
        over="20s",
        severity=3,
        group_by=[],
    )
    for compare in (">", ">=", "<", "<=")
    for aggregate, limit in (("avg", 2), ("sum", 20), ("count", 12))
]


def pooled(rule: Rule, values: list[float], step: float = 1) -> tuple[Series, Calm | None]:
    """What is left to two hosts that took turns to say these values."""
    series = Series(rule)
    for number, value in enumerate(values):
        at = MIDNIGHT + timedelta(seconds=step * number)
        series.hear(signal(rule, at, (number % 2, 0), value, "healthy"))
    return series, rule.pooled(series.memory) if series.quiet and values else None


@pytest.mark.parametrize("rule", POOLED, ids=described)
@given(st.sampled_from(PALETTES), st.data())
@settings(max_examples=60, derandomize=True)
def test_whatever_feeds_take_from_a_pool_says_nothing(rule, palette, data):
    """In any order, some far behind the others: otherwise an alert would be lost because many hosts told a little of it."""
    values = st.sampled_from(palette)
    step = data.draw(st.sampled_from([0.5, 1, 3]))
    series, calm = pooled(rule, data.draw(st.lists(values, max_size=40)), step)
    if calm is None:
        return
    series.said.clear()
    newest = [series.at, series.at]
    for _ in range(data.draw(st.integers(1, 40))):
        host = data.draw(st.integers(0, 1))
        at = newest[host] + timedelta(seconds=data.draw(st.sampled_from([0.01, 0.5, 3])))
        value = data.draw(st.one_of(values, st.sampled_from([1e9, -1e9, 1.99, calm.pool.left])))
        if at >= calm.until or not calm.pool.take(at, value):
            continue
        series.hear(signal(rule, at, (host, 0), value, "healthy"))
        newest[host] = at
    if data.draw(st.booleans()):
        series.pass_to(calm.until)
    assert Says.BAD not in series.said


def test_pools_hold_what_is_left_until_the_threshold():
    """Otherwise the test above would pass on rules that have none, and each signal be judged."""
    for rule in POOLED:
        up = rule.compare in {">", ">="}
        few = {"avg": [1.5], "sum": [0.5], "count": [1]}[rule.aggregate] * (18 if up else 40)
        many = {"avg": [2.5], "sum": [3], "count": [1]}[rule.aggregate] * 40
        step = 2 if up else 1 if rule.aggregate != "count" else 0.5
        _, calm = pooled(rule, few if up else many, step)
        assert calm is not None, described(rule)
        assert calm.pool.left > 0
        # What is better takes nothing, however much of it there is.
        left, good = calm.pool.left, -9.0 if up else 9.0
        assert calm.pool.take(calm.until, good)
        assert calm.pool.left == (left - 1 if up and rule.aggregate == "count" else left)
        assert not calm.pool.take(calm.pool.begin, good)
        assert not calm.pool.take(calm.until, -1e6 * good) or rule.aggregate == "count"


def test_a_window_that_is_full_lets_pools_end():
    """What is pushed out of it makes a mean worse as what falls out does."""
    rule = Threshold(name="a", metric="m", threshold=2, aggregate="avg", over="50m", severity=3)
    _, calm = pooled(rule, [1.0] * 990)
    taken = 0
    while calm.pool.take(calm.until, 1.0):
        taken += 1
    assert taken == 10


metrics = st.tuples(
    st.just(MetricV1),
    st.builds(
        lambda host, value: {
            "service": "shop",
            "name": "m",
            "value": value,
            "labels": {"host": host},
        },
        st.sampled_from("abc"),
        st.sampled_from([0, 0.5, 1, 1, 1.5, 2, 2, 3, 9, -1]),
    ),
)
measured = st.tuples(metrics, st.sampled_from([0.5, 1, 1, 1, 0, -2, 4]))
# What comes next is late, and behind the clock, where the clock was ahead.
ticks = st.tuples(st.just((TickV1, {})), st.sampled_from([0.5, 6, 21]))
behind = st.tuples(metrics, st.sampled_from([-5, -16, -21]))
inputs_of_hosts = st.lists(st.one_of(*[measured] * 9, behind, ticks), min_size=20, max_size=90)


@given(
    inputs_of_hosts,
    st.lists(st.sampled_from(POOLED), min_size=1, max_size=2, unique=True),
)
@settings(max_examples=300, derandomize=True)
def test_what_was_taken_from_pools_is_told_and_remembered_like_what_is_judged(inputs, rules):
    """Speed would cost alerts, or make up some."""
    rules = [
        Threshold(**rule.model_dump(exclude={"name"}, by_alias=True), name=f"rule-{number}")
        for number, rule in enumerate(rules)
    ]
    records = records_of(inputs)
    assert told_by(DetectDesk(Detector(rules)), records) == told_by(ExactDesk(rules), records)
    measured = [record for record in records if record.topic == METRICS.name]
    fast, exact = Detector(rules), Detector(rules)
    desk, place = DetectDesk(fast), 0
    while (place := desk.skim(METRICS, measured, place)) < len(measured):
        list(desk.hear(METRICS, measured[place]))
        place += 1
    desk.write_down({}, Keep.ALL)
    for record in measured:
        list(DetectDesk(exact).hear(METRICS, record))
    assert samples(fast) == samples(exact)


def test_what_is_noted_down_behind_the_clock_is_looked_at_with_the_next_tick():
    """What a pool promised ends at a moment that the clock is past: nobody would look at that moment again."""
    rules = [
        Threshold(
            name="a",
            metric="m",
            threshold=2,
            compare="<",
            aggregate="avg",
            over="20s",
            severity=3,
            group_by=[],
        )
    ]

    def said(host: str, value: float):
        return MetricV1, {"service": "shop", "name": "m", "value": value, "labels": {"host": host}}

    tick = (TickV1, {})
    story = [(said("a", 0), 0), (said("c", 9), 7), (said("b", 3), 1), (tick, 21)]
    story += [(said("b", -1), -16), (tick, 21), (tick, 1)]
    told = told_by(DetectDesk(Detector(rules)), records_of(story))
    assert told == told_by(ExactDesk(rules), records_of(story))
    assert [alert["state"] for alerts in told.values() for alert in alerts].count("firing") == 2


def samples(detector: Detector) -> dict[str, list[tuple[int, float]]]:
    return {
        name: list(zip(memory.running.ats, memory.running.values, strict=True))
        for name, memory in memories(detector).items()
    }


def test_what_was_noted_down_freely_is_absorbed_before_there_is_a_pool():
    """It would not have been paid for."""
    free, pool = Calm(), Calm(pool=Pool(1, 1, MIDNIGHT))
    assert narrower(pool, free)
    assert not narrower(pool, pool)
    assert not narrower(free, pool)
