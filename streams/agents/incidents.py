"""Hop 2: alerts, changes, silences and commands in, incidents and notices out."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self

from schemas import limits
from schemas.alerts import AlertState, AlertV1
from schemas.changes import ChangeV1
from schemas.commands import CommandV1
from schemas.contract import Unreadable
from schemas.lifecycle import Bond, IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1
from schemas.silences import SilenceV1
from schemas.ticks import TickV1
from schemas.topics import (
    ALERTS,
    CHANGES,
    COMMANDS,
    CURRENT,
    LIFECYCLE,
    NOTICES,
    POLICIES,
    SILENCES,
    TICKS,
    WITHHELD,
    TopicDeclaration,
)
from streams.agents.detect import origin_of
from streams.agents.outgoing import Outgoing, outgoing
from streams.correlation.correlating import Correlation
from streams.correlation.grouping import Group, Tie
from streams.correlation.intake import Arrival
from streams.correlation.telling import Told, message
from streams.correlation.topology import Topology
from streams.detection.fingerprint import fingerprint
from streams.incidents.admission import Blame, Opening
from streams.incidents.alerts import Heard
from streams.incidents.book import TOCSIN, Cause
from streams.incidents.coverage import Coverage, Finding
from streams.incidents.promises import OUT_AFTER
from streams.incidents.register import REMEMBERED, Register
from streams.incidents.shifts import Shifts
from streams.notifications.publicity import public_notices
from streams.notifications.routing import WORST, told
from streams.notifications.shifts import shift_notices
from streams.policy import Policy
from streams.policy_duty import duty_of
from streams.status_page.settings import StatusPage

log = logging.getLogger(__name__)

NAME = "incidents"
#: What alerts about schedules without anybody are called.
GAP_RULE = "on-call-gap"
INPUTS = (ALERTS, CHANGES, SILENCES, COMMANDS, POLICIES, TICKS)
_OPEN: Final = frozenset({Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING})


class Haste(Protocol):
    """Whom the desk tells that something cannot wait for the leader's next tick."""

    def ask(self, partition: int) -> None:
        """Have *partition* ticked soon."""

    def ticked(self, tick: TickV1) -> None:
        """Learn that a tick passed."""


