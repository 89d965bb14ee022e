"""Who is on duty, as a policy says it: read together, or refused with everything that is wrong, in full texts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from streams.errors import PolicyError
from streams.incidents.schedules import on_call
from streams.policy import Policy, read_policy
from streams.policy_duty import promises_of

CHANNELS = """
channels:
  pager: {kind: pagerduty, routing_key: a-routing-key}
"""
DUTY = """
calendars:
  office: {time_zone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}, holidays: DE}
people:
  ada: {channels: [pager], time_zone: Europe/Berlin}
  grace: {channels: [pager]}
teams:
  platform: {people: [ada], teams: [everybody]}
  everybody: {people: [grace]}
schedules:
  primary:
    needed: office
    layers: [{rotation: [ada, grace], begins: 2026-01-05 09:00}]
    overrides: [{person: grace, from: 2026-01-06, until: 2026-01-07T00:00:00Z}]
escalations:
  critical:
    severities: [1]
    steps: [{schedules: [primary]}, {teams: [platform], after: 5m, during: {mon-fri: "08:00-20:00"}}]
severities:
  4: {name: low, meaning: x, respond_within: next  business day, resolve_within: 7d, calendar: office}
"""


def refused(folder: Path, text: str) -> str:
    (folder / "bad.yaml").write_text(dedent(text).lstrip("\n"))
    (folder / "channels.yaml").write_text(CHANNELS)
    with pytest.raises(PolicyError) as refusal:
        read_policy(folder, {})
    return "\n".join(line.removeprefix("  ") for line in str(refusal.value).split("\n")[1:])


def test_all_parts_are_read_together(tmp_path: Path) -> None:
    (tmp_path / "duty.yaml").write_text(DUTY)
    (tmp_path / "channels.yaml").write_text(CHANNELS)
    policy = read_policy(tmp_path, {})
    primary = policy.schedules["primary"]
    assert on_call(primary, datetime(2026, 1, 5, 9, 0, tzinfo=UTC)) == "ada"
    assert on_call(primary, datetime(2026, 1, 6, 9, 0, tzinfo=UTC)) == "grace"
    assert policy.escalations["critical"].steps[1].after == timedelta(minutes=5)
    assert policy.severities[4].respond_within == "next business day"
    assert set(policy.plan.calendars) == {"business", "office"}


def test_every_name_that_is_nowhere_is_said_with_what_was_meant(tmp_path: Path) -> None:
    """Otherwise nobody would be called, and nobody would know."""
    assert refused(
        tmp_path,
        """
        people:
          ada: {channels: [pagr]}
        teams:
          platform: {people: [adda], teams: [platfrm], channels: [chat]}
        schedules:
          primary:
            needed: busines
            layers:
              - {rotation: [ada, grace], begins: 2026-01-05}
              - shifts: [{person: lin, from: 2026-01-05, until: 2026-01-06}]
            overrides: [{person: bob, from: 2026-01-05, until: 2026-01-06}]
        escalations:
          critical:
            steps: [{schedules: [primry], teams: platform2, people: [ada], channels: [pager]}]
        severities:
          1: {name: x, meaning: x, respond_within: 5m, resolve_within: 1h, calendar: offce}
        """,
    ) == (
        "bad.yaml:2: people.ada.channels[0]: 'pagr' is not defined under channels; did you mean 'pager'?\n"
        "bad.yaml:4: teams.platform.people[0]: 'adda' is not defined under people; did you mean 'ada'?\n"
        "bad.yaml:4: teams.platform.teams[0]: 'platfrm' is not defined under teams; did you mean 'platform'?\n"
        "bad.yaml:4: teams.platform.channels[0]: 'chat' is not defined under channels; there are pager\n"
        "bad.yaml:7: schedules.primary.needed: 'busines' is not defined under calendars; did you mean 'business'?\n"
        "bad.yaml:9: schedules.primary.layers[0].rotation[1]: 'grace' is not defined under people; there are ada\n"
        "bad.yaml:10: schedules.primary.layers[1].shifts[0].person: 'lin' is not defined under people; there are ada\n"
        "bad.yaml:11: schedules.primary.overrides[0].person: 'bob' is not defined under people; there are ada\n"
        "bad.yaml:14: escalations.critical.steps[0].teams: 'platform2' must be a list: write [platform2]\n"
        "bad.yaml:14: escalations.critical.steps[0].schedules[0]: 'primry' is not defined under schedules; did you mean 'primary'?\n"
        "bad.yaml:14: escalations.critical.steps[0].teams: 'platform2' is not defined under teams; did you mean 'platform'?\n"
        "bad.yaml:16: severities[1].calendar: 'offce' is not defined under calendars; there are business"
    )


def test_a_team_that_belongs_to_itself_is_refused_with_the_way(tmp_path: Path) -> None:
    """Otherwise its author believes that a part of it is told which is not."""
    assert refused(
        tmp_path,
        """
        teams:
          a: {teams: [b]}
          b: {teams: [c]}
          c: {teams: [a]}
          d: {teams: [a]}
          e: {teams: [e]}
        """,
    ) == (
        "bad.yaml:2: teams.a.teams: belongs to itself: a -> b -> c -> a\n"
        "bad.yaml:6: teams.e.teams: belongs to itself: e -> e"
    )


def test_what_is_wrong_within_a_part_is_said_with_its_place(tmp_path: Path) -> None:
    assert refused(
        tmp_path,
        """
        calendars: [office]
        people:
          ada: {channels: [], timezone: UTC}
        schedules:
          primary: {layers: [{rotation: [], begins: 2026-01-05}]}
        escalations:
          critical: {steps: [], repeat: -1}
          other: {steps: [{after: soon, during: {mon: 9-5}}]}
        severities:
          1: {name: x, meaning: x, respond_within: tomorrow, resolve_within: 1h}
        """,
    ) == (
        "bad.yaml:1: calendars: must be a map of names to calendars\n"
        "bad.yaml:3: people.ada.channels: must have at least one entry\n"
        "bad.yaml:3: people.ada.timezone: is not known here; did you mean 'time_zone'?\n"
        "bad.yaml:5: schedules.primary.layers[0]: must have either rotation or shifts\n"
        "bad.yaml:7: escalations.critical.steps: must have at least one entry\n"
        "bad.yaml:7: escalations.critical.repeat: -1 must be greater than or equal to 0\n"
        "bad.yaml:8: escalations.other.steps[0].after: 'soon' is not a duration: "
        "write a number and a unit, such as 30s, 5m, 1h or 7d\n"
        "bad.yaml:8: escalations.other.steps[0].during: has the hours '9-5': write them as 09:00-17:00\n"
        "bad.yaml:10: severities[1].respond_within: 'tomorrow' is not a duration: "
        "write a number and a unit, such as 30s, 5m, 1h or 7d, or next business day"
    )


def test_a_name_is_defined_once_in_all_files(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text("people:\n  ada: {channels: [pager]}\n")
    assert refused(
        tmp_path.joinpath(), "people:\n  bob: {channels: [pager]}\n  ada: {channels: [pager]}\n"
    ) == ("first.yaml:2: people.ada: is defined before, in bad.yaml:3")


def test_the_warehouse_is_told_how_deadlines_are_counted() -> None:
    """The report would show the next business day, and business hours, as so many hours around the clock."""
    severities = {
        **Policy().severities,
        2: Policy().severities[2].model_copy(update={"counted_in": "business_hours"}),
    }
    assert [(each.respond_counted, each.resolve_counted) for each in promises_of(severities)] == [
        ("", ""),
        ("business hours", "business hours"),
        ("", ""),
        ("next business day", ""),
    ]
