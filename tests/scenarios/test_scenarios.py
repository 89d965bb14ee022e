"""
Scenarios: a policy, timed inputs, and what must be true at each moment.

A scenario is a YAML file in this folder::

    policy: the parts of a policy, or the path of one
    inputs:                 # at: one moment, or several; then one signal, as its topic carries it
      - {at: 0s, metric: {service: shop, name: load, value: 9}}
      - {at: [0s, 15s], health: {service: shop, check: Database, status: unhealthy}}
    expect:                 # what fires once everything of that moment has happened; alerts, where given: what was told at it
      - {at: 29s, firing: []}
      - {at: 30s, firing: [busy], alerts: [{state: firing, rule: busy}]}

A tick comes each second, after the inputs of that second.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import ExternalV1, HealthV1, LogV1, MetricV1, Signal
from streams.detection.evaluation import Detector
from streams.durations import read_duration, written
from streams.policy import Policy, read_policy

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SIGNALS: dict[str, type[Signal]] = {
    "health": HealthV1,
    "metric": MetricV1,
    "log": LogV1,
    "external": ExternalV1,
}
HERE = Path(__file__).parent


class Pipeline:
    """The hops of one partition, with everything they have said."""

    def __init__(self, policy: Policy) -> None:
        self._detector = Detector(policy.rules)
        self._offset = 0
        self._firing: dict[str, AlertV1] = {}
        #: What was told since the last look.
        self.told: list[AlertV1] = []

    def hear(self, signal: Signal) -> None:
        self._take(self._detector.hear(signal, Origin(topic="t", partition=0, offset=self._offset)))
        self._offset += 1

    def tick(self, at: datetime) -> None:
        self._take(self._detector.tick(at))

    @property
    def firing(self) -> list[str]:
        """The rules of the alerts that fire, a rule once for each of its alerts."""
        return sorted(alert.rule for alert in self._firing.values())

    def _take(self, alerts: list[AlertV1]) -> None:
        self.told += alerts
        for alert in alerts:
            if alert.state is AlertState.RESOLVED:
                del self._firing[alert.fingerprint]
            else:
                self._firing[alert.fingerprint] = alert


def policy_of(scenario: dict[str, Any], folder: Path) -> Policy:
    given = scenario["policy"]
    if isinstance(given, str):
        return read_policy(Path(given), {})
    (folder / "policy.yaml").write_text(yaml.safe_dump(given))
    return read_policy(folder / "policy.yaml", {})


def moments(given: Any) -> list[timedelta]:
    return [read_duration(each) for each in (given if isinstance(given, list) else [given])]


def timed(inputs: list[dict[str, Any]]) -> list[tuple[timedelta, Signal]]:
    """Return the signals in the order in which they happen."""
    found = []
    for each in inputs:
        ((name, fields),) = ((name, fields) for name, fields in each.items() if name != "at")
        found.extend(
            (moment, SIGNALS[name](**{"occurred_at": MIDNIGHT + moment} | fields))
            for moment in moments(each["at"])
        )
    return sorted(found, key=lambda pair: pair[0])


def differences(expected: dict[str, Any], pipeline: Pipeline) -> list[str]:
    found = []
    if "firing" in expected and pipeline.firing != sorted(expected["firing"]):
        found.append(f"firing: expected {sorted(expected['firing'])}, seen {pipeline.firing}")
    if "alerts" in expected:
        seen = [alert.model_dump(mode="json") for alert in pipeline.told]
        shown = [
            {name: alert.get(name) for name in each}
            for each, alert in zip(expected["alerts"], seen, strict=False)
        ]
        if shown != expected["alerts"] or len(seen) != len(expected["alerts"]):
            found.append(f"alerts: expected {expected['alerts']}, seen {shown or seen}")
    return found


def play(scenario: dict[str, Any], policy: Policy) -> list[str]:
    """Play *scenario* and return whatever was not as expected."""
    pipeline, inputs = Pipeline(policy), timed(scenario["inputs"])
    expectations = defaultdict(list)
    for each in scenario["expect"]:
        for moment in moments(each["at"]):
            expectations[moment].append(each)
    wrong, now = [], timedelta(0)
    while now <= max(expectations):
        while inputs and inputs[0][0] <= now:
            pipeline.hear(inputs.pop(0)[1])
        pipeline.tick(MIDNIGHT + now)
        for each in expectations.pop(now, []):
            wrong += [f"at {written(now)}: {text}" for text in differences(each, pipeline)]
        pipeline.told.clear()
        now += SECOND
        if not expectations:
            break
    return wrong + [
        f"{moment} is no whole second: nothing was looked at" for moment in expectations
    ]


@pytest.mark.parametrize("file", sorted(HERE.glob("*.yaml")), ids=lambda file: file.stem)
def test_scenario(file: Path, tmp_path: Path) -> None:
    scenario = yaml.safe_load(file.read_text())
    assert play(scenario, policy_of(scenario, tmp_path)) == []


def test_a_scenario_that_does_not_hold_is_told(tmp_path: Path) -> None:
    """Otherwise all scenarios could pass because nothing is looked at."""
    scenario = {
        "policy": {
            "rules": [
                {
                    "name": "busy",
                    "kind": "threshold",
                    "metric": "load",
                    "threshold": 5,
                    "severity": 2,
                }
            ]
        },
        "inputs": [{"at": "1s", "metric": {"service": "shop", "name": "load", "value": 9}}],
        "expect": [{"at": "0s", "firing": ["busy"]}, {"at": "1s", "alerts": [{"rule": "idle"}]}],
    }
    assert play(scenario, policy_of(scenario, tmp_path)) == [
        "at 0s: firing: expected ['busy'], seen []",
        "at 1s: alerts: expected [{'rule': 'idle'}], seen [{'rule': 'busy'}]",
    ]