class IncidentsDesk:
    """One partition of incidents: places alerts, obeys commands, lets time pass, says who is told."""

    def __init__(  # noqa: PLR0913 - what decides, and what only a live partition has
        self,
        register: Register,
        correlation: Correlation,
        tells: Callable[[StepV1], Iterable[NoticeV1]],
        *,
        clock: Callable[[], datetime] | None = None,
        coverage: Coverage | None = None,
        shifts: Shifts | None = None,
        haste: Haste | None = None,
    ) -> None:
        self._register = register
        self._correlation = correlation
        self._tells = tells
        self._clock = clock
        self._coverage = coverage
        self._shifts = shifts
        self._haste = haste
        self._said_behind = False

    @classmethod
    def under(
        cls,
        policy: Policy,
        *,
        clock: Callable[[], datetime] | None = None,
        coverage: Coverage | None = None,
        shifts: Shifts | None = None,
        haste: Haste | None = None,
    ) -> Self:
        """
        Return the desk of an empty partition, as *policy* wants it.

        *clock* is the one on the wall, against which ticks are old; there is none where time is simulated. *coverage* and *shifts*
        look after schedules; nobody does where the past is run again under a policy of today. *haste* brings the next tick forward.
        """
        correlation = Correlation(
            policy.correlation,
            Topology(policy.services, policy.correlation.distance),
            reopen_within=policy.incidents.reopen_within,
        )
        duty = duty_of(policy.roster)
        register = Register(
            policy.incidents,
            policy.plan,
            policy.outside,
            lambda step: bool(told(step, policy.routes, duty)),
        )
        return cls(
            register,
            correlation,
            lambda step: (
                *told(step, policy.routes, duty),
                # One tenant's customers never hear of another one's incidents.
                *_public(step, policy.pages.get(step.tenant)),
            ),
            clock=clock,
            coverage=coverage,
            shifts=shifts,
            haste=haste,
        )

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing]:
        """Take in one record; alerts and changes are decided about with the next tick. See ``Desk.hear``."""
        if topic is ALERTS:
            alert = AlertV1.from_wire(record.value)
            self._correlation.intake.hear(Arrival.of(alert, origin_of(record), record.timestamp))
            if self._haste and alert.severity == WORST and alert.state is not AlertState.RESOLVED:
                self._haste.ask(record.partition)
            return []
        if topic is CHANGES:
            self._correlation.changed(ChangeV1.from_wire(record.value))
            return []
        if topic is SILENCES:
            self._silence(record)
            return []
        command = CommandV1.from_wire(record.value)
        steps = self._register.command(command, origin_of(record))
        if any(step.kind is StepKind.SPLIT for step in steps):
            touched = dict.fromkeys((step.tenant, step.incident_id) for step in steps)
            at = steps[-1].occurred_at
            for tenant, incident_id in touched:
                why = Cause(TOCSIN, steps[-1].source, "", command.command_id)
                steps += self._explained(tenant, incident_id, why, at)
        return self._sent(steps)

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Decide about the alerts before *tick*, then let happen what is due."""
        at = tick.occurred_at
        if self._haste:
            self._haste.ticked(tick)
        if not self._register.begin(at):
            return []
        behind = self._behind(at)
        # Schedules belong to no partition: the first one looks after them.
        findings = self._coverage.look(at) if self._coverage and tick.partition == 0 else []
        correlation = self._correlation
        correlation.forget(at, at - REMEMBERED)
        due = correlation.intake.due(at, tick.reached.get(ALERTS.name))
        freed, news = correlation.withheld.freed(at)
        steps: list[StepV1] = []
        said = [*due.told, *news]
        if freed:
            due.rounds.insert(0, freed)
        for alerts in due.rounds:
            steps += self._place(alerts, at, said)
        steps += self._rank(at)
        steps += self._register.elapse(at, behind)
        return [
            *(outgoing(ALERTS, gap_alert(each, at), source=NAME) for each in findings),
            *self._sent(steps),
            *(outgoing(NOTICES, notice, source=NAME) for notice in self._handed_over(tick, behind)),
            *(outgoing(WITHHELD, self._withheld(each, at), source=NAME) for each in said),
            *(
                outgoing(ALERTS, warning, source=NAME)
                for warning in correlation.withheld.warnings(at)
            ),
        ]

    def changes(self) -> Mapping[str, bytes | None]:
        """Return what changed since the last call."""
        changed: dict[str, bytes | None] = {}
        for entries in (*self._register.changes(), *self._correlation.changes()):
            changed.update(entries)
        if self._coverage:
            changed.update(self._coverage.changes())
        if self._shifts:
            changed.update(self._shifts.changes())
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take everything as it was."""
        self._register.restore(entries)
        self._correlation.restore(entries)
        if self._coverage:
            self._coverage.restore(entries)
        if self._shifts:
            self._shifts.restore(entries)

    # -- what is heard ----------------------------------------------------------------------------

    def _silence(self, record: Any) -> None:
        if record.value is None:
            # A tombstone: the key is the id of the silence that is over.
            self._correlation.withheld.hear((record.key or b"").decode(errors="replace"), None)
            return
        said = SilenceV1.from_wire(record.value)
        try:
            self._correlation.withheld.hear(said.silence_id, said)
        except ValueError:
            reason = "matchers: one of them is no RE2 expression"
            raise Unreadable(reason) from None

    # -- alerts -----------------------------------------------------------------------------------

    def _place(self, alerts: Sequence[Arrival], at: datetime, said: list[Told]) -> list[StepV1]:
        register, correlation = self._register, self._correlation
        sifted = correlation.withheld.sift(alerts, at, register)
        said += sifted.told
        steps: list[StepV1] = []
        by_incident: dict[tuple[str, str], list[Heard]] = {}
        for incident, arrival in sifted.known:
            tie = Tie(Bond.MEMBER, 1.0, f"{incident.incident_id} has it")
            place = (incident.tenant, incident.incident_id)
            by_incident.setdefault(place, []).append(_heard(arrival, tie))
        for place, heard in by_incident.items():
            had = register.standing(*place)
            if had is not None:
                steps += register.attach(had, heard, at, fresh=False)
        for group in correlation.groups(sifted.fresh, register, at):
            steps += self._take(group, at, said)
        return steps

    def _take(self, group: Group, at: datetime, said: list[Told]) -> list[StepV1]:
        register, correlation = self._register, self._correlation
        if not group.incidents and group.reopens is None:
            waiting = correlation.below_demand(group)
            if waiting is not None:
                said += waiting
                return []
        for arrival, _ in group.tied:
            correlation.withheld.drop(arrival)
        heard = [_heard(arrival, tie) for arrival, tie in group.tied]
        if group.incidents:
            steps = self._join(group, at)
        elif group.reopens is not None:
            steps = register.reopen(group.reopens, heard, at)
        else:
            steps = register.open(heard, at, self._opening(group, at))
        touched = dict.fromkeys((step.tenant, step.incident_id) for step in steps)
        for tenant, incident_id in touched:
            why = Cause(TOCSIN, "alert", "", steps[0].trigger_id)
            steps += self._explained(tenant, incident_id, why, at)
        for arrival, _ in group.tied:
            if correlation.attributes.has_any(arrival.alert):
                having = register.having(*arrival.place)
                if having is not None:
                    correlation.attributes.note(arrival.alert, having[0].incident_id, at)
        return steps

    def _join(self, group: Group, at: datetime) -> list[StepV1]:
        """Merge what the group ties together, and give its alerts to what is left."""
        register = self._register
        steps: list[StepV1] = []
        target = group.incidents[0]
        lead = group.tied[0][0].alert
        apart: list[IncidentV1] = []
        for younger in group.incidents[1:]:
            if any(register.apart(younger, other) for other in (target, *apart)):
                apart.append(younger)
                continue
            into = register.standing(target.tenant, target.incident_id) or target
            tie = group.tied[0][1]
            reason = (
                f"{lead.rule} of {lead.service} ties them together ({tie.score:.2f}): {tie.reason}"
            )
            cause = Cause(TOCSIN, "alert", reason, lead.event_id, (group.tied[0][0].origin,))
            steps += register.merge(younger, into, cause, at)
        homes: dict[str, list[Heard]] = {}
        kept = {target.incident_id, *(each.incident_id for each in apart)}
        for arrival, tie in group.tied:
            home = tie.incident_id if tie.incident_id in kept else None
            homes.setdefault(home or target.incident_id, []).append(_heard(arrival, tie))
        for incident_id, heard in homes.items():
            incident = register.standing(target.tenant, incident_id)
            if incident is not None:
                steps += register.attach(incident, heard, at, fresh=True)
        return steps

    # -- why --------------------------------------------------------------------------------------

    def _opening(self, group: Group, at: datetime) -> Opening:
        correlation = self._correlation
        alerts = [arrival.alert for arrival, _ in group.tied]
        services = {alert.service for alert in alerts}
        cause = correlation.topology.cause(services)
        lead = min(
            alerts, key=lambda each: (cause is None or each.service != cause.service, each.severity)
        )
        return Opening(
            blame=_blame(cause) if cause else None,
            suspects=correlation.recent.suspects(
                tenant=lead.tenant,
                environment=lead.environment,
                failing=services,
                topology=correlation.topology,
                started_at=min(alert.started_at for alert in alerts),
                at=at,
            ),
            owner=correlation.topology.owner(lead.service),
        )

    def _explained(self, tenant: str, incident_id: str, why: Cause, at: datetime) -> list[StepV1]:
        """Look for the cause again, now that an incident has other alerts."""
        incident = self._register.standing(tenant, incident_id)
        if incident is None or incident.status not in _OPEN:
            return []
        cause = self._correlation.topology.cause(self._register.services(incident))
        if cause is None:
            return []
        impacted = cause.impacted[: limits.SERVICES_LISTED]
        if (cause.service, impacted) == (incident.probable_cause, incident.impacted):
            return []
        return [self._register.blame(incident, _blame(cause), why, at)]

    def _rank(self, at: datetime) -> list[StepV1]:
        """Rank the suspects of open incidents again whose services, or what they need, were changed."""
        register, correlation = self._register, self._correlation
        steps = []
        for tenant, environment, service in correlation.news():
            users = {service, *correlation.topology.dependants(service)}
            failing = register.failing(tenant, environment)
            ids = {each for user in sorted(users & failing.keys()) for each in failing[user]}
            for incident_id in sorted(ids):
                incident = register.standing(tenant, incident_id)
                if incident is None or incident.status not in _OPEN:
                    continue
                suspects = correlation.recent.suspects(
                    tenant=tenant,
                    environment=environment,
                    failing=register.services(incident),
                    topology=correlation.topology,
                    started_at=incident.started_at,
                    at=incident.detected_at,
                )
                if suspects != incident.suspects:
                    why = f"a change of {service} was told of"
                    cause = Cause(TOCSIN, "change", why, f"tick@{at.isoformat()}")
                    steps.append(register.suspect(incident, suspects, cause, at))
        return steps

    # -- how old it is ----------------------------------------------------------------------------

    def _behind(self, at: datetime) -> timedelta:
        """Return how old the time *at* is, and say where that keeps everybody from being called."""
        behind = self._clock() - at if self._clock else timedelta(0)
        if (behind > OUT_AFTER) is not self._said_behind:
            self._said_behind = not self._said_behind
            # A clock that is wrong looks the same: it must be seen.
            text = "behind, nobody is called" if self._said_behind else "no longer behind"
            log.warning("%s tick=%s seconds=%.0f", text, at.isoformat(), behind.total_seconds())
        return behind

    # -- whose shift it is ------------------------------------------------------------------------

    def _handed_over(self, tick: TickV1, behind: timedelta) -> list[NoticeV1]:
        """Tell whoever comes on call and whoever goes; not of what was over long before it is read."""
        shifts, at = self._shifts, tick.occurred_at
        if shifts is None or tick.partition != shifts.partition or behind > OUT_AFTER:
            return []
        handovers = shifts.look(at)
        if not handovers:
            return []
        open_now = self._register.open_incidents()
        return [
            notice
            for each in handovers
            for notice in shift_notices(each.shift, each.calls, open_now, at)
        ]

    # -- what is sent -----------------------------------------------------------------------------

    def _withheld(self, said: Told, at: datetime) -> Any:
        having = self._register.having(said.alert.tenant, said.alert.fingerprint)
        return message(said, at, having[0].incident_id if having else None)

    def _sent(self, steps: Iterable[StepV1]) -> list[Outgoing]:
        decided = []
        latest: dict[tuple[str, str], IncidentV1] = {}
        for step in steps:
            decided.append(outgoing(LIFECYCLE, step, source=NAME))
            latest[step.tenant, step.incident_id] = step.incident
            decided.extend(outgoing(NOTICES, notice, source=NAME) for notice in self._tells(step))
        # Compacted: what an incident was between two steps of one tick is of no use there.
        decided.extend(outgoing(CURRENT, incident, source=NAME) for incident in latest.values())
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


def _public(step: StepV1, status_page: StatusPage | None) -> list[NoticeV1]:
    if status_page is None:
        return []
    incident = step.incident
    worst = min(incident.severity_peak, incident.told_as or incident.severity_peak)
    channels = status_page.told(worst)
    return public_notices(step, status_page.page, channels)


def _heard(arrival: Arrival, tie: Tie) -> Heard:
    return Heard(arrival.alert, arrival.origin, tie.bond, tie.score, tie.reason)


def _blame(cause: Any) -> Blame:
    return Blame(cause.service, cause.score, cause.reason, cause.impacted)
