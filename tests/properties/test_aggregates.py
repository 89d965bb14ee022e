"""What is kept up with each sample is what a fresh computation over the window gives."""

from fractions import Fraction
from itertools import pairwise
from math import fsum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.detection.running import LARGEST, Keeps, Reach, Running, marked, quantile

SPAN, ROOM = 30, 12

numbers = st.one_of(
    st.sampled_from([0.0, 1.0, 0.1, -0.1, 5.0, 3.0, -7.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
samples = st.lists(st.tuples(st.integers(0, 100), numbers, st.integers(0, 3)), max_size=80)


def naive(heard: list[tuple[int, float, int]]) -> list[tuple[int, float]]:
    """The window as its words say: newest moments, smaller values before larger ones, no copy twice, the newest of too many."""
    held: list[tuple[int, float, int]] = []
    end = None
    for at, value, mark in heard:
        end = at if end is None else max(end, at)
        held = [each for each in held if each[0] > end - SPAN]
        if at <= end - SPAN or (at, mark) in [each[::2] for each in held]:
            continue
        # Of one moment, the smaller value was before the larger one.
        held = sorted([*held, (at, min(max(value, -LARGEST), LARGEST), mark)])[-ROOM:]
    return [(at, value) for at, value, _ in held]


def kept(heard: list[tuple[int, float, int]], keeps: Keeps) -> Running:
    running = Running()
    for at, value, mark in heard:
        running.take(at, value, mark, Reach(SPAN, ROOM, keeps))
    return running


@given(samples)
def test_samples_are_those_of_the_window(heard):
    """Otherwise late or repeated signals would count, or be lost."""
    running = kept(heard, Keeps.COUNT)
    assert list(zip(running.ats, running.values, strict=True)) == naive(heard)


@given(samples)
def test_a_sum_is_exact(heard):
    """Otherwise it would drift over the months."""
    values = [value for _, value in naive(heard)]
    running = kept(heard, Keeps.SUM)
    assert running.total == fsum(values)
    assert sum(map(Fraction, running.partials)) == sum(map(Fraction, values))
    assert len(running.partials) <= 40


@given(samples)
def test_ranks_are_the_sorted_values(heard):
    """Otherwise a percentile would be that of values that are gone."""
    assert kept(heard, Keeps.RANKS).ranked == sorted(value for _, value in naive(heard))


@given(samples)
def test_growth_is_the_sum_of_steps_with_resets(heard):
    """Otherwise a restart of a service would be a burst of requests, or hide one."""
    values = [value for _, value in naive(heard)]
    steps = [
        part for old, new in pairwise(values) for part in ([new, -old] if new >= old else [new])
    ]
    assert kept(heard, Keeps.GROWTH).total == fsum(steps)


@given(samples, st.integers(0, 200), st.sampled_from(Keeps))
def test_a_window_that_slides_forgets_what_it_leaves(heard, end, keeps):
    """Otherwise what has passed would go on to count while nothing is heard."""
    running = kept(heard, keeps)
    end = max(end, running.end or 0)
    running.slide(end, Reach(SPAN, ROOM, keeps))
    again = Running()
    for at, value in [each for each in naive(heard) if each[0] > end - SPAN]:
        again.take(at, value, len(again.ats), Reach(SPAN, ROOM, keeps))
    assert (running.ats, running.values) == (again.ats, again.values)
    assert (running.total, running.ranked) == (again.total, again.ranked)


@given(samples, st.sampled_from(Keeps), st.sampled_from(Keeps))
def test_a_policy_that_asks_for_another_aggregate_finds_the_same_samples(heard, before, after):
    """Otherwise detection would stop on what an older policy remembered."""
    running = kept(heard, before)
    if running.end is not None:
        running.slide(running.end, Reach(SPAN, ROOM, after))
        anew = kept(heard, after)
        assert (running.ats, running.values, running.marks) == (anew.ats, anew.values, anew.marks)
        assert (running.total, running.ranked) == (anew.total, anew.ranked)


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.5, 2.5), (0.9, 3.7), (0.95, 3.85), (1.0, 4.0)]
)
def test_a_percentile_lies_between_two_values_by_their_distance(share, value):
    """As Prometheus' quantile_over_time: rank 0.9 of four values is 2.7, between the third and the fourth."""
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == pytest.approx(value, rel=1e-15)


def test_a_percentile_at_a_threshold_is_at_it():
    """0.95 times 8 has other digits than 7.6: an alert would begin below 3 with exactly 3."""
    assert quantile([*[0.0] * 8, 5.0], 0.95) == 3.0


@given(st.lists(numbers, min_size=1, max_size=20), st.floats(0, 1))
def test_a_percentile_is_never_beyond_what_was_measured(values, share):
    """Otherwise a rule could fire on a value that never was."""
    ranked = sorted(min(max(value, -LARGEST), LARGEST) for value in values)
    assert ranked[0] <= quantile(ranked, share) <= ranked[-1]


@given(st.lists(numbers, min_size=2, max_size=40, unique=True), st.sampled_from([0, 7_123_456]))
@example([2.0, 2.5, 2.25, -1.0, -2.0, 0.5, 0.0], 0)
def test_different_values_are_no_copies(values, seed):
    """Otherwise one of two measurements of a moment would be left out."""
    assert len({marked(seed, None, value) for value in values}) == len(values)
    assert len({marked(seed, None, value) for value in [*values, *values]}) == len(values)
