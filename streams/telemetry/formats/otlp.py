"""
OpenTelemetry's metrics and logs, as the Collector's Kafka exporter writes them: protobuf or JSON.

Sources: OTLP Specification 1.x, with its JSON mapping; opentelemetry-proto; Semantic Conventions for resources. Metrics and logs
look alike in protobuf, so there the topic tells them apart.

========================  ==========================================================================================
gauge                     the metric
sum                       the metric, as it is: growing from the start (cumulative) or since the last point (delta)
histogram, exponential    ``name.count``, ``name.sum``, ``name.min``, ``name.max``; of deltas also ``name.p50`` and so on,
histogram                 which over a whole process' life would say nothing of now; buckets where asked for
summary                   ``name.count``, ``name.sum``, and its quantiles as ``name.p50`` and so on
========================  ==========================================================================================

A point's attributes are labels, and its scope's and its resource's as far as there is room. Points without a value are passed over.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field

from schemas.contract import Unreadable
from schemas.telemetry import Signal
from schemas.topics import LOGS, METRICS
from streams.errors import Rejected
from streams.telemetry.dividing import Divided, divide_json, divide_protobuf
from streams.telemetry.documents import read_document
from streams.telemetry.external import shown
from streams.telemetry.format import Names, Translated
from streams.telemetry.formats import _otlp_json, _otlp_proto
from streams.telemetry.formats._otlp_dialect import Dialect
from streams.telemetry.formats._otlp_logs import read_logs
from streams.telemetry.formats._otlp_metrics import Reading, read_metrics
from streams.telemetry.payload import Payload

_JSON = ("resourceMetrics", "resourceLogs", "resourceSpans")
#: What stands in what, and its number in protobuf.
_METRICS = ("resourceMetrics", "scopeMetrics", "metrics")
_LOGS = ("resourceLogs", "scopeLogs", "logRecords")
_NUMBERS = (1, 2, 2)


class Otlp(Translated):
    """Reads each data point and each log record."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"topics": ["telemetry.metrics"], "quantiles": [0.5, 0.99], "buckets": False}
            ]
        }
    )

    kind: Literal["otlp"] = "otlp"
    service: Names = ("service.name",)
    """Attributes of the resource that name the service: the first that is there."""
    environment: Names = ("deployment.environment.name", "deployment.environment")
    """Attributes of the resource that name the environment: the first that is there."""
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.5, 0.9, 0.95, 0.99)
    """What is estimated of each histogram of deltas."""
    buckets: bool = False
    """Whether each histogram's buckets become metrics too: ``name.bucket``, how many were at most the label ``le``."""

    def recognises(self, payload: Payload) -> bool:
        """Whether *payload* is OTLP."""
        if any(name in payload.top for name in _JSON):
            return True
        return (
            payload.topic in {METRICS, LOGS}
            and payload.value is not None
            and _otlp_proto.framed(payload.value)
        )

    def read(self, payload: Payload) -> Sequence[Signal]:
        """
        Return the points or records of *payload*.

        Raises:
            Unreadable: It is no such message, or one of its parts is none.
        """
        body = payload.body
        # No request in protobuf begins so.
        if body.lstrip()[:1] == b"{":
            return self._json(payload, body)
        if payload.topic is METRICS:
            return self._metrics(payload, _otlp_proto.parse_metrics(body), _otlp_proto.DIALECT)
        if payload.topic is LOGS:
            return self._logs(payload, _otlp_proto.parse_logs(body), _otlp_proto.DIALECT)
        message = f"value: OTLP in protobuf is read from {METRICS.name} and {LOGS.name} only"
        raise Unreadable(message)

    def divide(self, payload: Payload) -> Divided:
        """Return the metrics or the log records of *payload*."""
        value = payload.value or b""
        names = _LOGS if _is_logs(payload, value) else _METRICS
        if value.lstrip()[:1] == b"{":
            return divide_json(value, *names)
        return divide_protobuf(value, names, _NUMBERS)

    def _json(self, payload: Payload, body: bytes) -> Sequence[Signal]:
        if shown(payload, "resourceMetrics"):
            return self._metrics(payload, _otlp_json.parse_metrics(body), _otlp_json.DIALECT)
        if shown(payload, "resourceLogs"):
            return self._logs(payload, _otlp_json.parse_logs(body), _otlp_json.DIALECT)
        if shown(payload, "resourceSpans"):
            raise Rejected("resourceSpans: traces are not read: export metrics and logs")
        read_document(dict[str, msgspec.Raw], body)
        raise Unreadable("value: has neither resourceMetrics nor resourceLogs")

    def _metrics(self, payload: Payload, resources: Any, dialect: Dialect) -> Sequence[Signal]:
        how = Reading(dialect, self.quantiles, self.buckets)
        read_metrics(resources, how, self, payload.batch)
        return payload.batch.signals

    def _logs(self, payload: Payload, resources: Any, dialect: Dialect) -> Sequence[Signal]:
        read_logs(resources, dialect, self, payload.batch, payload.arrived)
        return payload.batch.signals


def _is_logs(payload: Payload, value: bytes) -> bool:
    if payload.topic in {METRICS, LOGS}:
        return payload.topic is LOGS
    return b'"resourceLogs"' in value
