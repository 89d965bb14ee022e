"""
Laws of the incident desk under any order of alerts, commands, time, repeats and restarts.

Days of incident life in milliseconds: the clock is a variable of the test.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from schemas.alerts import AlertState, AlertV1
from schemas.commands import Acknowledge, Close, Note, Reopen, Resolve, SetSeverity
from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, COMMANDS
from streams.agents.incidents import IncidentsDesk
from streams.incidents.register import Register
from streams.incidents.settings import IncidentSettings
from tests.recording import Record

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
SETTINGS = IncidentSettings(auto_resolve_after="60s", reopen_within="30m", close_after="4h")


def desk() -> IncidentsDesk:
    return IncidentsDesk(Register(SETTINGS), [], reopen_within=SETTINGS.reopen_within)


class AnyLife(RuleBasedStateMachine):
    """Whatever happens, whatever is repeated, whenever the worker is restarted."""

    alerts = Bundle("alerts")
    commands = Bundle("commands")

    def __init__(self) -> None:
        super().__init__()
        self.now = MIDNIGHT
        self.desk = desk()
        self.entries: dict[str, bytes] = {}
        self.steps: list[StepV1] = []
        self.sequence = 0
        self.firing: dict[str, AlertV1] = {}

    def heard(self, decided: Any) -> list[StepV1]:
        steps = [
            StepV1.from_wire(each.value) for each in decided if each.topic == "incidents.lifecycle"
        ]
        self.steps.extend(steps)
        for name, value in self.desk.changes().items():
            if value is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = value
        return steps

    def latest(self) -> dict[str, IncidentV1]:
        return {step.incident_id: step.incident for step in self.steps}

    @rule(elapsed=st.sampled_from([1, 29, 31, 60, 600, 1_801, 14_401, 100_000]))
    def time_passes(self, elapsed: int) -> None:
        self.now += timedelta(seconds=elapsed)
        self.heard(self.desk.tick(TickV1(occurred_at=self.now, partition=0)))

    @rule(
        target=alerts,
        group=st.sampled_from(["db", "api"]),
        name=st.integers(0, 2),
        severity=st.integers(1, 4),
        late=st.sampled_from([0, 5, 3_600]),
    )
    def an_alert_changes(self, group: str, name: int, severity: int, late: int) -> bytes:
        fingerprint = f"{['db', 'api'].index(group)}{name}".rjust(16, "0")
        self.sequence += 1
        known = self.firing.get(fingerprint)
        state = AlertState.RESOLVED if known else AlertState.FIRING
        if known and severity < known.severity:
            state = AlertState.CHANGED
        alert = AlertV1(
            occurred_at=self.now - timedelta(seconds=late),
            fingerprint=fingerprint,
            sequence=self.sequence,
            state=state,
            rule=f"rule-{name}",
            severity=severity,
            service=group,
            group_key=group,
            summary="something is wrong",
            reason="because",
            started_at=self.now - timedelta(seconds=late + 10),
        )
        if state is AlertState.RESOLVED:
            del self.firing[fingerprint]
        else:
            self.firing[fingerprint] = alert
        wire = alert.to_wire()
        self.heard(self.desk.hear(ALERTS, Record("alerts", 0, self.sequence, b"default", wire)))
        return wire

    @rule(
        target=commands,
        kind=st.sampled_from([Acknowledge, Note, Resolve, Reopen, Close, SetSeverity]),
        severity=st.integers(1, 4),
        number=st.integers(0, 3),
    )
    def a_person_acts(self, kind: Any, severity: int, number: int) -> bytes:
        ids = sorted(self.latest()) or ["INC-2026-03-02-999"]
        fields: dict[str, Any] = {
            Note: {"text": "looking"},
            Reopen: {"reason": "it is back"},
            SetSeverity: {"severity": severity, "reason": "as seen"},
        }.get(kind, {})
        command = kind(
            occurred_at=self.now,
            command_id=f"c{len(self.steps)}-{number}",
            author="Ada",
            incident_id=ids[number % len(ids)],
            **fields,
        )
        wire = command.to_wire()
        self.obey(wire)
        return bytes(wire)

    def obey(self, wire: bytes) -> list[StepV1]:
        from streams.errors import Rejected  # noqa: PLC0415 - keeps the laws at the top readable

        try:
            return self.heard(self.desk.hear(COMMANDS, Record("commands", 0, 0, b"default", wire)))
        except Rejected:
            return []

    @rule(wire=alerts)
    def an_alert_comes_again(self, wire: bytes) -> None:
        assert self.heard(self.desk.hear(ALERTS, Record("alerts", 0, 1, b"default", wire))) == []

    @rule(wire=commands)
    def a_command_comes_again(self, wire: bytes) -> None:
        before = len(self.steps)
        kinds = {step.trigger_id for step in self.steps}
        steps = self.obey(wire)
        # Only a command that was rejected before can still be obeyed.
        assert all(step.trigger_id not in kinds for step in steps)
        assert len(self.steps) == before + len(steps)

    @rule()
    def the_worker_is_restarted(self) -> None:
        self.desk = desk()
        self.desk.restore(self.entries)

    @invariant()
    def steps_of_an_incident_have_no_gap_and_never_go_back_in_time(self) -> None:
        by_incident: dict[str, list[StepV1]] = {}
        for step in self.steps:
            by_incident.setdefault(step.incident_id, []).append(step)
        for steps in by_incident.values():
            assert [step.sequence for step in steps] == list(range(1, len(steps) + 1))
            times = [step.occurred_at for step in steps]
            assert times == sorted(times)
            assert [step.kind is StepKind.OPENED for step in steps] == [True] + [False] * (
                len(steps) - 1
            )

    @invariant()
    def no_two_open_incidents_have_one_group_key(self) -> None:
        open_keys = [
            incident.group_key
            for incident in self.latest().values()
            if incident.status not in {Status.RESOLVED, Status.CLOSED}
        ]
        # An alert that fires while a person's resolution stands opens a new one only after `reopen_within`;
        # the old one then stays resolved unless a person reopens it by hand.
        by_hand = any(
            step.kind is StepKind.REOPENED and step.author == "Ada" for step in self.steps
        )
        assert by_hand or len(open_keys) == len(set(open_keys))

    @invariant()
    def the_peak_severity_is_the_worst_there_was(self) -> None:
        worst: dict[str, int] = {}
        for step in self.steps:
            now = min(step.incident.severity, worst.get(step.incident_id, 4))
            worst[step.incident_id] = now
            assert step.incident.severity_peak == now

    @invariant()
    def firing_alerts_keep_an_incident_from_resolving_itself(self) -> None:
        for step in self.steps:
            if step.kind is StepKind.RESOLVED and step.author == "tocsin":
                assert step.incident.firing_count == 0

    @invariant()
    def times_are_in_their_order(self) -> None:
        for incident in self.latest().values():
            assert incident.started_at <= incident.detected_at
            assert incident.time_resolved >= timedelta(0)
            if incident.acknowledged_at:
                assert incident.detected_at <= incident.acknowledged_at


TestAnyLife = AnyLife.TestCase
