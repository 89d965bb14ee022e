"""
Plays a case second by second, and says what was not as expected.

A tick comes each second, after the inputs of that second; what is expected of a moment is looked at after its tick.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from schemas.contract import Contract
from schemas.lifecycle import StepV1
from schemas.telemetry import Signal
from streams.backtest.cases import SECOND, TOLD, Case, Expectation
from streams.backtest.chain import Chain, Told
from streams.backtest.explaining import alert_shown, notice_shown, step_shown, why_not
from streams.durations import read_duration, written
from streams.policy import Policy

_JSON: TypeAdapter[Any] = TypeAdapter(Any)
#: Steps that are told where incidents or notices are not as expected.
_STEPS_TOLD = 8


@dataclass(frozen=True)
class Difference:
    """What was not as expected at one moment."""

    at: timedelta
    what: str
    """Such as ``firing``."""
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([f"at {written(self.at)}: {self.what}", *(f"  {it}" for it in self.lines)])


def play(case: Case, policy: Policy) -> list[Difference]:
    """Play *case* under *policy* and return whatever was not as expected."""
    return list(_Play(case, policy).run())


class _Play:
    def __init__(self, case: Case, policy: Policy) -> None:
        self._case = case
        self._chain = Chain(policy)
        self._signals: list[Signal] = []
        self._steps: list[StepV1] = []
        self._now = timedelta(0)

    def run(self) -> Iterator[Difference]:
        case, chain = self._case, self._chain
        expected: dict[timedelta, list[Expectation]] = defaultdict(list)
        for each in case.expectations:
            for moment in each.at:
                expected[moment].append(each)
        waiting = list(reversed(case.happenings))
        while self._now <= case.end:
            while waiting and waiting[-1].at <= self._now:
                self._happen(waiting.pop())
            chain.tick(case.beginning + self._now)
            told = chain.take_told()
            self._steps += told.steps
            for refused in told.refused:
                yield self._different("input", [f"refused on {refused.topic}: {refused.reason}"])
            for each in expected.get(self._now, ()):
                yield from self._compare(each, told)
            self._now += SECOND

    def _happen(self, happening: Any) -> None:
        beginning = self._case.beginning
        latest = next(reversed(self._chain.incidents.values()), None)
        incident_id = latest.incident_id if latest else f"INC-{beginning:%Y-%m-%d}-001"
        topic, message = happening.message(beginning, incident_id)
        if isinstance(message, Signal):
            self._signals.append(message)
        self._chain.hear(topic, message, beginning + self._now)

    def _compare(self, expectation: Expectation, told: Told) -> Iterator[Difference]:
        if expectation.firing is not None:
            lines = list(self._firing(expectation.firing))
            if lines:
                yield self._different("firing", lines)
        seen: Mapping[str, Sequence[Contract]] = {
            "alerts": told.alerts,
            "incidents": list(self._chain.incidents.values()),
            "steps": told.steps,
            "notices": told.notices,
        }
        for word in TOLD:
            wanted = getattr(expectation, word)
            if wanted is None:
                continue
            lines = list(self._listed(word, wanted, seen[word]))
            if lines:
                yield self._different(word, lines)

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
        for line in why_not(rule, self._chain, self._signals, self._case.beginning):
            yield f"    {line}"

    # -- what was told ----------------------------------------------------------------------------

    def _listed(
        self, word: str, wanted: Sequence[Mapping[str, Any]], seen: Sequence[Contract]
    ) -> Iterator[str]:
        pairs, missing, more = paired(wanted, seen, self._case.beginning)
        for want, found in pairs:
            yield f"~ {self._shown(word, found)}"
            for name in want:
                has = _value(found, name)
                if not _alike(want[name], has, self._case.beginning):
                    seen_as = self._moment(want[name], has)
                    yield f"    {name}: expected {_told(want[name])}, seen {seen_as}"
        for want in missing:
            yield f"- {_told(want)}: expected, not seen"
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
        if word == "steps":
            return step_shown(found, self._case.beginning)
        return f"{found.incident_id} {found.status}, severity {found.severity}: {found.summary}"

    def _moment(self, wanted: Any, has: Any) -> str:
        since = _since(wanted, has, self._case.beginning)
        return _told(has if since is None else written(since))


def paired(
    wanted: Sequence[Mapping[str, Any]], seen: Sequence[Contract], beginning: datetime
) -> tuple[list[tuple[Mapping[str, Any], Contract]], list[Mapping[str, Any]], list[Contract]]:
    """
    Return pairs of what is expected and seen and differs, what was not seen, and what was not expected.

    Their order does not matter. What says most is looked for first; what is not found is compared with what is most like it.
    """

    def score(want: Mapping[str, Any], found: Contract) -> int:
        return sum(_alike(want[name], _value(found, name), beginning) for name in want)

    left = list(seen)
    unmet = []
    for want in sorted(wanted, key=len, reverse=True):
        met = next((each for each in left if score(want, each) == len(want)), None)
        if met is None:
            unmet.append(want)
        else:
            left.remove(met)
    pairs, missing = [], []
    for want in unmet:
        nearest = max(left, key=lambda each, want=want: score(want, each), default=None)  # type: ignore[misc]
        if nearest is None:
            missing.append(want)
        else:
            left.remove(nearest)
            pairs.append((want, nearest))
    return pairs, missing, left


def _value(found: Contract, name: str) -> Any:
    return found.model_dump(mode="json", include={name}).get(name)


def _alike(wanted: Any, has: Any, beginning: datetime) -> bool:
    plain = _JSON.dump_python(wanted, mode="json")
    if plain == has:
        return True
    since = _since(plain, has, beginning)
    return since is not None and since == read_duration(plain)


def _since(wanted: Any, has: Any, beginning: datetime) -> timedelta | None:
    """Return the moment *has* as a duration where one is *wanted*; None where none is."""
    if not isinstance(wanted, str) or not isinstance(has, str):
        return None
    try:
        read_duration(wanted)
        return datetime.fromisoformat(has) - beginning
    except (ValueError, TypeError):
        return None


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_told(each)}" for name, each in value.items()) + "}"
    return "nothing" if value is None else str(value)
