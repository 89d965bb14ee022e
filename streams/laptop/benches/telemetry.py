"""Made-up telemetry for measurements: the same for the same number, nearly all of it about nothing."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from schemas import topics

#: Metrics of each ten signals.
_METRICS_OF_TEN: Final = 8
#: The topic of each.
MIX: Final = (topics.METRICS.name,) * _METRICS_OF_TEN + (topics.HEALTH.name, topics.LOGS.name)
#: Hosts of each service, unless they have other metrics.
HOSTS: Final = 10
#: Metrics of each host.
METRICS: Final = 10
#: One metric signal of about so many times eight says that something is the matter. A prime: not always the same few series.
BAD_OF: Final = 1_999
#: The same where there are to be alerts.
OFTEN_BAD_OF: Final = 53
#: What a good value is at most, and what a bad one is.
GOOD: Final = 90
#: By how much a counter grows while each series is heard once.
GROWTH: Final = 50
BAD: Final = 400.0


class Signals:
    """
    Signals of *series* metrics, and the health checks and logs that go with them.

    Of ten signals eight are metrics, one is a health check and one a log record, unless all are of *only* one topic. Number ``n``
    happens ``n * apart`` after *begin*. Values go up and down, or, with *counters*, up alone.
    """

    def __init__(  # noqa: PLR0913 - a setting each
        self,
        series: int,
        *,
        begin: datetime,
        apart: timedelta,
        bad_of: int = BAD_OF,
        only: str | None = None,
        metrics: int = METRICS,
        counters: bool = False,
    ) -> None:
        self._bad_of = bad_of
        self._topics = MIX if only is None else (only,) * len(MIX)
        self._series = series
        self._metrics = metrics
        self._counters = counters
        #: Hosts of each service: it has as many series however many metrics each host has.
        self._hosts = HOSTS * METRICS // metrics
        self._services = max(series // (HOSTS * METRICS), 1)
        self._begin = begin
        self._apart = apart

    def at(self, number: int) -> tuple[str, bytes, bytes]:
        """Return topic, key and value of signal *number*."""
        at = self._begin + number * self._apart
        kind = number % 10
        # Every series is heard equally often, in an order that has nothing to do with its name.
        place = (number // 10 * _METRICS_OF_TEN + kind) * 7_919 % self._series
        service = f"service-{place // (HOSTS * METRICS) % self._services}"
        host = place // self._metrics % self._hosts
        topic, said = self._said(self._topics[kind], number, place)
        value = {
            "occurred_at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "service": service,
            "labels": {
                "host": f"host-{host}",
                "pod": f"{service}-7d9f8c-{host}",
                "region": "eu-west-1",
            },
            **said,
        }
        return topic, f"default/{service}".encode(), orjson.dumps(value)

    def between(self, first: int, last: int) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield the signals from *first* to the one before *last*."""
        return map(self.at, range(first, last))

    def _said(self, topic: str, number: int, place: int) -> tuple[str, Mapping[str, Any]]:
        if topic == topics.METRICS.name:
            name = f"metric_{place % self._metrics}"
            return topic, {"name": name, "value": self._value(number), "unit": "ms"}
        if topic == topics.HEALTH.name:
            return topic, {"check": "Database", "status": "healthy", "latency": 0.02}
        if topic == topics.EXTERNAL.name:
            # It says ten times what its alert is, the last time that it is over.
            over = number // self._series % 10 == 9  # noqa: PLR2004
            return topic, {
                "source": "grafana",
                "alert_id": f"alert-{place}",
                "state": "resolved" if over else "firing",
                "summary": "Something is slow",
            }
        return topic, {
            "severity_number": 9,
            "body": f"GET /api/orders/{number} 200 in 12 ms",
            "attributes": {"http.method": "GET", "http.status": "200"},
        }

    def _value(self, number: int) -> float:
        if self._counters:
            return float(number * GROWTH // self._series)
        return BAD if number % (10 * self._bad_of) == 0 else float(number * 31 % GOOD)
