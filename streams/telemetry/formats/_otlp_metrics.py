"""OTLP's metrics as ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import MetricV1, Signal
from streams.telemetry.batch import Batch
from streams.telemetry.documents import made
from streams.telemetry.format import Translated
from streams.telemetry.formats._otlp_dialect import Dialect
from streams.telemetry.formats._otlp_resources import Whose, by_resource, by_scope, pairs
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


def read_metrics(resources: Any, how: Reading, settings: Translated, batch: Batch) -> None:
    """
    Add the points of *resources* to *batch*.

    Raises:
        Unreadable: There are too many, or too many are wrong.
    """
    dialect = how.dialect
    for where, each, of in by_resource(resources, "resourceMetrics", dialect, settings, batch):
        scopes = by_scope(each.scope_metrics, f"{where}.scopeMetrics", dialect, batch)
        for within, scope in scopes:
            scoped = of.in_scope(scope.scope, how.dialect)
            for index, metric in enumerate(scope.metrics):
                _read_metric(metric, how, scoped, f"{within}.metrics[{index}]", batch)


def _read_metric(metric: Any, how: Reading, of: Whose, place: str, batch: Batch) -> None:
    try:
        metric = _named(how.dialect.metric(metric, place), place)
    except Unreadable as fault:
        batch.put_aside(place, fault)
        return
    kind = how.dialect.kind(metric)
    if kind is None:
        return
    series = _Series(metric, kind, getattr(metric, kind), how, of)
    for index, point in enumerate(series.data.data_points):
        if not point.flags & _NO_VALUE:
            where = f"{place}.{kind}.dataPoints[{index}]"
            batch.add(where, series.signals(point, where))


def _named(metric: Any, place: str) -> Any:
    if not metric.name:
        # So does a log record look to who takes it for a metric.
        raise Unreadable(f"{place}.name: is missing")
    return metric


@dataclass(frozen=True, slots=True)
class _Series:
    """What the points of one metric have in common."""

    metric: Any
    kind: str
    data: Any
    how: Reading
    of: Whose

    def signals(self, point: Any, place: str) -> Iterator[Signal]:
        """Yield what *point* becomes."""
        at = from_nanoseconds(point.time_unix_nano or -1, f"{place}.timeUnixNano")
        name = self.metric.name
        labels = self.of.with_own(fitting(pairs(point.attributes, self.how.dialect)))
        every = {
            **self.of.every,
            "occurred_at": at,
            "unit": self.metric.unit[: limits.UNIT_LENGTH],
            "labels": labels,
        }
        if self.kind in _NUMBERS:
            value = self.how.dialect.number(point)
            if value is not None and isfinite(value):
                yield made(MetricV1, place, name=name, value=value, **every)
            return
        for suffix, value, bound in self._values(point, place):
            if isfinite(value):
                own = {**every, "name": f"{name}.{suffix}", "value": value}
                if suffix in _COUNTS:
                    own["unit"] = "1"
                if bound is not None:
                    own["labels"] = fitting([("le", bound)], labels.items())
                yield made(MetricV1, place, **own)

    def _values(self, point: Any, place: str) -> Iterator[_Value]:
        if self.kind == "summary":
            return _summary(point)
        return _histogram(point, self.data, self.how, place)


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
    if how.dialect.temporality(data) == _DELTA:
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
