"""
What was promised about every open incident: its deadlines, and that somebody is called.

After an outage of ours nobody is called because of the backlog. Time during which no tick was heard, or only ticks that were old
when they were read, does not count for escalations: they go on afterwards with what was left of their delays. Deadlines that fell into it
are recorded, and marked as late.
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas import limits
from schemas.lifecycle import CallV1, IncidentV1, Status, StepKind
from streams.entries import Entries, Place, written
from streams.incidents.calendars import BUSINESS, OpeningHours
from streams.incidents.deadlines import Deadline, Promise, deadline
from streams.incidents.escalation import (
    Call,
    Chain,
    Progress,
    begun,
    climb,
    fitting,
    person_calls,
    resumed,
    stopped,
    together,
)
from streams.incidents.lifecycle import Trigger
from streams.incidents.people import Roster
from streams.incidents.schedules import ALWAYS, on_call, turn_ends
from streams.incidents.severities import SeverityLevel
from streams.incidents.standing import KEPT, OPEN, SIGNS_OF_LIFE, Standing, after

#: Ticks come every second. Without one for longer, or with one that is older when it is read, we were out.
OUT_AFTER: Final = timedelta(minutes=2)
#: How often the time of the last tick is kept, while anything waits for it: much less than ``OUT_AFTER``.
_KEPT_EVERY: Final = timedelta(seconds=30)
#: How far a schedule is looked at for its next handover.
_AHEAD: Final = timedelta(days=1)
#: Bytes of calls that one step has room for: less than the words that a step of an escalation does not have.
_CALLS_BYTES: Final = 90_000
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)

#: Steps that change what was promised.
_TURNING: Final = SIGNS_OF_LIFE | {
    StepKind.OPENED,
    # What it took over may be what somebody is called for.
    StepKind.ABSORBED,
    StepKind.UNACKNOWLEDGED,
    StepKind.SEVERITY_CHANGED,
    StepKind.RESOLVED,
    StepKind.CLOSED,
}

_Place = tuple[str, str]


@dataclass(frozen=True)
class Plan:
    """What a policy promises."""

    levels: Mapping[int, SeverityLevel] = field(default_factory=dict)
    calendars: Mapping[str, OpeningHours] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    chains: Mapping[str, Chain] = field(default_factory=dict)
    #: Channels that wake nobody.
    quiet: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that time makes happen to an incident."""

    trigger: Trigger
    reason: str
    sets: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[CallV1, ...] = ()
    late: bool = False


