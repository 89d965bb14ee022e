"""Changes over a span: what is compared with what, for any series."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.origin import Origin
from schemas.telemetry import MetricV1
from streams.detection.holding import Says
from streams.detection.kinds.rate_of_change import PARTS, RateOfChange

T0 = datetime(2024, 3, 1, tzinfo=UTC)
HERE = Origin(topic="t", partition=0, offset=0)
SPAN = 120


def naive(heard: list[tuple[int, float]]) -> float | None:
    """The value to compare with: the newest that is old enough, of those that were the first of their part."""
    now = heard[-1][0]
    firsts: dict[int, tuple[int, float]] = {}
    for at, value in heard[:-1]:
        firsts.setdefault(at * PARTS // SPAN, (at, value))
    old = [value for at, value in firsts.values() if at <= now - SPAN]
    return old[-1] if old else None


def judged(rule: RateOfChange, heard: list[tuple[int, float]]):
    memory, says = rule.fresh(), None
    for second, value in heard:
        at = T0 + timedelta(seconds=second)
        signal = MetricV1(occurred_at=at, service="shop", name="m", value=value)
        says = rule.judge(memory, signal, at, HERE)
    return memory, says


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 1, 1, 7, 50, 300]), st.sampled_from([0.0, 1, 4, 5, 9, -3])),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(["up", "down", "either"]),
    st.booleans(),
)
def test_it_compares_with_the_newest_value_that_is_old_enough(steps, direction, relative):
    """Otherwise a slow change would be taken for a fast one."""
    at, heard = 0, []
    for pause, value in steps:
        at += pause
        heard.append((at, value))
    rule = RateOfChange(
        name="a",
        metric="m",
        over="2m",
        change=4,
        clear=2,
        severity=3,
        direction=direction,
        relative=relative,
    )
    memory, says = judged(rule, heard)
    assert len(memory.ats) <= PARTS + 2
    base = naive(heard)
    value = heard[-1][1]
    if base is None or (relative and base == 0 and value != 0):
        assert says is None
        return
    change = (value - base) / (abs(base) or 1) if relative else value - base
    size = {"up": change, "down": -change, "either": abs(change)}[direction]
    assert memory.change == pytest.approx(change)
    assert says is (Says.BAD if size >= 4 else Says.BETWEEN if size >= 2 else Says.CLEAR)


def test_a_share_of_next_to_nothing_is_one_of_the_floor():
    rule = {"name": "a", "metric": "m", "over": "1s", "change": 2, "severity": 3, "relative": True}
    heard = [(0, 0.1), (1, 1.0)]
    assert judged(RateOfChange(**rule), heard)[1] is Says.BAD
    assert judged(RateOfChange(**rule, floor=1), heard)[1] is Says.CLEAR
    assert judged(RateOfChange(**rule, floor=1), [(0, 0.0), (1, 2.0)])[1] is Says.BAD


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clear": 3}, "clear (3) must be at most change (2)"),
        ({"floor": 1}, "floor has no meaning without relative: true; leave it out"),
        (
            {"over": "2h"},
            "over (2h) must be shorter than forget_after (1h), or the series is forgotten first",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, said):
    with pytest.raises(ValidationError) as error:
        RateOfChange(
            **{"name": "a", "metric": "m", "over": "1m", "change": 2, "severity": 3} | settings
        )
    assert error.value.errors()[0]["msg"] == f"Value error, {said}"
