"""Escalations over time: who is called when, what stops it, what goes on with it, and what an outage of ours does to it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from schemas.commands import Acknowledge, Correct, Merge, Note, Reopen, Resolve, SetSeverity, Split
from schemas.lifecycle import StepKind
from tests.duty import INCIDENT, MINUTE, NOON, SECOND, Desk, policy_of

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
THIRDS = [(15 * MINUTE, each) for each in ("chat", "ada", "grace", "lin")]


def test_the_steps_come_in_order_each_after_its_delay(desk: Desk) -> None:
    desk.until(NOON + 5 * MINUTE - SECOND)
    assert desk.called() == [FIRST]
    desk.until(NOON + 15 * MINUTE - SECOND)
    assert desk.called() == [FIRST, *SECONDS]
    desk.until(NOON + 60 * MINUTE)
    assert desk.called() == [FIRST, *SECONDS, *THIRDS]
    assert [reason for _, _, reason in desk.said(StepKind.ESCALATED)] == [
        "critical: step 1 of 3; told ada",
        "critical: step 2 of 3; told grace",
        "critical: step 3 of 3; told ada, grace, lin, chat",
    ]
    first, second, *_ = [each for each in desk.notices if each.step is StepKind.ESCALATED]
    assert (first.people, first.reason) == (("ada",), "ada is on call in primary")
    assert (second.people, second.reason) == (("grace",), "grace is named")
    assert desk.steps[-1].incident.escalations == 3


@pytest.mark.parametrize(
    ("acknowledged_at", "calls"),
    [(15 * MINUTE - SECOND, [FIRST, *SECONDS]), (15 * MINUTE + SECOND, [FIRST, *SECONDS, *THIRDS])],
)
def test_an_acknowledgement_stops_it(
    desk: Desk, acknowledged_at: timedelta, calls: list[tuple[timedelta, str]]
) -> None:
    desk.until(NOON + acknowledged_at)
    desk.ask(Acknowledge)
    desk.until(NOON + 180 * MINUTE)
    assert desk.called() == calls


def test_a_resolution_stops_it_and_a_reopening_begins_it_again(desk: Desk) -> None:
    desk.until(NOON + 6 * MINUTE)
    desk.ask(Resolve)
    desk.until(NOON + 30 * MINUTE)
    assert desk.called() == [FIRST, *SECONDS]
    desk.ask(Reopen, reason="it is back")
    desk.until(NOON + 35 * MINUTE)
    again = [(30 * MINUTE + SECOND, "ada"), (35 * MINUTE, "grace"), (35 * MINUTE, "chat")]
    assert desk.called() == [FIRST, *SECONDS, *again]


def test_it_comes_again_as_often_as_it_says(tmp_path: Path) -> None:
    desk = desk_of(
        tmp_path,
        "  twice: {steps: [{people: [ada]}, {people: [lin], after: 2m}], repeat: 2, repeat_after: 10m}\n",
    )
    desk.until(NOON + 120 * MINUTE)
    assert [(at, channel) for at, channel in desk.called() if channel != "chat"] == [
        FIRST,
        *[
            (minute * MINUTE, who)
            for minute, who in [(2, "lin"), (12, "ada"), (14, "lin"), (24, "ada"), (26, "lin")]
        ],
    ]
    assert desk.said(StepKind.ESCALATED)[-1][2] == "twice: step 2 of 2, round 3 of 3; told lin"


def test_without_a_sign_of_life_an_acknowledgement_ends_and_it_goes_on(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, CRITICAL, "    acknowledged_for: 20m\n")
    desk.until(NOON + 6 * MINUTE)
    desk.ask(Acknowledge)
    desk.until(NOON + 16 * MINUTE)
    desk.ask(Note, text="looking")
    desk.until(NOON + 36 * MINUTE - SECOND)
    assert desk.called() == [FIRST, *SECONDS]
    desk.until(NOON + 36 * MINUTE)
    # Those who were told last are called again, and the next ones after their delay.
    assert desk.said(StepKind.UNACKNOWLEDGED) == [
        (
            NOON + 36 * MINUTE,
            StepKind.UNACKNOWLEDGED,
            "nothing was heard of ada since 2026-03-02 12:16:00 UTC",
        )
    ]
    assert desk.called()[3:] == [(36 * MINUTE, "grace"), (36 * MINUTE, "chat")]
    desk.until(NOON + 46 * MINUTE)
    assert desk.called()[5:] == [(46 * MINUTE, each) for _, each in THIRDS]
    # Somebody responded in time, whatever came of it.
    assert not any("response" in reason for _, _, reason in desk.said(StepKind.MISSED))
    # Whoever takes it now is the one who has it.
    desk.ask(Acknowledge)
    assert desk.steps[-1].kind is StepKind.ACKNOWLEDGED
    assert desk.steps[-1].incident.acknowledged_at == NOON + 46 * MINUTE


def test_a_round_that_was_stopped_goes_on_as_the_same_round(tmp_path: Path) -> None:
    """Otherwise who acknowledged for a moment would have used up a repetition."""
    chain = "  again: {steps: [{people: [ada]}], repeat: 1, acknowledged_for: 20m}\n"
    desk = desk_of(tmp_path, chain)
    desk.until(NOON + MINUTE)
    desk.ask(Acknowledge)
    desk.until(NOON + 60 * MINUTE)
    assert desk.called() == [FIRST, (21 * MINUTE, "ada"), (31 * MINUTE, "ada")]


def test_outside_the_hours_of_a_person_it_waits_and_goes_on_in_the_morning(tmp_path: Path) -> None:
    """Also across restarts: a chain that forgot its wait would never go on."""
    desk = desk_of(
        tmp_path,
        "  office:\n    steps:\n"
        '      - {people: [lin], during: {mon-fri: "08:00-18:00"}}\n'
        "      - {people: [ada], after: 30m}\n",
    )
    # Noon UTC is 17:30 in Kolkata; one hour later the day of lin is over.
    later = Desk(desk.policy, NOON + 60 * MINUTE)
    later.alert()
    later.tick()
    morning = datetime.fromisoformat("2026-03-03T08:00:00+05:30")
    later.until(morning - SECOND, every=MINUTE, restarts=True)
    assert later.called() == []
    later.until(morning, restarts=True)
    assert later.called() == [(morning - NOON, "lin"), (morning - NOON, "chat")]
    later.until(morning + 30 * MINUTE, every=MINUTE, restarts=True)
    assert later.called()[2:] == [(morning - NOON + 30 * MINUTE, "ada")]
    assert desk.called() == [(timedelta(0), "lin"), (timedelta(0), "chat")]


def test_an_outage_of_ours_does_not_put_off_the_morning(tmp_path: Path) -> None:
    """What was left of a delay is left after it; the hours of people are when they are."""
    chain = '  office: {steps: [{people: [ada], during: {mon-fri: "08:00-12:00"}}]}\n'
    desk = desk_of(tmp_path, chain)
    desk.until(NOON + MINUTE)
    desk.now = NOON + timedelta(hours=6)
    desk.restart()
    desk.until(NOON + timedelta(hours=20) - SECOND, every=MINUTE)
    assert desk.called() == []
    desk.until(NOON + timedelta(hours=20))
    assert desk.called() == [(timedelta(hours=20), "ada")]


def test_a_step_can_be_passed_over_outside_of_its_hours(tmp_path: Path) -> None:
    desk = desk_of(
        tmp_path,
        "  office:\n    steps:\n"
        '      - {people: [lin], during: {mon-fri: "08:00-17:30"}, outside: skip}\n'
        "      - {people: [ada], after: 30m}\n",
    )
    desk.until(NOON + SECOND)
    assert desk.called() == [FIRST]


def test_some_of_a_step_are_asleep_and_the_others_are_called(tmp_path: Path) -> None:
    desk = desk_of(
        tmp_path,
        '  office: {steps: [{people: [lin, ada], during: {mon-fri: "08:00-17:30"}}]}\n',
    )
    desk.until(NOON + SECOND)
    assert desk.called() == [FIRST]
    reason = "office: step 1 of 1; outside the hours of lin; told ada"
    assert desk.said(StepKind.ESCALATED)[0][2] == reason


def test_where_nobody_is_on_call_the_next_step_follows_at_once(tmp_path: Path) -> None:
    hole = POLICY.replace('begins: "2026-03-02 00:00"', 'begins: "2026-03-03 00:00"')
    desk = Desk(policy_of(tmp_path, hole + CRITICAL))
    desk.alert()
    desk.tick()
    assert desk.called() == [(timedelta(0), "grace"), (timedelta(0), "chat")]
    assert [reason for _, _, reason in desk.said(StepKind.ESCALATED)] == [
        "critical: step 1 of 3; nobody is on call in primary; told nobody, the next step follows",
        "critical: step 2 of 3; told grace",
    ]


def test_a_handover_tells_whoever_comes_on_call_of_what_is_open(desk: Desk) -> None:
    desk.until(NOON + 2 * MINUTE)
    desk.ask(Acknowledge)
    midnight = NOON + timedelta(hours=12)
    desk.until(midnight - SECOND, every=MINUTE)
    assert desk.called() == [FIRST]
    desk.until(midnight)
    assert desk.said(StepKind.HANDED_OVER) == [
        (midnight, StepKind.HANDED_OVER, "primary: ada hands over to grace")
    ]
    assert desk.called()[1:] == [(midnight - NOON, "grace"), (midnight - NOON, "chat")]
    desk.ask(Resolve)
    desk.until(midnight + timedelta(hours=20), every=10 * MINUTE)
    assert len(desk.said(StepKind.HANDED_OVER)) == 1


def test_another_severity_can_have_another_chain(tmp_path: Path) -> None:
    desk = desk_of(
        tmp_path, CRITICAL, "  high: {severities: [2], steps: [{people: [lin], after: 3m}]}\n"
    )
    desk.until(NOON + 1 * MINUTE)
    desk.ask(SetSeverity, severity=2, reason="only some users")
    desk.until(NOON + 10 * MINUTE)
    assert desk.called() == [FIRST, (4 * MINUTE, "lin"), (4 * MINUTE, "chat")]
    desk.ask(SetSeverity, severity=3, reason="only a few users")
    desk.ask(SetSeverity, severity=1, reason="all of them after all")
    desk.until(NOON + 10 * MINUTE + SECOND)
    assert desk.called()[3:] == [(10 * MINUTE + SECOND, "ada")]


def test_a_worker_that_is_killed_anywhere_goes_on_in_time(tmp_path: Path, desk: Desk) -> None:
    """Restored from what was kept, at every tick: the same people are called at the same time, once."""
    other = desk_of(tmp_path, CRITICAL)
    other.until(NOON + 20 * MINUTE, restarts=True)
    desk.until(NOON + 20 * MINUTE)
    assert other.steps == desk.steps
    assert other.notices == desk.notices


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


def test_what_was_taken_during_an_outage_is_not_escalated_after_it(desk: Desk) -> None:
    desk.until(NOON + 4 * MINUTE)
    desk.now = NOON + 30 * MINUTE
    desk.restart()
    desk.ask(Acknowledge)
    desk.until(NOON + 60 * MINUTE)
    assert desk.called() == [FIRST]


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


def test_what_was_merged_is_escalated_no_more_and_what_took_it_over_is(tmp_path: Path) -> None:
    """Otherwise two would be called for one incident, or nobody for what only the other had a chain for."""
    desk = desk_of(
        tmp_path,
        "  shop: {services: [shop], steps: [{people: [ada]}, {people: [lin], after: 5m}]}\n",
    )
    desk.alert(fingerprint="00000000000000bb", group_key="shop", service="shop")
    desk.until(NOON + MINUTE)
    assert desk.called() == [(SECOND, "ada")]
    other = desk.steps[-1].incident_id
    assert other != INCIDENT
    desk.ask(Merge, other, into=INCIDENT)
    desk.until(NOON + 20 * MINUTE)
    assert {each.incident_id for each in desk.notices if each.occurred_at > NOON + MINUTE} == {
        INCIDENT
    }
    late = 6 * MINUTE
    assert desk.called()[1:] == [(MINUTE + SECOND, "ada"), (late, "lin"), (late, "chat")]
    # The one that took it over keeps its own deadlines, the other has none any more.
    missed = [each.incident_id for each in desk.steps if each.kind is StepKind.MISSED]
    assert missed == [INCIDENT]


def test_what_was_split_off_has_promises_of_its_own_from_then_on(desk: Desk) -> None:
    desk.alert(fingerprint="00000000000000bb")
    desk.until(NOON + 2 * MINUTE)
    desk.ask(Acknowledge)
    desk.until(NOON + 30 * MINUTE)
    desk.ask(Split, fingerprints=["00000000000000bb"])
    new = desk.steps[-1].incident
    assert new.incident_id != INCIDENT
    assert new.respond_by == NOON + 45 * MINUTE
    desk.until(NOON + 45 * MINUTE)
    assert [
        (each.occurred_at, each.incident_id) for each in desk.steps if each.kind is StepKind.MISSED
    ] == [(NOON + 45 * MINUTE, new.incident_id)]
    begun = 30 * MINUTE + SECOND
    assert [at for at, channel in desk.called() if channel == "ada"][:2] == [timedelta(0), begun]


def test_an_acknowledgement_that_is_written_down_later_stops_it(desk: Desk) -> None:
    desk.until(NOON + 4 * MINUTE)
    desk.ask(Correct, milestone="acknowledged", moment=NOON + 3 * MINUTE, reason="by phone")
    desk.until(NOON + 40 * MINUTE)
    assert desk.called() == [FIRST]
    assert desk.said(StepKind.MISSED) == []
