"""
Who is told of a step, and why.

Routes are a tree, as Alertmanager has it, that chooses by labels, severity, service, owner and message: the first that fits is taken, more
only where it says ``continue``. An incident that becomes worse is told to more people: those who are new are called as if it had begun now. Its end, and that it was made less severe, is told to
everybody whom the worst moment was told to. After its end nobody is told anything until it is reopened: people still correct and
assign then, and a pager would take that for a new call.

Escalations and handovers name whom they call; routes are not asked. A route can name schedules: whoever is on call then is told.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from schemas import limits
from schemas.contract import Name, Severity
from schemas.lifecycle import CallV1, IncidentV1, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose, TimingV1
from streams.durations import Duration
from streams.matchers import Matchers, Predicate, predicate
from streams.notifications.duty import Duty, OnDuty, nobody
from streams.notifications.ids import fitted
from streams.notifications.waiting import PATIENT

#: Messages of steps that name whom they call.
CALLED: Final = {
    StepKind.ESCALATED: Purpose.ESCALATION,
    StepKind.HANDED_OVER: Purpose.HANDOVER,
    StepKind.REMINDED: Purpose.REMINDER,
    StepKind.OVERDUE: Purpose.REMINDER,
}
#: When the next message can be expected, until the incident is resolved.
UPDATE_EVERY: Final = timedelta(minutes=30)

#: The steps that somebody is told of, and the message each is told by. Alerts that come and go, and notes, are read where the
#: incident is worked on: telling everybody of each would teach them to look away.
TOLD: Final = {
    StepKind.OPENED: Purpose.INITIAL,
    # Whoever is only called at the beginning is called again.
    StepKind.REOPENED: Purpose.INITIAL,
    StepKind.ACKNOWLEDGED: Purpose.UPDATE,
    StepKind.ASSIGNED: Purpose.UPDATE,
    StepKind.STATUS_CHANGED: Purpose.UPDATE,
    StepKind.SEVERITY_CHANGED: Purpose.SEVERITY,
    StepKind.MITIGATED: Purpose.UPDATE,
    StepKind.UNACKNOWLEDGED: Purpose.UPDATE,
    StepKind.AT_RISK: Purpose.AT_RISK,
    StepKind.MISSED: Purpose.UPDATE,
    StepKind.RESOLVED: Purpose.RESOLUTION,
    # Whoever was called for it is told that it is over; the other incident goes on.
    StepKind.MERGED: Purpose.RESOLUTION,
}

#: The severity that waits for nothing.
WORST: Final = 1
_AT_ONCE: Final = timedelta(0)
#: Alertmanager's word for grouping by all labels.
_EACH: Final = "..."
_GROUPED_BY: Final = r"^(\.\.\.|[A-Za-z_][A-Za-z0-9_./-]*)$"
#: What a route takes from the one above where it says nothing else. Times are not among it, as in Alertmanager.
_INHERITED: Final = ("group_by", "group_wait", "group_interval", "repeat_interval")

Wait = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))]

#: Steps that those hear of who were told at the worst moment.
_BY_THE_WORST: Final = frozenset({StepKind.RESOLVED, StepKind.MERGED, StepKind.SEVERITY_CHANGED})


class Route(BaseModel):
    """A branch of the policy's ``routes``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"severities": [1, 2], "channels": ["slack"]}]},
    )

    matchers: Matchers = ()
    """Labels it is for, such as ``[team="payments", region=~"eu-.*"]``."""
    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = (1, 2, 3, 4)
    """The severities it is for."""
    services: tuple[Name, ...] = ()
    """The services it is for; all where none is named."""
    owners: tuple[Name, ...] = ()
    """The owning teams it is for; all where none is named."""
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)] = tuple(Purpose)
    """The messages it is for: ``initial``, ``update``, ``resolution``, …"""
    continue_: Annotated[bool, Field(alias="continue")] = False
    """Whether the routes after it are looked at as well where it fits."""
    channels: Annotated[tuple[Name, ...], Field(min_length=1)] = ()
    """Names of the channels that are told; without it, and without ``schedules``, those of the route above."""
    schedules: Annotated[tuple[Name, ...], Field(min_length=1)] = ()
    """Names of the schedules of which whoever is on call at that time is told."""
    group_by: tuple[Annotated[str, Field(pattern=_GROUPED_BY)], ...] | None = None
    """Labels that grouped incidents have in common; ``...`` keeps each by itself, as it is without it."""
    group_wait: Wait | None = None
    """How long the first message of a group waits for more; without it that of the route above, or not at all."""
    group_interval: Wait | None = None
    """How long a group that was told of waits before it is told of again."""
    repeat_interval: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = None
    """How long after a message people are reminded, until the incident is resolved."""
    mute_time_intervals: tuple[Name, ...] = ()
    """Times at which nothing goes out."""
    active_time_intervals: tuple[Name, ...] = ()
    """The only times at which anything goes out."""
    routes: tuple["Route", ...] = ()
    """Branches: those that fit are taken instead of this route."""

    @cached_property
    def holds(self) -> Predicate | None:
        """Whether all matchers hold for a ``Subject``; None where there are none."""
        # What a subject has in fields of its own is among its labels as well.
        return predicate(self.matchers, ())

    def below(self, above: "Route | None") -> "Route":
        """Return this route with what it inherits from the one *above*."""
        if above is None:
            return self
        inherited = {
            name: getattr(above, name) for name in _INHERITED if getattr(self, name) is None
        }
        if not self.channels and not self.schedules:
            inherited |= {"channels": above.channels, "schedules": above.schedules}
        return self.model_copy(update=inherited)


