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
from streams.telemetry.dividing import fields
from streams.telemetry.formats._otlp_dialect import Dialect, text_of

#: The first field of a request, a list of messages.
_RESOURCES: Final = 0x0A
#: What a resource and a scope are made of, besides what describes them.
_ELEMENTS: Final = frozenset({"scope_metrics", "metrics", "scope_logs", "log_records"})


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
    except Unreadable:
        raise Unreadable(f"value: is no OTLP request for {what} in protobuf") from None


def _parsed_as(kind: type[Message], value: bytes) -> Message:
    message = kind()
    message.ParseFromString(value)
    return message


def _held(value: bytes) -> Mapping[int, list[bytes]]:
    """Return what the fields of a message hold that say how long they are, by their numbers; raises ``Unreadable``."""
    held: dict[int, list[bytes]] = defaultdict(list)
    for number, _, inside in fields(value):
        if inside is not None:
            held[number].append(inside)
    return held


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
    known = part.kind.DESCRIPTOR.fields_by_number
    described, elements = known[1], known.get(2)
    if elements is None or elements.name not in _ELEMENTS:
        raise fault
    try:
        held = _held(part.value)
        # Where a message is given several times, all of it counts.
        head = _parsed_as(GetMessageClass(described.message_type), b"".join(held[1]))
    except (DecodeError, Unreadable):
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
