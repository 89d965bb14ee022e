"""OTLP in protobuf."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics

from schemas.contract import Unreadable
from streams.telemetry.formats._otlp_dialect import Dialect, text_of

#: The first field of a request, a list of messages.
_RESOURCES: Final = 0x0A
#: What a resource and a scope are made of, besides what describes them.
_ELEMENTS: Final = frozenset({"scope_metrics", "metrics", "scope_logs", "log_records"})
#: How a field of a message is written: a number, bytes with their length before them, or so many bytes.
_VARINT: Final = 0
_SIZED: Final = 2
_FIXED: Final = {1: 8, 5: 4}
#: Bytes of the longest number.
_LONGEST: Final = 10


@dataclass(frozen=True, slots=True)
class _Unparsed:
    """A message that was not parsed yet, since another one beside it cannot be."""

    kind: type[Message]
    value: bytes


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
    """Return the metrics by resource; raises ``Unreadable``."""
    return _parsed(ExportMetricsServiceRequest, ResourceMetrics, value, "metrics")


def parse_logs(value: bytes) -> Any:
    """Return the logs by resource; raises ``Unreadable``."""
    return _parsed(ExportLogsServiceRequest, ResourceLogs, value, "logs")


def _parsed(kind: type[Message], resource: type[Message], value: bytes, what: str) -> Any:
    """Return the resources of a request; where a part of it cannot be parsed, each of them not parsed yet."""
    try:
        request = _parsed_as(kind, value)
        return getattr(request, kind.DESCRIPTOR.fields_by_number[1].name)
    except DecodeError:
        pass
    try:
        return [_Unparsed(resource, each) for each in _held(value)[1]]
    except DecodeError:
        raise Unreadable(f"value: is no OTLP request for {what} in protobuf") from None


def _parsed_as(kind: type[Message], value: bytes) -> Message:
    message = kind()
    message.ParseFromString(value)
    return message


def _held(value: bytes) -> Mapping[int, list[bytes]]:
    """Return what the fields of a message hold that say how long they are, by their numbers; raises ``DecodeError``."""
    held: dict[int, list[bytes]] = defaultdict(list)
    at, end = 0, len(value)
    while at < end:
        key, at = _number_at(value, at)
        size, wire = 0, key & 7
        if wire == _SIZED:
            size, at = _number_at(value, at)
            held[key >> 3].append(value[at : at + size])
        elif wire == _VARINT:
            _, at = _number_at(value, at)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise DecodeError
        at += size
    if at > end:
        raise DecodeError
    return held


def _number_at(value: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place after it; raises ``DecodeError``."""
    number = 0
    for shift, byte in enumerate(value[at : at + _LONGEST]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:  # noqa: PLR2004 - The bit that says that the number goes on.
            return number, at + shift + 1
    raise DecodeError


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


def _opened(part: Any, place: str) -> Any:
    if not isinstance(part, _Unparsed):
        return part
    try:
        return _parsed_as(part.kind, part.value)
    except DecodeError:
        return _taken_apart(part, place)


def _taken_apart(part: _Unparsed, place: str) -> Any:
    """Return a resource, or a scope, of which something cannot be parsed, with its elements not parsed yet."""
    fault = Unreadable(
        f"{place}: is not what OTLP has here in protobuf, or has texts that are not UTF-8"
    )
    fields = part.kind.DESCRIPTOR.fields_by_number
    described, elements = fields[1], fields.get(2)
    if elements is None or elements.name not in _ELEMENTS:
        raise fault
    try:
        held = _held(part.value)
        # Where a message is given several times, all of it counts.
        head = _parsed_as(GetMessageClass(described.message_type), b"".join(held[1]))
    except DecodeError:
        raise fault from None
    kind = GetMessageClass(elements.message_type)
    rest = [_Unparsed(kind, each) for each in held[2]]
    return SimpleNamespace(**{described.name: head, elements.name: rest})


DIALECT: Final = Dialect(
    kind=_kind,
    number=_number,
    given=_given,
    text=_text,
    trace=_trace,
    severity=_severity,
    temporality=_temporality,
    resource=_opened,
    scope=_opened,
    metric=_opened,
    record=_opened,
)
