"""OTLP's metrics as ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import MetricV1, Signal
from streams.telemetry.documents import made
from streams.telemetry.format import Translated, too_many
from streams.telemetry.formats._otlp_dialect import Dialect
from streams.telemetry.formats._otlp_resources import Whose, by_resource, pairs
from streams.telemetry.histograms import Buckets, explicit, exponential, quantile, quantile_name
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_nanoseconds

#: ``AGGREGATION_TEMPORALITY_DELTA``.
_DELTA: Final = 1
#: ``DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK``.
_NO_VALUE: Final = 1
_NUMBERS: Final = frozenset({"gauge", "sum"})
#: Values that count something, whatever the metric's unit is.
_COUNTS: Final = frozenset({"count", "bucket"})
#: What comes after the metric's name, the value, and the upper bound of a bucket.
_Value = tuple[str, float, str | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How metrics are read."""

    dialect: Dialect
    quantiles: Sequence[float]
    """What is estimated of histograms of deltas."""
    buckets: bool
    """Whether histograms' buckets become metrics."""


def read_metrics(resources: Any, how: Reading, settings: Translated) -> Sequence[Signal]:
    """
    Return the points of *resources*.

    Raises:
        Unreadable: One of them is none.
    """
    signals: list[Signal] = []
    for number, each, of in by_resource(resources, how.dialect, settings):
        for scope_number, scope in enumerate(each.scope_metrics):
            within = f"resourceMetrics[{number}].scopeMetrics[{scope_number}]"
            for index, metric in enumerate(scope.metrics):
                for signal in _points(metric, how, of, f"{within}.metrics[{index}]"):
                    signals.append(signal)
                    if len(signals) > limits.BATCH_SIGNALS:
                        raise Unreadable(too_many())
    return signals


def _points(metric: Any, how: Reading, of: Whose, place: str) -> Iterator[Signal]:
    dialect = how.dialect
    kind = dialect.kind(metric)
    if kind is None:
        return
    data = getattr(metric, kind)
    every = {**of.every, "unit": metric.unit[: limits.UNIT_LENGTH]}
    for index, point in enumerate(data.data_points):
        if point.flags & _NO_VALUE:
            continue
        where = f"{place}.{kind}.dataPoints[{index}]"
        every["occurred_at"] = from_nanoseconds(point.time_unix_nano or -1, f"{where}.timeUnixNano")
        every["labels"] = of.with_own(fitting(pairs(point.attributes, dialect)))
        if kind in _NUMBERS:
            value = dialect.number(point)
            if value is not None and isfinite(value):
                yield made(MetricV1, where, name=metric.name, value=value, **every)
            continue
        found = _summary(point) if kind == "summary" else _histogram(point, data, how, where)
        for suffix, value, bound in found:
            if isfinite(value):
                own = {**every, "name": f"{metric.name}.{suffix}", "value": value}
                if suffix in _COUNTS:
                    own["unit"] = "1"
                if bound is not None:
                    own["labels"] = fitting([("le", bound)], own["labels"].items())
                yield made(MetricV1, where, **own)


def _summary(point: Any) -> Iterator[_Value]:
    yield "count", point.count, None
    yield "sum", point.sum, None
    for each in point.quantile_values:
        if 0 <= each.quantile <= 1:
            yield quantile_name(each.quantile), each.value, None


def _histogram(point: Any, data: Any, how: Reading, place: str) -> Iterator[_Value]:
    yield "count", point.count, None
    known = {name: how.dialect.given(point, name) for name in ("sum", "min", "max")}
    for name, value in known.items():
        if value is not None:
            yield name, value, None
    buckets = _buckets(point, place)
    if data.aggregation_temporality == _DELTA:
        for share in how.quantiles:
            found = quantile(buckets, share, known["min"], known["max"])
            if found is not None:
                yield quantile_name(share), found, None
    if how.buckets:
        for bound, count in buckets.cumulative():
            yield "bucket", count, "+Inf" if bound is None else f"{bound:g}"


def _buckets(point: Any, place: str) -> Buckets:
    if hasattr(point, "scale"):
        return exponential(
            point.scale,
            point.zero_count,
            (point.positive.offset, list(point.positive.bucket_counts)),
            (point.negative.offset, list(point.negative.bucket_counts)),
        )
    counts, bounds = list(point.bucket_counts), list(point.explicit_bounds)
    if counts and len(counts) != len(bounds) + 1:
        raise Unreadable(f"{place}.bucketCounts: must be one more than explicitBounds")
    return explicit(counts, bounds)
