"""
Escalation: who is called next while nobody takes an incident.

A chain's steps come in order, each so long after the one before it, and the whole chain again as often as it says. Acknowledging
stops it. Taken back, or without a sign of life for too long, it goes on with the step that was told last: those people are called again,
then the next ones. A step is told to whom it reaches within the hours that it has, read on the clock of each person; outside of them
it waits for the first of them, or is passed over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.contract import Name, Severity
from streams.durations import Duration
from streams.incidents.calendars import OpeningHours
from streams.incidents.local_time import Hours
from streams.incidents.people import Reached, Roster, Targets
from streams.time_zones import zone

_SETTINGS: Final = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ChainStep(Targets):
    """One step of a chain: whom it tells, and when."""

    after: Duration = timedelta(0)
    """How long after the step before it; of the first step, after the incident opened."""
    during: Hours | None = None
    """The only hours at which it calls a person, on that person's own clock; always where there are none."""
    outside: Literal["wait", "skip"] = "wait"
    """Outside of the hours of everybody it is for: wait for the first of them, or go on with the next step."""


class Chain(BaseModel):
    """One of the policy's ``escalations``; the first that fits an incident is for it."""

    model_config = ConfigDict(
        **_SETTINGS,
        json_schema_extra={
            "examples": [
                {
                    "severities": [1],
                    "steps": [{"schedules": ["primary"]}, {"teams": ["platform"], "after": "5m"}],
                }
            ]
        },
    )

    severities: Annotated[tuple[Severity, ...], Field(min_length=1)] = (1, 2, 3, 4)
    """The severities it is for."""
    services: tuple[Name, ...] = ()
    """The services it is for; all where none is named."""
    steps: Annotated[tuple[ChainStep, ...], Field(min_length=1, max_length=50)]
    """Its steps, in order."""
    repeat: Annotated[int, Field(ge=0, le=100)] = 0
    """How often the whole chain comes again."""
    repeat_after: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(minutes=10)
    """How long after its last step the chain begins again."""
    acknowledged_for: Annotated[Duration, Field(ge=timedelta(minutes=1))] | None = None
    """How long without a sign of life an acknowledgement holds; without end where nothing is said."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the escalation of one incident is."""

    chain: str
    #: The step that comes next, and how often the chain has begun again.
    step: int
    round: int
    #: When it comes; None while the chain is stopped or over.
    due_at: datetime | None
    #: Since when it is waited for.
    since: datetime
    #: The step that was told last.
    last: int | None = None
    #: Whether what is waited for is somebody's hours, and not a delay.
    asleep: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One channel that is told, whom it reaches, and why."""

    channel: str
    people: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Climb:
    """One step that was taken."""

    reason: str
    calls: tuple[Call, ...]
    #: Schedule to who is on call and was told.
    on_call: Mapping[str, str]


def fitting(chains: Mapping[str, Chain], severity: int, services: set[str]) -> str | None:
    """Return the name of the first chain for an incident of *severity* of *services*."""
    for name, chain in chains.items():
        if severity in chain.severities and (
            not chain.services or not services.isdisjoint(chain.services)
        ):
            return name
    return None


def begun(name: str, chain: Chain, at: datetime) -> Progress:
    """Return a chain that begins at *at*."""
    return Progress(name, 0, 0, at + chain.steps[0].after, at)


def stopped(progress: Progress) -> Progress:
    """Return it without a next step: somebody has the incident, or it is over."""
    return replace(progress, due_at=None)


def resumed(progress: Progress, at: datetime) -> Progress:
    """Return it with the step that was told last as the next one, at once."""
    step = progress.step if progress.last is None else progress.last
    # The last step of a round is followed by the first of the next.
    turned = progress.last is not None and progress.last >= progress.step
    return replace(
        progress,
        step=step,
        round=progress.round - turned,
        due_at=at,
        since=at,
        last=None,
        asleep=False,
    )


def climb(
    progress: Progress, chain: Chain, roster: Roster, at: datetime
) -> tuple[Progress, Climb | None]:
    """
    Take the step of *chain* that is due at *at*, and say whom it tells.

    Nothing is told where the step waits for somebody's hours, or is passed over.
    """
    due_at = progress.due_at
    if due_at is None or due_at > at:
        return progress, None
    step = chain.steps[progress.step]
    reached = roster.reach(step, at)
    awake, asleep = _awake(step, reached, roster, at)
    if not awake and not reached.channels and asleep:
        if step.outside == "skip":
            return _next(progress, chain, due_at, told=False), None
        return replace(progress, due_at=min(asleep.values()), since=at, asleep=True), None
    calls = _calls(awake, reached, roster)
    climbed = Climb(
        _reason(progress, chain, reached, [*awake], asleep),
        calls,
        {name: person for name, person in reached.on_call.items() if person in awake},
    )
    # By the plan, however late the tick: a chain does not drift.
    return _next(progress, chain, due_at, told=bool(calls)), climbed


def person_calls(roster: Roster, person: str, reason: str) -> tuple[Call, ...]:
    """Return the calls that reach *person*."""
    known = roster.people.get(person)
    return tuple(Call(channel, (person,), reason) for channel in known.channels) if known else ()


def together(calls: Iterable[Call]) -> tuple[Call, ...]:
    """Return one call for each channel: people who share one are told together."""
    found: dict[str, Call] = {}
    for each in calls:
        known = found.get(each.channel)
        if known is not None:
            why = f"{known.reason}; {each.reason}"
            found[each.channel] = Call(each.channel, (*known.people, *each.people), why)
        else:
            found[each.channel] = each
    return tuple(found.values())


def _awake(
    step: ChainStep, reached: Reached, roster: Roster, at: datetime
) -> tuple[dict[str, str], dict[str, datetime]]:
    """Return whom of the people the step's hours allow to be called, and when the others can be."""
    if step.during is None:
        return dict(reached.people), {}
    awake, asleep = {}, {}
    for person, why in reached.people.items():
        hours = OpeningHours(step.during, zone(roster.people[person].time_zone))
        if hours.is_open(at):
            awake[person] = why
        else:
            asleep[person] = hours.next_open(at)
    return awake, asleep


