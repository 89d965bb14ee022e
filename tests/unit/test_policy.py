"""The policy: read as a whole, or refused with everything that is wrong with it, in full texts."""

from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from streams.errors import PolicyError
from streams.incidents.settings import IncidentSettings
from streams.policy import Policy, read_policy

RULE = """
rules:
  - {name: busy, kind: threshold, metric: load, threshold: 5, severity: 2}
"""


def refused(folder: Path, environment: dict[str, str] | None = None, **files: str) -> str:
    """Return what is said of a policy that cannot be used, without its first line."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(dedent(text).lstrip("\n"))
    with pytest.raises(PolicyError) as refusal:
        read_policy(folder, environment or {})
    first, *lines = str(refusal.value).split("\n")
    assert first == f"{folder} cannot be used:"
    return "\n".join(line.removeprefix("  ") for line in lines)


def test_the_example_policy_can_be_used_without_any_of_its_environment():
    """Otherwise the first thing a newcomer sees is a list of variables to set."""
    policy = read_policy(Path("deploy/policy"), {})
    assert {rule.name for rule in policy.rules} >= {"health-check-failed", "slow-responses"}
    assert [probe.name for probe in policy.probes] == [
        "API Health",
        "Database",
        "Redis",
        "AI Service",
    ]
    assert [probe.critical for probe in policy.probes] == [True, True, False, False]
    assert policy.severities[1].resolve_within == timedelta(hours=1)
    # It is written out there, for those who want another one.
    assert policy.incidents == IncidentSettings()


def test_files_of_a_folder_are_put_together(tmp_path):
    """Otherwise rules and channels could not be kept by different people."""
    (tmp_path / "a.yaml").write_text(RULE)
    (tmp_path / "b.yml").write_text(RULE.replace("busy", "idle"))
    (tmp_path / "notes.txt").write_text("no policy: [")
    assert [rule.name for rule in read_policy(tmp_path, {}).rules] == ["busy", "idle"]
    assert [rule.name for rule in read_policy(tmp_path / "b.yml", {}).rules] == ["idle"]


def test_every_problem_is_said_at_once(tmp_path):
    """Otherwise an author mends one thing, and is told of the next."""
    assert refused(
        tmp_path,
        bad="""
        rulez: []
        rules:
          - {name: a, kind: treshold}
          - name: b
            kind: threshold
            metrik: load
            threshold: 5
            compare: "=>"
            for: 5 min
            severity: 9
          - just text
        severities: {7: {}}
        """,
    ) == (
        "bad.yaml:1: rulez: is no part of a policy; did you mean 'rules'?\n"
        "bad.yaml:3: rules[0].kind: 'treshold' is no kind; did you mean 'threshold'?\n"
        "bad.yaml:6: rules[1].metrik: is not known here; did you mean 'metric'?\n"
        "bad.yaml:8: rules[1].compare: '=>' is none of its values; did you mean '>'?\n"
        "bad.yaml:9: rules[1].for: '5 min' is not a duration: write it as 5m\n"
        "bad.yaml:10: rules[1].severity: 9 is no severity; there are 1, 2, 3, 4\n"
        "bad.yaml:11: rules[2]: must be a map of settings\n"
        "bad.yaml:12: severities[7]: is no severity; there are 1, 2, 3, 4"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            "kind: threshold, metric: load, threshold: 5, clear: 6",
            "rules[0]: clear (6) must be at most threshold (5) with compare: '>'",
        ),
        (
            "kind: threshold, metric: load, threshold: 5, compare: '==', clear: 5",
            "rules[0]: clear has no meaning with compare: '=='; leave it out",
        ),
        (
            "kind: threshold, metric: load, threshold: 5, aggregate: avg",
            "rules[0]: aggregate: avg needs a window: add over: 5m",
        ),
        (
            "kind: threshold, metric: load, threshold: 5, over: 5m",
            (
                "rules[0]: over needs something to make of the window: "
                "add aggregate: avg, min, max, sum, count, p50, p90, p95, p99, rate or increase"
            ),
        ),
        (
            "kind: threshold, metric: load, threshold: 5, for: 2h",
            (
                "rules[0]: for (2h) must be shorter than forget_after (1h), "
                "or the series is forgotten first"
            ),
        ),
        (
            "kind: health, failures: 3, of: 2",
            "rules[0]: of (2) must be at least failures (3)",
        ),
        (
            "kind: log_pattern, pattern: '(?=x)'",
            (
                "rules[0].pattern: '(?=x)' is no RE2 expression (invalid perl operator: (?=); "
                "look-around and back-references do not exist there"
            ),
        ),
        (
            "kind: log_pattern, level: loud",
            (
                "rules[0].level: 'loud' must be one of trace, debug, info, warn, error, fatal, "
                "or an OpenTelemetry severity number from 1 to 24"
            ),
        ),
        (
            "kind: absence, signal: logs, only: a, within: 5m",
            "rules[0]: only has no meaning with signal: logs; leave it out",
        ),
        (
            "kind: absence, signal: log, within: 5m",
            "rules[0].signal: 'log' is none of its values; did you mean 'logs'?",
        ),
        (
            "kind: health, match: [region~eu]",
            (
                "rules[0].match: 'region~eu' is no comparison: "
                'write label=value, label!=value, label=~"expression" or label!~"expression"'
            ),
        ),
        (
            "kind: health, match: ['region=~(']",
            ("rules[0].match: '(' is no RE2 expression (missing ): ()"),
        ),
        (
            "kind: health, summary: '{{ servce }}'",
            (
                "rules[0].summary: '{{ servce }}' names 'servce', which templates do not have; "
                "did you mean 'service'?"
            ),
        ),
        (
            "kind: health, summary: '{{ service'",
            (
                "rules[0].summary: '{{ service' is no Jinja2 template: "
                "unexpected end of template, expected 'end of print statement'"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_said_with_what_would_be_right(tmp_path, settings, said):
    """Otherwise an author has to guess."""
    written = f"rules: [{{name: a, severity: 2, {settings}}}]"
    assert refused(tmp_path, bad=written) == f"bad.yaml:1: {said}"


def test_a_route_to_a_channel_that_is_nowhere_is_said(tmp_path):
    """Otherwise nobody would be told, and nobody would know."""
    assert (
        refused(
            tmp_path,
            channels="""
        channels:
          pager: {kind: pagerduty, routing_key: a-routing-key}
        """,
            routes="""
        routes:
          - channels: [pager, pagr]
        """,
        )
        == "routes.yaml:2: routes[0].channels[1]: 'pagr' is not defined under channels; did you mean 'pager'?"
    )


def test_names_are_defined_once_in_all_files(tmp_path):
    """Otherwise one of two rules would silently win."""
    assert refused(tmp_path, a=RULE, b="incidents: {}\n" + RULE.lstrip(), c="incidents: {}") == (
        "b.yaml:3: rules[0].name: the rule 'busy' is defined before, in a.yaml:2\n"
        "c.yaml:1: incidents: the part 'incidents' is defined before, in b.yaml:1"
    )


def test_a_key_that_stands_twice_is_said(tmp_path):
    """Otherwise YAML takes the last one, and the first is lost in silence."""
    assert refused(tmp_path, bad="incidents: {}\nrules: []\nincidents: {}\n") == (
        "bad.yaml:3: incidents: stands in line 1 as well: only the last one would count"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "- a",
            (
                "bad.yaml:1: must be a map with any of rules, channels, routes, templates, time_intervals, "
                "probes, incidents, severities, formats, services, detection, correlation, history, "
                "intake, reports, status_page, status_pages, calendars, people, teams, schedules, escalations"
            ),
        ),
        (
            "rules: [{kind: [x]}]",
            (
                "bad.yaml:1: rules[0].kind: must be one of absence, anomaly, burn_rate, composite, health, log_novelty, "
                "log_pattern, passthrough, rate_of_change, ratio, threshold"
            ),
        ),
        ("rules: {}", "bad.yaml:1: rules: must be a list: begin each entry with '- '"),
    ],
)
def test_a_file_that_is_no_policy_is_said_with_its_line(tmp_path, text, said):
    """Otherwise a typing error ends in a traceback."""
    assert refused(tmp_path, bad=text) == said


def test_a_folder_without_a_policy_is_said(tmp_path):
    """Otherwise a mistyped path would be a pipeline that never alerts."""
    assert refused(tmp_path) == f"{tmp_path.name}: has no .yaml files"
    with pytest.raises(
        PolicyError, match=r"nowhere\.yaml: cannot be read: No such file or directory"
    ):
        read_policy(tmp_path / "nowhere.yaml", {})


def test_the_environment_is_put_in_and_its_absence_said(tmp_path):
    """Otherwise addresses and secrets would have to stand in files."""
    text = """
    probes:
      - {name: A, service: s, url: "${WHERE}/health"}
      - {name: B, service: s, url: "${ELSE:-http://127.0.0.1:1}/$${x}"}
    """
    assert refused(tmp_path, bad=text) == (
        "bad.yaml:2: probes[0].url: the environment has no WHERE; set it, or write ${WHERE:-a default}"
    )
    policy = read_policy(tmp_path, {"WHERE": "http://127.0.0.1:2"})
    assert [probe.url for probe in policy.probes] == [
        "http://127.0.0.1:2/health",
        "http://127.0.0.1:1/${x}",
    ]


def test_a_value_cannot_change_the_shape_of_the_policy(tmp_path):
    """Otherwise whoever sets a variable could add rules."""
    (tmp_path / "a.yaml").write_text(RULE.replace("severity: 2", "severity: 2, owner: '${OWNER}'"))
    policy = read_policy(tmp_path, {"OWNER": "x'}\n  - {name: other"[:3] + "}"})
    assert len(policy.rules) == 1


def test_no_secret_is_ever_said(tmp_path):
    """Otherwise a log of a failed deploy would hold them."""
    said = refused(
        tmp_path,
        {"SECRET": "topsecret", "KIND": "topsecret"},
        bad="""
        rules:
          - {name: "${SECRET}", kind: threshold, metric: "${SECRET}", threshold: "${SECRET}", severity: 2}
          - {name: "${SECRET}", kind: health, severity: "${SECRET}", match: ["${SECRET}"]}
        channels:
          hook: {kind: "${KIND}", secret: literal-secret}
          pager: {kind: pagerduty, routing_key: [literal-secret], extra: "${SECRET}"}
        probes:
          - {name: A, service: s, url: "${SECRET}"}
          - {name: A, service: s, url: "ftp://user:literal-secret@host"}
        """,
    )
    assert "topsecret" not in said
    assert "literal-secret" not in said
    assert "bad.yaml:2: rules[0].threshold: '${SECRET}' must be a number" in said


def test_rules_that_combine_name_rules_that_are_there_and_not_themselves(tmp_path):
    """A slip would be a rule that never fires; a circle would have no beginning."""
    assert refused(
        tmp_path,
        bad="""
            rules:
              - {name: errors, kind: threshold, metric: errors, threshold: 5, severity: 3}
              - {name: a, kind: composite, all: [errors, erors], severity: 1}
              - {name: b, kind: composite, any: b, severity: 1}
              - {name: c, kind: composite, any: [errors, d], severity: 1}
              - {name: d, kind: composite, all: errors, none: [e], severity: 1}
              - {name: e, kind: composite, all: c, severity: 1}
            """,
    ) == (
        "bad.yaml:3: rules[1].all: 'erors' is no rule; did you mean 'errors'?\n"
        "bad.yaml:4: rules[2].any: 'b' is the rule itself\n"
        "bad.yaml:5: rules[3].any: 'd' combines 'c' itself: c → d → e → c"
    )


def test_formats_are_set_up_by_name_and_given_topics(tmp_path):
    """Otherwise an operator could not say in which format a topic is."""
    (tmp_path / "formats.yaml").write_text(
        "formats:\n"
        "  - {kind: alertmanager, service: [app, job], severities: {page: 1}}\n"
        "  - {kind: syslog, topics: [telemetry.logs]}\n"
    )
    alertmanager, syslog = read_policy(tmp_path, {}).formats
    assert alertmanager.service == ("app", "job")
    assert syslog.topics == ("telemetry.logs",)


def test_every_mistake_in_formats_is_said(tmp_path):
    """Otherwise a topic would be read in another way than its operator believes."""
    assert refused(
        tmp_path,
        formats="""
        formats:
          - {kind: alertmanger}
          - kind: syslog
            topics: [telemetry.log]
          - kind: telegraf
            topics: [telemetry.metrics]
          - kind: otlp
            topics: [telemetry.metrics]
            quantiles: [99]
          - kind: otlp
            topics: [telemetry.metrics]
          - {kind: grafana, tenants: a}
          - {kind: sentry}
          - {kind: sentry}
        """,
    ) == (
        "formats.yaml:2: formats[0].kind: 'alertmanger' is no kind; did you mean 'alertmanager'?\n"
        "formats.yaml:4: formats[1].topics[0]: 'telemetry.log' is none of its values; did you mean 'telemetry.logs'?\n"
        "formats.yaml:9: formats[3].quantiles[0]: 99 must be less than 1\n"
        "formats.yaml:11: formats[4].topics[0]: the format of 'telemetry.metrics' is defined before, in formats.yaml:6\n"
        "formats.yaml:12: formats[5].tenants: is not known here; did you mean 'tenant'?\n"
        "formats.yaml:14: formats[7].kind: the format 'sentry' is defined before, in formats.yaml:13"
    )


def test_a_service_catalogue_that_leads_nowhere_is_refused(tmp_path):
    """Otherwise the cause of an outage would be looked for where nothing is."""
    said = refused(
        tmp_path,
        services="""
        services:
          web: {depends_on: [api]}
          api: {depends_on: [web, databse]}
          database: {tier: 9}
          lonely: {depends: [api]}
        """,
    )
    assert said == (
        "services.yaml:2: services.web.depends_on: is a cycle (web → api → web); "
        "leave out the dependency that is not needed to work\n"
        "services.yaml:3: services.api.depends_on[1]: 'databse' is not defined under services; "
        "did you mean 'database'?\n"
        "services.yaml:4: services.database.tier: 9 must be less than or equal to 4\n"
        "services.yaml:5: services.lonely.depends: is not known here; did you mean 'depends_on'?"
    )


def test_correlation_that_cannot_be_used_is_refused(tmp_path):
    """Otherwise alerts would be muted by rules that hold for nothing."""
    said = refused(
        tmp_path,
        correlation="""
        correlation:
          demand: 0
          inhibit:
            - name: symptoms
              source: {rule: down}
              target: ["rule=~("]
        """,
    )
    assert said == (
        "correlation.yaml:2: correlation.demand: 0 must be greater than or equal to 1\n"
        "correlation.yaml:6: correlation.inhibit[0].target: '(' is no RE2 expression "
        "(missing ): ()"
    )


def test_services_and_correlation_are_read(tmp_path):
    """Otherwise the catalogue would stand there for nothing."""
    (tmp_path / "a.yaml").write_text(
        "services: {api: {depends_on: [db], owner: shop}, db: }\n"
        "correlation: {demand: 2, shared: {within: 1m}}\n"
    )
    policy = read_policy(tmp_path, {})
    assert policy.services["api"].depends_on == ("db",)
    assert policy.services["db"].owner is None
    assert policy.correlation.demand == 2
    assert policy.correlation.shared.within == timedelta(minutes=1)


def test_the_warehouse_judges_the_next_business_day_as_a_day():
    """Its deadlines are spans: a word there would stop `tocsin migrate`."""
    assert [each.respond_within for each in Policy().promises()] == [
        timedelta(minutes=15),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(days=1),
    ]


def test_reports_are_mailed_by_what_sends_mail(tmp_path):
    """A digest to a channel that is none, or sends no mail, would never come."""
    channels = """
    channels:
      managers: {kind: email, host: 127.0.0.1, security: none, sender: t@example.org, to: [b@example.org]}
      ops: {kind: webhook, url: "http://127.0.0.1:9", secret: a-secret-of-the-tests}
    """
    digests = """
    reports:
      digests:
        daily: {every: day 07:30, to: ops}
        weekly: {every: mondy 08:00, to: manager}
        monthly: {every: month 08:00, to: managers, report: [sla]}
    """
    assert refused(tmp_path, a=channels, b=digests).split("\n") == [
        "b.yaml:3: reports.digests.daily.to: 'ops' is no channel of kind email; there are managers",
        (
            "b.yaml:4: reports.digests.weekly.every: 'mondy 08:00' is no moment that comes again: write day, "
            "a day of the week or month (its first day), and a time, such as monday 08:00"
        ),
        "b.yaml:5: reports.digests.monthly.report: is not known here; did you mean 'reports'?",
    ]
    rightly = digests.replace("mondy", "monday").replace("report:", "reports:")
    assert refused(tmp_path, b=rightly).split("\n") == [
        "b.yaml:3: reports.digests.daily.to: 'ops' is no channel of kind email; there are managers",
        "b.yaml:4: reports.digests.weekly.to: 'manager' is no channel of kind email; did you mean 'managers'?",
    ]
    right = rightly.replace("to: ops", "to: managers").replace("to: manager}", "to: managers}")
    (tmp_path / "b.yaml").write_text(dedent(right).lstrip("\n"))
    assert sorted(read_policy(tmp_path, {}).reports.digests) == ["daily", "monthly", "weekly"]


def test_what_is_wrong_with_a_checklist_is_said(tmp_path: Path) -> None:
    """A mistyped fact would tick nothing, and the item be overdue every night."""
    assert refused(
        tmp_path,
        a="""
        incidents:
          checklist:
            a: {text: x, within: 0s, done_by: acknowledge}
            b: {text: "x {chanel}", whithin: 5m, severities: [5]}
            B c: {text: x}
            d: {within: 5m}
        """,
    ) == (
        "a.yaml:3: incidents.checklist.a.within: '0s' must be greater than 0s\n"
        "a.yaml:3: incidents.checklist.a.done_by: 'acknowledge' is none of its values; did you mean 'acknowledged'?\n"
        "a.yaml:4: incidents.checklist.b.text: 'x {chanel}' has {chanel}, which stands for nothing; there is {channel}\n"
        "a.yaml:4: incidents.checklist.b.severities[0]: 5 is no severity; there are 1, 2, 3, 4\n"
        "a.yaml:4: incidents.checklist.b.whithin: is not known here; did you mean 'within'?\n"
        "a.yaml:5: incidents.checklist.B c: is no name of an item: write small letters, digits, - and _, 40 at most\n"
        "a.yaml:6: incidents.checklist.d.text: is missing"
    )
