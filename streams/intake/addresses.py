"""
What is posted where: publishers' own paths where those are fixed, and one path for everything else.

``/v1/metrics`` and ``/v1/logs`` are OpenTelemetry's, ``/api/v1/write`` is the one at which Prometheus itself receives. ``/v1/signals/NAME`` is for what a
topic is called (``health``, ``metrics``, ``logs``, ``external``), and for every format by its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import unquote

from schemas import cloudevents
from schemas.topics import EXTERNAL, LOGS, METRICS, TELEMETRY, TopicDeclaration
from streams.agents.outgoing import Headers
from streams.discovery import declared_in, kind_of
from streams.intake.answers import JSON, PROTOBUF, Answers, Otlp, Plain, RemoteWrite
from streams.intake.unpacking import Unsupported
from streams.telemetry import formats as folder
from streams.telemetry.format import Format
from streams.telemetry.reading import FORMAT

BINARY: Final = frozenset({PROTOBUF, "application/protobuf", "application/octet-stream"})
#: Headers that say what a body is.
_SAYING: Final = frozenset(
    {
        cloudevents.CONTENT_TYPE,
        "sentry-hook-resource",
        "sentry-hook-timestamp",
        "x-prometheus-remote-write-version",
    }
)
_FORMAT: Final = "tocsin-format"
_OTLP, _REMOTE_WRITE, _NATIVE = "otlp", "prometheus_remote_write", "native"


@dataclass(frozen=True)
class Address:
    """What is posted to one address."""

    name: str
    topic: TopicDeclaration
    """What it is one of, where nothing else says it."""
    format: str | None = None
    """In which format it is; None where that shows."""

    def answers(self, media_type: str) -> Answers:
        """Return how whoever posts a *media_type* here is answered."""
        if self.format == _OTLP:
            return Otlp(self.topic, media_type)
        return RemoteWrite() if self.format == _REMOTE_WRITE else Plain()

    def encoding(self, media_type: str, encoding: str) -> str:
        """
        Return in which encoding a body of *media_type* is unpacked that came in *encoding*.

        Raises:
            Unsupported: No such thing is read here.
        """
        if self.format == _OTLP and media_type not in {JSON, PROTOBUF}:
            raise Unsupported(f"Content-Type: must be {PROTOBUF} or {JSON}")
        if self.format != _REMOTE_WRITE:
            return encoding
        if media_type != PROTOBUF:
            raise Unsupported(f"Content-Type: must be {PROTOBUF}")
        if encoding.lower() != "snappy":
            raise Unsupported("Content-Encoding: must be snappy")
        return ""  # So it travels.

    def said(self, headers: Mapping[str, str]) -> Headers:
        """Return the headers of a record that say what it is; *headers* are those of the request, in small letters."""
        said = [(name, value) for name, value in headers.items() if name in _SAYING]
        # Proxies pass no names with a line below.
        said += [(FORMAT, headers[name]) for name in (_FORMAT, FORMAT) if name in headers]
        # CloudEvents, HTTP Protocol Binding, section 3.1.3: attributes are headers, and encoded with percent signs.
        said += [
            (f"ce_{name[3:]}", unquote(value))
            for name, value in headers.items()
            if name.startswith("ce-")
        ]
        if self.format == _REMOTE_WRITE:
            said.append(("content-encoding", "snappy"))
        if self.format is not None:
            said.append((FORMAT, self.format))
        return tuple((name, value.encode()) for name, value in said)


#: By the last part of ``/v1/signals/NAME``.
SIGNALS: Final[Mapping[str, Address]] = {
    each.name: each
    for each in (
        *(Address(topic.name.rpartition(".")[2], topic) for topic in TELEMETRY),
        *(
            Address(kind_of(each), each.becomes or EXTERNAL, kind_of(each))
            for each in cast("list[type[Format]]", declared_in(folder))
            if kind_of(each) not in {_OTLP, _NATIVE}
        ),
    )
}
#: By path.
FIXED: Final[Mapping[str, Address]] = {
    "/v1/metrics": Address(_OTLP, METRICS, _OTLP),
    "/v1/logs": Address(_OTLP, LOGS, _OTLP),
    "/api/v1/write": SIGNALS[_REMOTE_WRITE],
}
