"""Why a rule fired, or did not: in words for who wrote it."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from schemas.alerts import AlertV1
from schemas.lifecycle import StepV1
from schemas.notices import NoticeV1
from schemas.telemetry import Signal
from schemas.withheld import WithheldV1
from streams.backtest.chain import Chain
from streams.backtest.nearness import Heard, Near, near_misses
from streams.backtest.since import moment
from streams.detection import holding
from streams.detection.holding import Phase, Says
from streams.detection.index import name_of
from streams.detection.matching import predicate
from streams.detection.moments import moment_of
from streams.detection.rule import Rule
from streams.detection.series import Series
from streams.policy_faults import meant

#: Characters of one remembered value that are shown.
_SHOWN: Final = 80
#: Whole numbers that are larger are moments, in microseconds since 1970: so memories keep them.
_MICROSECONDS: Final = 10**14


def alert_shown(alert: AlertV1, beginning: datetime) -> str:
    """Return what an alert says, in one line."""
    whom = _whom(alert.service, alert.environment, "", alert.labels)
    since = moment(alert.started_at, beginning)
    return f"{alert.rule} {alert.state}, severity {alert.severity}, {whom}, since {since}: {alert.reason}"


def notice_shown(notice: NoticeV1) -> str:
    """Return what a notice says, in one line."""
    return f"{notice.purpose} to {notice.channel} of {notice.shift.schedule if notice.shift else notice.incident_id} ({notice.reason})"


def withheld_shown(withheld: WithheldV1) -> str:
    """Return what is said of a withheld alert, in one line."""
    return (
        f"{withheld.rule} of {withheld.service} {withheld.withholding} by {withheld.by}: "
        f"{withheld.reason}"
    )


def step_shown(step: StepV1, beginning: datetime) -> str:
    """Return what a step says, in one line."""
    at = moment(step.occurred_at, beginning)
    return f"{at} {step.incident_id} {step.kind}: {step.reason}"


def why_not(
    name: str, chain: Chain, heard: Sequence[Heard], beginning: datetime, at: datetime
) -> Iterator[str]:
    """Yield why the rule called *name* does not fire *at* a moment: where its series stand and what came nearest, or why it has none."""
    rule = next((each for each in chain.policy.rules if each.name == name), None)
    if rule is None:
        known = [each.name for each in chain.policy.rules]
        yield f"the policy has no rule {name!r}; {meant(name, known)}"
        return
    standing = chain.detector.series_of(name)
    if not standing:
        yield _unheard(rule, [each.signal for each in heard])
        return
    nearest = min(
        standing, key=lambda each: (_DISTANCE[each.held.phase], -each.heard_at.timestamp())
    )
    missed = _missed(chain, heard, nearest, at) if nearest.held.phase is Phase.QUIET else None
    stands = _stands(rule, nearest, beginning)
    if missed is not None and (missed.found or missed.value is not None):
        yield stands
        yield f"nearest at {moment(missed.at, beginning)}: {missed.reason}"
    elif nearest.held.phase is Phase.QUIET:
        yield f"{stands}; remembers {remembered(nearest.memory, beginning)}"
    else:
        yield stands
    if len(standing) > 1:
        yield f"and {len(standing) - 1} more series, none nearer"


_DISTANCE: Final = {Phase.FIRING: 0, Phase.PENDING: 1, Phase.QUIET: 2}


def _stands(rule: Rule, series: Series, beginning: datetime) -> str:
    held = series.held
    whom = _whom(series.service, series.environment, series.subject, series.labels)
    parts = [str(held.phase)]
    if held.since is not None:
        parts.append(f"since {moment(held.since, beginning)}")
    due = holding.due(held, rule.terms)
    if due is not None:
        becomes = "fires" if held.phase is Phase.PENDING else "is resolved"
        parts.append(f"{becomes} at {moment(due, beginning)} if nothing changes")
    if held.phase is not Phase.QUIET:
        parts.append(rule.evidence(series.memory, Says.BAD).reason)
    heard = moment(series.heard_at, beginning)
    return f"{whom}: {', '.join(parts)}; last heard at {heard}"


def _missed(chain: Chain, heard: Sequence[Heard], series: Series, at: datetime) -> Near | None:
    """Return what of a *series* came nearest to what its rule finds; None where it has fired before."""
    found = near_misses(chain.policy.rules, heard, at, {series.rule})
    return next(
        (
            each
            for each in found
            if (each.service, each.environment, each.labels)
            == (series.service, series.environment, series.labels)
        ),
        None,
    )


def _unheard(rule: Rule, signals: Sequence[Signal]) -> str:
    """Say at what the signals failed that came nearest to the rule."""
    kinds = rule.hears()
    heard = [each for each in signals if isinstance(each, kinds)]
    if not heard:
        named = " or ".join(sorted(_kind(kind) for kind in kinds))
        return f"it hears {named} signals, and none came"
    if rule.service:
        services = {each.service for each in heard}
        heard = [each for each in heard if each.service in rule.service]
        if not heard:
            return f"it is about the service {_or(rule.service)}; heard was {_or(services)}"
    if rule.names():
        names = {name_of(each) or "" for each in heard}
        heard = [each for each in heard if name_of(each) in rule.names()]
        if not heard:
            return f"it is about {_or(rule.names())}; heard was {_or(names)}"
    for matcher in rule.match:
        holds = predicate([matcher])
        fits = [each for each in heard if holds is None or holds(each)]
        if not fits:
            wanted = f"{matcher.label}{matcher.operator}{matcher.value}"
            return f"none of the {len(heard)} signals it could hear fulfils {wanted}"
        heard = fits
    return f"{len(heard)} signals came near, and none is one that it counts"


def remembered(memory: Any, beginning: datetime) -> str:
    """Return what there is in a memory; what is empty is left out."""
    said = []
    for part in fields(memory):
        value = getattr(memory, part.name)
        if is_dataclass(value):
            inside = remembered(value, beginning)
            said.append(f"{part.name} ({inside})")
        elif text := _value(value, beginning):
            said.append(f"{part.name}: {text}")
    return ", ".join(said) or "nothing"


def _value(value: Any, beginning: datetime) -> str:
    if isinstance(value, datetime):
        return moment(value, beginning)
    if isinstance(value, list | tuple | dict | set):
        return f"{len(value)} values" if value else ""
    if isinstance(value, int) and value > _MICROSECONDS:
        return moment(moment_of(value), beginning)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None or isinstance(value, BaseModel) else str(value)[:_SHOWN]


def _whom(service: str, environment: str, subject: str, labels: dict[str, str]) -> str:
    named = [f"{name}={value}" for name, value in sorted(labels.items())]
    return " ".join([f"{service}/{environment}", *([subject] if subject else []), *named])


def _kind(kind: type[Signal]) -> str:
    return kind.__name__.removesuffix("V1").lower()


def _or(names: Any) -> str:
    return " or ".join(sorted(names))
