"""Deadlines over time: warned of at four fifths, missed to the second, stopped by who acknowledges or resolves."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.commands import Acknowledge, Reopen, Resolve, SetSeverity
from schemas.lifecycle import StepKind
from schemas.notices import Purpose
from tests.duty import MINUTE, NOON, SECOND, Desk, policy_of

POLICY = """
channels: {pager: {kind: pagerduty, routing_key: a-routing-key}}
routes: [{channels: [pager]}]
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(policy_of(tmp_path, POLICY))
    desk.alert()
    desk.tick()
    return desk


def deadlines(desk: Desk) -> list[tuple[timedelta, StepKind, str]]:
    return [
        (at - NOON, kind, reason.partition(" ")[0])
        for at, kind, reason in desk.said(StepKind.AT_RISK, StepKind.MISSED)
    ]


RESPONSE_AT_RISK = (12 * MINUTE, StepKind.AT_RISK, "response")
RESPONSE_MISSED = (15 * MINUTE, StepKind.MISSED, "response")
RESOLUTION_AT_RISK = (48 * MINUTE, StepKind.AT_RISK, "resolution")
RESOLUTION_MISSED = (60 * MINUTE, StepKind.MISSED, "resolution")


def test_an_incident_says_from_the_beginning_until_when_what_is_due(desk: Desk) -> None:
    opened = desk.steps[0].incident
    assert (opened.respond_by, opened.resolve_by) == (NOON + 15 * MINUTE, NOON + HOUR)


def test_both_deadlines_warn_and_are_missed_to_the_second(desk: Desk) -> None:
    desk.until(NOON + 12 * MINUTE - SECOND)
    assert deadlines(desk) == []
    desk.until(NOON + 15 * MINUTE - SECOND)
    assert deadlines(desk) == [RESPONSE_AT_RISK]
    desk.until(NOON + 3 * HOUR)
    assert deadlines(desk) == [
        RESPONSE_AT_RISK,
        RESPONSE_MISSED,
        RESOLUTION_AT_RISK,
        RESOLUTION_MISSED,
    ]
    assert [reason for _, _, reason in desk.said(StepKind.AT_RISK, StepKind.MISSED)] == [
        "response is due at 2026-03-02 12:15:00 UTC (critical: 15m)",
        "response was due at 2026-03-02 12:15:00 UTC (critical: 15m)",
        "resolution is due at 2026-03-02 13:00:00 UTC (critical: 1h)",
        "resolution was due at 2026-03-02 13:00:00 UTC (critical: 1h)",
    ]
    told = [(each.step, each.purpose) for each in desk.notices]
    assert told == [
        (StepKind.OPENED, Purpose.INITIAL),
        *[(StepKind.AT_RISK, Purpose.AT_RISK), (StepKind.MISSED, Purpose.UPDATE)] * 2,
    ]


def test_acknowledged_a_second_before_is_in_time(desk: Desk) -> None:
    desk.until(NOON + 15 * MINUTE - SECOND)
    desk.ask(Acknowledge)
    desk.until(NOON + 40 * MINUTE)
    assert deadlines(desk) == [RESPONSE_AT_RISK]


def test_acknowledged_at_the_deadline_is_too_late_whichever_is_heard_first(desk: Desk) -> None:
    desk.until(NOON + 15 * MINUTE - SECOND)
    desk.now += SECOND
    desk.ask(Acknowledge)
    assert deadlines(desk) == [RESPONSE_AT_RISK, RESPONSE_MISSED]
    assert [each.kind for each in desk.steps[-2:]] == [StepKind.MISSED, StepKind.ACKNOWLEDGED]
    desk.tick()
    assert deadlines(desk) == [RESPONSE_AT_RISK, RESPONSE_MISSED]


@pytest.mark.parametrize(("after", "missed"), [(60 * MINUTE - SECOND, 0), (60 * MINUTE, 1)])
def test_the_resolution_stops_both_clocks(desk: Desk, after: timedelta, missed: int) -> None:
    desk.until(NOON + after - SECOND)
    desk.now += SECOND
    desk.ask(Resolve)
    desk.until(NOON + 5 * HOUR, every=MINUTE)
    assert deadlines(desk)[3:] == [RESOLUTION_MISSED] * missed


