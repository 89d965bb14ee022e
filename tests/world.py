"""A policy, receivers and a stream of telemetry whose outcome is known beforehand."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from schemas.telemetry import HealthStatus, HealthV1, MetricV1

SERVICES = [f"service-{number:02}" for number in range(20)]

RULES = """
rules:
  - name: errors
    kind: threshold
    metric: error_rate
    compare: ">"
    threshold: 0.5
    clear: 0.1
    severity: 2
    summary: "{{ service }} fails"
  - name: check-failed
    kind: health
    failures: 1
    of: 1
    severity: {critical: 1, otherwise: 3}
incidents:
  auto_resolve_after: 2s
  reopen_within: 1s
"""

CHANNELS = """
channels:
  on-call:
    kind: webhook
    url: ${WEBHOOK_URL}
    secret: a-secret-of-the-tests
  pager:
    kind: pagerduty
    routing_key: a-routing-key
    url: ${PAGER_URL}
routes:
  - severities: [1, 2]
    channels: [on-call, pager]
  - severities: [3, 4]
    channels: [on-call]
"""


def write_policy(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text(RULES)
    (folder / "notifications.yaml").write_text(CHANNELS)
    return folder


def stream(count: int, start: datetime | None = None) -> Iterator[MetricV1]:
    """
    Yield *count* measurements of all services, in which each service fails once and recovers once.

    Event time goes by a millisecond a measurement; a service fails after a third of the stream and recovers after two thirds.
    """
    began = start or datetime.now(UTC)
    chance = random.Random(7)
    for number in range(count):
        service = SERVICES[number % len(SERVICES)]
        third = 3 * number // count
        value = {0: 0.01, 1: 0.9, 2: 0.02}[third]
        yield MetricV1(
            occurred_at=began + timedelta(milliseconds=number),
            service=service,
            name="error_rate",
            value=value + chance.random() / 100,
            unit="1",
        )


def health(service: str, status: HealthStatus, at: datetime, *, critical: bool = True) -> HealthV1:
    return HealthV1(
        occurred_at=at,
        service=service,
        check="Database",
        status=status,
        critical=critical,
        message="connection refused" if status is not HealthStatus.HEALTHY else "",
    )


def health_now(service: str, status: HealthStatus) -> HealthV1:
    return health(service, status, datetime.now(UTC))
