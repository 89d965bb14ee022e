"""What is measured with, and how it is told."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from schemas.telemetry import ExternalState, ExternalV1
from schemas.topics import EXTERNAL, METRICS, TELEMETRY
from streams.laptop.benches import rules as policies
from streams.laptop.benches.figures import Figures
from streams.laptop.benches.telemetry import BAD, OFTEN_BAD_OF, Signals
from streams.policy import read_policy

BEGIN = datetime(2024, 3, 1, tzinfo=UTC)


def rules_of(written: str, folder: Path):
    (folder / "policy.yaml").write_text(written)
    return read_policy(folder / "policy.yaml").rules


@pytest.mark.parametrize("count", [10, 100, 1_000])
@pytest.mark.parametrize("metrics", [1, 10])
def test_there_are_as_many_rules_as_asked_for(count, metrics, tmp_path):
    """A measurement of a thousand rules would be one of fewer."""
    assert len(rules_of(policies.rules(count, metrics), tmp_path)) == count


def test_each_metric_is_heard_by_as_many_rules_however_many_there_are(tmp_path):
    """Otherwise ten rules and a thousand would do different work, and not only be looked for among more."""

    def hearing(count: int) -> int:
        made = rules_of(policies.rules(count, metrics=1), tmp_path)
        return sum("metric_0" in rule.names() for rule in made)

    assert hearing(10) == hearing(100) == hearing(1_000) == 7


def test_rules_of_one_kind_are_of_that_kind(tmp_path):
    """Otherwise the figure would stand under another name."""
    told = {each.contract: each.name for each in TELEMETRY}
    for name, (topic, written) in policies.of_one_kind().items():
        made = rules_of(written, tmp_path)
        # One of other rules comes with these.
        besides = {"threshold"} if name == "composite" else set()
        assert {rule.kind for rule in made} == {name.split()[0], *besides}
        assert {told[kind] for rule in made for kind in rule.hears() if kind in told} == {topic}
    assert set(policies.of_one_kind()) >= policies.OF_COUNTERS


def test_counters_only_grow():
    """A counter that goes down has begun anew, and each such signal is judged."""
    made = Signals(100, begin=BEGIN, apart=timedelta(seconds=0.1), counters=True, only=METRICS.name)
    values: dict[tuple[str, str], float] = {}
    for _, _, value in made.between(0, 1_000):
        said = orjson.loads(value)
        source = said["labels"]["host"], said["name"]
        assert said["value"] >= values.get(source, 0)
        values[source] = said["value"]
    assert len(values) == 100
    assert min(values.values()) > 300


def test_alerts_of_another_system_fire_and_are_over():
    made = Signals(100, begin=BEGIN, apart=timedelta(seconds=0.1), only=EXTERNAL.name)
    states = Counter(orjson.loads(value)["state"] for _, _, value in made.between(0, 1_000))
    assert states == {"firing": 900, "resolved": 100}
    topic, _, value = made.at(0)
    assert topic == EXTERNAL.name
    assert ExternalV1.from_wire(value).state is ExternalState.FIRING


def test_bad_signals_are_spread_over_the_series():
    """A series that is always bad alerts once and never again: there would be nothing to measure the delay of."""
    made = Signals(10_000, begin=BEGIN, apart=timedelta(milliseconds=0.1), bad_of=OFTEN_BAD_OF)
    bad = Counter(
        (said["service"], said["labels"]["host"], said["name"])
        for topic, _, value in made.between(0, 100_000)
        if topic == METRICS.name and (said := orjson.loads(value))["value"] == BAD
    )
    assert len(bad) > 150
    assert set(bad.values()) == {1}


def test_figures_are_lines_of_json_and_end_with_what_was_held(capsys):
    """Whoever compares two versions reads them by program."""
    figures = Figures()
    figures.tell(
        "detect", 123_456.7, "events/s", reference="bare", reference_value=200_000.04, rules=100
    )
    figures.judge("at least", 0.5, at_least=0.5)
    figures.judge("too little", 0.49, at_least=0.5)
    figures.judge("at most", 100.0, at_most=100.0)
    figures.judge("too much", 100.1, at_most=100.0)
    figures.close()
    told, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert told == {
        "name": "detect",
        "value": 123_500.0,
        "unit": "events/s",
        "reference": "bare",
        "reference_value": 200_000.0,
        "rules": 100,
        "ratio": 0.6173,
    }
    held = {name: each["held"] for name, each in summary["targets"].items()}
    assert held == {"at least": True, "too little": False, "at most": True, "too much": False}
    assert summary["targets"]["too much"] == {"target": 100.0, "value": 100.1, "held": False}
