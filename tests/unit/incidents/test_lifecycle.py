"""The transition table: what each status accepts, and what each move changes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.lifecycle import IncidentV1, Status, StepKind
from streams.errors import IllegalTrigger
from streams.incidents.lifecycle import TRANSITIONS, Asked, Trigger, accepts, advance

GOLDEN = Path(__file__).parents[2] / "golden" / "lifecycle.txt"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def incident(**facts: object) -> IncidentV1:
    opened = IncidentV1(
        occurred_at=NOON,
        incident_id="INC-2026-03-02-001",
        sequence=1,
        status=Status.INVESTIGATING,
        severity=2,
        severity_first=2,
        severity_peak=2,
        summary="Database does not answer",
        service="database",
        group_key="database",
        started_at=NOON - timedelta(seconds=30),
        detected_at=NOON,
    )
    return opened.model_copy(update=facts)


def asked(trigger: Trigger, author: str = "Ada", **sets: object) -> Asked:
    return Asked(trigger, author, sets)


def test_the_table_is_the_one_that_was_reviewed() -> None:
    """A changed move would go unseen: the table as text is compared with its golden file."""
    lines = [
        f"{status:14} + {trigger:13} -> {aim:14} {kind}"
        for (status, trigger), (aim, kind) in sorted(TRANSITIONS.items())
    ]
    assert GOLDEN.read_text().splitlines() == lines


def test_a_move_without_a_line_is_refused_and_says_what_is_accepted() -> None:
    with pytest.raises(IllegalTrigger) as refusal:
        advance(incident(status=Status.RESOLVED), asked(Trigger.ACKNOWLEDGE), NOON)
    assert str(refusal.value) == (
        "INC-2026-03-02-001 is resolved: it cannot acknowledge, "
        "it accepts change_alert, clear_alert, assign, note, set_severity, reopen, close, correct, merge, publish, check_off"
    )


def test_a_closed_incident_takes_nothing_but_what_is_known_of_it() -> None:
    assert accepts(Status.CLOSED) == [Trigger.NOTE, Trigger.CORRECT, Trigger.PUBLISH]
    with pytest.raises(
        IllegalTrigger, match="is closed: it cannot attach, it accepts note, correct"
    ):
        advance(incident(status=Status.CLOSED), asked(Trigger.ATTACH), NOON)


def test_a_merged_incident_accepts_nothing() -> None:
    assert accepts(Status.MERGED) == []
    with pytest.raises(IllegalTrigger, match="it accepts nothing"):
        advance(incident(status=Status.MERGED), asked(Trigger.NOTE), NOON)


def test_who_gives_an_incident_back_works_on_it_no_longer() -> None:
    taken, _ = advance(incident(), asked(Trigger.ACKNOWLEDGE), NOON)
    back, kind = advance(taken, asked(Trigger.UNACKNOWLEDGE, "Grace"), NOON)
    assert kind is StepKind.UNACKNOWLEDGED
    assert (back.acknowledged_at, back.acknowledged_by, back.assigned_to) == (None, None, None)
    with pytest.raises(IllegalTrigger, match="is not acknowledged"):
        advance(back, asked(Trigger.UNACKNOWLEDGE), NOON)


def test_a_commander_who_was_named_stays_when_the_incident_is_given_back() -> None:
    taken, _ = advance(incident(assigned_to="Grace"), asked(Trigger.ACKNOWLEDGE), NOON)
    back, _ = advance(taken, asked(Trigger.UNACKNOWLEDGE), NOON)
    assert back.assigned_to == "Grace"


def test_whoever_acknowledges_first_works_on_it() -> None:
    taken, _ = advance(incident(), asked(Trigger.ACKNOWLEDGE), NOON)
    assert (taken.acknowledged_at, taken.acknowledged_by, taken.assigned_to) == (NOON, "Ada", "Ada")


def test_acknowledging_does_not_replace_who_was_named() -> None:
    taken, _ = advance(incident(assigned_to="Grace"), asked(Trigger.ACKNOWLEDGE), NOON)
    assert taken.assigned_to == "Grace"


def test_a_second_acknowledgement_is_told_of_the_first() -> None:
    taken, _ = advance(incident(), asked(Trigger.ACKNOWLEDGE), NOON)
    with pytest.raises(IllegalTrigger) as refusal:
        advance(taken, asked(Trigger.ACKNOWLEDGE, "Grace"), NOON + timedelta(minutes=1))
    assert str(refusal.value) == "INC-2026-03-02-001 was acknowledged by Ada at 12:00:00"


def test_resolving_ends_the_suffering_unless_it_ended_before() -> None:
    mitigated, _ = advance(incident(), asked(Trigger.MITIGATE), NOON)
    later = NOON + timedelta(minutes=5)
    assert advance(mitigated, asked(Trigger.RESOLVE), later)[0].mitigated_at == NOON
    assert advance(incident(), asked(Trigger.RESOLVE), later)[0].mitigated_at == later


def test_time_spent_resolved_is_not_down_time() -> None:
    resolved, _ = advance(incident(), asked(Trigger.RESOLVE), NOON)
    back, _ = advance(resolved, asked(Trigger.REOPEN), NOON + timedelta(minutes=10))
    again, _ = advance(back, asked(Trigger.RESOLVE), NOON + timedelta(minutes=15))
    back_again, _ = advance(again, asked(Trigger.REOPEN), NOON + timedelta(minutes=16))
    assert back_again.time_resolved == timedelta(minutes=11)
    assert back_again.reopen_count == 2
    assert back_again.started_at == incident().started_at
    assert back_again.resolved_at is None
