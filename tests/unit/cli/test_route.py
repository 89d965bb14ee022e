"""What `tocsin route test` answers."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.__main__ import main

POLICY = """
channels:
  chat: {kind: slack, url: "https://chat.example.org/secret"}
  pager: {kind: pagerduty}
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "00:00", end_time: "06:00"}]
        location: Europe/Berlin
routes:
  - channels: [chat]
    group_wait: 30s
    repeat_interval: 4h
    routes:
      - matchers: ['team="payments"']
        channels: [pager]
        mute_time_intervals: [nights]
        continue: true
      - services: [shop]
"""

WHOLE = (
    "initial message, severity 2, at 2024-03-01 03:00:00 UTC\n"
    "  pager (pagerduty) at 2024-03-01 05:00:00 UTC (group_wait 30s, muted by nights), again every 4h "
    'until it is resolved, by routes[0].routes[0]: severity 2, initial message, team="payments"; '
    "turned off: its routing_key is empty\n"
    "  chat (slack) at 2024-03-01 03:00:30 UTC (group_wait 30s), again every 4h until it is resolved, "
    "by routes[0].routes[1]: severity 2, initial message, service shop\n"
)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def asked(policy: Path, *arguments: str) -> tuple[int, str]:
    ran = CliRunner().invoke(main, ["route", "test", "--policy", str(policy), *arguments])
    return ran.exit_code, ran.output


def test_it_says_who_how_when_and_why(policy: Path) -> None:
    """Otherwise nobody could know before the night whom it will wake."""
    arguments = ("--labels", "service=shop,team=payments", "--at", "2024-03-01T03:00:00+00:00")
    assert asked(policy, *arguments) == (
        0,
        WHOLE,
    )


def test_the_worst_severity_goes_at_once(policy: Path) -> None:
    """Otherwise the answer would differ from what happens."""
    code, said = asked(
        policy, "--severity", "1", "--labels", "team=payments", "--at", "2024-03-01T03:00Z"
    )
    assert code == 0
    assert "  pager (pagerduty) at once, again every 4h until it is resolved, by routes[0]" in said


def test_nobody_is_said_too(policy: Path) -> None:
    """Otherwise silence would look like a mistake of the command."""
    policy.write_text(POLICY + "    severities: [1]\n")
    policy.write_text(
        POLICY.replace("  - channels: [chat]\n", "  - channels: [chat]\n    severities: [1]\n")
    )
    code, said = asked(policy, "--at", "2024-03-01T03:00:00Z")
    assert (code, said.splitlines()[1]) == (0, "nobody is told: no route fits")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            ("--labels", "shop"),
            "--labels: 'shop' is no label: write NAME=VALUE, several separated by commas",
        ),
        (("--labels", "a b=c"), "--labels: labels.a b: "),
        (("--at", "yesterday"), "--at: 'yesterday' is no time: write it as 2026-11-24T03:00+01:00"),
        (
            ("--at", "2024-03-01T03:00"),
            "--at: '2024-03-01T03:00' has no zone: write 2024-03-01T03:00Z",
        ),
        (("--severity", "5"), "5 is not in the range 1<=x<=4"),
    ],
)
def test_what_cannot_be_asked_is_said(policy: Path, arguments: tuple[str, ...], fault: str) -> None:
    """Otherwise a typing error would be answered for another incident."""
    code, said = asked(policy, *arguments)
    assert code == 2
    assert fault in said


def test_a_policy_whose_routes_name_what_is_not_there_is_refused(policy: Path) -> None:
    """Otherwise a route would mute at no time, or tell nobody."""
    policy.write_text(
        POLICY.replace("[nights]", "[night]")
        + "  - severities: [4]\n  - {routes: [{services: [a]}]}\n"
    )
    code, said = asked(policy)
    assert code == 1
    assert said == (
        f"Error: {policy} cannot be used:\n"
        "  policy.yaml:17: routes[0].routes[0].mute_time_intervals[0]: 'night' is not defined under "
        "time_intervals; did you mean 'nights'?\n"
        "  policy.yaml:20: routes[1]: tells nobody: name channels\n"
        "  policy.yaml:21: routes[2].routes[0]: tells nobody: name channels\n"
    )


ON_CALL = """
channels:
  ada-sms: {kind: pagerduty}
  bob-sms: {kind: pagerduty}
people:
  ada: {channels: [ada-sms]}
  bob: {channels: [bob-sms]}
schedules:
  primary:
    time_zone: Europe/Berlin
    layers:
      - {rotation: [ada], begins: "2024-01-01 09:00", hours: {mon-fri: 09:00-17:00}}
      - shifts: [{person: bob, from: "2024-03-02 00:00", until: "2024-03-03 00:00"}]
    overrides:
      - {person: bob, from: "2024-03-01 12:00", until: "2024-03-01 14:00"}
routes:
  - schedules: [primary]
    matchers: ['owner="shop"', 'severity=~"1|2"']
"""


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (
            "2024-03-01T10:00+01:00",
            (
                "  ada-sms (pagerduty of ada) at once, by routes[0]: severity 2, initial message, "
                'owner="shop", severity=~"1|2"; ada is on call in primary by layer 1 of 2; '
                "turned off: its routing_key is empty"
            ),
        ),
        (
            "2024-03-01T12:00+01:00",
            (
                "  bob-sms (pagerduty of bob) at once, by routes[0]: severity 2, initial message, "
                'owner="shop", severity=~"1|2"; bob is on call in primary by an override until '
                "2024-03-01 13:00 UTC; turned off: its routing_key is empty"
            ),
        ),
        (
            "2024-03-02T12:00+01:00",
            (
                "  bob-sms (pagerduty of bob) at once, by routes[0]: severity 2, initial message, "
                'owner="shop", severity=~"1|2"; bob is on call in primary by layer 2 of 2; '
                "turned off: its routing_key is empty"
            ),
        ),
        (
            "2024-03-03T12:00+01:00",
            (
                "nobody is told: no route fits\n"
                "  nobody is on call in primary: a route that names nothing else is passed over"
            ),
        ),
    ],
)
def test_it_says_through_which_schedule_and_override(tmp_path: Path, at: str, said: str) -> None:
    """Otherwise nobody could see why a colleague was woken."""
    path = tmp_path / "policy.yaml"
    path.write_text(ON_CALL)
    code, answered = asked(path, "--labels", "owner=shop", "--at", at)
    assert (code, answered.partition("\n")[2].rstrip()) == (0, said)


def test_a_route_to_a_schedule_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    """Otherwise a typing error would be nobody."""
    path = tmp_path / "policy.yaml"
    path.write_text(ON_CALL.replace("schedules: [primary]", "schedules: [primry]"))
    code, answered = asked(path)
    assert code == 1
    assert answered == (
        f"Error: {path} cannot be used:\n"
        "  policy.yaml:17: routes[0].schedules[0]: 'primry' is not defined under schedules; "
        "did you mean 'primary'?\n"
    )
