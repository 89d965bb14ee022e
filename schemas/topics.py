"""
Every topic, once: what it carries, by what key, for how long, and why.

All topics of one installation have the same number of partitions (``TOCSIN_PARTITIONS``): a stateful hop reads the same
partition number of each of its inputs, its ticks and its journal, so that one worker has everything that
a decision needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from schemas.alerts import AlertV1
from schemas.changes import ChangeV1
from schemas.commands import CommandV1
from schemas.lifecycle import IncidentV1, StepV1
from schemas.notices import NoticeV1, ReceiptV1
from schemas.policies import PolicyV1
from schemas.silences import SilenceV1
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1
from schemas.ticks import TickV1
from schemas.withheld import WithheldV1


class Readable(Protocol):
    """A contract class, seen from a topic."""

    event_type: str

    def from_wire(self, payload: bytes | None) -> Any:
        """Return the message, or raise ``Unreadable``."""

    def model_json_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""


@dataclass(frozen=True)
class TopicDeclaration:
    """One topic."""

    name: str
    about: str
    contract: Readable
    #: The fields whose values, joined by ``/``, are the key.
    key: tuple[str, ...]
    retention: timedelta
    #: The fields that choose the partition, as a key of them would, where the key itself does not.
    placed_by: tuple[str, ...] = ()
    compacted: bool = False
    #: Whether consumers of it put what they can't read aside.
    dead_letters: bool = True

    @property
    def dead(self) -> str:
        """Name of the topic that takes what could not be processed."""
        return f"{self.name}.dead"

    def key_of(self, message: Any) -> bytes:
        """Return the key that *message* is published under."""
        return _joined(message, self.key)

    def place_of(self, message: Any) -> bytes | None:
        """Return what chooses the partition of *message*; None where its key does."""
        return _joined(message, self.placed_by) if self.placed_by else None


def _joined(message: Any, fields: tuple[str, ...]) -> bytes:
    return "/".join(str(getattr(message, field)) for field in fields).encode()


@dataclass(frozen=True)
class JournalDeclaration:
    """The internal topic in which one stateful hop keeps its state, together with its positions."""

    name: str
    about: str


# Rules remember one service's signals in one place, and a service's signals stay in order.
_SERVICE = ("tenant", "service")
# Numbers count for each tenant, so an id alone does not name an incident.
_INCIDENT = ("tenant", "incident_id")
_REPLAYED = timedelta(days=7)  # What a backtest can replay unless the operator keeps more.

HEALTH = TopicDeclaration(
    name="telemetry.health",
    about="Results of health checks.",
    contract=HealthV1,
    key=_SERVICE,
    retention=_REPLAYED,
)
METRICS = TopicDeclaration(
    name="telemetry.metrics",
    about="Measured values.",
    contract=MetricV1,
    key=_SERVICE,
    retention=_REPLAYED,
)
LOGS = TopicDeclaration(
    name="telemetry.logs",
    about="Log records.",
    contract=LogV1,
    key=_SERVICE,
    retention=_REPLAYED,
)
EXTERNAL = TopicDeclaration(
    name="telemetry.external",
    about="Alerts of other monitoring systems.",
    contract=ExternalV1,
    key=_SERVICE,
    retention=_REPLAYED,
)
CHANGES = TopicDeclaration(
    name="changes",
    about="Deployments, feature flags and configuration changes.",
    contract=ChangeV1,
    # One tenant's incidents are decided in one place, so what they look at must arrive there.
    key=("tenant",),
    # Suspects are looked for in the last 24 hours; the rest is for backtests.
    retention=_REPLAYED,
)
ALERTS = TopicDeclaration(
    name="alerts",
    about="Transitions of alerts: firing, changed, resolved.",
    contract=AlertV1,
    # Alerts of one tenant correlate with each other: one writer must see them all, in order.
    key=("tenant",),
    # A quarter of reports can be rebuilt after losing the warehouse.
    retention=timedelta(days=100),
)
WITHHELD = TopicDeclaration(
    name="alerts.withheld",
    about="Alerts that nobody is told of, and why.",
    contract=WithheldV1,
    key=("tenant",),
    retention=timedelta(days=100),
    # Read by people and reports only.
    dead_letters=False,
)
COMMANDS = TopicDeclaration(
    name="incidents.commands",
    about="What people ask of incidents.",
    contract=CommandV1,
    # The writer of a tenant's incidents is found by the tenant alone.
    key=("tenant",),
    retention=timedelta(days=100),
)
LIFECYCLE = TopicDeclaration(
    name="incidents.lifecycle",
    about="Every step of every incident, in order: the public event stream.",
    contract=StepV1,
    # One incident's steps stay in one partition, hence in order.
    key=_INCIDENT,
    retention=timedelta(days=100),
)
CURRENT = TopicDeclaration(
    name="incidents.current",
    about="Every incident as it stands.",
    contract=IncidentV1,
    key=_INCIDENT,
    retention=timedelta(days=100),
    compacted=True,
    # Read by views only, which pass over what they can't read.
    dead_letters=False,
)
NOTICES = TopicDeclaration(
    name="notices",
    about="What one channel should be told.",
    contract=NoticeV1,
    # One incident's notices stay in order; a storm's are spread over the notifiers.
    key=_INCIDENT,
    retention=timedelta(days=100),
)
RECEIPTS = TopicDeclaration(
    name="receipts",
    about="What became of each attempt to deliver a notice.",
    contract=ReceiptV1,
    key=_INCIDENT,
    retention=timedelta(days=100),
)
SILENCES = TopicDeclaration(
    name="silences",
    about="Silences and maintenance windows.",
    contract=SilenceV1,
    # Compaction keeps one record for each key.
    key=("silence_id",),
    # Whoever decides about a tenant's alerts must hear of its silences.
    placed_by=("tenant",),
    retention=timedelta(days=100),
    compacted=True,
)
POLICIES = TopicDeclaration(
    name="policies",
    about="Policies that were put in force: one record for each partition.",
    contract=PolicyV1,
    # Each stateful hop takes a policy in at its place among the other records of a partition.
    key=("partition",),
    # Ten years: hops have what is in force in their journals, but the board and whoever asks find it here alone, however long ago it was published.
    retention=timedelta(days=3_650),
)
TICKS = TopicDeclaration(
    name="clock.ticks",
    about="Time: one tick for each partition.",
    contract=TickV1,
    key=("partition",),
    # Deadlines live in the hops' state; ticks are only needed as far back as telemetry is replayed.
    retention=_REPLAYED,
)

DECLARED = (
    HEALTH,
    METRICS,
    LOGS,
    EXTERNAL,
    CHANGES,
    ALERTS,
    WITHHELD,
    COMMANDS,
    LIFECYCLE,
    CURRENT,
    NOTICES,
    RECEIPTS,
    SILENCES,
    POLICIES,
    TICKS,
)

#: What arrives from outside; time must not run ahead of it.
TELEMETRY = (HEALTH, METRICS, LOGS, EXTERNAL)

DETECT_JOURNAL = JournalDeclaration("journal.detect", "What rules remember of each series.")
INCIDENTS_JOURNAL = JournalDeclaration("journal.incidents", "Incidents that are not over.")
NOTIFY_JOURNAL = JournalDeclaration("journal.notify", "Notices that are not settled.")

JOURNALS = (DETECT_JOURNAL, INCIDENTS_JOURNAL, NOTIFY_JOURNAL)


def by_name(name: str) -> TopicDeclaration:
    """
    Return the topic that is called *name*.

    Raises:
        KeyError: There is none.
    """
    for topic in DECLARED:
        if topic.name == name:
            return topic
    raise KeyError(name)


def dead_letter_topics() -> Iterator[str]:
    """Yield the names of all dead-letter topics."""
    return (topic.dead for topic in DECLARED if topic.dead_letters)
