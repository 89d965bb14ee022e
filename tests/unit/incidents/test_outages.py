"""Outages of ours, and policies that change meanwhile: who is called when they are over, and of what nobody is told."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.commands import Acknowledge
from schemas.lifecycle import StepKind
from tests.duty import MINUTE, NOON, SECOND, Desk, policy_of

POLICY = """
channels:
  ada: {kind: pagerduty, routing_key: a-routing-key}
  grace: {kind: pagerduty, routing_key: a-routing-key}
  lin: {kind: pagerduty, routing_key: a-routing-key}
  chat: {kind: slack}
people:
  ada: {channels: [ada]}
  grace: {channels: [grace, chat]}
  lin: {channels: [lin, chat], time_zone: Asia/Kolkata}
teams:
  platform: {people: [ada, grace], teams: [night]}
  night: {people: [lin], channels: [chat]}
schedules:
  primary: {layers: [{rotation: [ada, grace], begins: "2026-03-02 00:00", every: 1d}]}
escalations:
"""
CRITICAL = """
  critical:
    severities: [1]
    steps:
      - schedules: [primary]
      - {people: [grace], after: 5m}
      - {teams: [platform], after: 10m}
"""


def desk_of(folder: Path, *chains: str) -> Desk:
    desk = Desk(policy_of(folder, POLICY + "".join(chains or [CRITICAL])))
    desk.alert()
    desk.tick()
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_of(tmp_path)


FIRST = (timedelta(0), "ada")
#: A step tells everybody who shares a channel at once.
SECONDS = [(5 * MINUTE, "grace"), (5 * MINUTE, "chat")]


@pytest.mark.parametrize("restarted", [False, True])
def test_after_an_outage_of_ours_it_goes_on_with_what_was_left_of_its_delay(
    desk: Desk, *, restarted: bool
) -> None:
    """Otherwise our own outage would climb the whole chain at once."""
    desk.until(NOON + 4 * MINUTE)
    desk.now = NOON + 240 * MINUTE
    if restarted:
        desk.restart()
    desk.tick()
    assert desk.called() == [FIRST]
    # A minute was left; what was kept of the time is up to half a minute older.
    back = NOON + 240 * MINUTE
    desk.until(back + 60 * SECOND - SECOND)
    assert desk.called() == [FIRST]
    desk.until(back + 90 * SECOND)
    assert [channel for _, channel in desk.called()] == ["ada", "grace", "chat"]


@pytest.mark.parametrize(("out", "calls"), [(120, [SECOND * 350]), (121, [])])
def test_an_outage_begins_after_two_minutes(desk: Desk, out: int, calls: list[timedelta]) -> None:
    """Up to then ticks are late, and what is due is due."""
    desk.until(NOON + 230 * SECOND)
    desk.now += out * SECOND
    desk.tick()
    assert [at for at, channel in desk.called() if channel == "grace"] == calls


def test_a_backlog_calls_nobody_and_what_is_left_of_it_begins_when_it_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An hour of waiting ticks is read within a second: people were given no time to react."""
    desk = Desk(policy_of(tmp_path, POLICY + CRITICAL))
    desk.behind = timedelta(hours=1)
    desk.alert()
    desk.tick()
    desk.until(NOON + 60 * MINUTE - SECOND)
    assert desk.called() == []
    assert [record.getMessage() for record in caplog.records] == [
        "behind, nobody is called tick=2026-03-02T12:00:00+00:00 seconds=3600"
    ]
    desk.behind = timedelta(0)
    desk.until(NOON + 60 * MINUTE)
    assert desk.called() == [(60 * MINUTE, "ada")]
    desk.until(NOON + 65 * MINUTE)
    assert desk.called()[1:] == [(65 * MINUTE, "grace"), (65 * MINUTE, "chat")]


def test_a_handover_during_an_outage_of_ours_is_made_after_it(desk: Desk) -> None:
    """Otherwise whoever came on call meanwhile would not know of it until they leave."""
    desk.until(NOON + 2 * MINUTE)
    desk.ask(Acknowledge)
    midnight = NOON + timedelta(hours=12)
    desk.until(midnight - MINUTE, every=MINUTE)
    desk.behind = timedelta(hours=1)
    desk.until(midnight + 30 * MINUTE, every=MINUTE)
    assert desk.said(StepKind.HANDED_OVER) == []
    desk.behind = timedelta(0)
    desk.until(midnight + 31 * MINUTE, every=MINUTE)
    assert [at for at, _, _ in desk.said(StepKind.HANDED_OVER)] == [midnight + 31 * MINUTE]