class Promises:
    """The promises about the incidents of one partition."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._standings: dict[_Place, Standing] = {}
        self._deadlines: dict[_Place, tuple[Deadline, ...]] = {}
        #: When whoever is on call next comes, for incidents that were told to whoever is.
        self._handovers: dict[_Place, datetime] = {}
        #: At which tick whoever goes was told so, by tenant, schedule and person. Not kept: a tick is taken as a whole.
        self._relieved: dict[tuple[str, str, str], datetime] = {}
        #: When something is due about each incident, and the same as a heap, with entries that no longer hold.
        self._moments: dict[_Place, datetime] = {}
        self._agenda: list[tuple[datetime, _Place]] = []
        #: The last tick that was heard in time.
        self._heard_at: datetime | None = None
        self._kept_at: datetime | None = None
        self._out = False
        self.entries = Entries({"promise": self._written, "promises": self._written_heard})

    # -- what happens to incidents -----------------------------------------------------------------

    def follow(self, incident: IncidentV1, kind: StepKind) -> IncidentV1:
        """Take in the step of *kind* that led to *incident*, and return it with its deadlines."""
        if kind not in _TURNING and incident.status in OPEN:
            return incident
        place = (incident.tenant, incident.incident_id)
        if incident.status in {Status.CLOSED, Status.MERGED}:
            self._forget(place)
            return incident
        standing = after(self._standings.get(place), incident, kind)
        standing = replace(standing, progress=self._escalation(standing, incident, kind))
        self._deadlines[place] = self._counted(standing, incident)
        stamped = self._deadlines[place]
        if kind is StepKind.CORRECTED:
            # Other times have other deadlines, also where they were met.
            stamped = self._counted(replace(standing, responded_at=None), incident)
            standing = _told_anew(standing, self._deadlines[place], incident.occurred_at)
        self._keep(place, standing, incident)
        self._keep_heard()
        stamps = {
            f"{'respond' if each.promise is Promise.RESPONSE else 'resolve'}_by": each.due_at
            for each in stamped
        }
        return incident.model_copy(update=stamps) if stamps else incident

    def missed_by(self, incident: IncidentV1, at: datetime) -> Happening | None:
        """Return the deadline that *incident* missed before something else happens to it at *at*; None where it missed none."""
        place = (incident.tenant, incident.incident_id)
        for each in self._deadlines.get(place, ()):
            if each.due_at <= at and each.promise not in self._standings[place].missed:
                return self._missed(place, each, incident, at)
        return None

    # -- time -------------------------------------------------------------------------------------

    def hear(self, at: datetime, behind: timedelta) -> None:
        """Take in a tick of *at* that was *behind* the clock on the wall when it was read."""
        was_out, self._out = self._out, behind > OUT_AFTER
        if self._out:
            return
        gap = self._heard_at is not None and at - self._heard_at > OUT_AFTER
        if gap or was_out:
            for place in list(self._standings):
                self._make_up(place, self._heard_at or at, at)
        self._heard_at = at
        if self._moments:
            self._keep_heard()

    def due(self, at: datetime) -> list[_Place]:
        """Return the incidents about which something may be due at *at*; each is asked for with ``next``."""
        found = set()
        while self._agenda and self._agenda[0][0] <= at:
            moment, place = heapq.heappop(self._agenda)
            if self._moments.get(place) == moment:
                del self._moments[place]
                found.add(place)
        return sorted(found)

    def next(self, incident: IncidentV1, at: datetime) -> Happening | None:
        """Return the next thing that is due about *incident* at *at*, as having happened; None where nothing is."""
        place = (incident.tenant, incident.incident_id)
        happening = self._due(place, incident, at)
        if happening is None and place in self._standings:
            self._expect(place, incident, at)
        return happening

    # -- state ------------------------------------------------------------------------------------

    def restore_heard(self, at: str) -> None:
        """Take the time of the last tick, as it was kept."""
        self._heard_at = self._kept_at = datetime.fromisoformat(at)

    def restore(self, place: _Place, value: Any) -> None:
        """Take where an incident stands, as it was kept."""
        self._standings[place] = KEPT.validate_python(value)

    def restored(self, incidents: Mapping[_Place, IncidentV1]) -> None:
        """Count anew, once everything is restored."""
        for place in list(self._standings):
            if place not in incidents:
                del self._standings[place]
                continue
            self._deadlines[place] = self._counted(self._standings[place], incidents[place])
            # Whether a handover is due is seen at the first tick.
            self._moments[place] = _EARLIEST
            heapq.heappush(self._agenda, (_EARLIEST, place))

    # -- deadlines --------------------------------------------------------------------------------

    def _counted(self, standing: Standing, incident: IncidentV1) -> tuple[Deadline, ...]:
        level = self._plan.levels.get(incident.severity_peak)
        if level is None:
            return ()
        hours = self._plan.calendars.get(level.calendar, BUSINESS.opening)
        found = [
            deadline(promise, level, hours, standing.running)
            for promise in Promise
            if promise is not Promise.RESPONSE or standing.responded_at is None
        ]
        return tuple(each for each in found if each is not None)

    def _missed(
        self, place: _Place, missed: Deadline, incident: IncidentV1, at: datetime
    ) -> Happening:
        standing = self._standings[place]
        self._keep(place, replace(standing, missed=standing.missed | {missed.promise}), incident)
        reason = f"{missed.promise} was due at {_said(missed.due_at)} ({missed.rule})"
        return Happening(Trigger.MISS, reason, late=self._out or at - missed.due_at > OUT_AFTER)

    def _at_risk(
        self, place: _Place, risky: Deadline, incident: IncidentV1, at: datetime
    ) -> Happening:
        standing = self._standings[place]
        warned = {**standing.warned, risky.promise: incident.severity_peak}
        self._keep(place, replace(standing, warned=warned), incident)
        reason = f"{risky.promise} is due at {_said(risky.due_at)} ({risky.rule})"
        return Happening(Trigger.WARN, reason, late=self._out or at - risky.at_risk_at > OUT_AFTER)

    # -- escalation -------------------------------------------------------------------------------

    def _escalation(
        self, standing: Standing, incident: IncidentV1, kind: StepKind
    ) -> Progress | None:
        progress, at = standing.progress, incident.occurred_at
        if incident.status not in OPEN:
            return stopped(progress) if progress else None
        services = {incident.service, *incident.services}
        name = fitting(self._plan.chains, incident.severity, services)
        if name is None:
            return None
        if progress is None or progress.chain != name or kind is StepKind.REOPENED:
            progress = begun(name, self._plan.chains[name], at)
        elif kind is StepKind.UNACKNOWLEDGED:
            progress = resumed(progress, at)
        return progress if standing.held_since is None else stopped(progress)

    def _without(self, progress: Progress, incident: IncidentV1, at: datetime) -> Progress | None:
        """Return what becomes of *progress* under a policy that no longer has its chain, or its step."""
        if progress.chain in self._plan.chains:
            return stopped(progress)
        services = {incident.service, *incident.services}
        name = fitting(self._plan.chains, incident.severity, services)
        return begun(name, self._plan.chains[name], at) if name else None

    def _climbed(self, place: _Place, incident: IncidentV1, at: datetime) -> Happening | None:
        """Take the next step of the escalation that is due and tells somebody something."""
        while (progress := self._standings[place].progress) is not None:
            if progress.due_at is None or progress.due_at > at:
                break
            chain = self._plan.chains.get(progress.chain)
            if chain is None or progress.step >= len(chain.steps):
                self._keep(
                    place,
                    replace(self._standings[place], progress=self._without(progress, incident, at)),
                    incident,
                )
                continue
            now, climbed = climb(progress, chain, self._plan.roster, at)
            standing = self._standings[place]
            told = {**standing.on_call, **(climbed.on_call if climbed else {})}
            self._keep(place, replace(standing, progress=now, on_call=told), incident)
            if climbed is not None:
                sets = {"escalations": (incident.escalations or 0) + 1}
                calls, reason = as_calls(climbed.calls), climbed.reason
                if more := len(climbed.calls) - len(calls):
                    reason = f"{more} channels more than one step can call; {reason}"
                return Happening(Trigger.ESCALATE, reason, sets, calls)
        return None

    def _let_go(self, place: _Place, incident: IncidentV1, at: datetime) -> Happening | None:
        """Take an acknowledgement back that nothing was heard of for too long."""
        silent_at = self._silent_at(self._standings[place], incident)
        if silent_at is None or silent_at > at:
            return None
        standing = self._standings[place]
        reason = f"nothing was heard of {incident.acknowledged_by} since {_said(standing.held_since or at)}"
        self._keep(place, replace(standing, held_since=None), incident)
        return Happening(Trigger.UNACKNOWLEDGE, reason)

    def _silent_at(self, standing: Standing, incident: IncidentV1) -> datetime | None:
        chain = self._plan.chains.get(standing.progress.chain) if standing.progress else None
        if (
            chain is None
            or chain.acknowledged_for is None
            or standing.held_since is None
            or incident.mitigated_at is not None
        ):
            return None
        return standing.held_since + chain.acknowledged_for

    def _handed_over(self, place: _Place, incident: IncidentV1, at: datetime) -> Happening | None:
        """Tell whoever came on call of an incident that was told to whoever was, and whoever goes, once, that they may."""
        standing = self._standings[place]
        for name, before in standing.on_call.items():
            schedule = self._plan.roster.schedules.get(name)
            now = on_call(schedule, at) if schedule else None
            if now is not None and now != before:
                reason = f"{name}: {before} hands over to {now}"
                calls = person_calls(self._plan.roster, now, reason)
                if self._relieved.get((place[0], name, before)) != at:
                    self._relieved[place[0], name, before] = at
                    calls = together((*calls, *self._relief(place[0], name, before, now)))
                on_duty = {**standing.on_call, name: now}
                self._keep(place, replace(standing, on_call=on_duty), incident)
                return Happening(Trigger.HAND_OVER, reason, calls=as_calls(calls))
        return None

    def _relief(self, tenant: str, schedule: str, before: str, now: str) -> tuple[Call, ...]:
        """Return the calls that tell *before* that the shift is over; nothing was handed over yet."""
        if self._plan.roster.schedules[schedule].handover_notices == ALWAYS:
            # Whoever goes is told of the handover itself.
            return ()
        count = sum(
            standing.runs and standing.on_call.get(schedule) == before
            for place, standing in self._standings.items()
            if place[0] == tenant
        )
        has = "1 open incident" if count == 1 else f"{count} open incidents"
        reason = f"{schedule}: the shift of {before} ended, {now} has {has}"
        return person_calls(self._plan.roster, before, reason)

    def _make_up(self, place: _Place, out_from: datetime, at: datetime) -> None:
        """Take out of the escalation's delays the time from *out_from* to *at*."""
        standing = self._standings[place]
        progress, held_since = standing.progress, standing.held_since
        if progress is not None and progress.due_at is not None:
            left = progress.due_at - max(out_from, progress.since)
            if progress.asleep:
                # Hours are when they are; from them on the delays are counted.
                progress = replace(progress, due_at=max(progress.due_at, at))
            else:
                progress = replace(progress, due_at=at + max(left, timedelta(0)), since=at)
        if held_since is not None:
            held_since += at - max(out_from, held_since)
        made_up = replace(standing, progress=progress, held_since=held_since)
        if made_up != standing:
            self._standings[place] = made_up
            self.entries.note("promise", place)
        # Handovers of that time are seen now.
        self._note(place, min(at, self._moments.get(place, at)))

    # -- the agenda -------------------------------------------------------------------------------

    def _due(self, place: _Place, incident: IncidentV1, at: datetime) -> Happening | None:
        standing = self._standings.get(place)
        if standing is None:
            return None
        for each in self._deadlines[place]:
            if each.promise in standing.missed:
                continue
            if each.due_at <= at:
                return self._missed(place, each, incident, at)
            warned = standing.warned.get(each.promise) == incident.severity_peak
            if standing.runs and each.at_risk_at <= at and not warned:
                return self._at_risk(place, each, incident, at)
        if self._out or not standing.runs:
            return None
        return (
            self._handed_over(place, incident, at)
            or self._let_go(place, incident, at)
            or self._climbed(place, incident, at)
        )

    def _keep(self, place: _Place, standing: Standing, incident: IncidentV1) -> None:
        self._standings[place] = standing
        self.entries.note("promise", place)
        self._note(place, min(self._waited_for(place, incident), default=None))

    def _keep_heard(self) -> None:
        at = self._heard_at
        if at is not None and (self._kept_at is None or at - self._kept_at >= _KEPT_EVERY):
            self._kept_at = at
            self.entries.note("promises", ())

    def _expect(self, place: _Place, incident: IncidentV1, at: datetime) -> None:
        """Note when *incident* is looked at again, now that nothing more is due at *at*."""
        schedules = [
            self._plan.roster.schedules.get(name) for name in self._standings[place].on_call
        ]
        ends = [turn_ends(each, at, at + _AHEAD) for each in schedules if each is not None]
        if ends:
            self._handovers[place] = min(ends)
        self._note(place, min(self._waited_for(place, incident), default=None))

    def _waited_for(self, place: _Place, incident: IncidentV1) -> Iterator[datetime]:
        standing = self._standings[place]
        for each in self._deadlines[place]:
            if each.promise in standing.missed:
                continue
            warned = standing.warned.get(each.promise) == incident.severity_peak
            yield each.due_at if warned or not standing.runs else each.at_risk_at
        if not standing.runs:
            return
        if standing.progress is not None and standing.progress.due_at is not None:
            yield standing.progress.due_at
        if (silent_at := self._silent_at(standing, incident)) is not None:
            yield silent_at
        if place in self._handovers:
            yield self._handovers[place]

    def _note(self, place: _Place, moment: datetime | None) -> None:
        if moment is None:
            self._moments.pop(place, None)
        elif self._moments.get(place) != moment:
            self._moments[place] = moment
            heapq.heappush(self._agenda, (moment, place))

    def _forget(self, place: _Place) -> None:
        if self._standings.pop(place, None) is not None:
            self.entries.note("promise", place)
        self._deadlines.pop(place, None)
        self._handovers.pop(place, None)
        self._moments.pop(place, None)

    def _written(self, place: Place) -> bytes | None:
        standing = self._standings.get((place[0], place[1]))
        return KEPT.dump_json(standing) if standing else None

    def _written_heard(self, _: Place) -> bytes | None:
        return written(self._kept_at.isoformat()) if self._kept_at else None


def _told_anew(standing: Standing, deadlines: tuple[Deadline, ...], at: datetime) -> Standing:
    """Return *standing* as if nothing had been said of those of its *deadlines* that are still to come at *at*."""
    ahead = {each.promise for each in deadlines if each.due_at > at}
    unwarned = {each.promise for each in deadlines if each.at_risk_at > at}
    return replace(
        standing,
        missed=standing.missed - ahead,
        warned={promise: it for promise, it in standing.warned.items() if promise not in unwarned},
    )


def as_calls(calls: tuple[Call, ...]) -> tuple[CallV1, ...]:
    """Return *calls* as a step carries them: as many as fit beside the largest incident."""
    found, room = [], _CALLS_BYTES
    for each in calls[: limits.CHANNELS_CALLED]:
        call = CallV1(
            channel=each.channel,
            people=each.people[: limits.PEOPLE_CALLED],
            reason=each.reason[: limits.LINE_LENGTH],
        )
        room -= len(call.model_dump_json().encode())
        if room < 0:
            break
        found.append(call)
    return tuple(found)


def _said(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
