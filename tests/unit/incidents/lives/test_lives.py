"""
Scenarios of incidents: a policy, timed inputs, and what must be true at each moment.

A scenario is a YAML file in this folder::

    policy: the parts of a policy
    inputs:                 # at: one moment, or several; then one input
      - {at: 0s, alert: {service: database, severity: 1}}            # its rule and service are its identity
      - {at: 9s, end: {service: database}}
      - {at: 1m, silence: {id: night, match: ["service=shop"], for: 1h, by: Ada, reason: upgrade}}
      - {at: 1m, change: {id: deploy-7, service: shop, ago: 1h}}
      - {at: 2m, merge: {of: 2, into: 1, by: Ada}}                   # any command: by its action, of which incident
    expect:                 # after the tick of that moment; only what is named is looked at
      - at: 1s
        open: [{number: 1, severity: 1, alert_count: 2}]             # the open incidents, the first that opened first
        steps: [{kind: opened}]                                      # those of that moment
        withheld: [{withholding: silenced, by: Ada}]                 # likewise
        told: [{channel: pager, purpose: initial}]                   # likewise

A tick comes each second, after the inputs of that second.
"""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.alerts import AlertState
from schemas.changes import ChangeV1
from schemas.commands import CommandV1
from schemas.contract import Contract
from streams.detection.fingerprint import fingerprint
from streams.durations import read_duration, written
from streams.matchers import read_matchers
from streams.policy import read_policy
from tests.life import NOON, Life, alert, silence

HERE = Path(__file__).parent
SECOND = timedelta(seconds=1)


class Scenario:
    """One scenario while it is played."""

    def __init__(self, said: dict[str, Any], folder: Path) -> None:
        self._said = said
        (folder / "policy.yaml").write_text(yaml.safe_dump(said["policy"]))
        self._life = Life(read_policy(folder / "policy.yaml", {}), NOON - SECOND)
        self._sequence = 0

    def play(self) -> list[str]:
        """Play it and return whatever was not as expected."""
        inputs, expected = self._timed("inputs"), self._timed("expect")
        wrong, elapsed = [], timedelta(0)
        while expected:
            for each in inputs.pop(elapsed, []):
                ((name, fields),) = ((name, it) for name, it in each.items() if name != "at")
                self._life.hear(self._message(name, fields))
            steps, withheld = len(self._life.steps), len(self._life.withheld)
            notices = len(self._life.notices)
            self._life.tick()
            news = {
                "steps": self._life.steps[steps:],
                "withheld": self._life.withheld[withheld:],
                "told": self._life.notices[notices:],
                "open": sorted(self._life.open, key=lambda each: each.incident_id),
            }
            for each in expected.pop(elapsed, []):
                wrong += [f"at {written(elapsed)}: {it}" for it in self._differences(each, news)]
            elapsed += SECOND
        return wrong

    def _timed(self, part: str) -> dict[timedelta, list[dict[str, Any]]]:
        found = defaultdict(list)
        for each in self._said[part]:
            moments = each["at"] if isinstance(each["at"], list) else [each["at"]]
            for moment in moments:
                found[read_duration(moment)].append(each)
        return found

    def _message(self, name: str, fields: dict[str, Any]) -> Contract:
        at = self._life.now + SECOND
        self._sequence += 1
        if name in {"alert", "end"}:
            given = {"service": "database", "rule": "down"} | fields
            identity = fingerprint(
                tenant="", environment=given.get("environment", ""), subject="", labels={},
                service=given["service"], rule=given["rule"],
            )  # fmt: skip
            state = AlertState.RESOLVED if name == "end" else AlertState.FIRING
            given = {"state": state, "summary": f"{given['service']} is {given['rule']}"} | given
            since = {"occurred_at": at, "started_at": at, "sequence": self._sequence}
            return alert(identity, **since | given)
        if name == "silence":
            begins = at + read_duration(fields.get("in", "0s"))
            return silence(
                fields["id"],
                occurred_at=at,
                matchers=read_matchers(fields["match"]),
                starts_at=begins,
                ends_at=begins + read_duration(fields["for"]),
                author=fields["by"],
                reason=fields["reason"],
            )
        if name == "change":
            given = {"kind": "deployment", "summary": f"Deploy {fields['service']}"} | fields
            when = at - read_duration(given.pop("ago"))
            return ChangeV1(occurred_at=when, change_id=given.pop("id"), **given)
        given = dict(fields)
        if "of" in given:
            given["incident_id"] = self._id(given.pop("of"))
        if "into" in given:
            given["into"] = self._id(given["into"])
        if "services" in given:
            incident = self._life.incidents[given["incident_id"]]
            leaving = given.pop("services")
            given["fingerprints"] = [
                each.fingerprint for each in incident.alerts if each.service in leaving
            ]
        given = {"author": given.pop("by"), "occurred_at": at, "action": name} | given
        given["command_id"] = f"command-{self._sequence}"
        return CommandV1.model_validate(given).root

    def _id(self, number: int) -> str:
        return f"INC-{NOON:%Y-%m-%d}-{number:03}"

    def _differences(self, expected: dict[str, Any], news: dict[str, list[Any]]) -> list[str]:
        found = []
        for part, seen in news.items():
            if part not in expected:
                continue
            wanted = expected[part]
            shown = [
                {name: self._fact(each, name) for name in want}
                for want, each in zip(wanted, seen, strict=False)
            ]
            if shown != wanted or len(seen) != len(wanted):
                more = [str(getattr(each, "kind", each))[:300] for each in seen[len(wanted) :]]
                found.append(f"{part}: expected {wanted}, seen {shown}, and {more}")
        return found

    def _fact(self, of: Contract, name: str) -> Any:
        said = of.model_dump(mode="json")
        if name == "number":
            return int(said["incident_id"].rpartition("-")[2])
        if name == "suspects":
            return [{"change_id": it["change_id"], "score": it["score"]} for it in said[name]]
        if name in {"services", "impacted"}:
            return list(said[name])
        if name == "bonds":
            return sorted({each["bond"] for each in said["joined"]})
        return said.get(name)


@pytest.mark.parametrize("file", sorted(HERE.glob("*.yaml")), ids=lambda file: file.stem)
def test_scenario(file: Path, tmp_path: Path) -> None:
    assert Scenario(yaml.safe_load(file.read_text()), tmp_path).play() == []


def test_a_scenario_that_does_not_hold_is_told(tmp_path: Path) -> None:
    """Otherwise all scenarios could pass because nothing is looked at."""
    said = {
        "policy": {},
        "inputs": [{"at": "0s", "alert": {"severity": 1}}],
        "expect": [{"at": "0s", "open": [{"severity": 2}], "steps": []}],
    }
    assert Scenario(said, tmp_path).play() == [
        "at 0s: steps: expected [], seen [], and ['opened']",
        "at 0s: open: expected [{'severity': 2}], seen [{'severity': 1}], and []",
    ]
