"""Alerting rules about Tocsin itself ask for what its processes tell, and say what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from streams.__main__ import main
from streams.agents.dead_letters import OFFSET, REASON, TOPIC
from tests.exposed import exposed

FILE = Path("deploy/alerts/tocsin.yaml")
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
RUNBOOK = Path("deploy/runbooks/tocsin.md").read_text(encoding="utf-8")
PLAYED = Path("tests/alerts/tocsin.yaml")
PROMTOOL = shutil.which("promtool")
#: What Prometheus itself, or its client library, tells of a target.
OF_PROMETHEUS: dict[str, set[str]] = {"up": set(), "process_start_time_seconds": set()}
#: Labels that Prometheus gives to every target: see deploy/prometheus.
OF_TARGETS = {"job", "role", "instance"}

with_rules = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])


def known() -> dict[str, set[str]]:
    """Every sample that a process of ours can tell, with its labels."""
    samples = dict(OF_PROMETHEUS)
    for metric in exposed():
        samples |= metric.samples
    return samples


@with_rules
def test_it_asks_for_what_processes_tell(rule: dict[str, Any]) -> None:
    """It would never fire, which looks as if all were well."""
    samples, expression = known(), rule["expr"]
    asked = re.findall(r"\b(tocsin_\w+|up|process_\w+)\b(?:\{([^}]*)\})?", expression)
    assert asked
    labels = set().union(*(samples[name] for name, _ in asked)) | OF_TARGETS
    for name, selector in asked:
        named = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector))
        assert named <= samples[name] | OF_TARGETS, name
    grouped = {
        label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")
    }
    assert grouped <= labels
    # What it says is what is left of them.
    left = (grouped - {"le"}) if grouped else labels
    said = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert said <= left


@with_rules
def test_it_says_what_to_do(rule: dict[str, Any]) -> None:
    """Somebody would be woken and not know by what, nor where to begin."""
    assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Tocsin([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    path, _, heading = rule["annotations"]["runbook_url"].partition("#")
    assert Path(path) == Path("deploy/runbooks/tocsin.md")
    assert heading == rule["alert"].lower()
    assert f"\n## {rule['alert']}\n" in RUNBOOK


def test_alerts_are_told_apart_and_the_runbook_has_no_more() -> None:
    """Two of one name would be one alert to people, and a chapter about none is a promise."""
    names = [rule["alert"] for rule in RULES]
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == names
    assert len(set(names)) == len(names)
    for heading in re.findall(r"\]\(#(\w+)\)", RUNBOOK):
        assert heading in {name.lower() for name in names}


def test_the_runbook_names_what_is_there() -> None:
    """Somebody in a hurry would type what does not exist."""
    groups = main.list_commands(click.Context(main))
    texts = [RUNBOOK, *(rule["annotations"]["description"] for rule in RULES)]
    for text in texts:
        for command, rest in re.findall(r"`tocsin ([a-z]+)(?: ([a-z]+))?", text):
            assert command in groups, command
            found = main.get_command(click.Context(main), command)
            if rest and isinstance(found, click.Group):
                assert rest in found.list_commands(click.Context(found)), f"{command} {rest}"
        for name in re.findall(r"\b(tocsin_[a-z_]+)\b", text):
            assert name in {*known(), REASON, TOPIC, OFFSET}, name


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not there")
def test_each_fires_when_it_should_and_not_before() -> None:
    """An expression can be well formed and mean something else."""
    played = subprocess.run(
        [str(PROMTOOL), "test", "rules", PLAYED], capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr


def test_each_is_played() -> None:
    """One that nobody ever saw fire may not."""
    cases = yaml.safe_load(PLAYED.read_text(encoding="utf-8"))["tests"]
    fired = {
        test["alertname"]
        for case in cases
        for test in case["alert_rule_test"]
        if test.get("exp_alerts")
    }
    silent = {
        test["alertname"]
        for case in cases
        for test in case["alert_rule_test"]
        if not test.get("exp_alerts")
    }
    assert fired == silent == {rule["alert"] for rule in RULES}
