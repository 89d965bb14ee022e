"""OTLP in protobuf."""

from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from schemas.contract import Unreadable
from streams.telemetry.formats._otlp_dialect import Dialect, text_of

#: The first field of a request, a list of messages.
_RESOURCES: Final = 0x0A


def framed(value: bytes) -> bool:
    """Whether *value* is nothing but messages in the first field, one after the other, as every request is."""
    at, end = 0, len(value)
    while at < end:
        if value[at] != _RESOURCES:
            return False
        at += 1
        size = shift = 0
        while at < end:
            byte = value[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 - The bit that says that the number goes on.
                break
        else:
            return False
        at += size
    return at == end > 0


def parse_metrics(value: bytes) -> Any:
    """Return the request; raises ``Unreadable``."""
    return _parsed(ExportMetricsServiceRequest(), value, "metrics").resource_metrics


def parse_logs(value: bytes) -> Any:
    """Return the request; raises ``Unreadable``."""
    return _parsed(ExportLogsServiceRequest(), value, "logs").resource_logs


def _parsed(message: Any, value: bytes, what: str) -> Any:
    try:
        message.ParseFromString(value)
    except DecodeError:
        raise Unreadable(f"value: is no OTLP request for {what} in protobuf") from None
    return message


def _kind(metric: Message) -> str | None:
    kind: str | None = metric.WhichOneof("data")
    return kind


def _number(point: Any) -> float | None:
    double: float = point.as_double
    if double:
        return double  # What is not zero is what is set; asking is slower than looking.
    which = point.WhichOneof("value")
    return None if which is None else getattr(point, which)


def _given(point: Message, name: str) -> float | None:
    return getattr(point, name) if point.HasField(name) else None


def _plain(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return None
    if which == "array_value":
        return [_plain(each) for each in value.array_value.values]
    if which == "kvlist_value":
        return {each.key: _plain(each.value) for each in value.kvlist_value.values}
    return getattr(value, which)


def _text(value: Any) -> str:
    string: str = value.string_value
    return string or text_of(_plain(value))


def _trace(identity: bytes) -> str:
    return identity.hex()


def _severity(record: Any) -> int:
    number: int = record.severity_number
    return number


def _temporality(data: Any) -> int:
    named: int = data.aggregation_temporality
    return named


def _read(part: Any, _place: str) -> Any:
    return part


DIALECT: Final = Dialect(
    kind=_kind,
    number=_number,
    given=_given,
    text=_text,
    trace=_trace,
    severity=_severity,
    temporality=_temporality,
    metric=_read,
    record=_read,
)
