"""Files of cases: read as they are meant, or refused with everything that is wrong with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest

from schemas.commands import Acknowledge
from schemas.telemetry import MetricV1
from streams.backtest.cases import case_files, policy_of, read_cases
from streams.backtest.inputs import Nowhere
from streams.errors import PolicyError

CASE = """
policy:
  rules:
    - {name: busy, kind: threshold, metric: load, threshold: 5, severity: 2}
inputs:
  - {at: {from: 10s, to: 40s, every: 15s}, metric: {service: shop, name: load, value: 9}}
  - {at: 10s, command: {action: ack}}
expect:
  - {at: [9s, 10s], firing: []}
"""


def refused(folder: Path, text: str) -> str:
    file = folder / "a.yaml"
    file.write_text(dedent(text).lstrip("\n"))
    read = read_cases(file)
    assert read.problems
    return "\n".join(str(each).replace(f"{folder}/", "") for each in read.problems)


def test_inputs_are_played_in_the_order_of_their_moments(tmp_path: Path) -> None:
    """A long series would have to be written out by hand, in order."""
    (tmp_path / "a.yaml").write_text(CASE)
    (case,) = read_cases(tmp_path / "a.yaml").cases
    assert [(each.at.total_seconds(), each.word) for each in case.happenings] == [
        (10, "metric"),
        (10, "command"),
        (25, "metric"),
        (40, "metric"),
    ]
    assert (case.name, case.end, case.line) == ("a", timedelta(seconds=10), 2)
    topic, metric = case.happenings[2].message(case.beginning, Nowhere())
    assert topic.name == "telemetry.metrics"
    assert metric == MetricV1(
        occurred_at=datetime(2024, 3, 1, 0, 0, 25, tzinfo=UTC), service="shop", name="load", value=9
    )
    _, command = case.happenings[1].message(case.beginning, Nowhere())
    assert isinstance(command, Acknowledge)
    assert command.incident_id == "INC-2024-03-01-001"


def test_a_file_has_several_cases_and_a_beginning(tmp_path: Path) -> None:
    """One policy would be repeated for each of its cases; and no case could be in the night."""
    (tmp_path / "a.yaml").write_text(
        "start: 2024-12-24T22:00:00+01:00\n"
        "cases:\n"
        "  - {name: one, expect: [{at: 0s, firing: []}]}\n"
        "  - {name: two, inputs: [], expect: [{at: 0s, firing: []}]}\n"
    )
    cases = read_cases(tmp_path / "a.yaml").cases
    assert [(case.name, case.line) for case in cases] == [("a/one", 3), ("a/two", 4)]
    assert cases[0].beginning == datetime(2024, 12, 24, 21, tzinfo=UTC)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """An author mends one thing, and is told of the next."""
    assert refused(
        tmp_path,
        """
        inputs:
          - {at: 5 s, metric: {service: shop, name: load, value: 9}}
          - {at: 0s, metrik: {}}
          - {at: 0s}
          - {at: 0s, log: {service: shop, body: x}, health: {}}
          - {at: 0s, metric: {service: shop, name: load, valeu: 9}}
          - {at: 0s, metric: {service: shop, name: load, value: high}}
          - {at: 0s, command: {action: acknowlege}}
          - {at: {from: 9s, to: 1s, every: 1s}, log: {service: shop, body: x}}
          - {at: {to: 1s}, log: {service: shop, body: x}}
          - {at: 0s, alert: {service: shop, rule: down, started_at: -1x}}
          - {at: 0s, alert: {service: shop, rule: down, severity: 5}}
          - {at: 0s, silence: {matchers: [service], ends_at: 1h, reason: x}}
          - {at: 0s, command: {action: declare, severity: 1, service: shop, report: {sumary: x}}}
          - {at: 0s, outage: long}
        expect:
          - {at: 1500ms, firing: []}
          - {at: 0s}
          - {at: 0s, alerts: [{sevrity: 1}]}
          - {at: 0s, fireing: [busy]}
          - {at: 0s, steps: [{joined: [{bnd: topology}], incident: {alerts: [{rul: down}]}}]}
        """,
    ) == (
        "a.yaml:2: inputs[0].at: '5 s' is not a duration: write it as 5s\n"
        "a.yaml:3: inputs[1].metrik: is not known here; did you mean 'metric'?\n"
        "a.yaml:4: inputs[2]: must be one of health, metric, log, external, alert, change, silence, command, outage; it is none\n"
        "a.yaml:5: inputs[3]: must be one of health, metric, log, external, alert, change, silence, command, outage; "
        "it is health and log\n"
        "a.yaml:6: inputs[4].metric.valeu: is not known here; did you mean 'value'?\n"
        "a.yaml:7: inputs[5].metric.value: 'high' must be a number\n"
        "a.yaml:8: inputs[6].command.action: 'acknowlege' is no action; did you mean 'acknowledge'?\n"
        "a.yaml:9: inputs[7].at: stands for 0 moments: there can be 1 to 100000\n"
        "a.yaml:10: inputs[8].at: has no usable 'every': write {from: 0s, to: 10m, every: 15s}, from at most to\n"
        "a.yaml:11: inputs[9].alert.started_at: '-1x' is no moment: write 2024-03-01T12:00:00Z, "
        "or a time since the beginning, such as 5m or -1h\n"
        "a.yaml:12: inputs[10].alert.severity: 5 is no severity; there are 1, 2, 3, 4\n"
        "a.yaml:13: inputs[11].silence.matchers: 'service' is no comparison: write label=value, label!=value, "
        'label=~"expression" or label!~"expression"\n'
        "a.yaml:14: inputs[12].command.report.sumary: is not known here; did you mean 'summary'?\n"
        "a.yaml:15: inputs[13].outage: 'long' is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d\n"
        "a.yaml:17: expect[0].at: must be whole seconds: time passes in seconds\n"
        "a.yaml:18: expect[1]: expects nothing; there are firing, alerts, incidents, steps, notices, withheld, on_call, refused\n"
        "a.yaml:19: expect[2].alerts[0].sevrity: is not known here; did you mean 'severity'?\n"
        "a.yaml:20: expect[3].fireing: is not known here; did you mean 'firing'?\n"
        "a.yaml:21: expect[4].steps[0].joined[0].bnd: is not known here; did you mean 'bond'?\n"
        "a.yaml:21: expect[4].steps[0].incident.alerts[0].rul: is not known here; did you mean 'rule'?"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "a.yaml:1: must be a map with inputs and expect, or with cases"),
        ("inputs: [", "a.yaml:1: is no YAML: a [ or { before it is never closed"),
        ("inputs: {}\nexpect: []", "a.yaml:1: inputs: must be a list: begin each entry with '- '"),
        ("inputs: []", "a.yaml:1: expect: expects nothing: add {at: 30s, firing: [a-rule]}"),
        ("cases: [x]", "a.yaml:1: cases[0]: must be a map of settings"),
        (
            "cases: [{expect: []}]",
            "a.yaml:1: cases[0].name: is missing; it says: What the case shows",
        ),
        (
            "cases: []\ninputs: []",
            "a.yaml:1: cases: stands beside inputs or expect: move those into a case",
        ),
        (
            "inputs: [{at: {from: 0s, to: 1m, evry: 5s}, metric: {}}]",
            "a.yaml:1: inputs[0].at: has 'evry', which is not known here; did you mean 'every'?",
        ),
        (
            "inputs: [{at: 0s, command: {action: akc}}]\nexpect: [{at: 1s, firing: []}]",
            "a.yaml:1: inputs[0].command.action: 'akc' is no action; did you mean 'ack'?",
        ),
        (
            "cases:\n- {name: a, expect: [{at: 1s, firing: []}]}\n- {name: a, expect: [{at: 1s, firing: []}]}",
            "a.yaml:3: cases[1].name: 'a' is the name of the case in line 2 already",
        ),
        (
            "start: 2024-03-01",
            "a.yaml:1: start: '2024-03-01' must have a zone: write 2024-03-01T09:00:00Z",
        ),
        ("start: today", "a.yaml:1: start: 'today' must be a moment: write 2024-03-01T09:00:00Z"),
        # What no message can have.
        (
            "expect: [{at: 1s, incidents: [{status: investigatng}]}]",
            "a.yaml:1: expect[0].incidents[0].status: 'investigatng' is none of its values; did you mean 'investigating'?",
        ),
        (
            "expect: [{at: 1s, alerts: [{severity: high}]}]",
            "a.yaml:1: expect[0].alerts[0].severity: 'high' is no severity; did you mean 2?",
        ),
        (
            "expect: [{at: 1s, steps: [{incident: {alerts: [{state: fireing}]}}]}]",
            "a.yaml:1: expect[0].steps[0].incident.alerts[0].state: 'fireing' is none of its values; did you mean 'firing'?",
        ),
        (
            "expect: [{at: 1s, alerts: [{started_at: yesterday}]}]",
            (
                "a.yaml:1: expect[0].alerts[0].started_at: 'yesterday' is no moment: "
                "write 2024-03-01T12:00:00Z, or a time since the beginning, such as 5m or -1h"
            ),
        ),
        ("ticks: 3m", "a.yaml:1: ticks: '3m' must be less than or equal to 2m"),
        ("expct: []", "a.yaml:1: expct: is not known here; did you mean 'expect'?"),
        (
            "inputs: []\ninputs: []",
            "a.yaml:2: inputs: stands in line 1 as well: only the last one would count",
        ),
    ],
)
def test_a_file_that_holds_no_cases_is_said_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    """Its cases would not be played, and all would look well."""
    assert refused(tmp_path, text) == said


def test_a_policy_inside_a_file_is_read_with_its_lines_and_environment(tmp_path: Path) -> None:
    """Its faults would be looked for elsewhere; or a case would depend on who plays it."""
    text = "environment: {LIMIT: '5'}\n" + CASE.replace("threshold: 5", "threshold: '${LIMIT}'")
    (tmp_path / "a.yaml").write_text(text)
    (case,) = read_cases(tmp_path / "a.yaml").cases
    assert policy_of(case, Path("nowhere")).rules[0].threshold == 5

    (tmp_path / "a.yaml").write_text(CASE.replace("kind: threshold", "kind: treshold"))
    (case,) = read_cases(tmp_path / "a.yaml").cases
    with pytest.raises(PolicyError) as refusal:
        policy_of(case, Path("nowhere"))
    assert str(refusal.value).replace(f"{tmp_path}/", "") == (
        "the policy of a.yaml cannot be used:\n"
        "  a.yaml:4: rules[0].kind: 'treshold' is no kind; did you mean 'threshold'?"
    )


def test_a_policy_is_found_beside_its_cases_and_where_the_command_is_typed(tmp_path: Path) -> None:
    """Cases could only be played from one folder."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("incidents: {reopen_within: 5m}")
    (tmp_path / "a.yaml").write_text("policy: rules\nexpect: [{at: 0s, firing: []}]")
    (tmp_path / "b.yaml").write_text("policy: deploy/policy\nexpect: [{at: 0s, firing: []}]")
    (tmp_path / "c.yaml").write_text("expect: [{at: 0s, firing: []}]")
    beside, here, none = (
        policy_of(read_cases(file).cases[0], tmp_path / "rules")
        for file in case_files([tmp_path])[:3]
    )
    assert beside.incidents.reopen_within == timedelta(minutes=5)
    assert len(here.rules) >= 6
    assert none == beside


def test_folders_are_searched_at_any_depth(tmp_path: Path) -> None:
    """Cases in a subfolder would never be played."""
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/x.yml", "b/a.yaml", "z.yaml", "notes.txt", "b/.#a.yaml"):
        (tmp_path / name).touch()
    found = case_files([tmp_path, tmp_path / "z.yaml", tmp_path / "gone.txt"])
    assert [str(each.relative_to(tmp_path)) for each in found] == [
        "b/a.yaml",
        "b/c/x.yml",
        "z.yaml",
        "gone.txt",
    ]
    assert refused_file(tmp_path / "gone.txt") == "cannot be read: No such file or directory"


def refused_file(file: Path) -> str:
    (problem,) = read_cases(file).problems
    return problem.text
