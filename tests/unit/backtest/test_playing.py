"""Playing a case: nothing where all is as expected; otherwise what differs, and why."""

import re
from pathlib import Path
from textwrap import dedent

from streams.backtest.cases import policy_of, read_cases
from streams.backtest.playing import play

POLICY = """
policy:
  rules:
    - {name: busy, kind: threshold, metric: load, threshold: 5, for: 30s, severity: 2, match: {zone: a}}
    - {name: failed, kind: health, service: shop, check: Database, failures: 2, severity: 1}
    - {name: errors, kind: log_pattern, pattern: oops, count: 3, within: 1m, severity: 3}
    - {name: silent, kind: absence, signal: metrics, within: 1m, severity: 3}
  channels:
    chat: {kind: slack, url: "http://127.0.0.1:1"}
  routes:
    - {channels: [chat], severities: [1, 2]}
inputs:
  - {at: [0s, 10s], metric: {service: shop, name: load, value: 9, labels: {zone: a}}}
  - {at: [0s, 1s], health: {service: shop, check: Database, status: unhealthy, message: HTTP 503}}
  - {at: [2s, 3s], log: {service: shop, severity_number: 17, body: oops}}
"""


def differences(folder: Path, expect: str, more: str = "") -> str:
    file = folder / "a.yaml"
    file.write_text(POLICY.lstrip("\n") + more + "expect:\n" + dedent(expect))
    read = read_cases(file)
    assert read.problems == []
    (case,) = read.cases
    told = "\n".join(map(str, play(case, policy_of(case, folder))))
    # What a kind remembers is its own affair.
    return re.sub(r"remembers .+", "remembers …", told)


def test_both_sides_of_a_boundary_hold(tmp_path: Path) -> None:
    """A case could pass because nothing is looked at."""
    assert (
        differences(
            tmp_path,
            """
            - {at: 0s, firing: [], alerts: [], incidents: [], steps: [], notices: []}
            - at: 1s
              firing: [failed]
              alerts: [{rule: failed, state: firing, started_at: 0s, service: shop}]
              incidents: [{severity: 1, detected_at: "2024-03-01T00:00:01Z"}]
              steps: [{kind: opened}]
              notices: [{channel: chat, purpose: initial}]
            - {at: [2s, 29s], firing: [failed], alerts: []}
            - {at: 30s, firing: [busy, failed]}
            """,
        )
        == ""
    )


def test_what_fires_and_what_does_not_is_said_with_its_reason(tmp_path: Path) -> None:
    """An author would have to guess what the rule saw."""
    assert (
        differences(tmp_path, "- {at: 29s, firing: [busy, errors, silent, bussy]}")
        == dedent("""
        at 29s: firing
          - bussy: expected, does not fire
              the policy has no rule 'bussy'; did you mean 'busy'?
          - busy: expected, does not fire
              shop/production zone=a: pending, since 0s, fires at 30s if nothing changes, load 9 > 5; last heard at 10s
          - errors: expected, does not fire
              shop/production: quiet; last heard at 3s
              nearest at 3s: 2 is not what the rule finds: pattern oops, count 3
          - silent: expected, does not fire
              shop/production: quiet; last heard at 10s; remembers …
          + failed: fires, not expected
              failed firing, severity 1, shop/production check=Database, since 0s: Database failed 2 of the last 2 times
        """).strip()
    )


def test_what_came_nearest_is_said_of_what_is_quiet_again(tmp_path: Path) -> None:
    """An author would see the last value, which is the one that is well."""
    calm = """
expect: [{at: 1m, firing: [busy, failed]}]
"""
    text = POLICY.replace(
        "inputs:",
        "inputs:\n  - {at: 25s, metric: {service: shop, name: load, value: 1, labels: {zone: a}}}",
    )
    (tmp_path / "a.yaml").write_text(text + calm)
    (case,) = read_cases(tmp_path / "a.yaml").cases
    assert (
        "\n".join(map(str, play(case, policy_of(case, tmp_path))))
        == dedent("""
        at 1m: firing
          - busy: expected, does not fire
              shop/production zone=a: quiet; last heard at 25s
              nearest at 10s: 9 was found, and held for 10s of the 30s that it must
        """).strip()
    )


