"""Hop 2: alerts and commands in, incidents and notices out."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
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
from streams.detection.fingerprint import fingerprint
from streams.incidents.coverage import Coverage, Finding
from streams.incidents.promises import OUT_AFTER
from streams.incidents.register import Register
from streams.notifications.routing import Route, told

log = logging.getLogger(__name__)

NAME = "incidents"
#: What alerts about schedules without anybody are called.
GAP_RULE = "on-call-gap"
INPUTS = (ALERTS, COMMANDS, POLICIES, TICKS)


class IncidentsDesk:
    """One partition of incidents: places alerts, obeys commands, lets time pass, says who is told."""

    def __init__(
        self,
        register: Register,
        routes: Sequence[Route],
        *,
        reopen_within: timedelta,
        clock: Callable[[], datetime] | None = None,
        coverage: Coverage | None = None,
    ) -> None:
        self._register = register
        self._routes = routes
        self._reopen_within = reopen_within
        #: The clock on the wall, against which ticks are old; None where time is simulated.
        self._clock = clock
        self._coverage = coverage
        self._said_behind = False

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing]:
        """Take in one alert or command; see ``Desk.hear``."""
        if topic is ALERTS:
            return self._sent(self._alert(AlertV1.from_wire(record.value), origin_of(record)))
        command = CommandV1.from_wire(record.value)
        return self._sent(self._register.command(command, origin_of(record)))

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Let happen what is due."""
        at = tick.occurred_at
        behind = self._behind(at)
        # Schedules belong to no partition: the first one looks after them.
        findings = self._coverage.look(at) if self._coverage and tick.partition == 0 else []
        return [
            *(outgoing(ALERTS, gap_alert(each, at), source=NAME) for each in findings),
            *self._sent(self._register.tick(at, behind)),
        ]

    def _behind(self, at: datetime) -> timedelta:
        """Return how old the time *at* is, and say where that keeps everybody from being called."""
        behind = self._clock() - at if self._clock else timedelta(0)
        if (behind > OUT_AFTER) is not self._said_behind:
            self._said_behind = not self._said_behind
            # A clock that is wrong looks the same: it must be seen.
            text = "behind, nobody is called" if self._said_behind else "no longer behind"
            log.warning("%s tick=%s seconds=%.0f", text, at.isoformat(), behind.total_seconds())
        return behind

    def changes(self) -> Mapping[str, bytes | None]:
        """Return what changed in the register since the last call."""
        changed = self._coverage.changes() if self._coverage else {}
        return {**self._register.changes(), **changed}

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the register as it was."""
        self._register.restore(entries)
        if self._coverage:
            self._coverage.restore(entries)

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


def gap_alert(finding: Finding, at: datetime) -> AlertV1:
    """Return the alert that *finding* is, at *at*."""
    labels = {"schedule": finding.schedule}
    identity = fingerprint(
        tenant="default",
        service="on-call",
        environment="production",
        rule=GAP_RULE,
        subject=finding.schedule,
        labels=labels,
    )
    return AlertV1(
        occurred_at=at,
        fingerprint=identity,
        # It grows across restarts, and there is at most one transition a minute.
        sequence=int(at.timestamp()),
        state=finding.state,
        rule=GAP_RULE,
        severity=finding.severity,
        service="on-call",
        labels=labels,
        group_key=f"on-call/{finding.schedule}",
        summary=finding.summary,
        reason=finding.reason,
        started_at=finding.started_at,
    )
