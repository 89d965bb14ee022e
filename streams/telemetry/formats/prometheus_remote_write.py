"""
Prometheus remote write, 1.0 and 2.0: protobuf in a snappy block.

Sources: Prometheus Remote-Write 1.0 and 2.0 specifications; the Snappy format description. Each sample becomes a metric; a native
histogram becomes ``name_count`` and ``name_sum``. What is no number, such as the mark of a series that ended, is passed over.
"""

from collections.abc import Collection, Iterator, Sequence
from math import isfinite, isnan
from typing import Any, ClassVar, Final, Literal

import cramjam
from google.protobuf.message import DecodeError
from pydantic import ConfigDict

from schemas import limits
from schemas.contract import Unreadable
from schemas.telemetry import MetricV1, Signal
from schemas.topics import METRICS, TopicDeclaration
from streams.telemetry.batch import TooLarge, too_many
from streams.telemetry.dividing import (
    Divided,
    divide_protobuf,
    fields,
    number_at,
    packed_numbers,
)
from streams.telemetry.documents import made
from streams.telemetry.format import Names, Translated
from streams.telemetry.formats._remote_write_messages import Request, WriteRequest
from streams.telemetry.labelling import fitting
from streams.telemetry.moments import from_microseconds
from streams.telemetry.payload import Payload

_NAME: Final = "__name__"
#: With what an unpacked message begins, its first field's number and kind: series or metadata in version 1; symbols or series in
#: version 2, which has none of the fields of version 1, so that the one cannot pass for the other.
_VERSION_1: Final = frozenset({0x0A, 0x1A})
_VERSION_2: Final = frozenset({0x22, 0x2A})
_TIMESERIES: Final = ("timeseries",)
#: The number of the field that lists them, and of the one that lists symbols.
_SERIES_1, _SERIES_2, _SYMBOLS_2 = 1, 5, 4
#: What refers to symbols: a field of a series, and those in its exemplars and its metadata.
_LABELS_REFS: Final = 1
_REFERRING: Final = {4: frozenset({1}), 5: frozenset({3, 4})}
_NO_SYMBOL: Final = bytes([_SYMBOLS_2 << 3 | 2, 0])
_PROTOBUF: Final = "application/x-protobuf"
#: With what the framing format of Snappy begins, which is not the one of remote write.
_FRAMED: Final = b"\xff\x06\x00\x00sNaPpY"
_VARINT_BYTES: Final = 5


