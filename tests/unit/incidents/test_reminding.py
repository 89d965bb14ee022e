"""Reminders: whoever leads an open incident hears, on channels of their own, that something is to be said about it."""

from datetime import timedelta

import pytest

from schemas.commands import Acknowledge, Assign, Note, Publish, Resolve, SetSeverity, SetStatus
from schemas.lifecycle import IncidentV1, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose
from schemas.ticks import TickV1
from streams.agents.incidents import IncidentsDesk
from tests.life import Life, alert, policy

EVERY = 30 * 60
GIVEN = policy(
    people={"Ada": {"channels": ["ada-phone", "ada-chat"]}},
    incidents={"auto_resolve_after": "1d"},
    severities={
        1: {
            "name": "critical",
            "meaning": "x",
            "respond_within": "1d",
            "resolve_within": "7d",
            "update_every": "30m",
        },
        2: {
            "name": "high",
            "meaning": "x",
            "respond_within": "1d",
            "resolve_within": "7d",
            "update_every": "1h",
        },
        3: {"name": "low", "meaning": "x", "respond_within": "1d", "resolve_within": "7d"},
    },
)
NUMBERS = iter(range(1_000_000))


def about(life: Life, incident: IncidentV1) -> dict[str, object]:
    return {
        "occurred_at": life.now,
        "command_id": f"c-{next(NUMBERS)}",
        "author": "Ada",
        "incident_id": incident.incident_id,
    }


def led(severity: int = 1) -> tuple[Life, IncidentV1]:
    """Return a life with an incident that Ada has had for no time."""
    life = Life(GIVEN)
    life.tick()
    life.happen(alert(severity=severity))
    [incident] = life.open
    life.hear(Acknowledge(**about(life, incident)))
    return life, incident


def reminded(steps: list[StepV1]) -> list[StepV1]:
    return [step for step in steps if step.kind is StepKind.REMINDED]


def told(life: Life) -> list[NoticeV1]:
    return [each for each in life.notices if each.purpose is Purpose.REMINDER]


def test_the_commander_is_reminded_to_the_second_on_channels_of_their_own() -> None:
    """Otherwise customers and colleagues would wait for news that were promised."""
    life, _ = led()
    assert reminded(life.tick(EVERY - 1)) == []
    [step] = reminded(life.tick(1))
    assert step.reason == (
        "Ada leads it, and nothing was said about it: an update was due at 12:30:02 UTC"
    )
    assert [(each.channel, each.people) for each in told(life)] == [
        ("ada-phone", ("Ada",)),
        ("ada-chat", ("Ada",)),
    ]
    assert {each.next_update_at for each in told(life)} == {life.now + timedelta(seconds=EVERY)}


def test_it_comes_again_until_the_incident_is_resolved() -> None:
    """Otherwise one reminder that was overlooked would be the last."""
    life, incident = led()
    for _ in range(3):
        assert reminded(life.tick(EVERY - 1)) == []
        assert len(reminded(life.tick(1))) == 1
    life.hear(Resolve(**about(life, incident)))
    assert reminded(life.tick(EVERY)) == []
    assert life.incidents[incident.incident_id].next_update_at is None


@pytest.mark.parametrize("kind", ["note", "status", "publish"])
def test_the_time_begins_anew_with_everything_that_is_said(kind: str) -> None:
    """Otherwise people would be reminded of what they have just done."""
    life, incident = led()
    life.tick(EVERY - 1)
    given = about(life, incident)
    life.hear(
        {
            "note": lambda: Note(text="We look at the disk", **given),
            "status": lambda: SetStatus(status="identified", **given),
            "publish": lambda: Publish(title="x", message="y", **given),
        }[kind]()
    )
    assert reminded(life.tick(EVERY - 1)) == []
    assert len(reminded(life.tick(1))) == 1


def test_a_restart_forgets_and_repeats_none() -> None:
    """Otherwise a deploy in the middle of an incident would silence reminders, or double them."""
    life, _ = led()
    life.tick(EVERY - 1)
    life.restart()
    assert len(reminded(life.tick(1))) == 1
    life.restart()
    assert reminded(life.tick(EVERY - 1)) == []
    assert len(reminded(life.tick(1))) == 1


def test_how_often_depends_on_the_severity_and_some_have_none() -> None:
    """Otherwise somebody would be woken for a trifle twice an hour."""
    life, _ = led(severity=2)
    assert reminded(life.tick(2 * EVERY - 1)) == []
    assert len(reminded(life.tick(1))) == 1
    low, incident = led(severity=3)
    assert reminded(low.tick(10 * EVERY)) == []
    # As soon as it is worse, it is counted.
    low.hear(SetSeverity(severity=1, reason="worse", **about(low, incident)))
    assert reminded(low.tick(EVERY - 1)) == []
    assert len(reminded(low.tick(1))) == 1


def test_where_nobody_leads_it_nobody_is_reminded_until_somebody_does() -> None:
    """Otherwise a reminder would be made that reaches nobody, and look like one that did."""
    life = Life(GIVEN)
    life.tick()
    life.happen(alert(severity=1))
    [incident] = life.open
    assert reminded(life.tick(EVERY)) == []
    life.hear(Assign(assignee="Ada", **about(life, incident)))
    assert reminded(life.tick(EVERY - 1)) == []
    assert len(reminded(life.tick(1))) == 1


def test_a_backlog_reminds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an outage of ours would end with a burst of reminders of the past."""
    monkeypatch.setattr(
        Life,
        "fresh",
        lambda life: IncidentsDesk.under(life.given, clock=lambda: life.now + timedelta(hours=3)),
    )
    life, _ = led()
    [step] = reminded(life.tick(EVERY))
    assert step.late
    assert told(life) == []
    assert TickV1(occurred_at=life.now, partition=0).occurred_at == step.occurred_at
