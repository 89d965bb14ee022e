"""Incidents as seen from outside the hop that owns them: ask for a change, learn what came of it, look at what is."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from schemas.commands import Command
from schemas.contract import Unreadable
from schemas.lifecycle import IncidentV1, StepKind, StepV1
from schemas.topics import COMMANDS, CURRENT, LIFECYCLE
from streams.agents.dead_letters import REASON
from streams.errors import TocsinError
from streams.gateways.looking import READ_WITHIN, fetched, read_all, reading
from streams.gateways.producer import ANSWERS_WITHIN, Publisher
from streams.settings import Settings

#: How far clocks of producers may be off when the beginning of an incident is looked for.
_SKEW: Final = timedelta(hours=1)
_CE_ID: Final = "ce_id"


class NoIncident(TocsinError):
    """There is no such incident."""


@dataclass(frozen=True)
class Done:
    """The command was carried out; these are the steps it made."""

    step: StepV1


@dataclass(frozen=True)
class Refused:
    """The command was not carried out, and why; the reason says what would be accepted."""

    reason: str


@dataclass(frozen=True)
class Unanswered:
    """Nobody said anything in time. The command is kept and may still be carried out."""

    within: timedelta


Result = Done | Refused | Unanswered


async def ask(
    settings: Settings, command: Command, *, source: str, within: timedelta = ANSWERS_WITHIN
) -> Result:
    """
    Send *command* and wait for what becomes of it.

    Raises:
        Unavailable: The broker does not answer, so whether it has the command is not known.
    """
    lifecycle, dead = settings.topic(LIFECYCLE.name), settings.topic(COMMANDS.dead)
    async with reading(settings, [lifecycle, dead]) as consumer:
        # Before the command leaves, so that its answer cannot come too early to be seen.
        await consumer.seek_to_end()
        async with Publisher(settings, source=source) as publisher:
            await publisher.send(COMMANDS, command)
            try:
                async with asyncio.timeout(within.total_seconds()):
                    while True:
                        for record in await fetched(consumer):
                            result = result_of(record, command.command_id, dead=dead)
                            if result is not None:
                                return result
            except TimeoutError:
                return Unanswered(within)


async def current(
    settings: Settings, *, tenant: str | None = None, within: timedelta = READ_WITHIN
) -> list[IncidentV1]:
    """
    Return all incidents as they stand, the latest first.

    Raises:
        Unavailable: The broker does not answer in time.
    """
    latest: dict[bytes | None, IncidentV1] = {}

    def take(record: Any) -> None:
        if record.value is None:
            latest.pop(record.key, None)
            return
        try:
            latest[record.key] = IncidentV1.from_wire(record.value)
        except Unreadable:
            return  # A newer release may write what this one cannot read.

    async with reading(settings, [settings.topic(CURRENT.name)]) as consumer:
        await read_all(consumer, take, since=None, within=within)
    return sorted(
        (each for each in latest.values() if tenant is None or each.tenant == tenant),
        key=lambda each: (each.detected_at, each.incident_id),
        reverse=True,
    )


async def one(settings: Settings, tenant: str, incident_id: str) -> IncidentV1:
    """
    Return one incident as it stands.

    Raises:
        NoIncident: There is no incident with this id.
        Unavailable: The broker does not answer in time.
    """
    for incident in await current(settings, tenant=tenant):
        if incident.incident_id == incident_id:
            return incident
    message = f"there is no {incident_id} in tenant {tenant}; `tocsin incident list --all` has all"
    raise NoIncident(message)


async def timeline(
    settings: Settings, incident: IncidentV1, *, within: timedelta = READ_WITHIN
) -> list[StepV1]:
    """
    Return the steps of *incident* that the log still has, in order.

    Raises:
        Unavailable: The broker does not answer in time.
    """
    steps: dict[int, StepV1] = {}

    def take(record: Any) -> None:
        step = _step(record)
        if step is not None and (step.tenant, step.incident_id) == (
            incident.tenant,
            incident.incident_id,
        ):
            steps[step.sequence] = step

    async with reading(settings, [settings.topic(LIFECYCLE.name)]) as consumer:
        await read_all(consumer, take, since=incident.started_at - _SKEW, within=within)
    return [steps[sequence] for sequence in sorted(steps)]


def result_of(record: Any, command_id: str, *, dead: str) -> Done | Refused | None:
    """Return what *record* says of the command; None where it is about something else."""
    if record.topic == dead:
        headers = dict(record.headers)
        # A stranger's header can have no value.
        if (headers.get(_CE_ID) or b"").decode(errors="replace") != command_id:
            return None
        return Refused(headers.get(REASON, b"no reason given").decode(errors="replace"))
    step = _step(record)
    if step is None or step.trigger_id != command_id:
        return None
    return Refused(step.reason) if step.kind is StepKind.REFUSED else Done(step)


def _step(record: Any) -> StepV1 | None:
    try:
        return StepV1.from_wire(record.value)
    except Unreadable:
        return None