def test_a_worse_severity_counts_anew_from_the_beginning(tmp_path: Path) -> None:
    desk = Desk(policy_of(tmp_path, POLICY))
    desk.alert(severity=2)
    desk.tick()
    desk.until(NOON + 10 * MINUTE)
    desk.ask(SetSeverity, severity=1, reason="nobody can pay")
    assert desk.steps[-1].incident.respond_by == NOON + 15 * MINUTE
    desk.until(NOON + 20 * MINUTE)
    assert deadlines(desk) == [RESPONSE_AT_RISK, RESPONSE_MISSED]


def test_a_lesser_severity_gives_no_more_time(desk: Desk) -> None:
    """The worst severity there was is what an incident is judged by."""
    desk.until(NOON + 10 * MINUTE)
    desk.ask(SetSeverity, severity=4, reason="a mistake")
    assert desk.steps[-1].incident.respond_by == NOON + 15 * MINUTE
    desk.until(NOON + 20 * MINUTE)
    assert deadlines(desk) == [RESPONSE_AT_RISK, RESPONSE_MISSED]


def test_the_time_until_a_reopening_is_not_counted(desk: Desk) -> None:
    desk.until(NOON + 10 * MINUTE)
    desk.ask(Acknowledge)
    desk.until(NOON + 20 * MINUTE)
    desk.ask(Resolve)
    desk.until(NOON + 120 * MINUTE)
    desk.ask(Reopen, reason="it is back")
    assert desk.steps[-1].incident.resolve_by == NOON + 160 * MINUTE
    desk.until(NOON + 160 * MINUTE - SECOND)
    assert deadlines(desk) == [(148 * MINUTE, StepKind.AT_RISK, "resolution")]
    desk.until(NOON + 160 * MINUTE)
    assert deadlines(desk)[-1] == (160 * MINUTE, StepKind.MISSED, "resolution")


def test_the_next_business_day_ends_when_it_closes(tmp_path: Path) -> None:
    calendar = """
    calendars:
      business: {time_zone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}, holidays: DE}
    """
    desk = Desk(policy_of(tmp_path, calendar))
    desk.now = NOON.replace(month=4, day=30)
    desk.alert(severity=4)
    desk.tick()
    # Friday 1 May is free: Monday, 17:00 in Berlin.
    due = NOON.replace(month=5, day=4, hour=15)
    assert desk.steps[0].incident.respond_by == due
    desk.until(due - SECOND, every=HOUR)
    assert [kind for _, kind, _ in deadlines(desk)] == [StepKind.AT_RISK]
    desk.until(due)
    assert [kind for _, kind, _ in deadlines(desk)] == [StepKind.AT_RISK, StepKind.MISSED]


def test_any_restart_misses_and_warns_the_same(tmp_path: Path, desk: Desk) -> None:
    """Otherwise a deploy would repeat a warning, or forget one."""
    other = Desk(policy_of(tmp_path, POLICY))
    other.alert()
    other.tick()
    other.until(NOON + 70 * MINUTE, every=10 * SECOND, restarts=True)
    desk.until(NOON + 70 * MINUTE, every=10 * SECOND)
    assert other.steps == desk.steps
    assert other.notices == desk.notices


def test_after_an_outage_of_ours_what_was_missed_is_recorded_and_told_to_nobody(desk: Desk) -> None:
    """Otherwise whoever mends our pipeline is met by a storm of warnings that are no news."""
    desk.until(NOON + 5 * MINUTE)
    desk.now = NOON + 50 * MINUTE
    desk.restart()
    desk.tick()
    told = [(each.kind, each.late) for each in desk.steps[1:]]
    assert told == [(StepKind.MISSED, True), (StepKind.AT_RISK, False)]
    assert [each.step for each in desk.notices] == [StepKind.OPENED, StepKind.AT_RISK]


def test_a_backlog_is_worked_through_by_its_own_time_and_told_to_nobody(desk: Desk) -> None:
    """Ticks that waited for us while we were out say when deadlines passed, not that anybody should be woken now."""
    desk.behind = timedelta(minutes=30)
    desk.until(NOON + 20 * MINUTE)
    assert deadlines(desk) == [RESPONSE_AT_RISK, RESPONSE_MISSED]
    assert [each.step for each in desk.notices] == [StepKind.OPENED]
