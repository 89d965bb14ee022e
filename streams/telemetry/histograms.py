"""
Quantiles of histograms, estimated as Prometheus' ``histogram_quantile`` does: inside a bucket, values are taken to be spread evenly.

Source: OpenTelemetry Metrics Data Model, "Histogram" and "ExponentialHistogram".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Buckets:
    """Buckets from the lowest to the highest: bounds, and how many values are in each."""

    lower: Sequence[float]
    upper: Sequence[float]
    counts: Sequence[int]

    def cumulative(self) -> Iterator[tuple[float | None, int]]:
        """Yield each upper bound and how many values are at most it; the last has no bound, and is all of them."""
        total = 0
        for bound, count in zip(self.upper, self.counts, strict=True):
            total += count
            if bound < inf:
                yield bound, total
        yield None, total


def explicit(counts: Sequence[int], bounds: Sequence[float]) -> Buckets:
    """Return the buckets whose bounds are given."""
    return Buckets((-inf, *bounds), (*bounds, inf), counts) if counts else Buckets((), (), ())


def exponential(
    scale: int, zeros: int, positive: tuple[int, Sequence[int]], negative: tuple[int, Sequence[int]]
) -> Buckets:
    """
    Return the buckets whose bounds are powers of ``2 ** 2 ** -scale``, with *zeros* values of zero.

    *positive* and *negative* are the first bucket's index and the buckets' counts.
    """
    above = [
        (*_bounds(scale, positive[0] + index), count) for index, count in enumerate(positive[1])
    ]
    below = [
        (*_bounds(scale, negative[0] + index), count) for index, count in enumerate(negative[1])
    ]
    rows = [
        *((-upper, -lower, count) for lower, upper, count in reversed(below)),
        *([(0.0, 0.0, zeros)] if zeros else []),
        *above,
    ]
    return Buckets(*zip(*rows, strict=True)) if rows else Buckets((), (), ())


def quantile(
    buckets: Buckets, share: float, lowest: float | None, highest: float | None
) -> float | None:
    """Return below which value the *share* of all values is; None where nothing can be said."""
    total = sum(buckets.counts)
    if total <= 0:
        return None
    rank, before = share * total, 0
    for lower, upper, count in zip(buckets.lower, buckets.upper, buckets.counts, strict=True):
        if before + count >= rank and count:
            low = lower if lowest is None else max(lower, lowest)
            high = upper if highest is None else min(upper, highest)
            if low == -inf:
                low = min(0.0, high)  # Where nothing else is said, values begin at zero.
            if high == inf:
                return low if lower > -inf else None
            return low + (high - low) * (rank - before) / count
        before += count
    return None


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
