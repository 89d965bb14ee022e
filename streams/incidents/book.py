"""
The book of one partition: every incident that is not forgotten, and the one place where a step is made.

What is closed takes no alerts, but can still be noted on and corrected; after a week it is forgotten.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.lifecycle import CallV1, IncidentV1, Joined, Status, StepKind, StepV1
from schemas.origin import Origin
from streams.entries import Entries, Place, written
from streams.incidents import checking
from streams.incidents.checking import By
from streams.incidents.lifecycle import Asked, advance
from streams.incidents.members import Key, Members
from streams.incidents.numbering import Numbers
from streams.incidents.promises import Plan, Promises
from streams.incidents.reminding import with_next_update
from streams.incidents.settings import IncidentSettings
from streams.incidents.standing import OPEN

#: Who makes the steps that no person asks for.
TOCSIN: Final = "tocsin"
#: Steps that can be the first that anybody is told of.
_TELLING: Final = frozenset(
    {StepKind.OPENED, StepKind.REOPENED, StepKind.SEVERITY_CHANGED, StepKind.ESCALATED}
)


@dataclass(frozen=True, slots=True)
class Cause:
    """What a step rests on."""

    author: str
    source: str
    reason: str
    trigger_id: str
    origins: tuple[Origin, ...] = ()
    detail: str = ""
    calls: tuple[CallV1, ...] = ()
    late: bool = False


class Book:
    """The incidents of one partition."""

    def __init__(
        self,
        settings: IncidentSettings,
        plan: Plan | None = None,
        tells: Callable[[StepV1], bool] | None = None,
    ) -> None:
        self.settings = settings
        #: Whether anybody is told of a step.
        self._tells = tells or (lambda _: False)
        self.members = Members()
        self.numbers = Numbers()
        self.plan = plan or Plan()
        self.promises = Promises(self.plan)
        self._incidents: dict[Key, IncidentV1] = {}
        #: The incident that took another one over.
        self._merged: dict[Key, str] = {}
        #: Pairs that a person has split: nothing merges them again but a person.
        self._apart: set[tuple[str, str, str]] = set()
        #: When time may change an incident, the earliest first.
        self._due: list[tuple[datetime, Key]] = []
        self._entries = Entries(
            {
                "incident": self._written,
                "merged": lambda place: written(self._merged.get((place[0], place[1]))),
                "apart": lambda place: written(True if place in self._apart else None),
            }
        )

    # -- questions --------------------------------------------------------------------------------

    def get(self, tenant: str, incident_id: str) -> IncidentV1 | None:
        """Return an incident; None where it never was or is forgotten."""
        return self._incidents.get((tenant, incident_id))

    def merged_into(self, tenant: str, incident_id: str) -> str | None:
        """Return the incident that took another one over, at last; None where none did."""
        into = self._merged.get((tenant, incident_id))
        while into is not None and (tenant, into) in self._merged:
            into = self._merged[tenant, into]
        return into

    def open_incidents(self) -> Iterator[IncidentV1]:
        """Yield the incidents that are open."""
        return (each for each in self._incidents.values() if each.status in OPEN)

    def apart(self, one: IncidentV1, other: IncidentV1) -> bool:
        """Whether a person has split these two."""
        return _pair(one, other) in self._apart

    def due(self, at: datetime) -> Iterator[IncidentV1]:
        """Yield the incidents whose time may have come by *at*, each once."""
        seen: set[Key] = set()
        while self._due and self._due[0][0] <= at:
            _, place = heapq.heappop(self._due)
            incident = self._incidents.get(place)
            if incident is not None and place not in seen:
                seen.add(place)
                yield incident

    # -- steps ------------------------------------------------------------------------------------

    def advance(
        self,
        incident: IncidentV1,
        asked: Asked,
        at: datetime,
        cause: Cause,
        joined: Sequence[Joined] = (),
    ) -> StepV1:
        """
        Make the step that was *asked*.

        Raises:
            IllegalTrigger: The incident does not accept it.
        """
        # An incident's steps never go back in time.
        changed, kind = advance(incident, asked, max(at, incident.occurred_at))
        return self.step(changed, kind, incident, cause, joined)

    def step(
        self,
        incident: IncidentV1,
        kind: StepKind,
        before: IncidentV1 | None,
        cause: Cause,
        joined: Sequence[Joined] = (),
    ) -> StepV1:
        """Keep *incident* and return the step that led to it."""
        incident = self.promises.follow(incident, kind)
        incident = with_next_update(incident, kind, self.plan.levels)
        by = By(cause.author, cause.source)
        incident = checking.followed(incident, before, kind, by, self.settings.checklist)
        step = StepV1(
            occurred_at=incident.occurred_at,
            step_id=f"{incident.tenant}/{incident.incident_id}.{incident.sequence}",
            incident_id=incident.incident_id,
            tenant=incident.tenant,
            sequence=incident.sequence,
            kind=kind,
            author=cause.author,
            source=cause.source,
            reason=cause.reason[:1_000],
            detail=cause.detail,
            trigger_id=cause.trigger_id,
            origins=cause.origins,
            before=before.status if before else None,
            severity_before=before.severity if before else None,
            calls=cause.calls,
            late=cause.late,
            joined=tuple(joined),
            incident=incident,
        )
        if kind in _TELLING and checking.waits_for_telling(incident) and self._tells(step):
            step = step.model_copy(update={"incident": checking.told(incident, by)})
        self._keep(step.incident)
        return step

    def part(self, one: IncidentV1, other: IncidentV1) -> None:
        """Remember that a person has split these two."""
        place = _pair(one, other)
        self._apart.add(place)
        self._entries.note("apart", place)

    def end_merged(self, child: IncidentV1, into: IncidentV1) -> None:
        """Give *into* the alerts and group keys of *child*, which was merged into it."""
        place, ours = place_of(child), place_of(into)
        keys = list(self.members.keys_of(place))
        for alert in list(self.members.of(place).values()):
            self.members.put(ours, alert)
        for key in keys:
            self.members.lead(ours, key)
        self.members.drop(place)
        self._merged[place] = into.incident_id
        self._entries.note("merged", place)
        del self._incidents[place]
        self._entries.note("incident", place)

    # -- state ------------------------------------------------------------------------------------

    def forget(self, before: datetime) -> None:
        """Forget what was closed or merged before *before*."""
        for place, incident in list(self._incidents.items()):
            if incident.closed_at is not None and incident.closed_at < before:
                del self._incidents[place]
                self._entries.note("incident", place)
        day = before.date().isoformat()
        for place in [each for each in self._merged if each[1][4:14] < day]:
            del self._merged[place]
            self._entries.note("merged", place)
        for pair in [
            each
            for each in self._apart
            if any((each[0], incident_id) not in self._incidents for incident_id in each[1:])
        ]:
            self._apart.discard(pair)
            self._entries.note("apart", pair)

    def changes(self) -> Iterator[Mapping[str, bytes | None]]:
        """Yield the entries that changed since the last call."""
        for entries in (
            self._entries,
            self.members.entries,
            self.numbers.entries,
            self.promises.entries,
        ):
            yield entries.changes()

    def restore(self, kind: str, place: Place, value: Any) -> None:
        """Take back one entry; those of kind ``incident`` come before all others."""
        if kind == "incident":
            self._keep(IncidentV1.model_validate(value))
        elif kind == "merged":
            self._merged[place[0], place[1]] = value
        elif kind == "apart":
            self._apart.add((place[0], place[1], place[2]))
        elif kind == "number":
            self.numbers.restore(place, value)
        elif kind in {"member", "key"}:
            self.members.restore(kind, place, value)
        elif kind == "promise":
            self.promises.restore((place[0], place[1]), value)
        elif kind == "promises":
            self.promises.restore_heard(value)

    def restored(self) -> None:
        """Count anew, once everything is restored."""
        self.promises.restored(self._incidents)

    def _keep(self, incident: IncidentV1) -> None:
        place = place_of(incident)
        known = self._incidents.get(place)
        self._incidents[place] = incident
        self._entries.note("incident", place)
        if incident.status is Status.CLOSED:
            self.members.drop(place)
            return
        if known is None:
            self.members.begin(place, incident.environment)
        due = _due_at(incident, self.settings)
        if due is not None and (known is None or due != _due_at(known, self.settings)):
            heapq.heappush(self._due, (due, place))
        update_at = incident.next_update_at
        if update_at is not None and (known is None or update_at != known.next_update_at):
            heapq.heappush(self._due, (update_at, place))
        if (
            known is None
            or incident.checklist is not known.checklist
            or incident.status is not known.status
        ):
            item_at = checking.next_due(incident)
            if item_at is not None:
                heapq.heappush(self._due, (item_at, place))

    def _written(self, place: Place) -> bytes | None:
        incident = self._incidents.get((place[0], place[1]))
        return incident.to_wire() if incident else None


def place_of(incident: IncidentV1) -> Key:
    """Return tenant and id of *incident*."""
    return incident.tenant, incident.incident_id


def age(incident: IncidentV1) -> tuple[datetime, int, str]:
    """Return what incidents are older and younger by."""
    # Ids of one moment differ in their number, which grows in length too.
    return incident.detected_at, len(incident.incident_id), incident.incident_id


def _due_at(incident: IncidentV1, settings: IncidentSettings) -> datetime | None:
    """Return when time changes *incident* if nothing else does."""
    span: timedelta
    if incident.resolved_at is not None:
        since, span = incident.resolved_at, settings.close_after
    elif incident.clear_since is not None:
        since, span = incident.clear_since, settings.auto_resolve_after
    else:
        return None
    return since + span


def _pair(one: IncidentV1, other: IncidentV1) -> tuple[str, str, str]:
    first, second = sorted((one.incident_id, other.incident_id))
    return one.tenant, first, second
