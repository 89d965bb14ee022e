"""
Signals: what producers publish.

One class for each ``telemetry.*`` topic. Formats of other systems are translated to these.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, FiniteFloat

from schemas import limits
from schemas.contract import Contract, Identifier, Labels, Line, Name, Seconds, Severity, Text


class Signal(Contract):
    """What all signals have."""

    tenant: Name = "default"
    """The scope inside which alerts correlate and incident numbers count."""
    service: Name
    """The service that the signal is about."""
    environment: Name = "production"
    """Deployment environment, such as ``production`` or ``staging``."""
    labels: Labels = {}
    """What else tells this series from others: host, region, endpoint."""
    signal_id: Identifier | None = None
    """The producer's own id of this signal, if it has one."""

    @property
    def event_id(self) -> str | None:
        return self.signal_id


class HealthStatus(StrEnum):
    """What a health check found."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class HealthV1(Signal):
    """The result of one health check."""

    event_type: ClassVar[str] = "tocsin.telemetry.health.v1"

    check: Name
    """Name of the check, such as ``Database``."""
    status: HealthStatus
    """What the check found."""
    critical: bool = False
    """Whether the service is down without what was checked."""
    latency: Seconds | None = None
    """How long the check took, in seconds."""
    message: Line = ""
    """What the check says about a status that is not healthy."""


class MetricV1(Signal):
    """One measured value."""

    event_type: ClassVar[str] = "tocsin.telemetry.metric.v1"

    name: Name
    """Metric name, such as ``http_request_duration``."""
    value: FiniteFloat
    """The measured value, in *unit*."""
    unit: Annotated[str, Field(max_length=limits.UNIT_LENGTH)] = ""
    """Unit of the value as a UCUM code (``s``, ``By``, ``1``), as OpenTelemetry writes them."""


class LogV1(Signal):
    """One log record."""

    event_type: ClassVar[str] = "tocsin.telemetry.log.v1"

    severity_number: Annotated[int, Field(ge=1, le=24)] = 9
    """OpenTelemetry severity number: 1-4 trace, 5-8 debug, 9-12 info, 13-16 warn, 17-20 error, 21-24 fatal."""
    body: Text
    """The message."""
    attributes: Labels = {}
    """The record's own fields; unlike labels they do not identify the series."""
    trace_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """W3C Trace Context trace id, 32 lower-case hexadecimal digits."""


class ExternalState(StrEnum):
    """What another system says about its own alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


class ExternalV1(Signal):
    """An alert of another monitoring system."""

    event_type: ClassVar[str] = "tocsin.telemetry.external.v1"

    source: Name
    """The system that raised it, such as ``grafana``."""
    alert_id: Identifier
    """That system's own identity of the alert: the same while it fires and when it resolves."""
    state: ExternalState
    """Whether it fires."""
    severity: Severity | None = None
    """1 critical to 4 low, where the source says so."""
    summary: Line
    """What it says, in one line."""
    description: Text = ""
    """What else it says."""
    url: Annotated[str, Field(max_length=limits.URL_LENGTH)] | None = None
    """Where a person can look at it."""
