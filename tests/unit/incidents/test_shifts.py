"""Who is told of a handover by itself, across restarts and outages of ours."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.ticks import TickV1
from streams.policy import read_policy
from streams.policy_duty import shifts_of
from tests.duty import MINUTE, NOON, SECOND, Desk

MIDNIGHT = NOON + timedelta(hours=12)
BOTH = [(timedelta(hours=12), "grace"), (timedelta(hours=12), "ada")]


@pytest.fixture
def desk() -> Desk:
    desk = Desk(read_policy(Path("tests/policies/shifts.yaml"), {}), at=MIDNIGHT - MINUTE)
    desk.tick()
    return desk


def test_it_is_told_at_the_moment_and_not_a_second_before(desk: Desk) -> None:
    """Whoever looks at the clock would trust whoever has gone."""
    desk.until(MIDNIGHT - SECOND)
    assert desk.called() == []
    desk.until(MIDNIGHT)
    assert desk.called() == BOTH


def test_it_is_told_once_by_workers_that_restart_at_every_tick(desk: Desk) -> None:
    """Everybody would be told again after each deployment, or never."""
    desk.until(MIDNIGHT + MINUTE, every=10 * SECOND, restarts=True)
    assert desk.called() == BOTH


def test_a_tick_that_comes_again_makes_the_same_notices(desk: Desk) -> None:
    """Whoever died before it was kept that they were told would tell them under another id."""
    before = dict(desk.entries)
    desk.until(MIDNIGHT, every=MINUTE)
    desk.entries = before
    desk.restart()
    desk.tick()
    ids = [each.notice_id for each in desk.notices]
    assert ids[:2] == ids[2:]


def test_an_old_tick_tells_nobody(desk: Desk) -> None:
    """A backlog of a week would tell of seven handovers."""
    desk.behind = timedelta(hours=1)
    desk.until(MIDNIGHT + MINUTE, every=MINUTE)
    assert desk.called() == []
    desk.behind = timedelta(0)
    desk.until(MIDNIGHT + 2 * MINUTE, every=MINUTE)
    assert [channel for _, channel in desk.called()] == ["grace", "ada"]


def test_one_partition_tells(desk: Desk) -> None:
    """Everybody would be told as many times as there are partitions."""
    desk.take(TickV1(occurred_at=MIDNIGHT, partition=1))
    assert desk.called() == []


def test_a_schedule_that_was_taken_out_is_forgotten() -> None:
    """It would be kept for ever, and told of when it comes back."""
    policy = read_policy(Path("tests/policies/shifts.yaml"), {})
    shifts = shifts_of(policy.roster, policy.channels)
    shifts.look(NOON)
    kept = {name: value for name, value in shifts.changes().items() if value is not None}
    assert len(kept) == 2
    without = read_policy(Path("tests/policies/duty.yaml"), {})
    other = shifts_of(without.roster, without.channels)
    other.restore(kept)
    assert other.look(MIDNIGHT) == []
    assert other.changes() == dict.fromkeys(kept)
