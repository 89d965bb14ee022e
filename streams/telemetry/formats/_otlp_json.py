"""
OTLP in JSON: small letters and capitals, 64-bit numbers as texts, identities of traces in hexadecimal digits.

Sources: OTLP Specification, "JSON Protobuf Encoding"; Protocol Buffers, "ProtoJSON Format", in which null is what is not there. The names of
enumerations are not OTLP's, but the Collector reads them, and so do we.
"""

from typing import Annotated, Any, Final, TypeVar

import msgspec
import orjson

from schemas.contract import Unreadable
from streams.telemetry.documents import Part, read_document
from streams.telemetry.formats._otlp_dialect import KINDS, Dialect, text_of

#: What protobuf holds in 64 bits; more would be no float.
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PartT = TypeVar("_PartT", bound=Part)
#: What enumerations' names and numbers stand for where they are texts.
_TEMPORALITIES: Final = {
    "1": 1,
    "2": 2,
    "AGGREGATION_TEMPORALITY_DELTA": 1,
    "AGGREGATION_TEMPORALITY_CUMULATIVE": 2,
}
_SEVERITIES: Final = {
    f"SEVERITY_NUMBER_{name}{step or ''}": number
    for first, name in (
        (1, "TRACE"),
        (5, "DEBUG"),
        (9, "INFO"),
        (13, "WARN"),
        (17, "ERROR"),
        (21, "FATAL"),
    )
    for number, step in zip(range(first, first + 4), ("", 2, 3, 4), strict=True)
} | {str(number): number for number in range(1, 25)}


