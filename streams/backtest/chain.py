"""
The hops of one partition in one process: what the log would carry from one to the next is handed on at once.

It is the code that runs live, from the bytes of a record to the notices; only the broker and the journal are left out.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from schemas.alerts import AlertState, AlertV1
from schemas.contract import Contract, Unreadable
from schemas.lifecycle import IncidentV1, StepV1
from schemas.notices import NoticeV1
from schemas.ticks import TickV1
from schemas.topics import (
    ALERTS,
    CURRENT,
    LIFECYCLE,
    NOTICES,
    WITHHELD,
    TopicDeclaration,
    by_name,
)
from schemas.withheld import WithheldV1
from streams.agents.dead_letters import Aside
from streams.agents.detect import INPUTS as DETECT_INPUTS
from streams.agents.detect import DetectDesk
from streams.agents.incidents import INPUTS as INCIDENTS_INPUTS
from streams.agents.incidents import IncidentsDesk
from streams.agents.outgoing import Headers, Outgoing, outgoing
from streams.detection.evaluation import Detector
from streams.errors import Rejected
from streams.incidents.coverage import Coverage
from streams.policy import Policy
from streams.policy_duty import shifts_of
from streams.telemetry.reading import Formats


@dataclass(frozen=True)
class Record:
    """A record as a hop sees it."""

    topic: str
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    #: Milliseconds since 1970.
    timestamp: int
    partition: int = 0


@dataclass(frozen=True)
class Refused:
    """A record that would be a dead letter."""

    topic: str
    reason: str


@dataclass
class Told:
    """What the hops said."""

    alerts: list[AlertV1] = field(default_factory=list)
    steps: list[StepV1] = field(default_factory=list)
    notices: list[NoticeV1] = field(default_factory=list)
    withheld: list[WithheldV1] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Chain:
    """Detection and incidents under one policy; nobody looks after its schedules unless they are *watched*."""

    #: What each hop reads, and the hop.
    _hops: tuple[tuple[Collection[TopicDeclaration], DetectDesk | IncidentsDesk], ...]

    def __init__(self, policy: Policy, *, watched: bool = False) -> None:
        self.policy = policy
        self.detector = Detector(policy.watched_rules)
        self._hops = (
            (DETECT_INPUTS, DetectDesk(self.detector, formats=Formats(policy.formats))),
            (
                INCIDENTS_INPUTS,
                IncidentsDesk.under(
                    policy,
                    coverage=_coverage(policy) if watched else None,
                    shifts=shifts_of(policy.roster, policy.channels) if watched else None,
                ),
            ),
        )
        self._watched = watched
        #: What the journals of the hops have.
        self._kept: tuple[dict[str, bytes], ...] = tuple({} for _ in self._hops)
        self._offsets: dict[str, int] = defaultdict(int)
        self._told = Told()
        #: By fingerprint.
        self.firing: dict[str, AlertV1] = {}
        #: By id, as they stand, in the order in which they opened.
        self.incidents: dict[tuple[str, str], IncidentV1] = {}

    def restart(self) -> None:
        """Let other workers go on with what was kept."""
        fresh = Chain(self.policy, watched=self._watched)
        for kept, (_, before), (_, desk) in zip(self._kept, self._hops, fresh._hops, strict=True):
            for name, value in before.changes().items():
                if value is None:
                    kept.pop(name, None)
                else:
                    kept[name] = value
            desk.restore(kept)
        self.detector, self._hops = fresh.detector, fresh._hops

    def hear(self, topic: TopicDeclaration, message: Contract, at: datetime) -> None:
        """Take in *message* at *at*, as if it were written to *topic* then."""
        self._take(outgoing(topic, message, source="test"), at)

    def tick(self, at: datetime) -> None:
        """Let time pass until *at*."""
        for _, desk in self._hops:
            # What the hop before said at this moment has been heard: here, nothing takes time.
            tick = TickV1(occurred_at=at, partition=0, reached=dict(self._offsets))
            for said in desk.tick(tick):
                self._take(said, at)

    def take_told(self) -> Told:
        """Return what was said since the last call."""
        told, self._told = self._told, Told()
        return told

    def _take(self, written: Outgoing, at: datetime) -> None:
        topic = by_name(written.topic)
        self._note(topic, written)
        record = Record(
            topic.name,
            self._offsets[topic.name],
            written.key,
            written.value,
            written.headers,
            int(at.timestamp() * 1000),
        )
        self._offsets[topic.name] += 1
        for inputs, desk in self._hops:
            if topic not in inputs:
                continue
            try:
                follows = list(desk.hear(topic, record))
            except (Unreadable, Rejected) as refusal:
                self._told.refused.append(Refused(topic.name, str(refusal)))
                continue
            for said in follows:
                if isinstance(said, Aside):
                    self._told.refused.append(Refused(topic.name, said.reason))
                else:
                    self._take(said, at)

    def _note(self, topic: TopicDeclaration, written: Outgoing) -> None:
        if topic is ALERTS:
            alert = AlertV1.from_wire(written.value)
            self._told.alerts.append(alert)
            if alert.state is AlertState.RESOLVED:
                self.firing.pop(alert.fingerprint, None)
            else:
                self.firing[alert.fingerprint] = alert
        elif topic is LIFECYCLE:
            self._told.steps.append(StepV1.from_wire(written.value))
        elif topic is CURRENT:
            incident = IncidentV1.from_wire(written.value)
            self.incidents[incident.tenant, incident.incident_id] = incident
        elif topic is NOTICES:
            self._told.notices.append(NoticeV1.from_wire(written.value))
        elif topic is WITHHELD:
            self._told.withheld.append(WithheldV1.from_wire(written.value))


def _coverage(policy: Policy) -> Coverage:
    return Coverage(policy.schedules, policy.plan.calendars)
