"""Nobody on call is an alert: before it happens, while it lasts, and until it is over."""

from datetime import timedelta
from pathlib import Path

from schemas.alerts import AlertState
from schemas.ticks import TickV1
from tests.duty import MINUTE, NOON, SECOND, Desk, policy_of

POLICY = """
channels: {{pager: {{kind: pagerduty, routing_key: a-routing-key}}}}
people: {{ada: {{channels: [pager]}}}}
schedules:
  primary:
    layers: [{{rotation: [ada], begins: "2026-03-01 00:00", hours: {{mon-fri: "00:00-24:00"}}}}]
    warn_before: 1d
    {more}
"""
FRIDAY = NOON + timedelta(days=4)
SATURDAY = FRIDAY + timedelta(hours=12)
MONDAY = SATURDAY + timedelta(days=2)


def desk_of(folder: Path, more: str = "") -> Desk:
    return Desk(policy_of(folder, POLICY.format(more=more)), SATURDAY - timedelta(days=1, hours=1))


def transitions(desk: Desk) -> list[tuple[object, ...]]:
    return [(each.occurred_at, each.state, each.severity) for each in desk.alerts]


def test_a_gap_without_end_says_so(tmp_path: Path) -> None:
    later = POLICY.format(more="").replace("2026-03-01", "2027-03-01")
    desk = Desk(policy_of(tmp_path, later), SATURDAY - timedelta(days=1, hours=1))
    desk.tick()
    assert desk.alerts[0].severity == 2
    assert desk.alerts[0].summary.endswith(
        "from 2026-03-05 23:00 until 2026-04-05 23:00 UTC, at least"
    )


def test_it_is_said_once_also_across_restarts_and_by_one_partition(tmp_path: Path) -> None:
    desk = desk_of(tmp_path)
    desk.until(SATURDAY + timedelta(hours=1), every=10 * MINUTE, restarts=True)
    assert [state for _, state, _ in transitions(desk)] == [AlertState.FIRING, AlertState.CHANGED]
    other = desk_of(tmp_path)
    other.now = SATURDAY + SECOND
    other.take(TickV1(occurred_at=other.now, partition=1))
    assert other.alerts == []


def test_a_schedule_that_is_gone_ends_its_alert(tmp_path: Path) -> None:
    desk = desk_of(tmp_path)
    desk.until(SATURDAY + MINUTE, every=10 * MINUTE)
    desk.policy = desk.policy.model_copy(update={"schedules": {}})
    desk.restart()
    desk.until(SATURDAY + 3 * MINUTE)
    assert desk.alerts[-1].state is AlertState.RESOLVED
    assert desk.alerts[-1].reason == "the policy has no such schedule"