def _calls(awake: Mapping[str, str], reached: Reached, roster: Roster) -> tuple[Call, ...]:
    calls = [Call(channel, (), why) for channel, why in reached.channels.items()]
    for person, why in awake.items():
        calls.extend(person_calls(roster, person, why))
    return together(calls)


def _reason(
    progress: Progress,
    chain: Chain,
    reached: Reached,
    awake: Sequence[str],
    asleep: Mapping[str, datetime],
) -> str:
    parts = [f"{progress.chain}: step {progress.step + 1} of {len(chain.steps)}"]
    if chain.repeat:
        parts[0] += f", round {progress.round + 1} of {chain.repeat + 1}"
    parts += [f"nobody is on call in {name}" for name in reached.nobody]
    parts += [f"outside the hours of {person}" for person in asleep]
    told = [*awake, *reached.channels]
    parts.append(f"told {', '.join(told)}" if told else "told nobody, the next step follows")
    return "; ".join(parts)


def _next(progress: Progress, chain: Chain, told_at: datetime, *, told: bool) -> Progress:
    """Return what follows the step: nobody who was told is waited for where nobody was told."""
    step = progress.step + 1
    last = progress.step if told else progress.last
    after = replace(progress, step=step, due_at=None, since=told_at, last=last, asleep=False)
    if step < len(chain.steps):
        pause = chain.steps[step].after if told else timedelta(0)
        return replace(after, due_at=told_at + pause)
    if progress.round < chain.repeat:
        again_at = told_at + chain.repeat_after
        return replace(after, step=0, round=progress.round + 1, due_at=again_at)
    return after
