"""Which changes are suspicious: the nearer and the later the more, with the arithmetic shown."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.changes import ChangeV1
from schemas.lifecycle import StepKind
from tests.life import NOON, Life, alert, kinds, policy

SERVICES = {
    "api": {"depends_on": ["orders"]},
    "orders": {"depends_on": ["database"]},
    "database": {},
}
#: The first bad signal of ``alert``.
BEGAN = NOON - timedelta(seconds=10)


def change(change_id: str, service: str, before: timedelta, **facts: Any) -> ChangeV1:
    given = {"kind": "deployment", "summary": f"Deploy {service}"} | facts
    return ChangeV1(occurred_at=BEGAN - before, change_id=change_id, service=service, **given)


@pytest.fixture
def life() -> Life:
    return Life(policy(services=SERVICES))


def suspects(life: Life) -> list[tuple[str, float]]:
    (incident,) = life.open
    return [(each.change_id, each.score) for each in incident.suspects]


def test_changes_are_ranked_by_distance_and_time(life: Life) -> None:
    hour = timedelta(hours=1)
    life.hear(
        change("old", "api", 12 * hour),
        change("near", "api", 6 * hour),
        change("below", "orders", hour),
        change("deep", "database", timedelta(0)),
        change("elsewhere", "mail", hour),
        change("staging", "api", hour, environment="staging"),
        change("theirs", "api", hour, tenant="other"),
    )
    (step,) = life.happen(alert(service="api"))
    assert suspects(life) == [("near", 0.75), ("old", 0.5), ("below", 0.479), ("deep", 0.333)]
    assert [each.reason for each in step.incident.suspects][::2] == [
        "1 (it fails itself) x 0.750 (6h of 24h before the first bad signal) = 0.750",
        "1/2 (1 away: api → orders) x 0.958 (1h of 24h before the first bad signal) = 0.479",
    ]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (timedelta(hours=24), [("c", 0.0)]),
        (timedelta(hours=24, seconds=1), []),
        (timedelta(0), [("c", 1.0)]),
        (-timedelta(seconds=5), [("c", 0.5)]),
        # After the incident was detected.
        (-timedelta(seconds=12), []),
    ],
)
def test_only_the_day_before_counts(
    life: Life, before: timedelta, expected: list[tuple[str, float]]
) -> None:
    life.happen(change("c", "api", before), alert(service="api"))
    assert suspects(life) == expected


def test_a_change_that_is_told_of_later_is_ranked_then(life: Life) -> None:
    """Deployments are often told of when they have ended, minutes after what they broke."""
    life.happen(alert(service="api"))
    life.hear(change("late", "database", timedelta(minutes=5)))
    life.restart()
    (step,) = life.tick()
    assert (step.kind, step.reason) == (
        StepKind.SUSPECTS_RANKED,
        "a change of database was told of",
    )
    assert suspects(life) == [("late", 0.332)]
    assert life.happen(change("late", "database", timedelta(minutes=5))) == []
    assert kinds(life.happen(change("other", "mail", timedelta(minutes=5)))) == []
