"""
Quantiles of histograms, estimated as Prometheus' ``histogram_quantile`` does: inside a bucket, values are taken to be spread evenly.

Source: OpenTelemetry Metrics Data Model, "Histogram" and "ExponentialHistogram".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf


@dataclass(frozen=True, slots=True)
class Buckets:
    """Buckets from the lowest to the highest: how many values are in each, and up to each; their bounds are reckoned when asked for."""

    counts: Sequence[int]
    totals: Sequence[int]
    bounds: Callable[[int], tuple[float, float]]
    """Return the lower and the upper bound of the bucket at an index: a stranger can send a million of them."""

    def cumulative(self) -> Iterator[tuple[float | None, int]]:
        """Yield each upper bound and how many values are at most it; the last has no bound, and is all of them."""
        for index, total in enumerate(self.totals):
            bound = self.bounds(index)[1]
            if bound == inf:
                break  # So are all that follow.
            if bound < inf:
                yield bound, total
        yield None, self.totals[-1] if self.totals else 0


def explicit(counts: Sequence[int], bounds: Sequence[float]) -> Buckets:
    """Return the buckets whose bounds are given."""
    ends = (-inf, *bounds, inf)
    return _buckets(counts, lambda index: (ends[index], ends[index + 1]))


def exponential(
    scale: int, zeros: int, positive: tuple[int, Sequence[int]], negative: tuple[int, Sequence[int]]
) -> Buckets:
    """
    Return the buckets whose bounds are powers of ``2 ** 2 ** -scale``, with *zeros* values of zero.

    *positive* and *negative* are the first bucket's index and the buckets' counts.
    """
    (first_above, above), (first_below, below) = positive, negative
    middle = [zeros] if zeros else []
    # Below zero, the bucket with the highest index is the lowest.
    last_below = first_below + len(below) - 1

    def bounds(index: int) -> tuple[float, float]:
        if index < len(below):
            lower, upper = _bounds(scale, last_below - index)
            return -upper, -lower
        beyond = index - len(below) - len(middle)
        return (0.0, 0.0) if beyond < 0 else _bounds(scale, first_above + beyond)

    return _buckets([*reversed(below), *middle, *above], bounds)


def quantile(
    buckets: Buckets, share: float, lowest: float | None, highest: float | None
) -> float | None:
    """Return below which value the *share* of all values is; None where nothing can be said."""
    totals = buckets.totals
    if not totals or totals[-1] <= 0:
        return None
    rank = share * totals[-1]
    # The first bucket that has values, and with it enough of them.
    index = bisect_left(totals, rank) if rank > 0 else bisect_right(totals, 0)
    lower, upper = buckets.bounds(index)
    low = lower if lowest is None else max(lower, lowest)
    high = upper if highest is None else min(upper, highest)
    if low == -inf:
        low = min(0.0, high)  # Where nothing else is said, values begin at zero.
    if high == inf:
        return low if lower > -inf else None
    count = buckets.counts[index]
    return low + (high - low) * (rank - (totals[index] - count)) / count


def _buckets(counts: Sequence[int], bounds: Callable[[int], tuple[float, float]]) -> Buckets:
    return Buckets(counts, list(accumulate(counts)), bounds)


def quantile_name(share: float) -> str:
    """Return what a metric's quantile is called: ``p99`` of 0.99, and the ends by their own names."""
    ends = {0.0: "min", 1.0: "max"}
    return ends.get(share) or f"p{share * 100:.6g}"


def _bounds(scale: int, index: int) -> tuple[float, float]:
    try:
        step = 2.0**-scale
        return 2.0 ** (index * step), 2.0 ** ((index + 1) * step)
    except OverflowError:
        return inf, inf
