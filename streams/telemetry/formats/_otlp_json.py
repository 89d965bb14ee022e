"""
OTLP in JSON: small letters and capitals, 64-bit numbers as texts, identities of traces in hexadecimal digits.

Source: OTLP Specification, "JSON Protobuf Encoding".
"""

from typing import Any, Final

import msgspec

from streams.telemetry.documents import Part, read_document
from streams.telemetry.formats._otlp_dialect import KINDS, Dialect, text_of


class _AnyValue(Part, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | None = None
    array_value: "_Array | None" = None
    kvlist_value: "_Attributes | None" = None
    bytes_value: str | None = None


class _Array(Part):
    values: tuple[_AnyValue, ...] = ()


class _KeyValue(Part):
    key: str
    value: _AnyValue = msgspec.field(default_factory=_AnyValue)


class _Attributes(Part):
    values: tuple[_KeyValue, ...] = ()


class _Resource(Part):
    attributes: tuple[_KeyValue, ...] = ()


class _Point(Part, rename="camel"):
    time_unix_nano: int = 0
    attributes: tuple[_KeyValue, ...] = ()
    flags: int = 0


class _NumberPoint(_Point):
    as_double: float | None = None
    as_int: int | None = None


class _Distribution(_Point):
    count: int = 0
    sum: float | None = None
    min: float | None = None
    max: float | None = None


class _HistogramPoint(_Distribution):
    bucket_counts: tuple[int, ...] = ()
    explicit_bounds: tuple[float, ...] = ()


class _Buckets(Part, rename="camel"):
    offset: int = 0
    bucket_counts: tuple[int, ...] = ()


class _ExponentialPoint(_Distribution):
    scale: int = 0
    zero_count: int = 0
    positive: _Buckets = msgspec.field(default_factory=_Buckets)
    negative: _Buckets = msgspec.field(default_factory=_Buckets)


class _Quantile(Part):
    quantile: float = 0
    value: float = 0


class _SummaryPoint(_Point):
    count: int = 0
    sum: float = 0
    quantile_values: tuple[_Quantile, ...] = ()


class _Numbers(Part, rename="camel"):
    data_points: tuple[_NumberPoint, ...] = ()


class _Histograms(Part, rename="camel"):
    data_points: tuple[_HistogramPoint, ...] = ()
    aggregation_temporality: int = 0


class _Exponentials(Part, rename="camel"):
    data_points: tuple[_ExponentialPoint, ...] = ()
    aggregation_temporality: int = 0


class _Summaries(Part, rename="camel"):
    data_points: tuple[_SummaryPoint, ...] = ()


class _Metric(Part, rename="camel"):
    name: str = ""
    unit: str = ""
    gauge: _Numbers | None = None
    sum: _Numbers | None = None
    histogram: _Histograms | None = None
    exponential_histogram: _Exponentials | None = None
    summary: _Summaries | None = None


class _ScopeMetrics(Part):
    metrics: tuple[_Metric, ...] = ()


class _ResourceMetrics(Part, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_metrics: tuple[_ScopeMetrics, ...] = ()


class _MetricsData(Part, rename="camel"):
    resource_metrics: list[_ResourceMetrics]


class _LogRecord(Part, rename="camel"):
    time_unix_nano: int = 0
    observed_time_unix_nano: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: _AnyValue = msgspec.field(default_factory=_AnyValue)
    attributes: tuple[_KeyValue, ...] = ()
    trace_id: str = ""


class _ScopeLogs(Part, rename="camel"):
    log_records: tuple[_LogRecord, ...] = ()


class _ResourceLogs(Part, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_logs: tuple[_ScopeLogs, ...] = ()


class _LogsData(Part, rename="camel"):
    resource_logs: list[_ResourceLogs]


def parse_metrics(value: bytes) -> Any:
    """Return the metrics by resource; raises ``Unreadable``."""
    return read_document(_MetricsData, value, lax=True).resource_metrics


def parse_logs(value: bytes) -> Any:
    """Return the logs by resource; raises ``Unreadable``."""
    return read_document(_LogsData, value, lax=True).resource_logs


def _kind(metric: _Metric) -> str | None:
    return next((kind for kind in KINDS if getattr(metric, kind) is not None), None)


def _number(point: _NumberPoint) -> float | None:
    return point.as_int if point.as_double is None else point.as_double


def _given(point: Any, name: str) -> float | None:
    found: float | None = getattr(point, name)
    return found


def _plain(value: _AnyValue) -> Any:
    if value.string_value is not None:
        return value.string_value
    if value.array_value is not None:
        return [_plain(each) for each in value.array_value.values]
    if value.kvlist_value is not None:
        return {each.key: _plain(each.value) for each in value.kvlist_value.values}
    for each in (value.bool_value, value.int_value, value.double_value):
        if each is not None:
            return each
    return value.bytes_value


def _text(value: _AnyValue) -> str:
    return value.string_value or text_of(_plain(value))


def _trace(identity: str) -> str:
    return identity.lower()


DIALECT: Final = Dialect(_kind, _number, _given, _text, _trace)
