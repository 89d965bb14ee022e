"""An incidents hop on simulated time, for tests of deadlines and escalations: alerts, commands, ticks, restarts and outages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import StepKind, StepV1
from schemas.notices import NoticeV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, COMMANDS
from streams.agents.incidents import IncidentsDesk
from streams.incidents.coverage import Coverage
from streams.policy import Policy, read_policy
from streams.policy_duty import shifts_of
from tests.recording import Record

#: A Monday.
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
INCIDENT = "INC-2026-03-02-001"


def policy_of(folder: Path, text: str) -> Policy:
    (folder / "policy.yaml").write_text(dedent(text))
    return read_policy(folder / "policy.yaml", {})


class Desk:
    """The incidents hop of one partition, whose clocks are a variable of the test."""

    def __init__(self, policy: Policy, at: datetime = NOON) -> None:
        self.policy = policy
        self.now = at
        #: How far the clock on the wall is ahead of the ticks that are read.
        self.behind = timedelta(0)
        self.steps: list[StepV1] = []
        self.notices: list[NoticeV1] = []
        self.alerts: list[AlertV1] = []
        self.entries: dict[str, bytes] = {}
        self._sequence = 0
        self._desk = self._new()

    def _new(self) -> IncidentsDesk:
        return IncidentsDesk.under(
            self.policy,
            clock=lambda: self.now + self.behind,
            coverage=Coverage(self.policy.schedules, self.policy.plan.calendars),
            shifts=shifts_of(self.policy.roster, self.policy.channels),
        )

    def restart(self) -> None:
        """Go on in another process, with what the journal kept."""
        self._desk = self._new()
        self._desk.restore(self.entries)

    def alert(self, **facts: Any) -> None:
        """An alert begins to fire, or what *facts* say; the next tick decides about it."""
        self._sequence += 1
        fired = AlertV1(
            **{
                "occurred_at": self.now,
                "fingerprint": "00000000000000aa",
                "sequence": self._sequence,
                "state": AlertState.FIRING,
                "rule": "database-down",
                "severity": 1,
                "service": "database",
                "group_key": "database",
                "summary": "Database does not answer",
                "reason": "unhealthy 2 of 2 times",
                "started_at": self.now,
            }
            | facts
        )
        self._take(self._desk.hear(ALERTS, Record("a", 0, self._sequence, b"", fired.to_wire())))

    def ask(self, kind: Any, incident_id: str = INCIDENT, **fields: Any) -> None:
        """A person gives a command."""
        self._sequence += 1
        command = kind(
            occurred_at=self.now,
            command_id=f"c{self._sequence}",
            author="ada",
            incident_id=incident_id,
            **fields,
        )
        record = Record("c", 0, self._sequence, b"", command.to_wire())
        self._take(self._desk.hear(COMMANDS, record))

    def tick(self) -> None:
        """The time is told."""
        self.take(TickV1(occurred_at=self.now, partition=0))

    def take(self, tick: TickV1) -> None:
        """A tick is read."""
        self._take(self._desk.tick(tick))

    def until(self, at: datetime, *, every: timedelta = SECOND, restarts: bool = False) -> None:
        """Let time pass until *at*, with a tick at each moment on the way."""
        while self.now < at:
            self.now = min(self.now + every, at)
            if restarts:
                self.restart()
            self.tick()

    def said(self, *kinds: StepKind) -> list[tuple[datetime, StepKind, str]]:
        """Return the steps of *kinds*: when, what and why."""
        return [
            (each.occurred_at, each.kind, each.reason) for each in self.steps if each.kind in kinds
        ]

    def called(self) -> list[tuple[timedelta, str]]:
        """Return which channels escalations and handovers called, and how long after noon."""
        return [
            (each.occurred_at - NOON, each.channel)
            for each in self.notices
            if each.step in {StepKind.ESCALATED, StepKind.HANDED_OVER}
        ]

    def _take(self, decided: Any) -> None:
        for each in decided:
            if each.topic == "incidents.lifecycle":
                self.steps.append(StepV1.from_wire(each.value))
            elif each.topic == "notices":
                self.notices.append(NoticeV1.from_wire(each.value))
            elif each.topic == "alerts":
                self.alerts.append(AlertV1.from_wire(each.value))
        for name, value in self._desk.changes().items():
            if value is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = value
