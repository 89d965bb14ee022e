"""
The register: every incident that is not closed, the numbers given out, and what has been heard already.

One register has one partition of the ``alerts`` and ``incidents.commands`` topics, so it alone decides about a tenant's
incidents. A message twice is a message once: alerts are known by fingerprint and sequence, commands by their id.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from schemas.alerts import AlertState, AlertV1
from schemas.commands import AnyCommand, Declare
from schemas.lifecycle import AttachedAlert, IncidentV1, Status, StepKind, StepV1
from schemas.origin import Origin
from streams.errors import IllegalTrigger, UnknownIncident
from streams.incidents import reports
from streams.incidents.alerts import attached, member
from streams.incidents.asking import read, severity_fields
from streams.incidents.lifecycle import Asked, Trigger, advance
from streams.incidents.settings import IncidentSettings

#: Who makes the steps that no person asks for.
TOCSIN: Final = "tocsin"
#: How long what was heard is remembered. Repeats come within seconds; a week outlasts any outage of ours.
REMEMBERED: Final = timedelta(days=7)
#: Ticks come every second: an event that is further ahead of the last one has a wrong clock.
_AHEAD: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Cause:
    """What a step rests on."""

    author: str
    source: str
    reason: str
    trigger_id: str
    origins: tuple[Origin, ...] = ()
    detail: str = ""


class Register:
    """The incidents of one partition."""

    def __init__(self, settings: IncidentSettings) -> None:
        self._settings = settings
        #: The last tick. Not kept: after a restart the next one comes before anything needs it.
        self._now: datetime | None = None
        #: By tenant and incident id.
        self._incidents: dict[tuple[str, str], IncidentV1] = {}
        #: The latest incident of each tenant and group key.
        self._by_group: dict[tuple[str, str], IncidentV1] = {}
        #: Alerts of each incident, by tenant, incident id and fingerprint.
        self._members: dict[tuple[str, str], dict[str, AttachedAlert]] = {}
        #: Incidents that time may change: clear or resolved.
        self._waiting: set[tuple[str, str]] = set()
        self._numbers: dict[tuple[str, str], int] = {}
        #: Sequence of the latest alert of each fingerprint, and when it came.
        self._alerts: dict[tuple[str, str], tuple[int, datetime]] = {}
        self._commands: dict[tuple[str, str], datetime] = {}
        self._changed: dict[str, bytes | None] = {}

    # -- questions --------------------------------------------------------------------------------

    def at(self, occurred_at: datetime) -> datetime:
        """
        Return the time at which something that says *occurred_at* happens here.

        It is the sender's word, kept between the last tick and the next: a wrong clock elsewhere neither turns ours back
        nor drives it ahead.
        """
        if self._now is None:
            return occurred_at
        return min(max(occurred_at, self._now), self._now + _AHEAD)

    def heard(self, alert: AlertV1) -> bool:
        """Whether *alert*, or a later one of its fingerprint, has been heard."""
        latest = self._alerts.get((alert.tenant, alert.fingerprint))
        return latest is not None and alert.sequence <= latest[0]

    def latest(self, tenant: str, group_key: str) -> IncidentV1 | None:
        """Return the latest incident with *group_key*; None where there is none that is not closed."""
        return self._by_group.get((tenant, group_key))

    # -- alerts -----------------------------------------------------------------------------------

    def note_heard(self, alert: AlertV1, at: datetime) -> None:
        """Remember that *alert* was heard."""
        place = (alert.tenant, alert.fingerprint)
        self._alerts[place] = (alert.sequence, at)
        self._change("alert", place, {"sequence": alert.sequence, "at": at.isoformat()})

    def open(self, alert: AlertV1, reason: str, at: datetime, origin: Origin) -> list[StepV1]:
        """Open an incident for *alert*."""
        now = member(alert)
        incident = IncidentV1(
            occurred_at=at,
            incident_id=self._next_id(alert.tenant, at),
            tenant=alert.tenant,
            sequence=1,
            status=Status.INVESTIGATING,
            severity=alert.severity,
            severity_first=alert.severity,
            severity_peak=alert.severity,
            summary=alert.summary,
            impact=alert.description[:1_000],
            service=alert.service,
            environment=alert.environment,
            group_key=alert.group_key,
            started_at=min(alert.started_at, at),
            detected_at=at,
        )
        incident = incident.model_copy(update=attached(incident, None, now, alert, at))
        self._keep_member(incident, now)
        cause = Cause(
            TOCSIN,
            "alert",
            f"{alert.reason}; {reason}"[:1_000],
            _alert_id(alert),
            _origins(alert, origin),
        )
        return [self._step(incident, StepKind.OPENED, None, cause)]

    def attach(
        self, incident: IncidentV1, alert: AlertV1, reason: str, at: datetime, origin: Origin
    ) -> list[StepV1]:
        """Give *alert* to *incident*: a new one, a change of one it has, or the end of one."""
        before = self._members[incident.tenant, incident.incident_id].get(alert.fingerprint)
        now = member(alert)
        trigger = {
            AlertState.FIRING: Trigger.ATTACH,
            AlertState.CHANGED: Trigger.CHANGE_ALERT,
            AlertState.RESOLVED: Trigger.CLEAR_ALERT,
        }[alert.state]
        cause = Cause(
            TOCSIN,
            "alert",
            f"{alert.reason}; {reason}"[:1_000],
            _alert_id(alert),
            _origins(alert, origin),
        )
        sets = attached(incident, before, now, alert, at)
        steps = [self._advance(incident, Asked(trigger, TOCSIN, sets), at, cause)]
        incident = steps[-1].incident
        self._keep_member(incident, now)
        if alert.state is not AlertState.RESOLVED and alert.severity < incident.severity:
            worse = replace(
                cause,
                reason=f"severity {incident.severity} -> {alert.severity}: {alert.summary}"[:1_000],
            )
            asked = Asked(Trigger.SET_SEVERITY, TOCSIN, severity_fields(incident, alert.severity))
            steps.append(self._advance(incident, asked, at, worse))
        return steps

    def reopen(
        self, incident: IncidentV1, alert: AlertV1, reason: str, at: datetime, origin: Origin
    ) -> list[StepV1]:
        """Reopen *incident* because *alert* fires again, and give it the alert."""
        cause = Cause(TOCSIN, "alert", reason, _alert_id(alert), _origins(alert, origin))
        step = self._advance(
            incident, Asked(Trigger.REOPEN, TOCSIN, {"clear_since": None}), at, cause
        )
        return [step, *self.attach(step.incident, alert, reason, at, origin)]

    # -- commands ---------------------------------------------------------------------------------

    def command(self, command: AnyCommand, origin: Origin) -> list[StepV1]:
        """
        Do what a person asks; nothing where the command was heard before.

        A command that the incident's status does not accept becomes a step as well, so that its sender is answered.

        Raises:
            UnknownIncident: The incident is closed or never was.
            Rejected: This release does not know the action.
        """
        place = (command.tenant, command.command_id)
        if place in self._commands:
            return []
        at = self.at(command.occurred_at)
        steps = self._obey(command, at, origin)
        self._commands[place] = at
        self._change("command", place, at.isoformat())
        return steps

    def _obey(self, command: AnyCommand, at: datetime, origin: Origin) -> list[StepV1]:
        if isinstance(command, Declare):
            return [self._declare(command, at, origin)]
        incident = self._incidents.get((command.tenant, command.incident_id))
        if incident is None:
            message = "no incident with this id is open: it is closed or never was"
            raise UnknownIncident(message)
        request = read(incident, command)
        cause = Cause(
            command.author,
            str(command.source),
            request.reason[:1_000],
            command.command_id,
            (origin,),
            request.detail,
        )
        try:
            return [self._advance(incident, request.asked, at, cause)]
        except IllegalTrigger as refusal:
            refused = incident.model_copy(
                update={"sequence": incident.sequence + 1, "occurred_at": at}
            )
            return [
                self._step(refused, StepKind.REFUSED, incident, replace(cause, reason=str(refusal)))
            ]

    def _declare(self, command: Declare, at: datetime, origin: Origin) -> StepV1:
        incident = IncidentV1(
            occurred_at=at,
            incident_id=self._next_id(command.tenant, at),
            tenant=command.tenant,
            sequence=1,
            status=Status.INVESTIGATING,
            severity=command.severity,
            severity_first=command.severity,
            severity_peak=command.severity,
            summary=command.report.summary,
            impact=command.report.impact[:1_000],
            service=command.service,
            services=(command.service,),
            environment=command.environment,
            labels=command.labels,
            group_key=f"declared/{command.command_id}"[:255],
            started_at=min(command.occurred_at, at),
            detected_at=at,
            drill=command.drill,
        )
        cause = Cause(
            command.author,
            str(command.source),
            f"declared by {command.author}",
            command.command_id,
            (origin,),
            reports.told(command.report),
        )
        return self._step(incident, StepKind.OPENED, None, cause)

    # -- time -------------------------------------------------------------------------------------

    def tick(self, at: datetime) -> list[StepV1]:
        """Let time pass: what is clear for long enough is resolved, what is resolved for long enough closed."""
        if self._now is not None and at <= self._now:
            return []
        if self._now is None or at.date() != self._now.date():
            self._forget(at - REMEMBERED)
        self._now = at
        return [
            step
            for place in sorted(self._waiting)
            for step in self._elapsed(self._incidents[place], at)
        ]

    def _elapsed(self, incident: IncidentV1, at: datetime) -> Iterator[StepV1]:
        settings = self._settings
        trigger_id = f"tick@{at.isoformat()}"
        if incident.resolved_at is not None:
            if at - incident.resolved_at >= settings.close_after:
                reason = f"resolved for {_seconds(settings.close_after)}"
                cause = Cause(TOCSIN, "clock", reason, trigger_id)
                yield self._advance(incident, Asked(Trigger.CLOSE, TOCSIN, {}), at, cause)
        elif incident.clear_since is not None and (
            at - incident.clear_since >= settings.auto_resolve_after
        ):
            reason = f"all alerts clear for {_seconds(settings.auto_resolve_after)}"
            cause = Cause(TOCSIN, "clock", reason, trigger_id)
            ended = incident.resolution or "All alerts have cleared."
            yield self._advance(
                incident, Asked(Trigger.RESOLVE, TOCSIN, {"resolution": ended}), at, cause
            )

    def _forget(self, before: datetime) -> None:
        for place in [place for place, (_, at) in self._alerts.items() if at < before]:
            del self._alerts[place]
            self._change("alert", place, None)
        for place in [place for place, at in self._commands.items() if at < before]:
            del self._commands[place]
            self._change("command", place, None)
        for tenant, day in [
            place for place in self._numbers if place[1] < before.date().isoformat()
        ]:
            del self._numbers[tenant, day]
            self._change("number", (tenant, day), None)

    # -- state ------------------------------------------------------------------------------------

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` returned, accumulated."""
        for name, raw in entries.items():
            kind, *place = _unnamed(name)
            value = orjson.loads(raw)
            if kind == "incident":
                self._keep(IncidentV1.model_validate(value))
            elif kind == "member":
                tenant, incident_id, fingerprint = place
                members = self._members.setdefault((tenant, incident_id), {})
                members[fingerprint] = AttachedAlert.model_validate(value)
            elif kind == "number":
                self._numbers[place[0], place[1]] = value
            elif kind == "alert":
                at = datetime.fromisoformat(value["at"])
                self._alerts[place[0], place[1]] = (value["sequence"], at)
            elif kind == "command":
                self._commands[place[0], place[1]] = datetime.fromisoformat(value)
        self._changed = {}

    def _change(self, kind: str, place: tuple[str, ...], value: Any) -> None:
        self._changed[_named(kind, *place)] = None if value is None else orjson.dumps(value)

    def _next_id(self, tenant: str, at: datetime) -> str:
        day = at.date().isoformat()
        number = self._numbers.get((tenant, day), 0) + 1
        self._numbers[tenant, day] = number
        self._change("number", (tenant, day), number)
        return f"INC-{day}-{number:03}"

    def _keep_member(self, incident: IncidentV1, alert: AttachedAlert) -> None:
        place = (incident.tenant, incident.incident_id)
        self._members.setdefault(place, {})[alert.fingerprint] = alert
        name = _named("member", *place, alert.fingerprint)
        self._changed[name] = alert.model_dump_json().encode()

    def _advance(self, incident: IncidentV1, asked: Asked, at: datetime, cause: Cause) -> StepV1:
        # An incident's steps never go back in time.
        changed, kind = advance(incident, asked, max(at, incident.occurred_at))
        return self._step(changed, kind, incident, cause)

    def _step(
        self, incident: IncidentV1, kind: StepKind, before: IncidentV1 | None, cause: Cause
    ) -> StepV1:
        self._keep(incident)
        return StepV1(
            occurred_at=incident.occurred_at,
            step_id=f"{incident.tenant}/{incident.incident_id}.{incident.sequence}",
            incident_id=incident.incident_id,
            tenant=incident.tenant,
            sequence=incident.sequence,
            kind=kind,
            author=cause.author,
            source=cause.source,
            reason=cause.reason,
            detail=cause.detail,
            trigger_id=cause.trigger_id,
            origins=cause.origins,
            before=before.status if before else None,
            severity_before=before.severity if before else None,
            incident=incident,
        )

    def _keep(self, incident: IncidentV1) -> None:
        place = (incident.tenant, incident.incident_id)
        group = (incident.tenant, incident.group_key)
        name = _named("incident", *place)
        if incident.status is Status.CLOSED:
            self._changed[name] = None
            self._incidents.pop(place, None)
            self._waiting.discard(place)
            for fingerprint in self._members.pop(place, {}):
                self._changed[_named("member", *place, fingerprint)] = None
            latest = self._by_group.get(group)
            if latest is not None and latest.incident_id == incident.incident_id:
                del self._by_group[group]
            return
        self._changed[name] = incident.to_wire()
        self._incidents[place] = incident
        self._members.setdefault(place, {})
        latest = self._by_group.get(group)
        if latest is None or _age(latest) <= _age(incident):
            self._by_group[group] = incident
        if incident.clear_since is not None or incident.resolved_at is not None:
            self._waiting.add(place)
        else:
            self._waiting.discard(place)


def _age(incident: IncidentV1) -> tuple[datetime, int, str]:
    # Ids of one moment differ in their number, which grows in length too.
    return incident.detected_at, len(incident.incident_id), incident.incident_id


def _named(*parts: str) -> str:
    # JSON, because tenants and group keys may hold any separator.
    return orjson.dumps(parts).decode()


def _unnamed(name: str) -> list[str]:
    return list(orjson.loads(name))


def _alert_id(alert: AlertV1) -> str:
    return alert.event_id or alert.fingerprint


def _origins(alert: AlertV1, origin: Origin) -> tuple[Origin, ...]:
    return (origin, *alert.origins)[:8]


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
