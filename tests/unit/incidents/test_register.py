"""The register: alerts, commands and time become steps; a message twice is a message once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.alerts import AlertState, AlertV1
from schemas.commands import (
    Acknowledge,
    AnyCommand,
    Assign,
    Correct,
    Declare,
    Merge,
    Note,
    Reopen,
    Report,
    Resolve,
    RunbookOutcome,
    SetSeverity,
    Split,
)
from schemas.lifecycle import Bond, Status, StepKind, StepV1
from schemas.origin import Origin
from streams.errors import Rejected, UnknownIncident
from streams.incidents.alerts import Heard
from streams.incidents.register import Register
from streams.incidents.settings import IncidentSettings

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HERE = Origin(topic="alerts", partition=0, offset=7)
HOLD = timedelta(seconds=60)
FIRST, SECOND = "INC-2026-03-02-001", "INC-2026-03-02-002"


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


def heard(**facts: object) -> Heard:
    return Heard(alert(**facts), HERE, Bond.FIRST, 1.0, "nothing is open")


def command(
    kind: type, command_id: str = "c1", incident_id: str = FIRST, **fields: object
) -> AnyCommand:
    return kind(
        **{"occurred_at": NOON, "author": "Ada"} | fields,
        command_id=command_id,
        incident_id=incident_id,
    )


@pytest.fixture
def register() -> Register:
    made = Register(IncidentSettings(auto_resolve_after="60s", close_after="1h"))
    made.begin(NOON)
    return made


@pytest.fixture
def opened(register: Register) -> StepV1:
    (step,) = register.open([heard()], NOON)
    return step


def pass_time(register: Register, at: datetime) -> list[StepV1]:
    register.begin(at)
    return register.elapse(at)


def test_an_incident_opens_with_what_its_alert_says(opened: StepV1) -> None:
    incident = opened.incident
    assert opened.kind is StepKind.OPENED
    assert opened.step_id == f"default/{FIRST}.1"
    assert opened.reason == "unhealthy 2 of 2 times; nothing is open"
    assert opened.origins == (HERE,)
    assert [(each.fingerprint, each.origin) for each in opened.joined] == [
        ("00000000000000aa", HERE)
    ]
    assert incident.status is Status.INVESTIGATING
    assert (incident.started_at, incident.detected_at) == (NOON - seconds(10), NOON)
    assert (incident.alert_count, incident.firing_count) == (1, 1)


def test_alerts_of_one_moment_are_one_step_with_the_worst_on_top(register: Register) -> None:
    """A storm would page once for each of its alerts."""
    many = [
        heard(fingerprint=f"{number:016x}", severity=2 + (number != 7), summary=f"alert {number}")
        for number in range(130)
    ]
    steps = register.open(many, NOON)
    assert [(step.kind, len(step.joined)) for step in steps] == [
        (StepKind.OPENED, 100),
        (StepKind.ALERT_ATTACHED, 30),
    ]
    first, last = steps[0].incident, steps[-1].incident
    assert (first.severity, first.severity_first, first.summary) == (2, 2, "alert 7")
    assert steps[0].reason.startswith("100 alerts, the first of them: unhealthy")
    assert (last.alert_count, last.firing_count, len(last.alerts)) == (130, 130, 100)


def test_numbers_count_for_each_tenant_and_day(register: Register) -> None:
    def opens(at: datetime, tenant: str) -> str:
        fired = heard(tenant=tenant, group_key=f"{tenant}{at}")
        return register.open([fired], at)[0].incident_id

    assert opens(NOON, "default") == FIRST
    assert opens(NOON, "default") == SECOND
    assert opens(NOON, "other") == FIRST
    assert opens(NOON + timedelta(days=1), "default") == "INC-2026-03-03-001"


def attach(register: Register, opened: StepV1, *, fresh: bool = True, **facts: Any) -> list[StepV1]:
    incident = register.standing("default", opened.incident_id)
    assert incident is not None
    at = facts.get("occurred_at", NOON)
    return register.attach(incident, [heard(**facts)], at, fresh=fresh)


def test_a_worse_alert_raises_the_severity_at_once(register: Register, opened: StepV1) -> None:
    attached, raised = attach(
        register, opened, fingerprint="00000000000000bb", severity=1, service="api"
    )
    assert (attached.kind, attached.incident.severity) == (StepKind.ALERT_ATTACHED, 2)
    assert (raised.kind, raised.incident.severity) == (StepKind.SEVERITY_CHANGED, 1)
    assert raised.reason == "severity 2 -> 1: Database does not answer"
    assert (raised.incident.severity_first, raised.incident.severity_peak) == (2, 1)
    assert raised.incident.services == ("api", "database")
    assert raised.incident.labels == {"service": "database", "region": "eu"}


def test_a_lesser_alert_lowers_nothing(register: Register, opened: StepV1) -> None:
    steps = attach(register, opened, fingerprint="00000000000000bb", severity=4)
    assert [step.kind for step in steps] == [StepKind.ALERT_ATTACHED]
    assert steps[-1].incident.severity == 2


def test_only_a_person_lowers_the_severity(register: Register, opened: StepV1) -> None:
    (step,) = register.command(command(SetSeverity, severity=4, reason="only staging"), HERE)
    assert step.incident.severity == 4
    assert step.incident.severity_peak == opened.incident.severity_peak


def clear(register: Register, opened: StepV1, at: datetime) -> StepV1:
    facts = {"state": AlertState.RESOLVED, "sequence": 2, "occurred_at": at}
    return attach(register, opened, fresh=False, **facts)[0]


def test_it_is_resolved_when_all_has_been_clear_for_the_hold(
    register: Register, opened: StepV1
) -> None:
    clear(register, opened, NOON)
    assert pass_time(register, NOON + HOLD - seconds(1)) == []
    (step,) = pass_time(register, NOON + HOLD)
    assert step.kind is StepKind.RESOLVED
    assert (step.author, step.reason) == ("tocsin", "all alerts clear for 1m")
    assert step.incident.resolved_at == NOON + HOLD


def test_an_alert_that_fires_again_starts_the_hold_anew(register: Register, opened: StepV1) -> None:
    clear(register, opened, NOON)
    attach(register, opened, sequence=3, occurred_at=NOON + seconds(30))
    assert pass_time(register, NOON + HOLD) == []
    clear(register, opened, NOON + HOLD)
    assert pass_time(register, NOON + 2 * HOLD - seconds(1)) == []
    assert len(pass_time(register, NOON + 2 * HOLD)) == 1


def test_a_resolved_incident_is_closed_after_a_while_and_forgotten_a_week_later(
    register: Register, opened: StepV1
) -> None:
    clear(register, opened, NOON)
    (resolved,) = pass_time(register, NOON + HOLD)
    an_hour_on = resolved.occurred_at + timedelta(hours=1)
    assert pass_time(register, an_hour_on - seconds(1)) == []
    (closed,) = pass_time(register, an_hour_on)
    assert closed.kind is StepKind.CLOSED
    assert register.latest("default", "database") is None
    assert register.standing("default", FIRST) is None
    (noted,) = register.command(command(Note, text="the disk was full"), HERE)
    assert (noted.kind, noted.incident.status) == (StepKind.NOTED, Status.CLOSED)
    pass_time(register, an_hour_on + timedelta(days=9))
    with pytest.raises(UnknownIncident):
        register.command(command(Note, "c2", text="late"), HERE)
    kept = {name for each in register.changes() for name, value in each.items() if value}
    assert not [name for name in kept if "incident" in name or "member" in name or "key" in name]


def test_one_clear_alert_of_two_resolves_nothing(register: Register, opened: StepV1) -> None:
    attach(register, opened, fingerprint="00000000000000bb")
    clear(register, opened, NOON)
    assert pass_time(register, NOON + HOLD) == []


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


def test_responders_are_listed_beside_the_commander(register: Register, opened: StepV1) -> None:
    for number, (who, role) in enumerate(
        [("Grace", "commander"), ("Lin", "responder"), ("Sam", "responder"), ("Lin", "responder")]
    ):
        (step,) = register.command(
            command(Assign, command_id=f"c{number}", assignee=who, role=role), HERE
        )
    assert (step.incident.assigned_to, step.incident.responders) == ("Grace", ("Lin", "Sam"))


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
    said = "does not know the action runbook: it knows acknowledge, assign, checklist, close, correct, merge"
    asked = command(RunbookOutcome, runbook="restart", step="first", succeeded=True)
    with pytest.raises(Rejected, match=said):
        register.command(asked, HERE)
    # Nothing of it is kept: a release that knows it can be given it again.
    with pytest.raises(Rejected, match=said):
        register.command(asked, HERE)
    current = register.standing("default", opened.incident_id)
    assert current == opened.incident


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
    assert pass_time(register, NOON + timedelta(days=30)) == []


def test_a_wrong_clock_elsewhere_does_not_move_ours(register: Register) -> None:
    assert register.at(NOON + timedelta(days=400)) == NOON + seconds(2)
    assert register.at(NOON - timedelta(days=400)) == NOON
    assert register.at(NOON + seconds(1)) == NOON + seconds(1)


# -- merge and split --------------------------------------------------------------------------


@pytest.fixture
def two(register: Register, opened: StepV1) -> StepV1:
    """A second, worse incident of another group, which began earlier."""
    (step,) = register.open(
        [
            heard(
                fingerprint="00000000000000bb",
                group_key="api",
                service="api",
                severity=1,
                started_at=NOON - seconds(99),
            )
        ],
        NOON + seconds(1),
    )
    return step


def test_a_merge_hands_over_alerts_beginning_and_severity(
    register: Register, opened: StepV1, two: StepV1
) -> None:
    end, took, worse = register.command(command(Merge, "m", SECOND, into=FIRST), HERE)
    assert (end.incident_id, end.kind, end.incident.status) == (
        SECOND,
        StepKind.MERGED,
        Status.MERGED,
    )
    assert (end.incident.merged_into, end.author) == (FIRST, "Ada")
    assert (took.incident_id, took.kind) == (FIRST, StepKind.ABSORBED)
    assert (worse.kind, worse.severity_before, worse.incident.severity) == (
        StepKind.SEVERITY_CHANGED,
        2,
        1,
    )
    now = worse.incident
    assert (now.started_at, now.alert_count, now.firing_count) == (NOON - seconds(99), 2, 2)
    assert now.services == ("api", "database")
    found = register.latest("default", "api")
    assert found is not None
    assert found.incident_id == FIRST
    with pytest.raises(UnknownIncident, match=f"{SECOND} was merged into {FIRST}"):
        register.command(command(Note, "n", SECOND, text="?"), HERE)


@pytest.mark.parametrize(
    ("into", "said"),
    [
        (FIRST, f"{FIRST} cannot be merged into itself"),
        ("INC-2026-03-02-009", f"INC-2026-03-02-009 is not open: {FIRST} can be merged into"),
    ],
)
def test_a_merge_into_nothing_is_refused(
    register: Register, opened: StepV1, into: str, said: str
) -> None:
    (step,) = register.command(command(Merge, into=into), HERE)
    assert step.kind is StepKind.REFUSED
    assert said in step.reason


def test_a_merge_into_what_is_resolved_is_refused(
    register: Register, opened: StepV1, two: StepV1
) -> None:
    register.command(command(Resolve, "r"), HERE)
    (step,) = register.command(command(Merge, "m", SECOND, into=FIRST), HERE)
    assert step.reason == f"{FIRST} is resolved: it takes no other incident over, reopen it first"


def test_a_split_gives_alerts_an_incident_of_their_own(register: Register, opened: StepV1) -> None:
    attach(register, opened, fingerprint="00000000000000bb", service="mail", severity=3)
    left, new = register.command(command(Split, fingerprints=("00000000000000bb",)), HERE)
    assert (left.kind, left.incident.alert_count, left.incident.services) == (
        StepKind.SPLIT,
        1,
        ("database",),
    )
    assert (new.kind, new.incident_id, new.incident.severity) == (StepKind.OPENED, SECOND, 3)
    assert (new.incident.service, new.incident.detected_at) == ("mail", NOON)
    assert new.reason == f"split from {FIRST}: split by Ada"
    assert new.joined[0].bond is Bond.PERSON
    assert register.apart(left.incident, new.incident)
    had = register.having("default", "00000000000000bb")
    assert had is not None
    assert had[0].incident_id == SECOND


@pytest.mark.parametrize(
    ("fingerprints", "said"),
    [
        (("nothing",), f"{FIRST} has no alert nothing; it has 00000000000000aa"),
        (("00000000000000aa",), f"all alerts of {FIRST} would leave it: at least one must stay"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    register: Register, opened: StepV1, fingerprints: tuple[str, ...], said: str
) -> None:
    (step,) = register.command(command(Split, fingerprints=fingerprints), HERE)
    assert (step.kind, step.reason) == (StepKind.REFUSED, said)


def test_it_is_not_reopened_beside_the_one_that_follows_it(
    register: Register, opened: StepV1
) -> None:
    """Two open incidents would have one group key, and alerts would go to either."""
    register.command(command(Resolve, "r"), HERE)
    register.open([heard(fingerprint="00000000000000cc")], NOON + seconds(1))
    (step,) = register.command(command(Reopen, "o", reason="again"), HERE)
    assert step.kind is StepKind.REFUSED
    assert step.reason == f"{SECOND} is open for what {FIRST} was about: merge it into that one"


# -- corrections ------------------------------------------------------------------------------


def correct(register: Register, milestone: str, moment: datetime, number: int = 1) -> StepV1:
    asked = command(
        Correct, f"t{number}", milestone=milestone, moment=moment, reason="as the graph shows"
    )
    (step,) = register.command(asked, HERE)
    return step


def test_a_person_sets_a_time_right(register: Register, opened: StepV1) -> None:
    step = correct(register, "started", NOON - seconds(300))
    assert (step.kind, step.incident.started_at) == (StepKind.CORRECTED, NOON - seconds(300))
    assert step.reason == (
        "started: 2026-03-02 11:59:50 UTC -> 2026-03-02 11:55:00 UTC, says Ada: as the graph shows"
    )


@pytest.mark.parametrize(
    ("milestone", "moment", "said"),
    [
        ("started", NOON + seconds(1), "started cannot be in the future: 2026-03-02 12:00:01 UTC"),
        ("acknowledged", NOON - seconds(1), "detected must not be later than acknowledged"),
        ("resolved", NOON, f"{FIRST} is investigating: resolve it first"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    register: Register, opened: StepV1, milestone: str, moment: datetime, said: str
) -> None:
    step = correct(register, milestone, moment)
    assert step.kind is StepKind.REFUSED
    assert said in step.reason
