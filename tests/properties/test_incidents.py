"""
Laws of the incident desk under any order of alerts, commands, time, repeats and restarts.

Days of incident life in milliseconds: the clock is a variable of the test.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from schemas.alerts import AlertState, AlertV1
from schemas.commands import (
    Acknowledge,
    CheckOff,
    Close,
    Merge,
    Note,
    Reopen,
    Resolve,
    SetSeverity,
    Split,
    Unacknowledge,
)
from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, COMMANDS
from streams.agents.incidents import IncidentsDesk
from tests.life import OPEN, Life, alert, policy, silence
from tests.recording import Record

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
POLICY = policy(
    incidents={"auto_resolve_after": "60s", "reopen_within": "30m", "close_after": "4h"},
    services={"api": {"depends_on": ["db"]}, "web": {"depends_on": ["api"]}, "db": {}, "mail": {}},
    correlation={"flapping": {"more_than": 50}},
)
GROUPS = ("db", "api", "web", "mail")


def desk() -> IncidentsDesk:
    return IncidentsDesk.under(POLICY)


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
        #: Whether an alert waits for its tick.
        self.waits = False
        #: Whether something happened after the last tick.
        self.waits_for_time = False

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
        self.waits = self.waits_for_time = False

    @rule(
        target=alerts,
        group=st.sampled_from(GROUPS),
        name=st.integers(0, 2),
        severity=st.integers(1, 4),
        late=st.sampled_from([0, 5, 3_600]),
    )
    def an_alert_changes(self, group: str, name: int, severity: int, late: int) -> bytes:
        fingerprint = f"{GROUPS.index(group)}{name}".rjust(16, "0")
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
        self.waits = True
        self.heard(self.desk.hear(ALERTS, Record("alerts", 0, self.sequence, b"default", wire)))
        return wire

    @rule(
        target=commands,
        kind=st.sampled_from(
            [
                Acknowledge,
                Unacknowledge,
                Note,
                Resolve,
                Reopen,
                Close,
                SetSeverity,
                Merge,
                Split,
                CheckOff,
            ]
        ),
        severity=st.integers(1, 4),
        number=st.integers(0, 3),
    )
    def a_person_acts(self, kind: Any, severity: int, number: int) -> bytes:
        ids = sorted(self.latest()) or ["INC-2026-03-02-999"]
        fields: dict[str, Any] = {
            Note: {"text": "looking"},
            Reopen: {"reason": "it is back"},
            SetSeverity: {"severity": severity, "reason": "as seen"},
            CheckOff: {"item": ("channel", "impact")[number % 2], "done": severity > 1},
            Merge: {"into": ids[severity % len(ids)]},
            Split: {"fingerprints": (f"0{number}".rjust(16, "0"), f"1{number}".rjust(16, "0"))},
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
        self.waits_for_time = True
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
            if incident.status not in {Status.RESOLVED, Status.CLOSED, Status.MERGED}
        ]
        assert len(open_keys) == len(set(open_keys))

    @invariant()
    def no_firing_alert_is_without_an_incident(self) -> None:
        """Once its tick has come, and unless a person resolved the incident under it, it is in exactly one that is open."""
        if self.waits:
            return
        for fingerprint in self.firing:
            had = self.desk._register.having("default", fingerprint)
            having = [
                incident
                for incident in self.latest().values()
                if incident.status is not Status.MERGED
                and any(
                    each.fingerprint == fingerprint and each.state is not AlertState.RESOLVED
                    for each in incident.alerts
                )
            ]
            if had is None:
                # A person said that it is over, and nobody objected until it was closed.
                assert any(incident.status is Status.CLOSED for incident in having)
            else:
                assert had[1]
                assert had[0] in having

    @invariant()
    def counts_are_what_the_alerts_say(self) -> None:
        for incident in self.latest().values():
            if incident.status not in {Status.CLOSED, Status.MERGED, Status.RESOLVED}:
                alerts = self.desk._register.alerts(incident).values()
                firing = sum(each.state is not AlertState.RESOLVED for each in alerts)
                assert incident.firing_count == firing

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
    def a_checklist_says_what_is_true_and_nothing_twice(self) -> None:
        said: dict[tuple[str, str], int] = {}
        for step in self.steps:
            has = {each.name: each for each in step.incident.checklist}
            assert len(has) == len(step.incident.checklist)
            if step.kind is StepKind.OVERDUE:
                assert step.incident.resolved_at is None
                for name in has:
                    said.setdefault((step.incident_id, name), 0)
                    said[step.incident_id, name] += f"{name}:" in step.reason
            if step.incident.acknowledged_at and has:
                assert has["acknowledge"].done_at
            if step.incident.mitigated_at and has:
                assert has["mitigation"].done_at
        for incident in self.latest().values():
            for each in incident.checklist:
                # Its mitigation is to be done anew each time that it comes back.
                again = incident.reopen_count if each.name == "mitigation" else 0
                assert said.get((incident.incident_id, each.name), 0) <= 1 + again
                due = each.due_at is not None and each.due_at <= self.now and each.done_at is None
                if due and incident.status in OPEN and not self.waits_for_time:
                    assert each.overdue

    @invariant()
    def times_are_in_their_order(self) -> None:
        for incident in self.latest().values():
            assert incident.started_at <= incident.detected_at or incident.merged_into
            assert incident.time_resolved >= timedelta(0)
            if incident.acknowledged_at:
                assert incident.detected_at <= incident.acknowledged_at


TestAnyLife = AnyLife.TestCase


def alike(step: StepV1) -> dict[str, Any]:
    """What must be the same however alerts arrived: where they stand in the log is not."""
    return step.model_dump(exclude={"origins": True, "joined": {"__all__": {"origin"}}})


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 4), st.booleans()),
        min_size=1,
        max_size=14,
    ),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_the_order_of_alerts_inside_a_tick_decides_nothing(
    said: list[tuple[int, int, int, bool]], chance: Any, demand: int
) -> None:
    """Two workers that read the same second would page for different incidents."""
    parts = POLICY.model_dump()
    alerts = [
        alert(
            f"{group}{name}",
            service=GROUPS[group],
            group_key=GROUPS[group],
            severity=severity,
            sequence=number + 1,
            state=AlertState.RESOLVED if over else AlertState.FIRING,
            labels={"host": f"node-{severity}"},
            occurred_at=MIDNIGHT,
            started_at=MIDNIGHT - timedelta(seconds=severity),
        )
        for number, (group, name, severity, over) in enumerate(said)
    ]
    outcomes = []
    for shuffled in (False, True):
        life = Life(policy(**parts | {"correlation": {"demand": demand}}), MIDNIGHT)
        half = len(alerts) // 2
        for batch in (alerts[:half], alerts[half:]):
            told = list(batch)
            if shuffled:
                chance.shuffle(told)
            life.happen(*told)
        life.tick(120)
        outcomes.append([alike(step) for step in life.steps])
    assert outcomes[0] == outcomes[1]


@given(
    said=st.lists(
        st.one_of(
            st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(1, 4), st.booleans()),
            st.integers(1, 900),
        ),
        min_size=1,
        max_size=20,
    ),
    restarts=st.sets(st.integers(0, 20)),
    silenced=st.booleans(),
)
# Between the end of what inhibits and the tick that looks at what it muted.
@example(
    said=[12, (0, 0, 4, False), (1, 0, 1, False), (1, 0, 1, True), 1, 1],
    restarts={5},
    silenced=False,
)
def test_a_restart_at_any_point_changes_nothing(
    *, said: list[Any], restarts: set[int], silenced: bool
) -> None:
    """What a worker that went on would have said is what the next one says."""
    given_policy = policy(
        **POLICY.model_dump()
        | {
            "correlation": {
                "demand": 2,
                "flapping": {"more_than": 3, "within": "2m"},
                "inhibit": [{"name": "x", "source": ["severity=1"], "target": ["severity=4"]}],
            }
        }
    )
    outcomes = []
    for restarting in (False, True):
        life = Life(given_policy, MIDNIGHT)
        if silenced:
            rule = ({"label": "service", "value": "mail"},)
            until = MIDNIGHT + timedelta(minutes=20)
            life.hear(silence(matchers=rule, starts_at=MIDNIGHT, ends_at=until))
        for number, each in enumerate(said):
            if restarting and number in restarts:
                life.restart()
            if isinstance(each, int):
                life.tick(each)
                continue
            group, name, severity, over = each
            life.hear(
                alert(
                    f"{group}{name}",
                    service=GROUPS[group],
                    severity=severity,
                    sequence=number + 1,
                    state=AlertState.RESOLVED if over else AlertState.FIRING,
                    labels={"host": f"node-{severity}"},
                    occurred_at=life.now,
                    started_at=life.now,
                )
            )
        life.tick(120)
        outcomes.append((life.steps, life.withheld, life.alerts))
    assert outcomes[0] == outcomes[1]
