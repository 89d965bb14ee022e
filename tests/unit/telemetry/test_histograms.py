"""Quantiles of histograms: the figures of Prometheus' and OpenTelemetry's own definitions."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.telemetry.histograms import explicit, exponential, quantile, quantile_name


def test_inside_a_bucket_values_are_taken_to_be_spread_evenly():
    buckets = explicit([10, 10, 0], [1.0, 3.0])
    assert quantile(buckets, 0.25, None, None) == 0.5
    assert quantile(buckets, 0.5, None, None) == 1.0
    assert quantile(buckets, 0.75, None, None) == 2.0


def test_the_last_bucket_has_no_end_but_the_greatest_value():
    buckets = explicit([0, 10], [1.0])
    assert quantile(buckets, 0.5, None, None) == 1.0
    assert quantile(buckets, 0.5, None, 5.0) == 3.0


def test_the_least_value_begins_the_first_bucket():
    assert quantile(explicit([4, 0], [-10.0]), 0.5, None, None) == -10.0
    assert quantile(explicit([4, 0], [10.0]), 0.5, 2.0, None) == 6.0


def test_powers_of_two_bound_an_exponential_histogram():
    """Index 1 of scale 0 is all above 2 up to 4 (OpenTelemetry Metrics Data Model)."""
    buckets = exponential(0, 2, (1, [2]), (0, [2]))
    assert [buckets.bounds(index) for index in range(3)] == [(-2.0, -1.0), (0.0, 0.0), (2.0, 4.0)]
    assert quantile(buckets, 0.5, None, None) == 0.0
    assert quantile(buckets, 1.0, None, None) == 4.0
    assert list(buckets.cumulative()) == [(-1.0, 2), (0.0, 4), (4.0, 6), (None, 6)]


def test_nothing_is_said_of_nothing():
    assert quantile(explicit([], []), 0.5, None, None) is None
    assert quantile(explicit([0, 0], [1.0]), 0.5, None, None) is None
    assert quantile(explicit([5], []), 0.5, None, None) is None


@pytest.mark.parametrize("scale", [-2_000, -1_100, -50, 0, 20, 2_000])
def test_no_scale_is_too_large(scale):
    """Otherwise four bytes of a stranger could stop the worker."""
    buckets = exponential(scale, 0, (2**31 - 1, [1]), (-(2**31), [1]))
    quantile(buckets, 0.5, None, None)


@given(
    st.lists(st.integers(0, 3), max_size=5),
    st.lists(st.integers(0, 3), max_size=5),
    st.integers(0, 3),
    st.sampled_from([0.01, 0.25, 0.5, 0.75, 0.99]),
)
def test_a_quantile_is_where_that_share_of_the_values_lies(above, below, zeros, share):
    """Counted off one value after the other."""
    buckets = exponential(1, zeros, (-1, above), (0, below))
    values = [
        buckets.bounds(index)
        for index, count in enumerate([*reversed(below), *([zeros] if zeros else []), *above])
        for _ in range(count)
    ]
    assert values == sorted(values)
    found = quantile(buckets, share, None, None)
    if not values:
        assert found is None
        return
    lower, upper = values[max(ceil(share * len(values)) - 1, 0)]
    assert lower <= found <= upper


def test_a_million_buckets_take_no_time_of_their_own():
    """One record could hold the worker up for seconds: each bound is reckoned for whoever asks."""
    asked = []
    buckets = exponential(3, 0, (0, [1] * 100_000), (0, []))
    counted = replace(buckets, bounds=lambda index: asked.append(index) or buckets.bounds(index))
    for share in (0.5, 0.9, 0.95, 0.99):
        quantile(counted, share, None, 1.0)
    assert asked == [49_999, 89_999, 94_999, 98_999]


@given(
    st.lists(st.integers(0, 1_000), min_size=2, max_size=12),
    st.floats(0.01, 0.98),
)
def test_a_higher_share_is_never_a_lower_value(counts, share):
    buckets = explicit(counts, [float(bound) for bound in range(1, len(counts))])
    low, high = quantile(buckets, share, None, None), quantile(buckets, share + 0.01, None, None)
    assert (low is None) == (high is None)
    if low is not None:
        assert low <= high + 1e-9


@pytest.mark.parametrize(
    ("share", "name"), [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9"), (0, "min"), (1, "max")]
)
def test_quantiles_have_the_names_that_people_use(share, name):
    assert quantile_name(share) == name
