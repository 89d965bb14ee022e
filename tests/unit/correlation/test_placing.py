"""Which incident alerts belong to: by group key, topology and shared attributes, on both sides of every boundary."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.alerts import AlertState
from schemas.commands import Merge, Reopen, Resolve, Split
from schemas.lifecycle import Bond, Status, StepKind
from schemas.notices import Purpose
from tests.life import NOON, Life, alert, kinds, policy

SERVICES = {
    "web": {"depends_on": ["api"]},
    "api": {"depends_on": ["orders"]},
    "orders": {"depends_on": ["database"]},
    "mail": {"depends_on": ["database"]},
    "database": {"owner": "storage", "tier": 1},
    "billing": {},
}
FIRST, SECOND = "INC-2026-03-02-001", "INC-2026-03-02-002"


@pytest.fixture
def life() -> Life:
    return Life(policy(services=SERVICES, incidents={"reopen_within": "30m", "close_after": "4h"}))


def ended(name: str, **facts: Any) -> Any:
    return alert(name, **{"state": AlertState.RESOLVED, "sequence": 2} | facts)


def person(kind: type, incident_id: str = FIRST, **fields: Any) -> Any:
    command_id = f"{kind.__name__}-{incident_id}"
    given = {"occurred_at": NOON, "command_id": command_id, "author": "Ada"} | fields
    return kind(incident_id=incident_id, **given)


def test_nothing_is_decided_before_the_tick(life: Life) -> None:
    """What comes first of two alerts of one moment would decide."""
    assert life.hear(alert()) == []
    assert kinds(life.tick()) == [StepKind.OPENED]


def test_alerts_with_one_group_key_are_one_incident(life: Life) -> None:
    life.happen(alert("a"), alert("b"))
    (step,) = life.happen(alert("c"))
    assert (step.kind, step.joined[0].bond, step.joined[0].score) == (
        StepKind.ALERT_ATTACHED,
        Bond.GROUP_KEY,
        1.0,
    )
    assert step.joined[0].reason == f"{FIRST} has the group key database/production"
    assert [each.alert_count for each in life.open] == [3]


def test_others_are_others(life: Life) -> None:
    """Services that have nothing to do with each other fail at once in every outage."""
    life.happen(alert("a"), alert("b", service="billing"), alert("c", environment="staging"))
    assert len(life.open) == 2 + 0
    life.happen(alert("d", tenant="other"))
    assert [each.tenant for each in life.open].count("other") == 1


def test_a_dependant_joins_the_failing_dependency(life: Life) -> None:
    life.happen(alert("a"))
    steps = life.happen(alert("b", service="api"))
    assert kinds(steps) == [StepKind.ALERT_ATTACHED, StepKind.CAUSE_FOUND]
    (said,) = steps[0].joined
    assert (said.bond, said.score) == (Bond.TOPOLOGY, 0.81)
    assert said.reason == (
        f"api depends on database, which fails in {FIRST} (api → orders → database)"
    )
    now = life.incidents[FIRST]
    assert (now.probable_cause, now.impacted, now.cause_score) == ("database", ("api",), 1.0)
    assert now.cause_reason == (
        "1 of the other 1 failing services depend on database, and it on none of them: "
        "api → orders → database"
    )


def test_a_dependency_that_is_found_later_is_put_on_top(life: Life) -> None:
    life.happen(alert("a", service="api", summary="api is slow"))
    steps = life.happen(alert("b"))
    assert steps[0].joined[0].reason == (
        f"database is needed by api, which fails in {FIRST} (api → orders → database)"
    )
    assert steps[-1].kind is StepKind.CAUSE_FOUND
    now = life.incidents[FIRST]
    assert (now.service, now.summary) == ("api", "Database does not answer")


def test_a_cause_that_fires_after_two_of_its_symptoms_merges_them(life: Life) -> None:
    life.happen(alert("a", service="orders"))
    life.happen(alert("b", service="mail", severity=1))
    assert len(life.open) == 2
    steps = life.happen(alert("c"))
    assert kinds(steps) == [
        StepKind.MERGED,
        StepKind.ABSORBED,
        StepKind.SEVERITY_CHANGED,
        StepKind.ALERT_ATTACHED,
        StepKind.CAUSE_FOUND,
    ]
    (now,) = life.open
    assert (now.incident_id, now.alert_count, now.severity) == (FIRST, 3, 1)
    assert life.incidents[SECOND].merged_into == FIRST
    assert now.impacted == ("mail", "orders")
    # What the younger one had comes to the older one from now on.
    (step,) = life.happen(alert("d", service="mail"))
    assert step.incident_id == FIRST


def test_no_distance_no_topology() -> None:
    life = Life(policy(services=SERVICES, correlation={"distance": 0}))
    life.happen(alert("a"), alert("b", service="orders"))
    assert len(life.open) == 2


def test_alerts_of_one_host_are_one_incident_within_the_window(life: Life) -> None:
    host = {"host": "node-7"}
    life.happen(alert("a", labels=host))
    life.tick(298)
    (step,) = life.happen(alert("b", service="billing", labels=host))
    assert (step.kind, step.joined[0].bond, step.joined[0].score) == (
        StepKind.ALERT_ATTACHED,
        Bond.SHARED,
        0.5,
    )
    assert step.joined[0].reason == f"{FIRST} has had alerts with host=node-7"


def test_after_the_window_a_host_says_nothing(life: Life) -> None:
    host = {"host": "node-7"}
    life.happen(alert("a", labels=host))
    life.tick(300)
    life.happen(alert("b", service="billing", labels=host))
    assert len(life.open) == 2


def test_a_lone_alert_with_a_host_shares_it_with_nobody(life: Life) -> None:
    (step,) = life.happen(alert("a", labels={"host": "node-7"}))
    assert step.joined[0].bond is Bond.FIRST


def test_a_resolved_alert_opens_nothing_and_is_told_of(life: Life) -> None:
    assert life.happen(ended("a")) == []
    (said,) = life.withheld
    assert (said.withholding, said.reason) == (
        "unknown",
        "resolved, and no incident that is not closed has it firing",
    )


def test_an_alert_twice_is_an_alert_once(life: Life) -> None:
    life.happen(alert("a"), alert("a"))
    assert life.happen(alert("a")) == []
    assert life.incidents[FIRST].alert_count == 1


def test_an_alert_that_comes_and_goes_in_one_tick_is_both(life: Life) -> None:
    steps = life.happen(ended("a"), alert("a"))
    assert kinds(steps) == [StepKind.OPENED, StepKind.ALERT_RESOLVED]


def until_resolved(life: Life) -> None:
    life.happen(alert("a"))
    life.happen(ended("a"))
    (step,) = life.tick(60)
    assert step.kind is StepKind.RESOLVED


def test_what_fires_again_in_time_reopens(life: Life) -> None:
    until_resolved(life)
    life.tick(30 * 60 - 1)
    steps = life.happen(alert("a", sequence=3))
    assert kinds(steps) == [StepKind.REOPENED, StepKind.ALERT_ATTACHED]
    assert steps[0].reason == f"{FIRST} with the group key database/production was resolved 30m ago"
    assert life.incidents[FIRST].time_resolved == timedelta(minutes=30)


def test_what_fires_again_later_opens_anew(life: Life) -> None:
    until_resolved(life)
    life.tick(30 * 60)
    (step,) = life.happen(alert("a", sequence=3))
    assert (step.kind, step.incident_id) == (StepKind.OPENED, SECOND)
    assert step.reason.endswith(
        f"{FIRST} with the group key database/production was resolved 30m1s ago, more than 30m"
    )


def test_a_closed_incident_takes_nothing(life: Life) -> None:
    until_resolved(life)
    life.tick(4 * 3600)
    assert life.incidents[FIRST].status is Status.CLOSED
    (step,) = life.happen(alert("b"))
    assert step.incident_id == SECOND


def test_a_dependant_does_not_reopen_what_is_over(life: Life) -> None:
    until_resolved(life)
    (step,) = life.happen(alert("b", service="orders"))
    assert (step.kind, step.incident_id) == (StepKind.OPENED, SECOND)


def test_the_end_of_an_alert_that_outlived_the_resolution_is_no_new_trouble(life: Life) -> None:
    life.happen(alert("a"))
    life.hear(person(Resolve))
    changed = alert("a", sequence=2, state=AlertState.CHANGED, severity=3)
    assert kinds(life.happen(changed)) == [StepKind.ALERT_CHANGED]
    assert kinds(life.happen(ended("a", sequence=3))) == [StepKind.ALERT_RESOLVED]
    assert life.open == []


def test_a_change_of_an_alert_it_never_had_is_new_trouble(life: Life) -> None:
    until_resolved(life)
    unknown = alert("b", state=AlertState.CHANGED)
    assert kinds(life.happen(unknown)) == [StepKind.REOPENED, StepKind.ALERT_ATTACHED]


# -- demand -----------------------------------------------------------------------------------


@pytest.fixture
def demanding() -> Life:
    return Life(policy(services=SERVICES, correlation={"demand": 3}))


def test_an_incident_opens_with_as_many_alerts_as_are_demanded(demanding: Life) -> None:
    assert demanding.happen(alert("a"), alert("b", service="orders")) == []
    assert [(each.withholding, each.fingerprint[-1]) for each in demanding.withheld] == [
        ("waiting", "a"),
        ("waiting", "b"),
    ]
    assert demanding.withheld[0].reason.startswith("2 of the 3 alerts that open an incident fire: ")
    demanding.restart()
    (step,) = demanding.happen(alert("c", service="mail"))
    assert (step.kind, step.incident.alert_count) == (StepKind.OPENED, 3)
    assert step.incident.probable_cause == "database"


def test_the_same_alert_again_and_one_that_ended_do_not_count(demanding: Life) -> None:
    demanding.happen(alert("a"), alert("b"))
    demanding.happen(ended("b"), alert("a", sequence=5))
    assert demanding.happen(alert("c")) == []
    assert demanding.withheld[2].withholding == "ended"
    assert kinds(demanding.happen(alert("b", sequence=6))) == [StepKind.OPENED]


def test_one_alert_is_enough_for_what_is_open(demanding: Life) -> None:
    demanding.happen(alert("a"), alert("b"), alert("c"))
    assert kinds(demanding.happen(alert("d"))) == [StepKind.ALERT_ATTACHED]


# -- people -----------------------------------------------------------------------------------


def test_what_a_person_split_stays_apart(life: Life) -> None:
    life.happen(alert("a", service="orders"), alert("b", service="orders", rule="slow"))
    life.hear(person(Split, fingerprints=("b".rjust(16, "0"),)))
    assert len(life.open) == 2
    # It ties both, and goes to the older; its end and its return go where a person put it.
    life.happen(alert("c"))
    assert len(life.open) == 2
    life.happen(ended("b", service="orders"))
    (step,) = life.happen(alert("b", service="orders", sequence=3))
    assert step.incident_id == SECOND


def test_what_a_person_merged_stays_together(life: Life) -> None:
    life.happen(alert("a"), alert("b", service="billing"))
    one, other = sorted(each.incident_id for each in life.open)
    life.hear(person(Merge, other, into=one))
    key = (
        "billing/production" if life.incidents[one].service == "database" else "database/production"
    )
    (step,) = life.happen(alert("c", service=key.partition("/")[0]))
    assert step.incident_id == one


def test_a_reopening_by_hand_is_not_undone_at_once(life: Life) -> None:
    until_resolved(life)
    life.hear(person(Reopen, reason="customers still complain"))
    assert life.tick(120) == []


# -- the storm --------------------------------------------------------------------------------

ROUTES = [{"severities": [1, 2], "channels": ["pager"]}]


def storm(seed: int) -> list[Any]:
    import random  # noqa: PLC0415 - chance for one test

    symptoms = [
        alert(
            f"{number:x}",
            service=("web", "api", "orders", "mail")[number % 4],
            rule=f"rule-{number // 4}",
            severity=2 + number % 3,
            started_at=NOON - timedelta(seconds=number % 5),
            summary=f"symptom {number}",
            sequence=number,
        )
        for number in range(1, 41)
    ]
    cause = alert("ff", severity=1, sequence=41, summary="Database refuses connections")
    made = [*symptoms, cause]
    random.Random(seed).shuffle(made)
    return made


@pytest.mark.parametrize("seed", range(5))
def test_forty_symptoms_of_one_database_are_one_incident_and_one_page(seed: int) -> None:
    """From forty alerts to one incident with its cause on top."""
    life = Life(policy(services=SERVICES, routes=ROUTES))
    (step,) = life.happen(*storm(seed))
    now = step.incident
    assert (now.alert_count, now.severity, now.probable_cause) == (41, 1, "database")
    assert (now.summary, now.owner) == ("Database refuses connections", "storage")
    assert now.impacted == ("api", "mail", "orders", "web")
    assert [(each.purpose, each.channel) for each in life.notices] == [(Purpose.INITIAL, "pager")]


def test_the_storm_over_many_ticks_is_one_incident_too() -> None:
    life = Life(policy(services=SERVICES, routes=ROUTES))
    for each in storm(1):
        life.happen(each)
    assert [each.probable_cause for each in life.open] == ["database"]
    assert sum(each.alert_count for each in life.open) == 41
