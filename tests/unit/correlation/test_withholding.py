"""What nobody is told of: silenced, inhibited and flapping alerts, with who and why, and what becomes of them."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.alerts import AlertState
from schemas.lifecycle import StepKind
from schemas.topics import SILENCES
from tests.life import NOON, Life, alert, kinds, policy, silence

MINUTE = timedelta(minutes=1)
CAUSE = {
    "name": "database first",
    "source": {"rule": "down"},
    "target": ["rule=slow"],
    "equal": ["environment"],
}


def ended(name: str = "aa", **facts: Any) -> Any:
    return alert(name, **{"state": AlertState.RESOLVED, "sequence": 2} | facts)


@pytest.fixture
def life() -> Life:
    return Life(policy(correlation={"inhibit": [CAUSE]}))


def withheld(life: Life) -> list[tuple[str, str]]:
    return [(each.withholding, each.by) for each in life.withheld]


# -- silences ---------------------------------------------------------------------------------


def test_a_silenced_alert_is_recorded_with_who_and_why(life: Life) -> None:
    assert life.happen(silence(), alert()) == []
    (said,) = life.withheld
    assert (said.withholding, said.by, said.silence_id) == ("silenced", "Ada", "upgrade")
    assert said.reason == "silence upgrade until 2026-03-02 13:00:00 UTC: Upgrade"
    assert said.origin is not None
    assert (said.origin.topic, said.origin.offset) == ("alerts", 2)
    assert said.until == NOON + 60 * MINUTE


def test_what_does_not_match_is_not_silenced(life: Life) -> None:
    life.hear(
        silence("a", tenant="other"),
        silence("b", matchers=({"label": "rule", "operator": "=~", "value": "d.*x"},)),
        silence("c", matchers=({"label": "region", "value": "eu"},)),
        silence("d", starts_at=NOON + MINUTE),
    )
    assert kinds(life.happen(alert(labels={"region": "us"}))) == [StepKind.OPENED]


def test_a_maintenance_window_begins_and_ends_to_the_second(life: Life) -> None:
    life.hear(silence(starts_at=NOON + MINUTE, ends_at=NOON + 2 * MINUTE, maintenance=True))
    life.tick(59)
    life.happen(alert())
    assert life.withheld[0].reason.startswith("maintenance window upgrade until")
    life.tick(59)
    assert life.open == []
    (step,) = life.tick(1)
    assert step.kind is StepKind.OPENED
    assert withheld(life) == [("silenced", "Ada"), ("released", "tocsin")]


def test_what_ends_while_it_is_silenced_was_nobodys_business(life: Life) -> None:
    life.happen(silence(), alert())
    life.happen(ended())
    assert life.tick(3_600) == []
    assert withheld(life) == [("silenced", "Ada"), ("ended", "tocsin")]


def test_a_silence_that_is_ended_early_lets_go(life: Life) -> None:
    life.happen(silence(), alert())
    early = silence(occurred_at=NOON + MINUTE, ends_at=NOON + MINUTE)
    life.tick(59)
    assert kinds(life.happen(early)) == [StepKind.OPENED]


def test_a_tombstone_ends_a_silence(life: Life) -> None:
    life.happen(silence(), alert())
    life.wire(SILENCES, b"upgrade", None)
    assert kinds(life.tick()) == [StepKind.OPENED]


def test_a_restart_keeps_silences_and_what_they_mute(life: Life) -> None:
    life.happen(silence(), alert())
    life.restart()
    assert life.happen(alert("bb")) == []
    life.restart()
    (step,) = life.tick(3_600)
    assert step.incident.alert_count == 2


def test_the_end_of_an_alert_that_an_incident_has_is_never_silenced(life: Life) -> None:
    """An incident would stay open for ever."""
    life.happen(alert())
    assert kinds(life.happen(silence(), ended())) == [StepKind.ALERT_RESOLVED]


def test_it_is_said_before_a_silence_ends_while_it_matches(life: Life) -> None:
    """Everybody would be paged at the end of a night's work that took longer."""
    life.happen(silence(), alert())
    life.tick(45 * 60 - 2)
    assert life.alerts == []
    life.tick(1)
    (warning,) = life.alerts
    assert (warning.state, warning.rule, warning.severity) == ("firing", "silence-ending", 4)
    assert warning.summary == "The silence upgrade ends at 13:00 UTC, and alerts still match it"
    assert warning.reason == "it ends in 15m and mutes down of database"
    # It is an alert like any other: it finds its way to people.
    assert kinds(life.happen(warning)) == [StepKind.OPENED]
    life.restart()
    longer = silence(occurred_at=NOON + 46 * MINUTE, ends_at=NOON + 120 * MINUTE)
    life.happen(longer)
    assert [each.state for each in life.alerts] == ["firing", "resolved"]
    assert life.alerts[0].sequence < life.alerts[1].sequence


