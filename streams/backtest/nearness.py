"""
Which signals came near to what a rule finds, and told nothing: the past, heard again by the rules that there are now.

Of each series the signal is kept that came nearest: first where the rule found something that did not hold long enough, then by the value that it
compares.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.evaluation import Detector
from streams.detection.holding import Phase
from streams.detection.index import Index
from streams.detection.rule import Rule
from streams.detection.series import Series
from streams.detection.watch import Watch
from streams.durations import written


@dataclass(frozen=True, slots=True)
class Heard:
    """A signal, and where it stands in the log."""

    signal: Signal
    origin: Origin


@dataclass(frozen=True, slots=True)
class Near:
    """The signal of a series that came nearest to what a rule finds."""

    rule: str
    service: str
    environment: str
    labels: dict[str, str]
    #: How many signals of the series were heard.
    count: int
    at: datetime
    origin: Origin
    #: What the rule compares; None where that is no number.
    value: float | None
    #: Why it told nothing.
    reason: str
    #: Whether the rule found something that did not hold long enough.
    found: bool = False


@dataclass(slots=True)
class _Nearest:
    near: Near
    rank: tuple[bool, float]
    count: int = 0


def near_misses(
    rules: Sequence[Rule], heard: Sequence[Heard], until: datetime, chosen: Collection[str]
) -> list[Near]:
    """Return what came near to the *chosen* rules, by their names, and told nothing until *until*; *heard* is in the order of the log."""
    detector = Detector(rules)
    index = Index([Watch(rule) for rule in rules if rule.name in chosen])
    nearest: dict[str, _Nearest] = {}
    told: set[str] = set()
    for each in heard:
        signal = each.signal
        told |= _fired(detector.tick(signal.occurred_at))
        told |= _fired(detector.hear(signal, each.origin))
        for watch in index.hearing(signal):
            if watch.rule.concerns(signal):
                name = watch.fingerprint_of(signal)
                series = detector.series_at(name)
                if series is not None:
                    _compare(nearest, name, watch.rule, series, each)
    told |= _fired(detector.tick(until))
    return [
        _counted(each) for name, each in sorted(nearest.items(), key=_place) if name not in told
    ]


def _fired(alerts: Sequence[AlertV1]) -> set[str]:
    return {each.fingerprint for each in alerts if each.state is AlertState.FIRING}


def _compare(
    nearest: dict[str, _Nearest], name: str, rule: Rule, series: Series, heard: Heard
) -> None:
    pending = series.held.phase is Phase.PENDING
    value = rule.measured(series.memory)
    worse = 0.0 if value is None else value if rule.rising() is not False else -value
    rank = (pending, worse)
    known = nearest.get(name)
    if known is None or rank >= known.rank:
        near = Near(
            rule.name,
            series.service,
            series.environment,
            dict(series.labels),
            0,
            heard.signal.occurred_at,
            heard.origin,
            value,
            _reason(rule, series, value, heard.signal.occurred_at),
            pending,
        )
        nearest[name] = known = _Nearest(near, rank, known.count if known else 0)
    known.count += 1


def _reason(rule: Rule, series: Series, value: float | None, at: datetime) -> str:
    measured = "it" if value is None else f"{value:.6g}"
    if series.held.phase is Phase.PENDING and series.held.since is not None:
        held = written(max(at - series.held.since, timedelta(0)))
        return f"{measured} was found, and held for {held} of the {written(rule.wait)} that it must"
    return f"{measured} is not what the rule finds: {', '.join(_criteria(rule))}"


def _criteria(rule: Rule) -> Iterator[str]:
    fields: Any = type(rule).model_fields
    for name, value in rule.criteria("kind", "group_by", "group").items():
        if value is not None and (fields[name].is_required() or value != fields[name].default):
            yield f"{name} {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return written(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _place(item: tuple[str, _Nearest]) -> tuple[Any, ...]:
    near = item[1].near
    return near.rule, near.service, near.environment, sorted(near.labels.items()), item[0]


def _counted(nearest: _Nearest) -> Near:
    return replace(nearest.near, count=nearest.count)
