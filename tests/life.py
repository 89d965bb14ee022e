"""One partition of incidents on a clock of the test's, with everything that it said."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.alerts import AlertState, AlertV1
from schemas.contract import Contract
from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1
from schemas.silences import SilenceV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, CHANGES, COMMANDS, SILENCES, TopicDeclaration, by_name
from schemas.withheld import WithheldV1
from streams.agents.incidents import IncidentsDesk
from streams.policy import Policy
from tests.recording import Record

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OPEN = (Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING)


def policy(**parts: Any) -> Policy:
    """A policy of these parts, with nothing else in it."""
    return Policy.model_validate(parts)


def alert(name: str = "aa", **facts: Any) -> AlertV1:
    """An alert of the service ``database``; *name* is its fingerprint, in hexadecimal."""
    given: dict[str, Any] = {
        "occurred_at": NOON,
        "fingerprint": name.rjust(16, "0"),
        "sequence": 1,
        "state": AlertState.FIRING,
        "rule": "down",
        "severity": 2,
        "service": "database",
        "summary": "Database does not answer",
        "reason": "unhealthy 2 of 2 times",
        "started_at": NOON - timedelta(seconds=10),
        **facts,
    }
    given.setdefault("group_key", f"{given['service']}/production")
    return AlertV1(**given)


def silence(silence_id: str = "upgrade", **facts: Any) -> SilenceV1:
    """A silence of the service ``database`` for an hour from noon on."""
    given: dict[str, Any] = {
        "occurred_at": NOON,
        "silence_id": silence_id,
        "matchers": ({"label": "service", "value": "database"},),
        "starts_at": NOON,
        "ends_at": NOON + timedelta(hours=1),
        "author": "Ada",
        "reason": "Upgrade",
        **facts,
    }
    return SilenceV1(**given)


class Life:
    """The incidents hop of one partition."""

    def __init__(self, given: Policy | None = None, at: datetime = NOON) -> None:
        self.given = given or policy()
        self.now = at
        self.desk = self.fresh()
        self.entries: dict[str, bytes] = {}
        self.steps: list[StepV1] = []
        self.notices: list[NoticeV1] = []
        self.withheld: list[WithheldV1] = []
        self.alerts: list[AlertV1] = []
        self._offset = 0

    def fresh(self) -> IncidentsDesk:
        return IncidentsDesk.under(self.given)

    def hear(self, *messages: Any) -> list[StepV1]:
        """Take in alerts, changes, silences and commands, without a tick."""
        steps: list[StepV1] = []
        for message in messages:
            topic = {AlertV1: ALERTS, SilenceV1: SILENCES}.get(type(message))
            if topic is None:
                topic = CHANGES if message.event_type == "tocsin.change.v1" else COMMANDS
            steps += self.wire(topic, topic.key_of(message), message.to_wire())
        return steps

    def wire(self, topic: TopicDeclaration, key: bytes, value: bytes | None) -> list[StepV1]:
        self._offset += 1
        return self._take(self.desk.hear(topic, Record(topic.name, 0, self._offset, key, value)))

    def tick(self, seconds: float = 1) -> list[StepV1]:
        """Let time pass, and return the steps that were made at its end."""
        self.now += timedelta(seconds=seconds)
        return self._take(self.desk.tick(TickV1(occurred_at=self.now, partition=0)))

    def happen(self, *messages: Any) -> list[StepV1]:
        """Take in messages and the tick after them."""
        return [*self.hear(*messages), *self.tick()]

    def restart(self) -> None:
        """Let another worker take the partition over, with what the journal has."""
        self.desk = self.fresh()
        self.desk.restore(self.entries)

    @property
    def incidents(self) -> dict[str, IncidentV1]:
        """All incidents as they stand, by id."""
        return {step.incident_id: step.incident for step in self.steps}

    @property
    def open(self) -> list[IncidentV1]:
        return [each for each in self.incidents.values() if each.status in OPEN]

    def _take(self, decided: Any) -> list[StepV1]:
        steps: list[StepV1] = []
        kept: Mapping[str, list[Any]] = {
            "incidents.lifecycle": steps,
            "notices": self.notices,
            "alerts.withheld": self.withheld,
            "alerts": self.alerts,
            "incidents.current": [],
        }
        for each in decided:
            message: Contract = by_name(each.topic).contract.from_wire(each.value)
            kept[each.topic].append(message)
        self.steps += steps
        for name, value in self.desk.changes().items():
            if value is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = value
        return steps


def kinds(steps: list[StepV1]) -> list[StepKind]:
    return [step.kind for step in steps]