def test_what_is_told_at_another_moment_is_said_with_it(tmp_path: Path) -> None:
    """One second beside the boundary looks as if nobody were told."""
    assert (
        differences(
            tmp_path,
            """
        - {at: 29s, alerts: [{rule: busy}], notices: [{channel: chat, purpose: initial}]}
        - {at: 40s, alerts: [{rule: busy, severity: 2}]}
        """,
        )
        == dedent("""
        at 29s: alerts
          - {rule: busy}: expected, not seen
              seen at 30s: busy firing, severity 2, shop/production zone=a, since 0s: load 9 > 5, for 30s
              shop/production zone=a: pending, since 0s, fires at 30s if nothing changes, load 9 > 5; last heard at 10s
        at 29s: notices
          - {channel: chat, purpose: initial}: expected, not seen
              seen at 1s: initial to chat of INC-2024-03-01-001 (routes[0]: severity 1, initial message)
              1s INC-2024-03-01-001 opened: Database failed 2 of the last 2 times; no open incident has the group key \
shop/production
        at 40s: alerts
          - {rule: busy, severity: 2}: expected, not seen
              seen at 30s: busy firing, severity 2, shop/production zone=a, since 0s: load 9 > 5, for 30s
              shop/production zone=a: firing, since 30s, load 9 > 5; last heard at 10s
        """).strip()
    )


def test_a_rule_that_heard_nothing_says_what_came_nearest(tmp_path: Path) -> None:
    """A mistyped name is the most frequent reason of all."""
    policy = POLICY
    cases = {
        "metric: laod": "it is about laod; heard was load",
        "match: {zone: b}": "none of the 2 signals it could hear fulfils zone=b",
        "service: web": "it is about the service web; heard was shop",
    }
    for given, said in cases.items():
        name = given.partition(":")[0]
        replaced = {
            "metric": policy.replace("metric: load, threshold", "metric: laod, threshold"),
            "match": policy.replace("match: {zone: a}", "match: {zone: b}"),
            "service": policy.replace("match: {zone: a}", "service: web"),
        }[name]
        (tmp_path / "a.yaml").write_text(replaced + "expect: [{at: 30s, firing: [busy, failed]}]")
        (case,) = read_cases(tmp_path / "a.yaml").cases
        assert "\n".join(map(str, play(case, policy_of(case, tmp_path)))) == (
            f"at 30s: firing\n  - busy: expected, does not fire\n      {said}"
        )
    without = policy.replace("log: {service: shop, severity_number: 17", "log: {service: shop")
    (tmp_path / "a.yaml").write_text(without + "expect: [{at: 9s, firing: [errors, failed]}]")
    (case,) = read_cases(tmp_path / "a.yaml").cases
    assert str(play(case, policy_of(case, tmp_path))[0]).endswith(
        "2 signals came near, and none is one that it counts"
    )


def test_what_was_told_is_compared_field_by_field(tmp_path: Path) -> None:
    """A page to the wrong people would pass."""
    assert (
        differences(
            tmp_path,
            """
        - at: 1s
          alerts: [{rule: failed, severity: 2, started_at: 1s}, {rule: busy}]
          incidents: [{status: resolved}]
          notices: [{channel: chat}, {channel: pager}]
        - {at: 2s, steps: [{kind: resolved}]}
        - {at: 30s, alerts: []}
        """,
        )
        == dedent("""
        at 1s: alerts
          ~ failed firing, severity 1, shop/production check=Database, since 0s: Database failed 2 of the last 2 times
              severity: expected 2, seen 1
              started_at: expected 1s, seen 0s
          - {rule: busy}: expected, not seen
              seen at 30s: busy firing, severity 2, shop/production zone=a, since 0s: load 9 > 5, for 30s
              shop/production zone=a: pending, since 0s, fires at 30s if nothing changes, load 9 > 5; last heard at 0s
        at 1s: incidents
          ~ INC-2024-03-01-001 investigating, severity 1: failed: Database failed 2 of the last 2 times
              status: expected resolved, seen investigating
        at 1s: notices
          - {channel: pager}: expected, not seen
              1s INC-2024-03-01-001 opened: Database failed 2 of the last 2 times; no open incident has the group key \
shop/production
        at 2s: steps
          - {kind: resolved}: expected, not seen
              1s INC-2024-03-01-001 opened: Database failed 2 of the last 2 times; no open incident has the group key \
shop/production
        at 30s: alerts
          + busy firing, severity 2, shop/production zone=a, since 0s: load 9 > 5, for 30s: seen, not expected
        """).strip()
    )


def test_the_order_of_what_was_told_does_not_matter(tmp_path: Path) -> None:
    """Alerts of one moment come in an order that no author can know."""
    assert (
        differences(
            tmp_path,
            """
            - at: 1s
              alerts: [{}, {rule: failed}]
            """,
            '  - {at: 1s, log: {service: shop, severity_number: 17, body: "oops 1"}}\n'
            '  - {at: 1s, log: {service: shop, severity_number: 17, body: "oops 2"}}\n'
            '  - {at: 1s, log: {service: shop, severity_number: 17, body: "oops 3"}}\n',
        )
        == ""
    )


