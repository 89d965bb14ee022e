"""
The register: the incidents of one partition, what may be done to them, and what was asked already.

One register has one partition of the ``alerts`` and ``incidents.commands`` topics, so it alone decides about a tenant's
incidents. A command twice is a command once: commands are known by their id.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import orjson

from schemas import limits
from schemas.alerts import AlertState
from schemas.commands import (
    Acknowledge,
    AnyCommand,
    Declare,
    Merge,
    Publish,
    Reopen,
    Resolve,
    Split,
)
from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1, Suspect
from schemas.origin import Origin
from streams.durations import written as spelled
from streams.entries import Entries, Place, unnamed, written
from streams.errors import IllegalTrigger, UnknownIncident
from streams.incidents import admission, checking, publishing, reports
from streams.incidents.admission import Blame, Opening
from streams.incidents.alerts import Heard
from streams.incidents.asking import Request, read
from streams.incidents.book import TOCSIN, Book, Cause, place_of
from streams.incidents.lifecycle import Asked, Trigger
from streams.incidents.members import Member
from streams.incidents.promises import OUT_AFTER, Happening, Plan
from streams.incidents.publishing import Outside
from streams.incidents.reminding import reminder
from streams.incidents.settings import IncidentSettings

#: How long what was heard is remembered. Repeats come within seconds; a week outlasts any outage of ours.
REMEMBERED: Final = timedelta(days=7)
#: Ticks come every second: an event that is further ahead of the last one has a wrong clock.
_AHEAD: Final = timedelta(seconds=2)
#: What the book keeps beside its incidents.
_OF_THE_BOOK: Final = frozenset(
    {"merged", "apart", "number", "member", "key", "promise", "promises"}
)


class Register:
    """The incidents of one partition."""

    def __init__(
        self,
        settings: IncidentSettings,
        plan: Plan | None = None,
        outside: Outside | None = None,
        tells: Callable[[StepV1], bool] | None = None,
    ) -> None:
        self._settings = settings
        self._book = Book(settings, plan, tells)
        self._outside = outside or Outside()
        #: The last tick. Not kept: after a restart the next one comes before anything needs it.
        self._now: datetime | None = None
        self._commands: dict[Place, datetime] = {}
        self._entries = Entries({"command": self._written_command})

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

    def having(self, tenant: str, fingerprint: str) -> tuple[IncidentV1, bool] | None:
        """Return the incident that has an alert, and whether the alert fires there; None where none has it."""
        holder = self._book.members.holder(tenant, fingerprint)
        incident = self._book.get(tenant, holder) if holder else None
        if incident is None:
            return None
        alert = self._book.members.of(place_of(incident))[fingerprint]
        return incident, alert.state is not AlertState.RESOLVED

    def latest(self, tenant: str, group_key: str) -> IncidentV1 | None:
        """Return the incident that takes the alerts with *group_key*; None where there is none that is not closed."""
        leading = self._book.members.leading(tenant, group_key)
        return self._book.get(tenant, leading) if leading else None

    def failing(self, tenant: str, environment: str) -> Mapping[str, Collection[str]]:
        """Return the services whose alerts fire, each with the ids of the incidents that have them."""
        return self._book.members.failing(tenant, environment)

    def standing(self, tenant: str, incident_id: str) -> IncidentV1 | None:
        """Return an incident, or the one that it was merged into; None where it is closed."""
        found = self._book.get(tenant, incident_id)
        if found is None:
            into = self._book.merged_into(tenant, incident_id)
            found = self._book.get(tenant, into) if into else None
        return None if found is None or found.status is Status.CLOSED else found

    def open_incidents(self) -> list[IncidentV1]:
        """Return every incident that somebody should work on."""
        return list(self._book.open_incidents())

    def services(self, incident: IncidentV1) -> Collection[str]:
        """Return the services of the alerts of *incident*, all of them."""
        return set(self._book.members.services(place_of(incident)))

    def alerts(self, incident: IncidentV1) -> Mapping[str, Member]:
        """Return the alerts of *incident*, all of them, by fingerprint."""
        return self._book.members.of(place_of(incident))

    def apart(self, one: IncidentV1, other: IncidentV1) -> bool:
        """Whether a person has split these two."""
        return self._book.apart(one, other)

    # -- alerts -----------------------------------------------------------------------------------

    def open(
        self, heard: Sequence[Heard], at: datetime, opening: Opening | None = None
    ) -> list[StepV1]:
        """Open an incident for alerts that fire."""
        return admission.opened(self._book, heard, opening or Opening(), at)

    def attach(
        self, incident: IncidentV1, heard: Sequence[Heard], at: datetime, *, fresh: bool
    ) -> list[StepV1]:
        """Give alerts to *incident*: *fresh* ones that fire, or changes and ends of those it has."""
        return admission.attached(self._book, incident, heard, at, fresh=fresh)

    def reopen(self, incident: IncidentV1, heard: Sequence[Heard], at: datetime) -> list[StepV1]:
        """Reopen *incident* because alerts fire again."""
        return admission.reopened(self._book, incident, heard, at)

    def merge(
        self, child: IncidentV1, into: IncidentV1, cause: Cause, at: datetime
    ) -> list[StepV1]:
        """
        Merge *child* into *into*.

        Raises:
            IllegalTrigger: One of them is in no status for it.
        """
        return admission.merged(self._book, child, into, cause, at)

    def blame(self, incident: IncidentV1, blame: Blame, cause: Cause, at: datetime) -> StepV1:
        """Say which service is thought to be the cause of an open incident."""
        return admission.blamed(self._book, incident, blame, cause, at)

    def suspect(
        self, incident: IncidentV1, suspects: tuple[Suspect, ...], cause: Cause, at: datetime
    ) -> StepV1:
        """Say which changes may have caused an open incident."""
        asked = Asked(Trigger.RANK_SUSPECTS, TOCSIN, {"suspects": suspects})
        return self._book.advance(incident, asked, at, cause)

    # -- commands ---------------------------------------------------------------------------------

    def command(self, command: AnyCommand, origin: Origin) -> list[StepV1]:
        """
        Do what a person asks; nothing where the command was heard before.

        A command that the incident's status does not accept becomes a step as well, so that its sender is answered.

        Raises:
            UnknownIncident: The incident is forgotten or never was.
            Rejected: This release does not know the action.
        """
        place = (command.tenant, command.command_id)
        if place in self._commands:
            return []
        at = self.at(command.occurred_at)
        steps = [*self._missed_before(command, at), *self._obey(command, at, origin)]
        self._commands[place] = at
        self._entries.note("command", place)
        return steps

    def _obey(self, command: AnyCommand, at: datetime, origin: Origin) -> list[StepV1]:
        if isinstance(command, Declare):
            return [self._declare(command, at, origin)]
        incident = self._book.get(command.tenant, command.incident_id)
        if incident is None:
            into = self._book.merged_into(command.tenant, command.incident_id)
            message = (
                f"{command.incident_id} was merged into {into}: give the command to that one"
                if into
                else "no incident with this id is open: it is closed or never was"
            )
            raise UnknownIncident(message)
        source = str(command.source)
        cause = Cause(command.author, source, "", command.command_id, (origin,))
        try:
            if isinstance(command, Merge):
                return self._merge_as_asked(command, incident, cause, at)
            if isinstance(command, Split):
                asked = _because(cause, f"split by {command.author}")
                return admission.split(self._book, incident, command.fingerprints, asked, at)
            request = self._read(incident, command, at)
            return [
                self._book.advance(
                    incident, request.asked, at, _because(cause, request.reason, request.detail)
                )
            ]
        except IllegalTrigger as refusal:
            refused = incident.model_copy(
                update={
                    "sequence": incident.sequence + 1,
                    "occurred_at": max(at, incident.occurred_at),
                }
            )
            why = _because(cause, str(refusal))
            return [self._book.step(refused, StepKind.REFUSED, incident, why)]

    def _read(self, incident: IncidentV1, command: AnyCommand, at: datetime) -> Request:
        if isinstance(command, Publish):
            said = publishing.read(incident, command, at, self._outside)
            return Request(said.asked, said.reason, command.message)
        request = read(incident, command, at)  # type: ignore[arg-type]
        if not isinstance(command, Reopen) or incident.status is not Status.RESOLVED:
            return request
        other = self.latest(incident.tenant, incident.group_key)
        if (
            other is not None
            and other.incident_id != incident.incident_id
            and not other.resolved_at
        ):
            message = (
                f"{other.incident_id} is open for what {incident.incident_id} was about: "
                "merge it into that one"
            )
            raise IllegalTrigger(message)
        asked = admission.reopening(self._book, incident, command.author)
        return Request(asked, request.reason, request.detail)

    def _merge_as_asked(
        self, command: Merge, incident: IncidentV1, cause: Cause, at: datetime
    ) -> list[StepV1]:
        into = self.standing(command.tenant, command.into)
        if into is None:
            message = (
                f"{command.into} is not open: {incident.incident_id} can be merged into open ones"
            )
            raise IllegalTrigger(message)
        if incident.drill is not into.drill:
            # A failure would be taken for an exercise, and nobody outside told of its end; or the other way round.
            drill, other = (incident, into) if incident.drill else (into, incident)
            message = (
                f"{drill.incident_id} is an exercise and {other.incident_id} is none: "
                "exercises are merged with exercises only"
            )
            raise IllegalTrigger(message)
        why = _because(cause, f"merged into {into.incident_id} by {command.author}")
        return self.merge(incident, into, why, at)

    def _declare(self, command: Declare, at: datetime, origin: Origin) -> StepV1:
        incident = IncidentV1(
            occurred_at=at,
            incident_id=self._book.numbers.next_id(command.tenant, at),
            tenant=command.tenant,
            sequence=1,
            status=Status.INVESTIGATING,
            severity=command.severity,
            severity_first=command.severity,
            severity_peak=command.severity,
            summary=command.report.summary,
            impact=command.report.impact[: limits.LINE_LENGTH],
            service=command.service,
            services=(command.service,),
            environment=command.environment,
            labels=command.labels,
            group_key=f"declared/{command.command_id}"[: limits.ID_LENGTH],
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
        return self._book.step(incident, StepKind.OPENED, None, cause)

    # -- time -------------------------------------------------------------------------------------

    def begin(self, at: datetime) -> bool:
        """Take note that it is *at*; False where it was already."""
        if self._now is not None and at <= self._now:
            return False
        if self._now is None or at.date() != self._now.date():
            self._forget(at - REMEMBERED)
        self._now = at
        return True

    def elapse(self, at: datetime, behind: timedelta = timedelta(0)) -> list[StepV1]:
        """
        Let time pass: deadlines and escalations, what is clear for long enough is resolved, what is resolved closed.

        *behind* is how old the tick was when it was read.
        """
        self._book.promises.hear(at, behind)
        return [
            *self._promised(at),
            *(
                step
                for incident in self._book.due(at)
                for step in (
                    *self._elapsed(incident, at),
                    *self._reminded(incident, at, behind),
                    *self._overdue(incident, at, behind),
                )
            ),
        ]

    def _promised(self, at: datetime) -> Iterator[StepV1]:
        for place in self._book.promises.due(at):
            while (incident := self._book.get(*place)) is not None:
                happening = self._book.promises.next(incident, at)
                if happening is None:
                    break
                yield self._happen(incident, happening, at)

    def _missed_before(self, command: AnyCommand, at: datetime) -> Iterator[StepV1]:
        """Let be missed what was due before *command*: what comes at a deadline comes too late."""
        if not isinstance(command, Acknowledge | Resolve):
            return
        while (incident := self._book.get(command.tenant, command.incident_id)) is not None:
            happening = self._book.promises.missed_by(incident, at)
            if happening is None:
                break
            yield self._happen(incident, happening, at)

    def _happen(self, incident: IncidentV1, happening: Happening, at: datetime) -> StepV1:
        cause = Cause(
            TOCSIN,
            "clock",
            happening.reason,
            f"tick@{at.isoformat()}",
            calls=happening.calls,
            late=happening.late,
        )
        asked = Asked(happening.trigger, TOCSIN, happening.sets)
        return self._book.advance(incident, asked, at, cause)

    def _elapsed(self, incident: IncidentV1, at: datetime) -> Iterator[StepV1]:
        settings = self._settings
        trigger_id = f"tick@{at.isoformat()}"
        if incident.resolved_at is not None:
            if incident.closed_at is None and at - incident.resolved_at >= settings.close_after:
                reason = f"resolved for {spelled(settings.close_after)}"
                cause = Cause(TOCSIN, "clock", reason, trigger_id)
                yield self._book.advance(incident, Asked(Trigger.CLOSE, TOCSIN, {}), at, cause)
        elif incident.clear_since is not None and (
            at - incident.clear_since >= settings.auto_resolve_after
        ):
            reason = f"all alerts clear for {spelled(settings.auto_resolve_after)}"
            cause = Cause(TOCSIN, "clock", reason, trigger_id)
            ended = incident.resolution or "All alerts have cleared."
            yield self._book.advance(
                incident, Asked(Trigger.RESOLVE, TOCSIN, {"resolution": ended}), at, cause
            )

    def _reminded(self, incident: IncidentV1, at: datetime, behind: timedelta) -> Iterator[StepV1]:
        """Remind whoever leads an incident that something is to be said about it."""
        standing = self._book.get(*place_of(incident))
        happening = reminder(standing, self._book.plan.roster, at) if standing else None
        if standing is not None and happening is not None:
            late = replace(happening, late=behind > OUT_AFTER)
            yield self._happen(standing, late, at)

    def _overdue(self, incident: IncidentV1, at: datetime, behind: timedelta) -> Iterator[StepV1]:
        """Say which items of an incident's checklist were not done in time."""
        standing = self._book.get(*place_of(incident))
        happening = checking.overdue(standing, self._book.plan, at) if standing else None
        if standing is not None and happening is not None:
            late = replace(happening, late=behind > OUT_AFTER)
            yield self._happen(standing, late, at)

    def _forget(self, before: datetime) -> None:
        for place in [place for place, at in self._commands.items() if at < before]:
            del self._commands[place]
            self._entries.note("command", place)
        self._book.forget(before)
        self._book.numbers.forget(before)

    # -- state ------------------------------------------------------------------------------------

    def changes(self) -> Iterator[Mapping[str, bytes | None]]:
        """Yield the entries that changed since the last call; None where one is gone."""
        yield self._entries.changes()
        yield from self._book.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` told, accumulated; entries that are not ours are passed over."""
        later = []
        for name, raw in entries.items():
            kind, place = unnamed(name)
            if kind == "incident":
                self._book.restore(kind, place, orjson.loads(raw))
            else:
                later.append((kind, place, raw))
        for kind, place, raw in later:
            if kind == "command":
                self._commands[place] = datetime.fromisoformat(orjson.loads(raw))
            elif kind in _OF_THE_BOOK:
                self._book.restore(kind, place, orjson.loads(raw))
        self._book.restored()
        for _ in self.changes():
            pass  # What was taken back did not change.

    def _written_command(self, place: Place) -> bytes | None:
        at = self._commands.get(place)
        return written(at.isoformat()) if at else None


def _because(cause: Cause, reason: str, detail: str = "") -> Cause:
    return Cause(
        cause.author,
        cause.source,
        reason[: limits.LINE_LENGTH],
        cause.trigger_id,
        cause.origins,
        detail,
    )
