"""What a worker tells Prometheus about itself."""

from collections.abc import Collection
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

RECORDS: Final = Counter(
    "tocsin_records_total", "Records read from the log.", ["hop", "topic"], registry=REGISTRY
)
DECIDED: Final = Counter(
    "tocsin_decided_total",
    "Records written because of what was read.",
    ["hop", "topic"],
    registry=REGISTRY,
)
DEAD: Final = Counter(
    "tocsin_dead_letters_total",
    "Records put aside as unprocessable.",
    ["hop", "topic"],
    registry=REGISTRY,
)
GAPS: Final = Counter(
    "tocsin_gaps_total",
    "Times that records were missing and asked for again.",
    ["hop"],
    registry=REGISTRY,
)
CHECKPOINT: Final = Histogram(
    "tocsin_checkpoint_seconds",
    "Seconds that it took to write the journal and send what was decided, or to store rows.",
    ["hop"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
PARTITIONS: Final = Gauge(
    "tocsin_partitions", "Partitions this worker has open.", ["hop"], registry=REGISTRY
)
LAG: Final = Gauge(
    "tocsin_lag_records",
    "Records of an input that are not processed yet.",
    ["hop", "topic", "partition"],
    registry=REGISTRY,
)
ROLLUPS_REFUSED: Final = Counter(
    "tocsin_rollups_refused_total",
    "Counts of telemetry that ClickHouse refused to keep.",
    ["table"],
    registry=REGISTRY,
)
WAREHOUSE_FAILURES: Final = Counter(
    "tocsin_warehouse_failures_total",
    "Times that ClickHouse could not take rows, which are tried again until it does.",
    ["table"],
    registry=REGISTRY,
)
REACHED: Final = Gauge(
    "tocsin_reached_timestamp_seconds",
    "How far a partition has come: the time of the last tick that passed, in seconds since 1970.",
    ["hop", "partition"],
    registry=REGISTRY,
)
HELD_TICKS: Final = Gauge(
    "tocsin_held_ticks", "Ticks that wait for the records before them.", ["hop"], registry=REGISTRY
)
RULE_SECONDS: Final = Counter(
    "tocsin_rule_seconds_total",
    "Seconds of CPU time that evaluating a rule took, as far as samples tell.",
    ["rule"],
    registry=REGISTRY,
)
LATE: Final = Counter(
    "tocsin_late_signals_total",
    "Signals that came after newer ones of their series and that the rule left out: too late for it, or copies.",
    ["rule"],
    registry=REGISTRY,
)
CONDITION_FAILURES: Final = Counter(
    "tocsin_condition_failures_total",
    "Signals of which the rule's `when` could not be told, and was taken for false.",
    ["rule"],
    registry=REGISTRY,
)
OWED: Final = Gauge(
    "tocsin_notices_owed",
    "Notices that a channel has not taken for two minutes.",
    ["channel"],
    registry=REGISTRY,
)
ATTEMPTS: Final = Counter(
    "tocsin_attempts_total",
    "Attempts to deliver a notice, by what became of them.",
    ["channel", "outcome"],
    registry=REGISTRY,
)
POLICY_REFUSED: Final = Counter(
    "tocsin_policy_refused_total",
    "Published policies that this worker could not use.",
    ["hop"],
    registry=REGISTRY,
)
POLICY_PUBLISHED: Final = Gauge(
    "tocsin_policy_published_timestamp_seconds",
    "When the policy in force was published, in seconds since 1970; not there where it is the folder's.",
    ["hop", "partition"],
    registry=REGISTRY,
)
OPENED: Final = Gauge(
    "tocsin_opened_seconds",
    "Seconds that it took to take a partition over, with the state that its journal keeps.",
    ["hop", "partition"],
    registry=REGISTRY,
)


def forget_partitions(hop: str, partitions: Collection[int]) -> None:
    """Say nothing more of *partitions* of *hop*: somebody else has them, and says what is so."""
    for partition in partitions:
        for gauge in (REACHED, POLICY_PUBLISHED, OPENED):
            gauge.remove(hop, partition)