class Subject(NamedTuple):
    """What routes look at."""

    labels: Mapping[str, str]
    severity: int
    services: frozenset[str]
    owner: str
    purpose: Purpose
    at_worst: bool = False
    """Whether the severity is that of the worst moment, and no longer the incident's."""
    duty: Callable[[str], Sequence[OnDuty]] = lambda _: ()
    """Who is told for a schedule."""


class Chosen(NamedTuple):
    """A route that fits, with all that it inherits, and where it stands."""

    route: Route
    place: str
    reason: str
    people: tuple[str, ...] | None = None
    """Whom it is for, where a schedule chose the person."""


def subject(
    incident: IncidentV1,
    severity: int,
    purpose: Purpose,
    duty: Duty = nobody,
    at: datetime | None = None,
) -> Subject:
    """
    Return what routes look at when *incident* has *severity* and *purpose* is to be told at *at*.

    Whoever was on call when it began hears of its end, too.
    """
    moments = [at or incident.occurred_at]
    if purpose is Purpose.RESOLUTION:
        moments.append(incident.detected_at)
    labels = {
        # Labels of the alerts may be called so, too: then matchers see those.
        "severity": str(severity),
        "owner": incident.owner or "",
        **incident.labels,
        "tenant": incident.tenant,
        "service": incident.service,
        "environment": incident.environment,
        "incident": incident.incident_id,
    }
    return Subject(
        labels,
        severity,
        frozenset({incident.service, *incident.services}),
        incident.owner or "",
        purpose,
        severity != incident.severity,
        lambda schedule: list(
            dict.fromkeys(found for moment in moments if (found := duty(schedule, moment)))
        ),
    )


def choose(
    routes: Sequence[Route], of: Subject, above: Route | None = None, place: str = ""
) -> list[Chosen]:
    """
    Return the routes that *of* is sent to.

    The first that fits is taken, and after it those that fit as long as each says ``continue``; a route whose branches fit stands
    back for them. One that has nobody to tell, because it names schedules in which nobody is on call, does not fit.
    """
    found: list[Chosen] = []
    for number, branch in enumerate(routes):
        if not _fits(branch, of):
            continue
        where = f"{place}routes[{number}]"
        route = branch.below(above)
        deeper = choose(branch.routes, of, route, f"{where}.")
        gap = route.schedules and not route.channels and not any(map(of.duty, route.schedules))
        if gap and not deeper:
            continue
        found.extend(deeper or [Chosen(route, where, _reason(where, route, of))])
        if not branch.continue_:
            break
    return found


