"""What newcomers mistype: each slip is said once, in full texts, with what would be right."""

from pathlib import Path
from textwrap import dedent

import pytest

from streams.policy import examine

CHANNELS = """
channels:
  chat: {kind: slack, url: "https://hooks.example.org/a"}
  mail: {kind: email, host: 127.0.0.1, security: none, sender: t@example.org, to: [a@example.org]}
"""
ROUTES = "routes: [{channels: [chat, mail]}]\n"


def told(folder: Path, text: str, **others: str) -> tuple[list[str], list[str]]:
    """Return what is wrong with a policy, and what is doubtful."""
    for name, each in {"a": text, **others}.items():
        (folder / f"{name}.yaml").write_text(dedent(each).lstrip("\n"))
    examined = examine(folder, {})
    return list(map(str, examined.problems)), list(map(str, examined.doubts))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        # A setting that is missing because it is mistyped.
        (
            "kind: threshold, metric: m, treshold: 5",
            "rules[0].treshold: is not known here; did you mean 'threshold'?",
        ),
        (
            "kind: threshold, expr: m, threshold: 5",
            "rules[0].expr: is not known here; did you mean 'metric'?",
        ),
        (
            "kind: health, severity: {critcal: 1, otherwise: 3}",
            "rules[0].severity.critcal: is not known here; did you mean 'critical'?",
        ),
        (
            "kind: threshold, metric: m, threshold: 5, severity: {default: 3, bands: [{beyon: 9, severity: 2}]}",
            "rules[0].severity.bands[0].beyon: is not known here; did you mean 'beyond'?",
        ),
        ("type: health", "rules[0].type: is not known here; did you mean 'kind'?"),
        ("kid: health", "rules[0].kid: is not known here; did you mean 'kind'?"),
        ("kind: health, team: ops", "rules[0].team: is not known here; did you mean 'owner'?"),
        # Values.
        ("kind: health, severity: critical", "rules[0].severity: 'critical' is no severity; did you mean 1?"),
        ("kind: health, severity: p3", "rules[0].severity: 'p3' is no severity; did you mean 3?"),
        (
            "kind: health, severity: bad",
            "rules[0].severity: 'bad' is no severity; there are 1, 2, 3, 4",
        ),
        (
            "kind: health, severity: 0",
            "rules[0].severity: 0 is no severity; there are 1, 2, 3, 4",
        ),
        ("kind: health, name: 42", "rules[0].name: 42 must be a text: put it in quotes"),
        ("kind: health, owner: true", "rules[0].owner: true must be a text: put it in quotes"),
        ("kind: health, group_by: region", "rules[0].group_by: 'region' must be a list: write [region]"),
        (
            "kind: health, group_by: [a b]",
            (
                "rules[0].group_by[0]: 'a b' must be the name of a label: "
                "of letters, digits, _, ., / and -, and begin with a letter"
            ),
        ),
        (
            "kind: threshold, metric: m, threshold: 5%",
            "rules[0].threshold: '5%' must be a number: write 0.05, or 5 where it is counted in per cent",
        ),
        ("kind: threshold, metric: m, threshold: .inf", "rules[0].threshold: .inf must be a finite number"),
        (
            "kind: threshold, metric: m, threshold: 5, compare: '='",
            "rules[0].compare: '=' is none of its values; did you mean '=='?",
        ),
        (
            "kind: threshold, metric: m, threshold: 5, compare: gt",
            "rules[0].compare: 'gt' is none of its values; did you mean '>'?",
        ),
        (
            "kind: threshold, metric: m, threshold: 5, aggregate: mean, over: 5m",
            "rules[0].aggregate: 'mean' is none of its values; did you mean 'avg'?",
        ),
        (
            "kind: burn_rate, bad: b, total: t, objective: 99.9",
            "rules[0].objective: 99.9 must be a share: write 99.9% or 0.999",
        ),
        # Durations.
        ("kind: health, for: 5 minutes", "rules[0].for: '5 minutes' is not a duration: write it as 5m"),
        ("kind: health, for: 5min", "rules[0].for: '5min' is not a duration: write it as 5m"),
        (
            "kind: health, for: 1 hour and 30 secs",
            "rules[0].for: '1 hour and 30 secs' is not a duration: write it as 1h30s",
        ),
        (
            "kind: health, for: 300",
            "rules[0].for: 300 is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d",
        ),
        (
            "kind: health, for: 1:30",
            "rules[0].for: '1:30' is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d",
        ),
        (
            "kind: health, for: -5m",
            "rules[0].for: '-5m' is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d",
        ),
        # Expressions, conditions and templates.
        (
            "kind: log_pattern, pattern: 'fail(ed'",
            "rules[0].pattern: 'fail(ed' is no RE2 expression (missing ): fail(ed)",
        ),
        (
            "kind: log_pattern, pattern: '(a)\\1'",
            (
                "rules[0].pattern: '(a)\\\\1' is no RE2 expression (invalid escape sequence: \\1); "
                "look-around and back-references do not exist there"
            ),
        ),
        (
            'kind: log_pattern, pattern: "\\bfail"',
            (
                "rules[0].pattern: '\\x08fail' has the character U+0008: between double quotes YAML reads \\b so; "
                "put the expression in single ones"
            ),
        ),
        (
            "kind: health, match: [region == eu]",
            "rules[0].match: 'region == eu' is no comparison: one = compares",
        ),
        (
            "kind: threshold, metric: m, threshold: 5, when: 'valu > 5'",
            "rules[0]: when has the name 'valu', which there is not; did you mean 'value'?",
        ),
        *(
            (
                f"kind: health, summary: '{written}'",
                (
                    f"rules[0].summary: '{written}' is no Jinja2 template: "
                    "write {{ labels.region }} and {{ value }}, not $labels, $value or .Labels"
                ),
            )
            for written in ("{{ $labels.region }}", "{{ .Labels.region }}", "{{- $value }}")
        ),
        (
            "kind: health, summary: '{{ service | uper }}'",
            "rules[0].summary: '{{ service | uper }}' is no Jinja2 template: No filter named 'uper'",
        ),
    ],
)  # fmt: skip
def test_a_slip_in_a_rule_is_said_once(tmp_path: Path, settings: str, said: str) -> None:
    """An author would be told of two things where one is to be mended, or of what is no help."""
    settings = f"severity: 2, {settings}" if "severity: " not in settings else settings
    settings = f"name: a, {settings}" if "name: " not in settings else settings
    assert told(tmp_path, f"rules: [{{{settings}}}]") == ([f"a.yaml:1: {said}"], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "probes: [{name: A, service: s, url: 'http://x', timeout: 3s}]",
            "1: probes[0].timeout: is not known here; did you mean 'within'?",
        ),
        (
            "probes: [{name: A, service: s, url: 'http://x', critical: maybe}]",
            "1: probes[0].critical: 'maybe' must be true or false",
        ),
        (
            "probes: [{name: A, service: s, url: 'http://x', every: 1s, within: 5s}]",
            "1: probes[0]: within (5s) must not be longer than every (1s)",
        ),
        (
            "incidents: {auto_resolve: 60s}",
            "1: incidents.auto_resolve: is not known here; did you mean 'auto_resolve_after'?",
        ),
        ("services: {a: {depends_on: b}, b: {}}", "1: services.a.depends_on: 'b' must be a list: write [b]"),
        (
            "calendars: {a: {hours: {mon: '09:00-17:00'}, time_zone: Europe/Wien}}",
            "1: calendars.a.time_zone: 'Europe/Wien' is no time zone; did you mean 'Europe/Vienna'?",
        ),
        (
            "calendars: {a: {hours: {mon: '09:00-17:00'}, holidays: [2026-12-24]}}",
            (
                "1: calendars.a.holidays[0]: '2026-12-24' is a day, and no country whose holidays are free: "
                "write it under closed"
            ),
        ),
        (
            "channels: {a: {kind: email, host: h, sender: Ops <a@b>, to: [me@example.org]}}",
            "1: channels.a.sender: must be an address such as tocsin@example.org, without a name before it",
        ),
        (
            "channels: {a: {kind: sms, sender: '+15005550006', to: 0150 055}}",
            "1: channels.a.to: must be a number with its country and without spaces, such as +4930123456",
        ),
        ("channels: {a: {kind: slack, webhook_url: x}}", "1: channels.a.webhook_url: is not known here; did you mean 'url'?"),
        ("severities: {'1': {name: a}}", "1: severities.1: is a text: write 1 without quotes"),
        (
            "status_page: {name: S, components: [Shop]}",
            "1: status_page.components: must be a map of names, each with a colon, and no list",
        ),
        ("groups: []", "1: groups: is no part of a policy; did you mean 'rules'?"),
        *(
            (
                f"channels: {{a: {{kind: pagerduty, routing_key: '{written}'}}}}",
                (
                    "1: channels.a.routing_key: has what looks like a name of the environment: "
                    "write ${NAME} or ${NAME:-a default}, and $${ for ${ itself"
                ),
            )
            for written in ("$KEY", "${KEY-x}", "a${KEY", "${MY-KEY}")
        ),
        # On the line of what is named, not of what it is in.
        (
            "rules:\n  - name: a\n    kind: health\n    severity: 1\n    failures: 5\n    of: 3",
            "6: rules[0]: of (3) must be at least failures (5)",
        ),
        (
            "rules:\n  - name: a\n    kind: health\n    severity: 1\n    for: 5m\n    forget_after: 1m",
            "5: rules[0]: for (5m) must be shorter than forget_after (1m), or the series is forgotten first",
        ),
    ],
)  # fmt: skip
def test_a_slip_elsewhere_is_said_once(tmp_path: Path, text: str, said: str) -> None:
    assert told(tmp_path, text)[0] == [f"a.yaml:{said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Channels are led to by routes that cannot be read.
        (f"{CHANNELS}routes: [{{chanels: [chat, mail]}}]\n", "4: routes[0].chanels: is not known here; did you mean 'channels'?"),
        (f"{CHANNELS}route: [{{channels: [chat, mail]}}]\n", "4: route: is no part of a policy; did you mean 'routes'?"),
        (f"{CHANNELS}routes: {{channels: [chat, mail]}}\n", "4: routes: must be a list: begin each entry with '- '"),
        # What cannot be read may hold what is named.
        (f"{CHANNELS.replace('channels:', 'chanels:')}{ROUTES}", "1: chanels: is no part of a policy; did you mean 'channels'?"),
        (f"channels: [chat, mail]\n{ROUTES}", "1: channels: must be a map of names to channels"),
        (
            f"{CHANNELS}{ROUTES}channels: {{}}\n",
            "5: channels: stands in line 1 as well: only the last one would count",
        ),
        # A substitute is one only where it can be used.
        (
            f"{CHANNELS.replace('host:', 'hst:')}{ROUTES}",
            "3: channels.mail.hst: is not known here; did you mean 'host'?",
        ),
        # What is named stands there, and is told of where it stands.
        (
            "rules:\n- {name: a, kind: helth, severity: 1}\n- {name: b, kind: composite, all: a, severity: 1}\n",
            "2: rules[0].kind: 'helth' is no kind; did you mean 'health'?",
        ),
        (
            f"{CHANNELS.replace('host:', 'hst:')}{ROUTES}reports: {{digests: {{a: {{every: day 08:00, to: mail}}}}}}\n",
            "3: channels.mail.hst: is not known here; did you mean 'host'?",
        ),
        (
            "rules: [{name: a, kind: '${NOWHERE}', severity: 2}]\n",
            (
                "1: rules[0].kind: the environment has no NOWHERE; set it, "
                "or write ${NOWHERE:-a default}"
            ),
        ),
        (
            "channels: {chat: {kind: slack, url: '${NOWHERE}'}}\nroutes: [{channels: [chat]}]\n",
            (
                "1: channels.chat.url: the environment has no NOWHERE; set it, "
                "or write ${NOWHERE:-a default}"
            ),
        ),
        # A circle is one fault, wherever one begins to look.
        (
            "rules:\n- {name: a, kind: composite, all: b, severity: 1}\n- {name: b, kind: composite, all: a, severity: 1}\n",
            "2: rules[0].all: 'b' combines 'a' itself: a → b → a",
        ),
    ],
)  # fmt: skip
def test_what_follows_from_a_slip_is_not_told(tmp_path: Path, text: str, said: str) -> None:
    """An author would mend what is right."""
    assert told(tmp_path, text) == ([f"a.yaml:{said}"], [])


