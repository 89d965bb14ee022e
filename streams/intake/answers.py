"""
What each kind of publisher is answered: it decides by that whether it sends again, and what it logs.

Sources: OTLP Specification, "OTLP/HTTP Response"; Prometheus Remote-Write 1.0 and 2.0 specifications. OTLP wants its own messages, in the encoding of
the request. Remote write wants 400 also where only a part is wrong, which it does not send again, and in version 2 the counts of what
was written, without which it takes a success for a failure. Everybody else is answered in JSON.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Response, status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from schemas.topics import LOGS, TopicDeclaration
from streams.intake.sorting import Sorting
from streams.telemetry.dividing import varint
from streams.telemetry.formats.prometheus_remote_write import written

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
#: The tag of the message of ``google.rpc.Status``, which no package that is here ships.
_MESSAGE: Final = b"\x12"


class Answers(ABC):
    """How one kind of publisher is answered."""

    #: What is said where there is no room: what senders who drop what is answered with 429 would lose is answered with 503.
    busy: int = status.HTTP_503_SERVICE_UNAVAILABLE

    @abstractmethod
    def taken(self, body: bytes, sorting: Sorting) -> Response:
        """Return what is said of a *body* that was taken, if only in part."""

    @abstractmethod
    def refused(self, code: int, said: str, headers: Mapping[str, str]) -> Response:
        """Return what is said where nothing was taken."""


class Plain(Answers):
    """In JSON: how much was accepted, and what is wrong."""

    def taken(self, body: bytes, sorting: Sorting) -> Response:
        """Return the counts."""
        del body
        told: dict[str, Any] = {"accepted": sorting.accepted}
        if sorting.unread:
            told |= {"rejected": len(sorting.unread), "detail": sorting.said}
        return _json(status.HTTP_200_OK, told)

    def refused(self, code: int, said: str, headers: Mapping[str, str]) -> Response:
        """Return what is wrong."""
        return _json(code, {"detail": said}, headers)


class RemoteWrite(Answers):
    """As Prometheus wants it."""

    def taken(self, body: bytes, sorting: Sorting) -> Response:
        """Return nothing, or what is wrong; with the counts of version 2."""
        counts = written(body, sorting.unread)
        headers = {}
        if counts is not None:
            names = ("Samples", "Histograms", "Exemplars")
            headers = {
                f"X-Prometheus-Remote-Write-{name}-Written": str(count)
                for name, count in zip(names, (*counts, 0), strict=True)
            }
        if sorting.unread:
            return self.refused(status.HTTP_400_BAD_REQUEST, sorting.said, headers)
        return Response(status_code=status.HTTP_204_NO_CONTENT, headers=headers)

    def refused(self, code: int, said: str, headers: Mapping[str, str]) -> Response:
        """Return what is wrong, as a text, which Prometheus logs."""
        return Response(f"{said}\n", code, dict(headers), "text/plain")


class Otlp(Answers):
    """As OpenTelemetry wants it."""

    busy = status.HTTP_429_TOO_MANY_REQUESTS

    def __init__(self, topic: TopicDeclaration, media_type: str) -> None:
        self._logs = topic is LOGS
        self._protobuf = media_type == PROTOBUF

    def taken(self, body: bytes, sorting: Sorting) -> Response:
        """Return the export's response, with what was rejected where something was."""
        del body
        rejected = len(sorting.unread)
        if not self._protobuf:
            named = "rejectedLogRecords" if self._logs else "rejectedDataPoints"
            partial = {named: str(rejected), "errorMessage": sorting.said}
            return _json(status.HTTP_200_OK, {"partialSuccess": partial} if rejected else {})
        message = ExportLogsServiceResponse() if self._logs else ExportMetricsServiceResponse()
        if rejected:
            named = "rejected_log_records" if self._logs else "rejected_data_points"
            setattr(message.partial_success, named, rejected)
            message.partial_success.error_message = sorting.said
        return Response(message.SerializeToString(), media_type=PROTOBUF)

    def refused(self, code: int, said: str, headers: Mapping[str, str]) -> Response:
        """Return a ``Status``."""
        if not self._protobuf:
            return _json(code, {"message": said}, headers)
        text = said.encode()
        return Response(_MESSAGE + varint(len(text)) + text, code, dict(headers), PROTOBUF)


def _json(code: int, said: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(said), code, dict(headers or {}), JSON)