def receivers(chosen: Chosen, of: Subject) -> Iterator[tuple[str, Chosen]]:
    """Yield the channels that the route which was *chosen* tells, each with why."""
    absent = [name for name in chosen.route.schedules if not of.duty(name)]
    missing = "".join(f"; nobody is on call in {name}" for name in absent)
    for channel in chosen.route.channels:
        yield channel, chosen._replace(reason=f"{chosen.reason}{missing}"[: limits.LINE_LENGTH])
    for name in chosen.route.schedules:
        for each in of.duty(name):
            why = f"{chosen.reason}; {each.reason}"[: limits.LINE_LENGTH]
            for channel in each.channels:
                yield channel, chosen._replace(reason=why, people=(each.person,))


def silent(
    routes: Sequence[Route], place: tuple[str | int, ...] = (), *, told: bool = False
) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of routes that would be taken and tell nobody."""
    for number, branch in enumerate(routes):
        here = (*place, "routes", number)
        tells = told or bool(branch.channels or branch.schedules)
        if not tells and not branch.routes:
            yield here
        yield from silent(branch.routes, here, told=tells)


def channels_of(route: Route) -> Iterator[str]:
    """Yield the channels that *route* and its branches name."""
    yield from route.channels
    for branch in route.routes:
        yield from channels_of(branch)


def schedules_named(
    route: Route, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the schedules that *route* and its branches name, and where."""
    for number, name in enumerate(route.schedules):
        yield (*place, "schedules", number), name
    for number, branch in enumerate(route.routes):
        yield from schedules_named(branch, (*place, "routes", number))