@pytest.mark.parametrize(
    ("chains", "calls"),
    [
        # Renamed: it begins under its new name when the next step was due.
        (CRITICAL.replace("critical", "urgent"), [(5 * MINUTE, "ada"), (10 * MINUTE, "grace")]),
        # Shorter than it has come: over.
        ("  critical: {steps: [{people: [lin]}]}\n", []),
        # Gone.
        ("  other: {severities: [4], steps: [{people: [lin]}]}\n", []),
    ],
    ids=["renamed", "shorter", "gone"],
)
def test_a_policy_that_changes_while_it_climbs_holds_from_then_on(
    tmp_path: Path, desk: Desk, chains: str, calls: list[tuple[timedelta, str]]
) -> None:
    desk.until(NOON + 2 * MINUTE)
    desk.policy = policy_of(tmp_path, POLICY + chains)
    desk.restart()
    desk.until(NOON + 12 * MINUTE)
    assert [each for each in desk.called()[1:] if each[1] != "chat"] == calls


def test_what_opened_during_an_outage_of_ours_waits_its_whole_delay(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, "  slow: {steps: [{people: [ada], after: 5m}]}\n")
    desk.until(NOON + MINUTE)
    desk.ask(Acknowledge)
    desk.restart()
    desk.now = NOON + 30 * MINUTE
    desk.alert(group_key="other", fingerprint="00000000000000bb")
    desk.now = NOON + 60 * MINUTE
    desk.tick()
    desk.until(NOON + 65 * MINUTE - SECOND)
    assert desk.called() == []
    desk.until(NOON + 65 * MINUTE)
    assert desk.called() == [(65 * MINUTE, "ada")]


def test_a_delay_after_somebodys_hours_is_a_delay_again(tmp_path: Path) -> None:
    """Of it, an outage of ours leaves what was left; only hours are when they are."""
    chain = (
        '  office: {steps: [{people: [lin], during: {mon-fri: "17:40-18:00"}}, '
        "{people: [ada], after: 20m}]}\n"
    )
    desk = desk_of(tmp_path, chain)
    desk.until(NOON + 12 * MINUTE)
    assert [at for at, _ in desk.called()] == [10 * MINUTE] * 2
    desk.now = NOON + 60 * MINUTE
    desk.tick()
    desk.until(NOON + 78 * MINUTE - SECOND)
    assert len(desk.called()) == 2
    desk.until(NOON + 78 * MINUTE)
    assert desk.called()[2:] == [(78 * MINUTE, "ada")]


def test_a_handover_that_one_old_tick_told_of_is_made_at_the_next(desk: Desk) -> None:
    desk.until(NOON + 2 * MINUTE)
    desk.ask(Acknowledge)
    midnight = NOON + timedelta(hours=12)
    desk.until(midnight - SECOND, every=MINUTE)
    desk.behind = timedelta(minutes=3)
    desk.until(midnight)
    desk.behind = timedelta(0)
    desk.until(midnight + SECOND)
    assert [at for at, _, _ in desk.said(StepKind.HANDED_OVER)] == [midnight + SECOND]


def test_deadlines_of_a_backlog_are_recorded_by_their_own_time_and_told_to_nobody(
    tmp_path: Path,
) -> None:
    """Ticks that waited for us while we were out say when deadlines passed, not that anybody should be woken now."""
    desk = Desk(policy_of(tmp_path, POLICY.replace("escalations:", "routes: [{channels: [ada]}]")))
    desk.alert()
    desk.tick()
    desk.behind = timedelta(minutes=30)
    desk.until(NOON + 20 * MINUTE)
    assert [(at - NOON, kind) for at, kind, _ in desk.said(StepKind.AT_RISK, StepKind.MISSED)] == [
        (12 * MINUTE, StepKind.AT_RISK),
        (15 * MINUTE, StepKind.MISSED),
    ]
    assert [each.step for each in desk.notices] == [StepKind.OPENED]