def test_commands_are_about_the_latest_incident_and_a_refused_one_is_said(tmp_path: Path) -> None:
    """What people do, and what they cannot do, is part of what a policy means."""
    assert (
        differences(
            tmp_path,
            "- {at: 5s, steps: [{kind: acknowledged, author: tester}], incidents: [{acknowledged_by: tester}]}\n",
            "  - {at: 5s, command: {action: ack}}\n",
        )
        == ""
    )
    assert differences(
        tmp_path,
        "- {at: 5s, steps: []}\n",
        "  - {at: 5s, command: {action: note, text: x, incident_id: INC-2024-03-01-009}}\n",
    ) == (
        "at 5s: input\n"
        "  refused on incidents.commands: no incident with this id is open: it is closed or never was"
    )


def test_a_long_series_is_short_to_write(tmp_path: Path) -> None:
    """An hour of heartbeats would be seven hundred lines."""
    assert (
        differences(
            tmp_path,
            """
            - {at: 59m59s, firing: [busy, failed]}
            # What has not been heard for an hour is forgotten; a minute after the last beat, it is missed.
            - {at: 60m59s, firing: [failed]}
            - {at: 61m, firing: [failed, silent]}
            """,
            "  - {at: {to: 60m, every: 5s}, metric: {service: shop, name: beat, value: 1}}\n"
            "  - {at: {to: 61m, every: 5s}, health: {service: shop, check: Database, status: unhealthy}}\n",
        )
        == ""
    )


LIVES = """
start: 2026-03-02T12:00:00Z
policy:
  channels: {chat: {kind: slack, url: "http://127.0.0.1:1"}}
  people: {ada: {channels: [chat]}}
  schedules: {primary: {layers: [{rotation: [ada], begins: "2026-03-03 00:00"}]}}
  escalations: {all: {steps: [{people: [ada], after: 1m}]}}
inputs:
  - {at: 0s, silence: {matchers: [service=mail], ends_at: 1h, author: ada, reason: upgrade}}
  - {at: 1s, alert: {service: mail, rule: slow}}
  - {at: 1s, alert: {service: shop, rule: down, labels: {host: a}}}
  - {at: 30s, outage: 20s}
  - {at: 40s, command: {action: split, fingerprints: [{service: web}]}}
"""


def told_of(folder: Path, expect: str) -> str:
    file = folder / "a.yaml"
    file.write_text(LIVES.lstrip("\n") + "expect:\n" + dedent(expect))
    read = read_cases(file)
    assert read.problems == []
    (case,) = read.cases
    return "\n".join(map(str, play(case, policy_of(case, folder))))


def test_lives_of_incidents_are_played_across_an_outage(tmp_path: Path) -> None:
    """A policy of escalations and silences could only be tried by night."""
    assert (
        told_of(
            tmp_path,
            """
            - at: 1s
              withheld: [{withholding: silenced, by: ada, until: 1h, silence_id: silence-1}]
              incidents: [{incident_id: 1, alerts: [{rule: down}], labels: {host: a}, resolve_by: "2026-03-03T12:00:01Z"}]
              on_call: {primary: null}
            # What was asked meanwhile is heard afterwards.
            - {at: 49s, steps: []}
            - {at: 50s, steps: [{kind: refused, reason: "INC-2026-03-02-001 has no alert service=web; it has 3e511c0b9555b1e4"}], refused: []}
            - {at: 60s, notices: []}
            - {at: 61s, notices: [{channel: chat, people: [ada]}]}
            """,
        )
        == ""
    )


def test_what_is_otherwise_in_a_life_is_said(tmp_path: Path) -> None:
    """An author would have to guess who was called, and why an alert was muted."""
    assert (
        told_of(
            tmp_path,
            """
            - at: 1s
              withheld: [{by: grace, until: 2h}]
              incidents: [{alerts: [{rule: up, severity: 3}], labels: {host: b}}]
              on_call: {primary: ada, primry: ada}
              refused: [no such]
            - {at: 61s, notices: [{people: [grace]}]}
            """,
        )
        == dedent("""
        at 1s: refused
          - no such: expected, not refused
        at 1s: incidents
          ~ INC-2026-03-02-001 investigating, severity 3: shop: down
              alerts: expected [{rule: up, severity: 3}], seen [{rule: down, severity: 3}]
              labels: expected {host: b}, seen {host: a}
        at 1s: withheld
          ~ slow of mail silenced by ada: silence silence-1 until 2026-03-02 13:00:00 UTC: upgrade
              by: expected grace, seen ada
              until: expected 2h, seen 1h
        at 1s: on_call
          ~ primary: expected ada, on call is nobody
          - primry: the policy has no such schedule; did you mean 'primary'?
        at 1m1s: notices
          ~ escalation to chat of INC-2026-03-02-001 (ada is named)
              people: expected [grace], seen [ada]
        """).strip()
    )