def times_named(
    route: Route, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the times that *route* and its branches name, and where."""
    for key in ("mute_time_intervals", "active_time_intervals"):
        for number, name in enumerate(getattr(route, key)):
            yield (*place, key, number), name
    for number, branch in enumerate(route.routes):
        yield from times_named(branch, (*place, "routes", number))


def told(step: StepV1, routes: Sequence[Route], duty: Duty = nobody) -> list[NoticeV1]:
    """Return one notice for each channel that hears of *step*; the same step gives the same ids."""
    purpose = TOLD.get(step.kind)
    over = step.incident.resolved_at is not None and (
        purpose is not Purpose.RESOLUTION or step.kind is StepKind.MERGED
    )
    if over or step.late:
        return []
    if purpose is None:
        # Whoever is called may hear of it for the first time.
        return [
            _notice(step, CALLED.get(step.kind, Purpose.INITIAL), each.channel, each)
            for each in step.calls
        ]
    incident = step.incident
    worst = step.kind in _BY_THE_WORST
    severity = incident.severity_peak if worst else incident.severity
    called = _newly_concerned(step, routes, duty)
    others = _channels(step, severity, purpose, routes, duty)
    return [
        *(_notice(step, Purpose.INITIAL, channel, chosen) for channel, chosen in called.items()),
        *(
            _notice(step, purpose, channel, chosen)
            for channel, chosen in others.items()
            if channel not in called
        ),
    ]


def notice_id(step: StepV1, channel: str) -> str:
    """Return the id of what *channel* is told of *step*."""
    return fitted(f"{step.step_id}/{channel}")


def _newly_concerned(step: StepV1, routes: Sequence[Route], duty: Duty) -> dict[str, Chosen]:
    """Return the channels that are called because the incident became worse, and why."""
    incident, before = step.incident, step.severity_before
    # 1 is the worst.
    if step.kind is not StepKind.SEVERITY_CHANGED or before is None or incident.severity >= before:
        return {}
    # Whoever was called in between, and then told that it is less severe, is called again.
    earlier = {
        channel
        for severity in (before, incident.severity_first)
        for channel in _channels(step, severity, Purpose.INITIAL, routes, duty)
    }
    now = _channels(step, incident.severity, Purpose.INITIAL, routes, duty)
    return {channel: chosen for channel, chosen in now.items() if channel not in earlier}


def _channels(
    step: StepV1, severity: int, purpose: Purpose, routes: Sequence[Route], duty: Duty
) -> dict[str, Chosen]:
    """Return the channels that hear of *step* at *severity*, each with the first route that says so."""
    told: dict[str, Chosen] = {}
    of = subject(step.incident, severity, purpose, duty, step.occurred_at)
    for chosen in choose(routes, of):
        for channel, why in receivers(chosen, of):
            told.setdefault(channel, why)
    return told


def _notice(
    step: StepV1,
    purpose: Purpose,
    channel: str,
    chosen: Chosen | CallV1,
) -> NoticeV1:
    ends = purpose is Purpose.RESOLUTION
    return NoticeV1(
        occurred_at=step.occurred_at,
        notice_id=notice_id(step, channel),
        tenant=step.tenant,
        incident_id=step.incident_id,
        step=step.kind,
        purpose=purpose,
        channel=channel,
        people=chosen.people,
        reason=chosen.reason,
        # Whoever comes and whoever goes are told different words.
        update=chosen.reason if step.kind is StepKind.HANDED_OVER else _update(step),
        next_update_at=None
        if ends
        else step.incident.next_update_at or step.occurred_at + UPDATE_EVERY,
        # Whoever is called by name is called at once.
        timing=None if isinstance(chosen, CallV1) else timing(chosen, step.incident, purpose),
        incident=step.incident,
    )


def timing(chosen: Chosen, incident: IncidentV1, purpose: Purpose) -> TimingV1 | None:
    """Return when a message may go out by the route that was *chosen*; None at once. The worst severity waits for nothing."""
    route = chosen.route
    waits = incident.severity != WORST and purpose in PATIENT
    timed = TimingV1(
        group=_group(chosen, incident),
        wait=(route.group_wait or _AT_ONCE) if waits else _AT_ONCE,
        interval=(route.group_interval or _AT_ONCE) if waits else _AT_ONCE,
        repeat=route.repeat_interval,
        mute=route.mute_time_intervals if waits else (),
        active=route.active_time_intervals if waits else (),
    )
    return None if timed == TimingV1(group=timed.group) else timed


def _group(chosen: Chosen, incident: IncidentV1) -> str:
    labels = subject(incident, incident.severity, Purpose.INITIAL).labels
    by = chosen.route.group_by
    names = ("incident",) if by is None or _EACH in by else by
    values = [incident.tenant, chosen.place, *(labels.get(name, "") for name in names)]
    return hashlib.sha256(orjson.dumps(values)).hexdigest()[:32]


def _fits(route: Route, of: Subject) -> bool:
    return (
        of.severity in route.severities
        and of.purpose in route.purposes
        and (not route.services or not of.services.isdisjoint(route.services))
        and (not route.owners or of.owner in route.owners)
        and (route.holds is None or route.holds(of))
    )


def _reason(place: str, route: Route, of: Subject) -> str:
    """Say why *route*, which stands at *place*, was chosen."""
    parts = [f"severity {of.severity}{' at its worst' * of.at_worst}", f"{of.purpose} message"]
    if route.services:
        parts.append(f"service {min(of.services.intersection(route.services))}")
    if route.owners:
        parts.append(f"owner {of.owner}")
    parts.extend(f'{each.label}{each.operator}"{each.value}"' for each in route.matchers)
    return f"{place}: {', '.join(parts)}"[: limits.LINE_LENGTH]


def _update(step: StepV1) -> str:
    """Say what is new: why it happened, and the words that came with it."""
    text = f"{step.reason}\n{step.detail}".strip() if step.detail else step.reason
    # Each fits into a notice, both together may not.
    return text[: limits.TEXT_LENGTH]
