"""What the intake tells Prometheus about itself."""

from typing import Final

from prometheus_client import REGISTRY, Counter

REQUESTS: Final = Counter(
    "tocsin_intake_requests_total",
    "Requests, by address and by the status that they were answered with.",
    ["address", "status"],
    registry=REGISTRY,
)
SIGNALS: Final = Counter(
    "tocsin_intake_signals_total",
    "Signals that the broker confirmed.",
    ["address"],
    registry=REGISTRY,
)
REJECTED: Final = Counter(
    "tocsin_intake_rejected_total",
    "Elements that are wrong while others of their batch count: they become dead letters.",
    ["address"],
    registry=REGISTRY,
)