def test_what_stands_in_a_file_that_cannot_be_read_is_not_missed(tmp_path: Path) -> None:
    """One tab would be told as many times as its channels are named."""
    assert told(tmp_path, ROUTES, b=f"{CHANNELS.lstrip()}\tx: y\n") == (
        ["b.yaml:4: is no YAML: has a tab where only spaces may stand"],
        [],
    )


def test_a_name_that_stands_twice_is_no_rule_that_finds_the_same(tmp_path: Path) -> None:
    rule = "rules: [{name: a, kind: health, severity: 1}]\n"
    assert told(tmp_path, rule, b=rule) == (
        ["b.yaml:1: rules[0].name: the rule 'a' is defined before, in a.yaml:1"],
        [],
    )


def test_a_slip_in_a_part_hides_no_doubt_about_another(tmp_path: Path) -> None:
    """It would be told one deploy later."""
    assert told(
        tmp_path,
        "rules:\n- {name: a, kind: health, match: [b=c, b=d], severity: 1}\n- {name: e, kind: helth}\n",
    ) == (
        ["a.yaml:3: rules[1].kind: 'helth' is no kind; did you mean 'health'?"],
        ["a.yaml:2: rules[0].match: b=c and b=d exclude each other; it can never fire"],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Nothing yet.\n", "says nothing: is it the file that was meant?"),
        (
            "rules: [{name: a, kind: ratio, numerator: e, denominator: r, compare: '<', threshold: 0, severity: 2}]",
            "1: rules[0].threshold: a ratio is never less than 0; it can never fire",
        ),
        (
            "rules: [{name: a, kind: threshold, metric: m, threshold: 5, when: value, severity: 2}]",
            "1: rules[0].when: is a number and no condition: compare it; it can never fire",
        ),
        (
            "rules: [{name: a, kind: threshold, metric: m, threshold: 5, severity: {default: 3, bands: [{beyond: 4, severity: 2}]}}]",
            (
                "1: rules[0].severity: default is never used: whenever it fires, the value is beyond 4, "
                "where the first band begins"
            ),
        ),
        (
            "rules: [{name: a, kind: health, severity: 2}, {name: b, kind: composite, all: a, none: a, severity: 1}]",
            "1: rules[1].none: 'a' must fire and must not; it can never fire",
        ),
        (
            "severities: {1: {name: a, meaning: b, respond_within: 2h, resolve_within: 1h}}",
            (
                "1: severities[1].resolve_within: 1h is shorter than respond_within (2h): "
                "it should be over before anybody is on it"
            ),
        ),
        (
            "time_intervals: [{name: nights, time_intervals: [{weekdays: [monday]}]}]",
            "1: time_intervals[0]: no route names it: nothing is mute or active by it",
        ),
        (
            f"{CHANNELS}{ROUTES}teams: {{ops: {{}}}}",
            "5: teams.ops: has nobody: add people, teams or channels",
        ),
        (
            f"{CHANNELS}{ROUTES}escalations: {{a: {{steps: [{{channels: [chat]}}, {{after: 5m}}]}}}}",
            "5: escalations.a.steps[1]: tells nobody: add people, schedules, teams or channels",
        ),
        (
            f"{CHANNELS}{ROUTES}escalations:\n  a: {{steps: [{{channels: [chat]}}]}}\n  b: {{services: [shop], steps: [{{channels: [mail]}}]}}",
            "7: escalations.b: is never used: 'a' before it is for all incidents that it is for",
        ),
        (
            "rules: [{name: down, kind: health, severity: 1}]\ncorrelation: {inhibit: [{name: a, source: {rule: dwon}, target: {rule: of-others}}]}",
            "2: correlation.inhibit[0].source: 'dwon' is no rule; did you mean 'down'?",
        ),
        (
            f"{CHANNELS}  pager: {{kind: pagerduty}}\nroutes: [{{channels: [chat, mail, pager]}}]",
            "4: channels.pager: is off, since it has no routing_key: it tells nobody anything",
        ),
        (
            f"{CHANNELS.replace('slack,', 'slack, fallback: chat,')}{ROUTES}",
            "2: channels.chat.fallback: is the channel itself: name another one",
        ),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_told(tmp_path: Path, text: str, said: str) -> None:
    where = "a.yaml: " if said.startswith("says") else "a.yaml:"
    assert told(tmp_path, text) == ([], [f"{where}{said}"])


@pytest.mark.parametrize(
    "text",
    [
        # Not what the environment has under some name.
        "rules: [{name: a, kind: log_pattern, pattern: '^a$|$B', severity: 2}]",
        # What is off on purpose.
        f"{CHANNELS}  pager: {{kind: pagerduty, routing_key: '${{KEY:-}}'}}\n  pager2: {{kind: pagerduty, routing_key: ''}}\nroutes: [{{channels: [chat, mail, pager, pager2]}}]",
        # Beyond 9, it is worse than by default.
        "rules: [{name: a, kind: threshold, metric: m, threshold: 5, severity: {default: 3, bands: [{beyond: 9, severity: 2}]}}]",
        "rules: [{name: a, kind: threshold, metric: m, compare: '<', threshold: 5, severity: {default: 3, bands: [{beyond: 4, severity: 2}]}}]",
        "rules: [{name: a, kind: health, severity: 2}, {name: b, kind: health, service: c, severity: 1}, {name: d, kind: composite, any: [a, b], none: b, severity: 1}]",
        f"{CHANNELS}{ROUTES}escalations:\n  a: {{services: [shop], steps: [{{channels: [chat]}}]}}\n  b: {{steps: [{{channels: [mail]}}]}}",
        f"{CHANNELS}{ROUTES}escalations:\n  a: {{severities: [1], steps: [{{channels: [chat]}}]}}\n  b: {{severities: [1, 2], steps: [{{channels: [mail]}}]}}",
    ],
)  # fmt: skip
def test_what_is_meant_is_not_doubted(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == ([], [])


def test_files_that_nobody_reads_are_told(tmp_path: Path) -> None:
    """Rules in a folder of their own would never find anything."""
    for name, text in {
        "notes.txt": "",
        "rules/a.yaml": "rules: []\n",
        "cases/a.yaml": "policy: ..\ninputs: []\nexpect: []\n",
        "cases/broken.yaml": "inputs: [",
        ".git/a.yaml": "rules: []\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    folder = tmp_path.name
    problems = [
        f"{folder}: has no .yaml files; those of folders below it are not read: cases, rules"
    ]
    assert told(tmp_path / "rules", "rules: []\n") == ([], [])
    assert list(map(str, examine(tmp_path, {}).problems)) == problems
    (tmp_path / "b.yaml").write_text("rules: []\n")
    assert list(map(str, examine(tmp_path, {}).doubts)) == [
        "rules/a.yaml: is not read: the files of a policy stand in its folder, and not below it"
    ]


def test_what_stands_in_a_folder_instead_of_a_policy_is_told(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text("{}")
    (problem,) = examine(tmp_path, {}).problems
    assert str(problem) == f"{tmp_path.name}: has no .yaml files; there is rules.json"
