"""What the intake tells Prometheus about itself."""

from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge

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
RECORDS: Final = Counter(
    "tocsin_intake_records_total",
    "Records that the broker confirmed.",
    ["topic"],
    registry=REGISTRY,
)
REJECTED: Final = Counter(
    "tocsin_intake_rejected_total",
    "Elements of batches that are wrong while others of theirs count: each becomes a dead letter.",
    ["address"],
    registry=REGISTRY,
)
BYTES: Final = Counter(
    "tocsin_intake_bytes_total", "Bytes of bodies as they came.", ["address"], registry=REGISTRY
)
IN_HAND: Final = Gauge(
    "tocsin_intake_requests_in_hand", "Requests that are not answered yet.", registry=REGISTRY
)
