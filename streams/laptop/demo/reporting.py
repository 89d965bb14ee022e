"""What the demo's service says of itself: its logs and its metrics, on the topics."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final, Protocol

from schemas.contract import Contract
from schemas.telemetry import LogV1, MetricV1
from schemas.topics import LOGS, METRICS, TopicDeclaration
from streams.errors import Unavailable
from streams.gateways import clock

log = logging.getLogger(__name__)

#: OpenTelemetry severity numbers.
INFO: Final = 9
ERROR: Final = 17
#: Seconds between two reports.
REPORT_EVERY: Final = 1.0
#: Records that wait for the broker.
_WAITING: Final = 5_000


class Publishes(Protocol):
    """What takes messages to their topic."""

    async def send_all(self, topic: TopicDeclaration, messages: Sequence[Contract]) -> None:
        """Publish, or raise ``Unavailable``."""


class Reporting:
    """Collects what the service logs and measures, and publishes it about once a second."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._logs: deque[LogV1] = deque(maxlen=_WAITING)
        self._durations: list[float] = []
        self._requests = 0
        self._errors = 0
        #: Records that the broker confirmed.
        self.published = 0

    def answered(self, method: str, path: str, status: int, took: float) -> None:
        """Remember a request that was answered after *took* seconds."""
        self._durations.append(took)
        self._requests += 1
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._errors += 1
            return
        self._log(INFO, f"{method} {path} answered", method, path)

    def failed(self, method: str, path: str, why: str) -> None:
        """Remember a request that could not be carried out."""
        self._log(ERROR, f"{method} {path} failed: database: {why}", method, path)

    def measured(self, at: datetime) -> list[MetricV1]:
        """Return the metrics of the time since the last call; nothing where there was no request."""
        if not self._requests:
            return []
        durations = sorted(self._durations)
        values = {
            "http_requests": (float(self._requests), "1"),
            "http_errors": (float(self._errors), "1"),
            "http_error_ratio": (self._errors / self._requests, "1"),
            # Nearest rank: of few requests, the slowest is what the 95th percentile is.
            "http_request_duration_p95": (durations[(len(durations) * 95 - 1) // 100], "s"),
        }
        self._durations, self._requests, self._errors = [], 0, 0
        return [
            MetricV1(occurred_at=at, service=self._service, name=name, value=value, unit=unit)
            for name, (value, unit) in values.items()
        ]

    def logged(self) -> list[LogV1]:
        """Return the log records since the last call."""
        records = list(self._logs)
        self._logs.clear()
        return records

    async def keep_publishing(self, publisher: Publishes) -> None:
        """Publish about once a second, until it is cancelled."""
        while True:
            await asyncio.sleep(REPORT_EVERY)
            records, metrics = self.logged(), self.measured(clock.now())
            try:
                await publisher.send_all(LOGS, records)
                await publisher.send_all(METRICS, metrics)
            except Unavailable as error:
                # A service works on when its telemetry cannot leave.
                log.warning("telemetry lost records=%s reason=%s", len(records), error)
            else:
                self.published += len(records) + len(metrics)

    def _log(self, severity: int, body: str, method: str, path: str) -> None:
        self._logs.append(
            LogV1(
                occurred_at=clock.now(),
                service=self._service,
                severity_number=severity,
                body=body,
                attributes={"http.request.method": method, "url.path": path},
            )
        )
