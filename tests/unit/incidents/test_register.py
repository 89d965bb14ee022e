"""The register: alerts, commands and time become steps; a message twice is a message once."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.alerts import AlertState, AlertV1
from schemas.commands import (
    Acknowledge,
    AnyCommand,
    Assign,
    Declare,
    Merge,
    Note,
    Report,
    Resolve,
    SetSeverity,
)
from schemas.lifecycle import Status, StepKind, StepV1
from schemas.origin import Origin
from streams.errors import Rejected, UnknownIncident
from streams.incidents.register import Register
from streams.incidents.settings import IncidentSettings

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HERE = Origin(topic="alerts", partition=0, offset=7)
HOLD = timedelta(seconds=60)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def alert(**facts: object) -> AlertV1:
    fired = AlertV1(
        occurred_at=NOON,
        fingerprint="00000000000000aa",
        sequence=1,
        state=AlertState.FIRING,
        rule="database-down",
        severity=2,
        service="database",
        labels={"service": "database", "region": "eu"},
        group_key="database",
        summary="Database does not answer",
        reason="unhealthy 2 of 2 times",
        started_at=NOON - seconds(10),
    )
    return fired.model_copy(update=facts)


def command(kind: type, command_id: str = "c1", **fields: object) -> AnyCommand:
    return kind(
        occurred_at=NOON,
        command_id=command_id,
        author="Ada",
        incident_id="INC-2026-03-02-001",
        **fields,
    )


@pytest.fixture
def register() -> Register:
    return Register(IncidentSettings(auto_resolve_after="60s", close_after="1h"))


@pytest.fixture
def opened(register: Register) -> StepV1:
    (step,) = register.open(alert(), "nothing is open", NOON, HERE)
    return step


def test_an_incident_opens_with_what_its_alert_says(opened: StepV1) -> None:
    incident = opened.incident
    assert opened.kind is StepKind.OPENED
    assert opened.step_id == "default/INC-2026-03-02-001.1"
    assert opened.reason == "unhealthy 2 of 2 times; nothing is open"
    assert opened.origins == (HERE,)
    assert incident.status is Status.INVESTIGATING
    assert (incident.started_at, incident.detected_at) == (NOON - seconds(10), NOON)
    assert (incident.alert_count, incident.firing_count) == (1, 1)


def test_numbers_count_for_each_tenant_and_day(register: Register) -> None:
    def opens(at: datetime, tenant: str) -> str:
        fired = alert(tenant=tenant, group_key=f"{tenant}{at}")
        return register.open(fired, "new", at, HERE)[0].incident_id

    assert opens(NOON, "default") == "INC-2026-03-02-001"
    assert opens(NOON, "default") == "INC-2026-03-02-002"
    assert opens(NOON, "other") == "INC-2026-03-02-001"
    assert opens(NOON + timedelta(days=1), "default") == "INC-2026-03-03-001"


def test_a_worse_alert_raises_the_severity_at_once(register: Register, opened: StepV1) -> None:
    worse = alert(fingerprint="00000000000000bb", severity=1, service="api")
    attached, raised = register.attach(opened.incident, worse, "same key", NOON, HERE)
    assert (attached.kind, attached.incident.severity) == (StepKind.ALERT_ATTACHED, 2)
    assert (raised.kind, raised.incident.severity) == (StepKind.SEVERITY_CHANGED, 1)
    assert raised.reason == "severity 2 -> 1: Database does not answer"
    assert (raised.incident.severity_first, raised.incident.severity_peak) == (2, 1)
    assert raised.incident.services == ("api", "database")
    assert raised.incident.labels == {"service": "database", "region": "eu"}


def test_a_lesser_alert_lowers_nothing(register: Register, opened: StepV1) -> None:
    lesser = alert(fingerprint="00000000000000bb", severity=4)
    steps = register.attach(opened.incident, lesser, "same key", NOON, HERE)
    assert [step.kind for step in steps] == [StepKind.ALERT_ATTACHED]
    assert steps[-1].incident.severity == 2


def test_only_a_person_lowers_the_severity(register: Register, opened: StepV1) -> None:
    (step,) = register.command(command(SetSeverity, severity=4, reason="only staging"), HERE)
    assert step.incident.severity == 4
    assert step.incident.severity_peak == opened.incident.severity_peak


def clear(register: Register, opened: StepV1, at: datetime) -> StepV1:
    cleared = alert(state=AlertState.RESOLVED, sequence=2, occurred_at=at)
    return register.attach(opened.incident, cleared, "same key", at, HERE)[0]


def test_it_is_resolved_when_all_has_been_clear_for_the_hold(
    register: Register, opened: StepV1
) -> None:
    clear(register, opened, NOON)
    assert register.tick(NOON + HOLD - seconds(1)) == []
    (step,) = register.tick(NOON + HOLD)
    assert step.kind is StepKind.RESOLVED
    assert (step.author, step.reason) == ("tocsin", "all alerts clear for 60 s")
    assert step.incident.resolved_at == NOON + HOLD


def test_an_alert_that_fires_again_starts_the_hold_anew(register: Register, opened: StepV1) -> None:
    cleared = clear(register, opened, NOON)
    refired = alert(sequence=3, occurred_at=NOON + seconds(30))
    register.attach(cleared.incident, refired, "same key", NOON + seconds(30), HERE)
    assert register.tick(NOON + HOLD) == []


def test_a_resolved_incident_is_closed_after_a_while_and_forgotten(
    register: Register, opened: StepV1
) -> None:
    clear(register, opened, NOON)
    (resolved,) = register.tick(NOON + HOLD)
    an_hour_on = resolved.occurred_at + timedelta(hours=1)
    assert register.tick(an_hour_on - seconds(1)) == []
    (closed,) = register.tick(an_hour_on)
    assert closed.kind is StepKind.CLOSED
    assert register.latest("default", "database") is None
    changes = register.changes()
    assert all(
        value is None for name, value in changes.items() if "incident" in name or "member" in name
    )


def test_one_clear_alert_of_two_resolves_nothing(register: Register, opened: StepV1) -> None:
    other = alert(fingerprint="00000000000000bb")
    joined = register.attach(opened.incident, other, "same key", NOON, HERE)[-1]
    clear(register, joined, NOON)
    assert register.tick(NOON + HOLD) == []


def test_a_command_twice_is_one_command(register: Register, opened: StepV1) -> None:
    assert len(register.command(command(Acknowledge), HERE)) == 1
    assert register.command(command(Acknowledge), HERE) == []


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (command(Acknowledge), StepKind.ACKNOWLEDGED),
        (command(Assign, assignee="Grace"), StepKind.ASSIGNED),
        (command(Note, text="looking"), StepKind.NOTED),
        (command(Resolve, root_cause="disk full"), StepKind.RESOLVED),
    ],
)
def test_commands_become_steps(
    register: Register, opened: StepV1, asked: AnyCommand, kind: StepKind
) -> None:
    (step,) = register.command(asked, HERE)
    assert (step.kind, step.author, step.trigger_id) == (kind, "Ada", "c1")
    assert step.sequence == opened.sequence + 1


def test_a_refused_command_is_answered_with_what_is_accepted(
    register: Register, opened: StepV1
) -> None:
    register.command(command(Resolve), HERE)
    (step,) = register.command(command(Acknowledge, command_id="c2"), HERE)
    assert step.kind is StepKind.REFUSED
    assert "it cannot acknowledge, it accepts" in step.reason
    assert step.incident.status is Status.RESOLVED


def test_a_command_about_nothing_is_rejected(register: Register) -> None:
    with pytest.raises(UnknownIncident):
        register.command(command(Acknowledge), HERE)


def test_an_action_of_a_later_release_is_rejected_by_name(
    register: Register, opened: StepV1
) -> None:
    with pytest.raises(Rejected, match="it knows acknowledge, assign, close"):
        register.command(command(Merge, into="INC-2026-03-02-002"), HERE)


def test_a_report_opens_an_incident_that_time_does_not_resolve(register: Register) -> None:
    told = Declare(
        occurred_at=NOON,
        command_id="c9",
        author="Ada",
        severity=3,
        service="api",
        report=Report(summary="Chat is slow", symptoms="answers take 8 s"),
    )
    (step,) = register.command(told, HERE)
    assert step.kind is StepKind.OPENED
    assert step.detail == "## Summary\n\nChat is slow\n\n## Symptoms Observed\n\nanswers take 8 s"
    assert register.tick(NOON + timedelta(days=30)) == []


def test_a_wrong_clock_elsewhere_does_not_move_ours(register: Register) -> None:
    register.tick(NOON)
    assert register.at(NOON + timedelta(days=400)) == NOON + seconds(2)
    assert register.at(NOON - timedelta(days=400)) == NOON
    assert register.at(NOON + seconds(1)) == NOON + seconds(1)


def test_what_was_heard_is_forgotten_after_a_week_and_not_before(register: Register) -> None:
    register.tick(NOON)
    register.note_heard(alert(), NOON)
    register.tick(NOON + timedelta(days=6, hours=23))
    assert register.heard(alert())
    register.tick(NOON + timedelta(days=8))
    assert not register.heard(alert())