class PrometheusRemoteWrite(Translated):
    """Reads each sample; the labels without ``__name__`` are its labels."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"topics": ["telemetry.metrics"], "service": ["service", "job"]}]
        }
    )

    becomes: ClassVar[TopicDeclaration | None] = METRICS

    kind: Literal["prometheus_remote_write"] = "prometheus_remote_write"
    service: Names = ("service", "service_name", "job")
    """Labels that name the service: the first that is there."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* says so in its headers, or is a snappy block that begins as such a message."""
        if "x-prometheus-remote-write-version" in payload.headers:
            return True
        if payload.header("content-encoding"):
            return payload.media_type == _PROTOBUF
        return payload.topic is METRICS and _begins(payload.value or b"") in _VERSION_1 | _VERSION_2

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the samples of *payload*.

        Raises:
            Unreadable: It is no such message, or a part of it is none.
        """
        packed = payload.header("content-encoding").lower()
        if packed not in {"snappy", ""}:
            raise Unreadable("content-encoding: must be snappy")
        unpacked = _unpacked(payload.body)
        begins = next(iter(unpacked), None)
        if begins is None:
            return ()
        if begins not in _VERSION_1 | _VERSION_2:
            raise Unreadable("value: is no remote write message")
        second = begins in _VERSION_2
        message = (Request if second else WriteRequest)()
        try:
            message.ParseFromString(unpacked)
        except DecodeError:
            raise Unreadable("value: is no remote write message") from None
        if len(message.timeseries) > limits.BATCH_SIGNALS:
            raise TooLarge(too_many())
        # Cut once: each can be referred to by every series.
        symbols = (
            [symbol[: limits.LABEL_VALUE_LENGTH] for symbol in message.symbols] if second else []
        )
        for number, series in enumerate(message.timeseries):
            place = f"timeseries[{number}]"
            if len(series.samples) + 2 * len(series.histograms) > limits.BATCH_SIGNALS:
                raise TooLarge(too_many())
            payload.batch.add(place, self._samples(series, symbols if second else None, place))
        return payload.batch.signals

    def divide(self, payload: Payload) -> Divided:
        """Return the series of *payload*."""
        unpacked = _unpacked(payload.value or b"", limits.POSTED_BYTES)
        if next(iter(unpacked), None) in _VERSION_2:
            return divide_protobuf(unpacked, _TIMESERIES, (_SERIES_2,), _packed_2)
        return divide_protobuf(unpacked, _TIMESERIES, (_SERIES_1,), _packed)

    def _samples(self, series: Any, symbols: Sequence[str] | None, place: str) -> Iterator[Signal]:
        if not series.samples and not series.histograms:
            return
        if symbols is None:
            labels, unit = {label.name: label.value for label in series.labels}, ""
        else:
            labels, unit = _referred(symbols, series, place)
        name = labels.get(_NAME)
        if not name:
            raise Unreadable(f"{place}.labels: have no {_NAME}")
        service, environment, said = self.placed(labels)
        said |= {_NAME}
        every = {
            "tenant": self.tenant,
            "service": service,
            "environment": environment,
            "labels": fitting(pair for pair in labels.items() if pair[1] and pair[0] not in said),
            "unit": unit[: limits.UNIT_LENGTH],
        }
        for called, timestamp, value in _values(series, name):
            if isfinite(value):
                at = from_microseconds(timestamp * 1_000, f"{place}.timestamp")
                yield made(MetricV1, place, occurred_at=at, name=called, value=value, **every)


def _values(series: Any, name: str) -> Iterator[tuple[str, int, float]]:
    for sample in series.samples:
        yield name, sample.timestamp, sample.value
    for histogram in series.histograms:
        if isnan(histogram.sum) and not histogram.count_float and not histogram.count_int:
            continue  # The mark of a series that ended is its sum: such a count would look like a counter that began anew.
        yield f"{name}_count", histogram.timestamp, histogram.count_float or histogram.count_int
        yield f"{name}_sum", histogram.timestamp, histogram.sum


def _referred(symbols: Sequence[str], series: Any, place: str) -> tuple[dict[str, str], str]:
    """Return the labels and the unit to which a series of version 2 refers by number."""
    references = series.labels_refs
    if len(references) % 2:
        raise Unreadable(f"{place}.labels_refs: must be pairs")
    try:
        labels = {
            symbols[references[index]]: symbols[references[index + 1]]
            for index in range(0, len(references), 2)
        }
        unit = symbols[series.metadata.unit_ref] if series.metadata.unit_ref else ""
    except IndexError:
        raise Unreadable(f"{place}.labels_refs: refer to symbols that are not there") from None
    return labels, unit


def written(value: bytes, unread: Collection[str]) -> tuple[int, int] | None:
    """
    Return how many samples and histograms of a readable *value* count, all but those in the places *unread*; None where it is of version 1.

    Those that were passed over count: nothing is wrong with them.
    """
    unpacked = _unpacked(value, limits.POSTED_BYTES)
    if next(iter(unpacked), None) not in _VERSION_2:
        return None
    message = Request()
    message.ParseFromString(unpacked)
    series = [
        each
        for number, each in enumerate(message.timeseries)
        if f"timeseries[{number}]" not in unread
    ]
    return sum(len(each.samples) for each in series), sum(len(each.histograms) for each in series)


def _packed(message: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message))


def _packed_2(message: bytes) -> bytes:
    """Return *message* of version 2, packed, with nothing in place of the symbols that none of its series refers to: each part would have all of them."""
    listed = list(fields(message))
    used = {
        reference
        for number, _, inside in listed
        if number == _SERIES_2 and inside is not None
        for reference in _references(inside)
    }
    whole, place = bytearray(), 0
    for number, field, _ in listed:
        if number != _SYMBOLS_2:
            whole += field
            continue
        whole += field if place in used else _NO_SYMBOL
        place += 1
    return _packed(bytes(whole))


def _references(series: bytes) -> Iterator[int]:
    """Yield the numbers of the symbols that *series* refers to."""
    for number, field, inside in fields(series):
        if number == _LABELS_REFS:
            yield from _listed(field, inside)
        elif inside is not None and number in _REFERRING:
            for inner, part, references in fields(inside):
                if inner in _REFERRING[number]:
                    yield from _listed(part, references)


def _listed(field: bytes, inside: bytes | None) -> Iterator[int]:
    """Yield the numbers of a *field*, which may hold one, or several *inside*."""
    return iter((number_at(field, 1)[0],)) if inside is None else packed_numbers(inside)


def _unpacked(value: bytes, at_most: int = limits.UNPACKED_BYTES) -> bytes:
    if value.startswith(_FRAMED):
        raise Unreadable("value: is in Snappy's framing format: must be one block without it")
    size = _declared(value)[0]
    # Said before it is unpacked: a few bytes can stand for gigabytes.
    if size is None or size > at_most:
        message = f"value: is no snappy block of at most {at_most} bytes unpacked"
        raise TooLarge(message) if size else Unreadable(message)
    try:
        return bytes(cramjam.snappy.decompress_raw(value))
    except cramjam.DecompressionError:
        raise Unreadable("value: is no snappy block") from None


def _declared(value: bytes) -> tuple[int | None, int]:
    """Return the unpacked size that a snappy block begins with, and where its first piece begins."""
    size = 0
    for index, byte in enumerate(value[:_VARINT_BYTES]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - The bit that says that the number goes on.
            return size, index + 1
    return None, 0


def _begins(value: bytes) -> int | None:
    """Return the first byte that a snappy block unpacks to; None where it can't be one."""
    size, start = _declared(value)
    if not size or size > limits.UNPACKED_BYTES or start >= len(value):
        return None
    tag = value[start]
    if tag & 0b11:
        return None  # The first piece is always a literal.
    # Lengths of 61 to 64 bytes and more stand in one to four bytes of their own.
    extra = max(0, (tag >> 2) - 59)
    at = start + 1 + extra
    return value[at] if at < len(value) else None
