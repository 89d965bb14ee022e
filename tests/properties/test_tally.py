"""Amounts in moving windows are what a fresh computation over everything that was heard gives."""

from collections import defaultdict
from itertools import pairwise
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.detection.tally import DEPTH, STEPS, Tally, width_of

SPANS = (60, 600)
DELAY = 7

heard = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 900),
        st.sampled_from([0.0, 1.0, 2.0, 5.0, 100.0, 0.5]),
    ),
    max_size=60,
)


def taken(signals, *, counter: bool) -> tuple[Tally, list[bool]]:
    tally, new = Tally(), []
    for source, at, value in signals:
        # Of what source "a" says, the part is made; of the others the whole.
        new.append(tally.take(source, at, value, counter=counter, part=source == "a"))
        if new[-1]:
            tally.settle(at, DELAY, SPANS)
    return tally, new


def accepted(signals) -> dict[str, list[tuple[int, float]]]:
    """What counts of each source: one value for each moment, and none that came too late."""
    by_source = defaultdict(list)
    for source, at, value in signals:
        known = by_source[source]
        latest = sorted(known)[-DEPTH:]
        too_late = len(latest) == DEPTH and at < latest[0][0]
        if not too_late and at not in [moment for moment, _ in known]:
            known.append((at, value))
    return {source: sorted(known) for source, known in by_source.items()}


def naive(signals, span: int, end: int, *, counter: bool) -> tuple[float, float]:
    first = (end - span) // width_of(span)
    parts, wholes = [], []
    for source, known in accepted(signals).items():
        amounts = (
            [(at, new - old if new >= old else new) for (_, old), (at, new) in pairwise(known)]
            if counter
            else known
        )
        for at, amount in amounts:
            if at <= end and at // width_of(span) >= first:
                (parts if source == "a" else wholes).append(amount)
    return fsum(parts), fsum(wholes)


@given(heard, st.booleans(), st.integers(0, 2_000))
def test_windows_hold_what_was_heard_in_them(signals, counter, later):
    """Otherwise an objective would be judged by something else than what happened."""
    tally, _ = taken(signals, counter=counter)
    end = max(tally.end, later) - DELAY
    tally.settle(later, DELAY, SPANS)
    for span in SPANS:
        steps = tally.window(span)
        assert (steps.part, steps.whole) == pytest.approx(
            naive(signals, span, end, counter=counter), abs=1e-9
        )
        assert len(steps.numbers) <= STEPS + 1
        assert steps.numbers == sorted(set(steps.numbers))


@given(heard, st.booleans(), st.data())
def test_a_copy_is_nothing_new(signals, counter, data):
    """Otherwise a producer that tries again would count twice."""
    tally, _ = taken(signals, counter=counter)
    if signals:
        before = repr(tally)
        source, at, value = data.draw(st.sampled_from(signals))
        assert not tally.take(source, at, value, counter=counter, part=source == "a")
        assert repr(tally) == before


@given(st.data(), st.booleans())
def test_signals_that_overtake_a_few_others_change_nothing(data, counter):
    """Otherwise two partitions of a source, read in turn, would give other alerts."""
    values = data.draw(st.lists(st.integers(0, 20), min_size=1, max_size=24))
    in_order = [("b", number * 3, float(value)) for number, value in enumerate(values)]
    shuffled = []
    for start in range(0, len(in_order), 3):
        shuffled += data.draw(st.permutations(in_order[start : start + 3]))
    one, _ = taken(in_order, counter=counter)
    other, new = taken(shuffled, counter=counter)
    assert all(new)
    one.settle(100, DELAY, SPANS)
    other.settle(100, DELAY, SPANS)
    for span in SPANS:
        assert one.window(span).whole == pytest.approx(other.window(span).whole)


@pytest.mark.parametrize("late", [0, 1])
def test_what_comes_too_late_to_be_placed_is_left_out(late):
    """The bound of what is remembered: three that overtook it are borne, a fourth is not."""
    signals = [("b", at, float(at)) for at in range(10, 10 * (DEPTH + late), 10)]
    tally, _ = taken(signals, counter=False)
    assert tally.take("b", 5, 1.0, counter=False, part=False) is (late == 0)


ascending = st.lists(st.integers(0, 900), min_size=1, max_size=20, unique=True).map(sorted)


@given(st.lists(st.tuples(st.sampled_from("bcd"), ascending), max_size=6))
def test_what_is_counted_together_is_what_is_counted_one_by_one(batches):
    """Otherwise a burn rate would depend on how much was noted down before it was asked for."""
    one_by_one, together = Tally(), Tally()
    for source, ats in batches:
        track = together.tracks.get(source)
        for at in ats:
            if one_by_one.take(source, at, 1.0, counter=False, part=False):
                one_by_one.settle(at, 0, SPANS)
        if track is not None and track.goes_on(ats):
            track.follow(ats, 1.0)
            together.count_whole(ats, SPANS)
            continue
        for at in ats:
            if together.take(source, at, 1.0, counter=False, part=False):
                together.settle(at, 0, SPANS)
    assert together == one_by_one
