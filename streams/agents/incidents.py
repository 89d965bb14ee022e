"""Hop 2: alerts and commands in, incidents and notices out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from schemas.alerts import AlertV1
from schemas.commands import CommandV1
from schemas.lifecycle import StepV1
from schemas.origin import Origin
from schemas.ticks import TickV1
from schemas.topics import (
    ALERTS,
    COMMANDS,
    CURRENT,
    LIFECYCLE,
    NOTICES,
    POLICIES,
    TICKS,
    TopicDeclaration,
)
from streams.agents.detect import origin_of
from streams.agents.outgoing import Outgoing, outgoing
from streams.correlation.grouping import Placement, place
from streams.incidents.register import Register
from streams.notifications.routing import Route, told

NAME = "incidents"
INPUTS = (ALERTS, COMMANDS, POLICIES, TICKS)


class IncidentsDesk:
    """One partition of incidents: places alerts, obeys commands, lets time pass, says who is told."""

    def __init__(
        self, register: Register, routes: Sequence[Route], *, reopen_within: timedelta
    ) -> None:
        self._register = register
        self._routes = routes
        self._reopen_within = reopen_within

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing]:
        """Take in one alert or command; see ``Desk.hear``."""
        if topic is ALERTS:
            return self._sent(self._alert(AlertV1.from_wire(record.value), origin_of(record)))
        command = CommandV1.from_wire(record.value)
        return self._sent(self._register.command(command, origin_of(record)))

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Resolve and close what is due."""
        return self._sent(self._register.tick(tick.occurred_at))

    def changes(self) -> Mapping[str, bytes | None]:
        """Return what changed in the register since the last call."""
        return self._register.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the register as it was."""
        self._register.restore(entries)

    def _alert(self, alert: AlertV1, origin: Origin) -> list[StepV1]:
        register = self._register
        if register.heard(alert):
            return []
        at = register.at(alert.occurred_at)
        register.note_heard(alert, at)
        candidate = register.latest(alert.tenant, alert.group_key)
        placed = place(alert, candidate, at, reopen_within=self._reopen_within)
        if placed.placement is Placement.OPENS:
            return register.open(alert, placed.reason, at, origin)
        if candidate is None or placed.placement is Placement.IGNORED:
            return []
        if placed.placement is Placement.REOPENS:
            return register.reopen(candidate, alert, placed.reason, at, origin)
        return register.attach(candidate, alert, placed.reason, at, origin)

    def _sent(self, steps: Iterable[StepV1]) -> list[Outgoing]:
        decided = []
        for step in steps:
            decided.append(outgoing(LIFECYCLE, step, source=NAME))
            decided.append(outgoing(CURRENT, step.incident, source=NAME))
            decided.extend(
                outgoing(NOTICES, notice, source=NAME) for notice in told(step, self._routes)
            )
        return decided
