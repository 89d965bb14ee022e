"""
Plays a case second by second, and says what was not as expected.

A tick comes each second, or as often as the case says, after the inputs until then; what is expected of a moment is looked at after its tick.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Any, Final

from schemas.contract import Contract
from schemas.lifecycle import StepV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.backtest.cases import SECOND, TOLD, Case, Expectation
from streams.backtest.chain import Chain, Refused, Told
from streams.backtest.comparing import alike, paired, shown, told, value
from streams.backtest.explaining import (
    alert_shown,
    notice_shown,
    step_shown,
    why_not,
    withheld_shown,
)
from streams.backtest.inputs import OUTAGE, Happening
from streams.backtest.nearness import Heard
from streams.durations import written
from streams.incidents.schedules import on_call
from streams.policy import Policy
from streams.policy_faults import meant

#: Steps that are told where incidents or notices are not as expected.
_STEPS_TOLD = 8
#: What is told at one moment, and not how things stand.
_OF_A_MOMENT: Final = ("alerts", "steps", "notices", "withheld")
#: Other moments that are told of what was not seen.
_MOMENTS_TOLD: Final = 3


@dataclass(frozen=True)
class Difference:
    """What was not as expected at one moment."""

    at: timedelta
    what: str
    """Such as ``firing``."""
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"at {written(self.at)}: {self.what}", *(f"  {it}" for it in self.lines)])


@dataclass(frozen=True)
class _Unmet:
    """What was expected to be told at a moment, and was not."""

    at: timedelta
    word: str
    wanted: Mapping[str, Any]
    line: str


def play(case: Case, policy: Policy) -> list[Difference]:
    """Play *case* under *policy* and return whatever was not as expected."""
    playing = _Play(case, policy)
    differences = list(playing.run())
    return [playing.with_other_moments(each) for each in differences]


class _Play:
    def __init__(self, case: Case, policy: Policy) -> None:
        self._case = case
        self._chain = Chain(policy, watched=case.watched)
        self._heard: list[Heard] = []
        #: Whatever was told, and when, and what was expected to be and was not.
        self._told: list[tuple[timedelta, str, Contract]] = []
        self._unmet: list[_Unmet] = []
        self._steps: list[StepV1] = []
        self._now = timedelta(0)
        #: Until when the workers are out.
        self._out_until = timedelta(0)
        #: How many things have happened.
        self.ordinal = 0

    def run(self) -> Iterator[Difference]:
        case, chain = self._case, self._chain
        expected: dict[timedelta, list[Expectation]] = defaultdict(list)
        for each in case.expectations:
            for moment in each.at:
                expected[moment].append(each)
        waiting = list(reversed(case.happenings))
        for now in self._moments(expected):
            self._now = now
            while waiting and waiting[-1].at <= self._now and self._now >= self._out_until:
                self._happen(waiting.pop())
            if self._now >= self._out_until:
                chain.tick(case.beginning + self._now)
            said = chain.take_told()
            self._steps += said.steps
            for word in _OF_A_MOMENT:
                self._told += [(now, word, each) for each in getattr(said, word)]
            due = expected.get(self._now, ())
            yield from self._refusals(said.refused, due)
            for each in due:
                yield from self._compare(each, said)

    def with_other_moments(self, difference: Difference) -> Difference:
        """Return *difference* with when else there was what was expected then."""
        lines = list(difference.lines)
        for unmet in self._unmet:
            if (unmet.at, unmet.word) != (
                difference.at,
                difference.what,
            ) or unmet.line not in lines:
                continue
            place = lines.index(unmet.line) + 1
            lines[place:place] = [
                f"    seen at {written(at)}: {self._shown(word, found)}"
                for at, word, found in self._told
                if word == unmet.word and at != unmet.at and self._is_wanted(unmet.wanted, found)
            ][:_MOMENTS_TOLD]
        return replace(difference, lines=tuple(lines))

    def _is_wanted(self, wanted: Mapping[str, Any], found: Contract) -> bool:
        beginning = self._case.beginning
        return all(alike(it, value(found, name), beginning) for name, it in wanted.items())

    def _moments(self, expected: Mapping[timedelta, Any]) -> list[timedelta]:
        """Return when time is told."""
        case = self._case
        regular = (number * case.ticks for number in range(case.end // case.ticks + 1))
        # Inputs are heard with the tick that follows them.
        inputs = (
            SECOND * ceil((each.at + each.lasts) / SECOND)
            for each in case.happenings
            if each.at <= case.end
        )
        return sorted({*regular, *inputs, *expected})

    def _happen(self, happening: Happening) -> None:
        self.ordinal += 1
        if happening.word == OUTAGE:
            self._chain.restart()
            self._out_until = max(self._out_until, happening.at + happening.lasts)
            return
        topic, message = happening.message(self._case.beginning, self)
        if isinstance(message, Signal):
            where = Origin(topic=topic.name, partition=0, offset=self.ordinal)
            self._heard.append(Heard(message, where))
        self._chain.hear(topic, message, self._case.beginning + self._now)

    def latest_incident(self) -> str:
        """See ``Scene``."""
        latest = next(reversed(self._chain.incidents.values()), None)
        return latest.incident_id if latest else f"INC-{self._case.beginning:%Y-%m-%d}-001"

    def fingerprints(self, incident_id: str, about: Mapping[str, Any]) -> list[str]:
        """See ``Scene``."""
        return [
            alert.fingerprint
            for incident in self._chain.incidents.values()
            if incident.incident_id == incident_id
            for alert in incident.alerts
            if alike(about, alert.model_dump(mode="json"), self._case.beginning)
        ]

    def _refusals(
        self, refused: Sequence[Refused], expected: Sequence[Expectation]
    ) -> Iterator[Difference]:
        """Compare what was refused; what nobody expected to be is said."""
        wanted = [text for each in expected for text in each.refused or ()]
        lines = []
        for each in refused:
            met = next((text for text in wanted if text in each.reason), None)
            if met is None:
                lines.append(f"refused on {each.topic}: {each.reason}")
            else:
                wanted.remove(met)
        if lines:
            yield self._different("input", lines)
        if wanted:
            yield self._different(
                "refused", [f"- {text}: expected, not refused" for text in wanted]
            )

    def _compare(self, expectation: Expectation, said: Told) -> Iterator[Difference]:
        if expectation.firing is not None:
            lines = list(self._firing(expectation.firing))
            if lines:
                yield self._different("firing", lines)
        seen: Mapping[str, Sequence[Contract]] = {
            "alerts": said.alerts,
            "incidents": list(self._chain.incidents.values()),
            "steps": said.steps,
            "notices": said.notices,
            "withheld": said.withheld,
        }
        for word in TOLD:
            wanted = getattr(expectation, word)
            if wanted is None:
                continue
            lines = list(self._listed(word, wanted, seen[word]))
            if lines:
                yield self._different(word, lines)
        duties = list(self._duties(expectation.on_call or {}))
        if duties:
            yield self._different("on_call", duties)

    def _different(self, what: str, lines: Sequence[str]) -> Difference:
        return Difference(self._now, what, tuple(lines))

    # -- what fires -------------------------------------------------------------------------------

    def _firing(self, wanted: Sequence[str]) -> Iterator[str]:
        left = list(wanted)
        unexpected = []
        for alert in sorted(self._chain.firing.values(), key=lambda each: each.rule):
            if alert.rule in left:
                left.remove(alert.rule)
            else:
                unexpected.append(alert)
        for name in sorted(left):
            yield f"- {name}: expected, does not fire"
            yield from self._why_not(name)
        for alert in unexpected:
            yield f"+ {alert.rule}: fires, not expected"
            yield f"    {alert_shown(alert, self._case.beginning)}"

    def _why_not(self, rule: str) -> Iterator[str]:
        begun = self._case.beginning
        for line in why_not(rule, self._chain, self._heard, begun, begun + self._now):
            yield f"    {line}"

    # -- who is on call ---------------------------------------------------------------------------

    def _duties(self, wanted: Mapping[str, str | None]) -> Iterator[str]:
        schedules = self._chain.policy.schedules
        for name, person in wanted.items():
            if name not in schedules:
                yield f"- {name}: the policy has no such schedule; {meant(name, schedules)}"
                continue
            now = on_call(schedules[name], self._case.beginning + self._now)
            if now != person:
                yield f"~ {name}: expected {person or 'nobody'}, on call is {now or 'nobody'}"

    # -- what was told ----------------------------------------------------------------------------

    def _listed(
        self, word: str, wanted: Sequence[Mapping[str, Any]], seen: Sequence[Contract]
    ) -> Iterator[str]:
        beginning = self._case.beginning
        pairs, missing, more = paired(wanted, seen, beginning)
        for want, found in pairs:
            yield f"~ {self._shown(word, found)}"
            for name in want:
                has = value(found, name)
                if not alike(want[name], has, beginning):
                    seen_as = shown(want[name], has, beginning)
                    yield f"    {name}: expected {told(want[name])}, seen {seen_as}"
        for want in missing:
            line = f"- {told(want)}: expected, not seen"
            if word in _OF_A_MOMENT:
                self._unmet.append(_Unmet(self._now, word, want, line))
            yield line
            rule = want.get("rule")
            if word == "alerts" and isinstance(rule, str):
                yield from self._why_not(rule)
        for found in more:
            yield f"+ {self._shown(word, found)}: seen, not expected"
        if (missing or more) and word != "alerts":
            for step in self._steps[-_STEPS_TOLD:]:
                yield f"    {step_shown(step, self._case.beginning)}"

    def _shown(self, word: str, found: Any) -> str:
        if word == "alerts":
            return alert_shown(found, self._case.beginning)
        if word == "notices":
            return notice_shown(found)
        if word == "withheld":
            return withheld_shown(found)
        if word == "steps":
            return step_shown(found, self._case.beginning)
        return f"{found.incident_id} {found.status}, severity {found.severity}: {found.summary}"
