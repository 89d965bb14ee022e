"""
Which recent changes may have caused an incident: the nearer and the later, the more suspicious.

score = nearness x recency: nearness is 1 for a change of a failing service and 1 / (1 + d) for one of a service that is d
dependencies away from the nearest failing one; recency falls from 1 to 0 over the day before the first bad signal, and is 1/2 for a
change that was told of after it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from schemas import limits
from schemas.changes import ChangeV1
from schemas.lifecycle import Suspect
from streams.correlation.topology import Topology
from streams.durations import written
from streams.entries import Entries, Place

#: How far back changes are looked at.
LOOKED_BACK: Final = timedelta(hours=24)


class Changes:
    """The changes of the last day in one partition."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ChangeV1] = {}
        #: By tenant, environment and service.
        self._by_service: dict[tuple[str, str, str], dict[str, ChangeV1]] = {}
        self.entries = Entries({"change": self._written})

    def hear(self, change: ChangeV1) -> bool:
        """Take in a change; whether it is news."""
        place = (change.tenant, change.change_id)
        if self._known.get(place) == change:
            return False
        self._leave(place)
        self._known[place] = change
        self._by_service.setdefault(_where(change), {})[change.change_id] = change
        self.entries.note("change", place)
        return True

    def suspects(  # noqa: PLR0913 - an incident's facts, and the graph
        self,
        *,
        tenant: str,
        environment: str,
        failing: Collection[str],
        topology: Topology,
        started_at: datetime,
        at: datetime,
    ) -> tuple[Suspect, ...]:
        """Return the changes that may have caused that *failing* services fail, the most suspicious first."""
        if not self._known:
            return ()
        distances = dict.fromkeys(failing, (0, ""))
        for service in sorted(failing):
            for needed, distance in topology.dependencies(service).items():
                if needed not in distances or distance < distances[needed][0]:
                    distances[needed] = (distance, service)
        found: list[Suspect] = []
        for service, (distance, user) in distances.items():
            way = topology.path(user, service) if user else ""
            for change in self._by_service.get((tenant, environment, service), {}).values():
                suspect = suspected(change, distance, way, started_at, at)
                if suspect is not None:
                    found.append(suspect)
        found.sort(key=lambda each: (-each.score, -each.changed_at.timestamp(), each.change_id))
        return tuple(found[: limits.SUSPECTS_LISTED])

    def forget(self, at: datetime) -> None:
        """Forget what is older than a day."""
        for place in [
            place for place, each in self._known.items() if at - each.occurred_at > 2 * LOOKED_BACK
        ]:
            self._leave(place)
            self.entries.note("change", place)

    def restore(self, value: Any) -> None:
        """Take back one change."""
        self.hear(ChangeV1.model_validate(value))

    def _leave(self, place: tuple[str, str]) -> None:
        known = self._known.pop(place, None)
        if known is not None:
            del self._by_service[_where(known)][known.change_id]

    def _written(self, place: Place) -> bytes | None:
        known = self._known.get((place[0], place[1]))
        return known.to_wire() if known else None


def suspected(
    change: ChangeV1, distance: int, way: str, started_at: datetime, at: datetime
) -> Suspect | None:
    """Return *change* as a suspect, with its arithmetic; None where it is too old or was made after *at*."""
    before = started_at - change.occurred_at
    if before > LOOKED_BACK or change.occurred_at > at:
        return None
    nearness = 1 / (1 + distance)
    near = f"1/{1 + distance} ({distance} away: {way})" if distance else "1 (it fails itself)"
    if before >= timedelta(0):
        recency = 1 - before / LOOKED_BACK
        ago = written(timedelta(seconds=round(before.total_seconds())))
        recent = f"{recency:.3f} ({ago} of 24h before the first bad signal)"
    else:
        recency = 0.5
        recent = "0.500 (told of after the first bad signal)"
    score = round(nearness * recency, 3)
    return Suspect(
        change_id=change.change_id,
        kind=str(change.kind),
        service=change.service,
        summary=change.summary[:200],
        changed_at=change.occurred_at,
        version=change.version,
        author=change.author,
        url=change.url,
        score=score,
        reason=f"{near} x {recent} = {score:.3f}"[:1_000],
    )


def _where(change: ChangeV1) -> tuple[str, str, str]:
    return change.tenant, change.environment, change.service