class _AnyValue(Part, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: _Int | None = None
    double_value: float | None = None
    array_value: "_Array | None" = None
    # The example of events that OpenTelemetry publishes leaves ``values`` out.
    kvlist_value: "_Attributes | tuple[_KeyValue, ...] | None" = None
    bytes_value: str | None = None


class _Array(Part):
    values: tuple[_AnyValue, ...] = ()


class _KeyValue(Part):
    key: str
    value: _AnyValue = msgspec.field(default_factory=_AnyValue)


class _Attributes(Part):
    values: tuple[_KeyValue, ...] = ()


class _Described(Part):
    """A resource or a scope."""

    attributes: tuple[_KeyValue, ...] = ()
    name: str = ""


class _Point(Part, rename="camel"):
    time_unix_nano: _Count = 0
    attributes: tuple[_KeyValue, ...] = ()
    flags: _Int = 0


class _NumberPoint(_Point):
    as_double: float | None = None
    as_int: _Int | None = None


class _Distribution(_Point):
    count: _Count = 0
    sum: float | None = None
    min: float | None = None
    max: float | None = None


class _HistogramPoint(_Distribution):
    bucket_counts: tuple[_Count, ...] = ()
    explicit_bounds: tuple[float, ...] = ()


class _Buckets(Part, rename="camel"):
    offset: _Int = 0
    bucket_counts: tuple[_Count, ...] = ()


class _ExponentialPoint(_Distribution):
    scale: _Int = 0
    zero_count: _Count = 0
    positive: _Buckets = msgspec.field(default_factory=_Buckets)
    negative: _Buckets = msgspec.field(default_factory=_Buckets)


class _Quantile(Part):
    quantile: float = 0
    value: float = 0


class _SummaryPoint(_Point):
    count: _Count = 0
    sum: float = 0
    quantile_values: tuple[_Quantile, ...] = ()


class _Numbers(Part, rename="camel"):
    data_points: tuple[_NumberPoint, ...] = ()


class _Histograms(Part, rename="camel"):
    data_points: tuple[_HistogramPoint, ...] = ()
    aggregation_temporality: _Int | str = 0


class _Exponentials(Part, rename="camel"):
    data_points: tuple[_ExponentialPoint, ...] = ()
    aggregation_temporality: _Int | str = 0


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
    scope: _Described = msgspec.field(default_factory=_Described)
    metrics: tuple[_Metric, ...] = ()


class _ResourceMetrics(Part, rename="camel"):
    resource: _Described = msgspec.field(default_factory=_Described)
    scope_metrics: tuple[_ScopeMetrics, ...] = ()


class _MetricsData(Part, rename="camel"):
    resource_metrics: list[_ResourceMetrics]


class _UnreadMetricsData(Part, rename="camel"):
    resource_metrics: list[msgspec.Raw]


class _LogRecord(Part, rename="camel"):
    time_unix_nano: _Count = 0
    observed_time_unix_nano: _Count = 0
    severity_number: _Int | str = 0
    severity_text: str = ""
    body: _AnyValue = msgspec.field(default_factory=_AnyValue)
    attributes: tuple[_KeyValue, ...] = ()
    trace_id: str = ""
    event_name: str = ""


class _ScopeLogs(Part, rename="camel"):
    scope: _Described = msgspec.field(default_factory=_Described)
    log_records: tuple[_LogRecord, ...] = ()


class _ResourceLogs(Part, rename="camel"):
    resource: _Described = msgspec.field(default_factory=_Described)
    scope_logs: tuple[_ScopeLogs, ...] = ()


class _LogsData(Part, rename="camel"):
    resource_logs: list[_ResourceLogs]


class _UnreadLogsData(Part, rename="camel"):
    resource_logs: list[msgspec.Raw]


class _UnreadScope(Part, rename="camel"):
    scope: _Described = msgspec.field(default_factory=_Described)
    metrics: tuple[msgspec.Raw, ...] = ()
    log_records: tuple[msgspec.Raw, ...] = ()


class _UnreadResource(Part, rename="camel"):
    resource: _Described = msgspec.field(default_factory=_Described)
    scope_metrics: tuple[msgspec.Raw, ...] = ()
    scope_logs: tuple[msgspec.Raw, ...] = ()


def parse_metrics(value: bytes) -> Any:
    """Return the metrics by resource; raises ``Unreadable``."""
    return _parsed(_MetricsData, _UnreadMetricsData, value).resource_metrics


def parse_logs(value: bytes) -> Any:
    """Return the logs by resource; raises ``Unreadable``."""
    return _parsed(_LogsData, _UnreadLogsData, value).resource_logs


def _parsed(kind: type[Part], unread: type[Part], value: bytes) -> Any:
    """Return *value* as *kind*; where a part of it is none, as *unread*, whose parts are read one by one."""
    try:
        return read_document(kind, value, lax=True)
    except Unreadable as refusal:
        try:
            there = orjson.dumps(_without_nulls(orjson.loads(value)))
        except (ValueError, TypeError):
            raise refusal from None
        return read_document(unread, there, lax=True)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


def _resource(resource: Any, place: str) -> Any:
    return _opened(_UnreadResource, resource, place)


def _scope(scope: Any, place: str) -> Any:
    return _opened(_UnreadScope, scope, place)


def _metric(metric: _Metric | msgspec.Raw, place: str) -> _Metric:
    return _opened(_Metric, metric, place)


def _record(record: _LogRecord | msgspec.Raw, place: str) -> _LogRecord:
    return _opened(_LogRecord, record, place)


def _opened(kind: type[_PartT], part: _PartT | msgspec.Raw, place: str) -> _PartT:
    return read_document(kind, part, place, lax=True) if isinstance(part, msgspec.Raw) else part


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
        pairs = value.kvlist_value
        several = pairs.values if isinstance(pairs, _Attributes) else pairs
        return {each.key: _plain(each.value) for each in several}
    for each in (value.bool_value, value.int_value, value.double_value):
        if each is not None:
            return each
    return value.bytes_value


def _text(value: _AnyValue) -> str:
    return value.string_value or text_of(_plain(value))


def _trace(identity: str) -> str:
    return identity.lower()


def _severity(record: _LogRecord) -> int:
    number = record.severity_number
    return _SEVERITIES.get(number, 0) if isinstance(number, str) else number


def _temporality(data: _Histograms | _Exponentials) -> int:
    named = data.aggregation_temporality
    return _TEMPORALITIES.get(named, 0) if isinstance(named, str) else named


DIALECT: Final = Dialect(
    kind=_kind,
    number=_number,
    given=_given,
    text=_text,
    trace=_trace,
    severity=_severity,
    temporality=_temporality,
    resource=_resource,
    scope=_scope,
    metric=_metric,
    record=_record,
)