def test_a_silence_does_not_mute_what_is_said_of_its_end(life: Life) -> None:
    """One that matches everything would end unannounced."""
    everything = ({"label": "severity", "operator": "=~", "value": "[1-4]"},)
    life.happen(silence(matchers=everything), alert())
    life.tick(45 * 60)
    (warning,) = life.alerts
    assert kinds(life.happen(warning)) == [StepKind.OPENED]


def test_nothing_is_said_before_the_end_of_a_silence_that_matches_nothing(life: Life) -> None:
    life.happen(silence(), alert())
    life.happen(ended())
    life.tick(50 * 60)
    assert life.alerts == []


# -- inhibition -------------------------------------------------------------------------------


def slow(name: str = "bb", **facts: Any) -> Any:
    return alert(name, **{"rule": "slow", "service": "api"} | facts)


@pytest.mark.parametrize("symptom_first", [True, False])
def test_a_symptom_is_muted_while_its_cause_fires(life: Life, *, symptom_first: bool) -> None:
    both = [slow(), alert()] if symptom_first else [alert(), slow()]
    (step,) = life.happen(*both)
    assert step.incident.alert_count == 1
    (said,) = life.withheld
    assert (said.withholding, said.rule) == ("inhibited", "slow")
    assert said.reason == "inhibit 'database first': down of database fires (00000000000000aa)"


def test_a_symptom_of_another_environment_is_not(life: Life) -> None:
    life.happen(alert(), slow(environment="staging"))
    assert len(life.open) == 2


def test_a_symptom_that_outlives_its_cause_is_placed(life: Life) -> None:
    life.happen(alert(), slow())
    life.restart()
    assert kinds(life.happen(ended())) == [StepKind.ALERT_RESOLVED]
    (step,) = life.tick()
    assert (step.kind, step.incident.service) == (StepKind.OPENED, "api")
    assert withheld(life)[-1] == ("released", "tocsin")


def test_a_cause_does_not_mute_itself() -> None:
    both = {**CAUSE, "target": ["service=database"]}
    life = Life(policy(correlation={"inhibit": [both]}))
    assert kinds(life.happen(alert())) == [StepKind.OPENED]


# -- flapping ---------------------------------------------------------------------------------


def flap(life: Life, times: int) -> None:
    """Begin and end the alert alternately, a second each."""
    for number in range(1, times + 1):
        state = AlertState.FIRING if number % 2 else AlertState.RESOLVED
        life.happen(alert(sequence=number, state=state))


def test_an_alert_that_comes_and_goes_is_one_flapping_alert(life: Life) -> None:
    """Everybody would be told of each of its ends and returns."""
    flap(life, 8)
    before = len(life.steps)
    flap_on = [alert(sequence=9), ended(sequence=10), alert(sequence=11), ended(sequence=12)]
    for each in flap_on:
        life.happen(each)
    (attached,) = life.steps[before:]
    assert attached.kind is StepKind.ALERT_ATTACHED
    assert [each.withholding for each in life.withheld] == ["flapping"] * 4
    assert life.withheld[0].reason == (
        "flapping: 9 beginnings and ends within 10m, more than 8; "
        "it counts as firing until it is quiet for 10m"
    )
    assert life.withheld[0].incident_id == "INC-2026-03-02-001"
    life.restart()
    life.tick(599)
    assert [each.firing_count for each in life.open] == [1]
    (clear,) = life.tick(1)
    assert clear.kind is StepKind.ALERT_RESOLVED


def test_what_fires_when_it_is_quiet_fires_on(life: Life) -> None:
    flap(life, 11)
    life.tick(600)
    assert [each.firing_count for each in life.open] == [1]


def test_eight_times_is_not_flapping(life: Life) -> None:
    flap(life, 8)
    assert life.withheld == []
    assert life.steps[-1].kind is StepKind.ALERT_RESOLVED


def test_what_comes_slowly_does_not_flap(life: Life) -> None:
    for number in range(1, 30):
        state = AlertState.FIRING if number % 2 else AlertState.RESOLVED
        life.happen(alert(sequence=number, state=state))
        life.tick(76)
    assert life.withheld == []
