"""
What producers publish: the examples of each format's publisher, and the binary ones that are made from them.

Text stands in ``tests/published``, a folder for each format. Protobuf is made here: OTLP from its JSON by the protobuf library, remote write
byte by byte, so that a wrong field number of ours can't be in both.
"""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cramjam
import orjson
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from schemas.telemetry import Signal
from schemas.topics import EXTERNAL, LOGS, METRICS, TopicDeclaration
from streams.telemetry.format import Format
from streams.telemetry.payload import Payload

PUBLISHED = Path(__file__).parent / "published"

#: The record's own time: later than all that the examples tell.
STAMPED = 1_800_000_000_000
#: What the header of remote write says, by version.
REMOTE_WRITE_1 = (
    ("Content-Encoding", b"snappy"),
    ("Content-Type", b"application/x-protobuf"),
    ("X-Prometheus-Remote-Write-Version", b"0.1.0"),
)
REMOTE_WRITE_2 = (
    ("Content-Encoding", b"snappy"),
    ("Content-Type", b"application/x-protobuf;proto=io.prometheus.write.v2.Request"),
    ("X-Prometheus-Remote-Write-Version", b"2.0.0"),
)
_TOPICS = {"telegraf": METRICS, "syslog": LOGS, "native": METRICS}
_HEADERS = {
    ("cloudevents", "binary"): (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"C234-1234-1234"),
        ("ce_type", b"tocsin.telemetry.metric.v1"),
        ("ce_source", b"/shop/monitor"),
        ("content-type", b"application/json"),
    ),
    ("cloudevents", "batch"): (("content-type", b"application/cloudevents-batch+json"),),
    ("sentry", "issue-resolved"): (
        ("Sentry-Hook-Resource", b"issue"),
        ("Sentry-Hook-Timestamp", b"1566250000"),
    ),
}


@dataclass(frozen=True)
class Published:
    """A record of another system."""

    kind: str
    name: str
    topic: TopicDeclaration
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def is_json(self) -> bool:
        return self.value[:1] in b"{["


def published() -> list[Published]:
    """Return every example there is."""
    examples = []
    for path in sorted(PUBLISHED.glob("*/*")):
        kind, value = path.parent.name, path.read_bytes()
        topic = _TOPICS.get(kind, EXTERNAL)
        if kind == "otlp":
            topic = LOGS if path.stem in {"logs", "events"} else METRICS
            if path.stem != "events":  # Its body is no message of protobuf.
                examples.append(Published(kind, f"{path.stem}-protobuf", topic, protobuf(value)))
        headers = _HEADERS.get((kind, path.stem), ())
        examples.append(Published(kind, path.stem, topic, value, headers))
    kind = "prometheus_remote_write"
    for version, headers, made in (
        (1, REMOTE_WRITE_1, version_1()),
        (2, REMOTE_WRITE_2, version_2()),
    ):
        packed = bytes(cramjam.snappy.compress_raw(made))
        examples.append(Published(kind, f"version-{version}", METRICS, packed, headers))
        examples.append(Published(kind, f"version-{version}-bare", METRICS, packed))
    return examples


def protobuf(value: bytes) -> bytes:
    """Return OTLP in JSON as protobuf."""
    document = orjson.loads(value)
    logs = "resourceLogs" in document
    for each in document.get("resourceLogs", ()):
        for scope in each["scopeLogs"]:
            for record in scope["logRecords"]:
                for name in ("traceId", "spanId"):
                    record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
    message: Any = ExportLogsServiceRequest() if logs else ExportMetricsServiceRequest()
    return json_format.ParseDict(document, message).SerializeToString(deterministic=True)


# -- protobuf by hand -----------------------------------------------------------------------------


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def part(number: int, value: bytes | str | float) -> bytes:
    """Return one field: texts and messages with their length, floats as doubles, integers as varints."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3) + varint(value)


#: The mark of a series that ended: a NaN with this payload.
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
_AT = 1_700_000_000_000


def version_1() -> bytes:
    """Return ``prometheus.WriteRequest``: a series with two samples and one that ended, a native histogram, metadata."""

    def series(labels: dict[str, str], *rest: bytes) -> bytes:
        pairs = (part(1, part(1, name) + part(2, value)) for name, value in labels.items())
        return part(1, b"".join((*pairs, *rest)))

    def sample(value: float, at: int) -> bytes:
        return part(2, part(1, value) + part(2, at))

    http = {
        "__name__": "http_requests_total",
        "instance": "web-1:9090",
        "job": "shop",
        "env": "staging",
    }
    return b"".join(
        (
            series(http, sample(41.0, _AT), sample(42.0, _AT + 15_000)),
            series({"__name__": "up", "job": "shop", "instance": "web-2:9090"}, sample(STALE, _AT)),
            series(
                {"__name__": "request_seconds", "job": "shop"},
                part(4, part(1, 7) + part(3, 3.5) + part(15, _AT)),
            ),
            part(3, part(1, 1) + part(2, "http_requests_total") + part(4, "Requests")),
        )
    )


def version_2() -> bytes:
    """Return ``io.prometheus.write.v2.Request``: a series of which symbols tell the labels and the unit."""
    symbols = [
        "",
        "__name__",
        "request_seconds_sum",
        "job",
        "shop",
        "instance",
        "web-1:9090",
        "seconds",
    ]
    references = part(1, b"".join(varint(number) for number in range(1, 7)))
    sample = part(2, part(1, 4.25) + part(2, _AT))
    metadata = part(5, part(1, 1) + part(4, 7))
    return b"".join(part(4, symbol) for symbol in symbols) + part(5, references + sample + metadata)


def read_whole(made: Format, payload: Payload) -> Sequence[Signal]:
    """Return what *made* reads of *payload*, and fail where it could not read all of it."""
    signals = made.read(payload)
    if payload.batch.faults:
        raise payload.batch.refusal()
    return signals


def example(kind: str, name: str) -> Published:
    """Return the example of *kind* that is called *name*."""
    (found,) = (each for each in published() if (each.kind, each.name) == (kind, name))
    return found
