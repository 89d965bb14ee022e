"""
Whether somebody is on call: an alert before nobody is, a worse one while nobody is, and its end.

Schedules are of the whole installation, so one hop's partition looks after them, and its findings are alerts like all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from schemas.alerts import AlertState
from streams.durations import written as spelled
from streams.entries import Entries, Place, unnamed, written
from streams.incidents.calendars import OpeningHours
from streams.incidents.schedules import Schedule, Turn, gaps

#: How often schedules are looked at.
EVERY: Final = timedelta(minutes=1)
#: How far the end of a gap is looked for.
FAR: Final = timedelta(days=31)
#: Severity while somebody will be missing, and while somebody is.
AHEAD: Final = 3
NOW: Final = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """A transition: nobody will be on call, or is, or somebody is again."""

    schedule: str
    state: AlertState
    severity: int
    summary: str
    reason: str
    started_at: datetime


class Coverage:
    """Looks after all schedules."""

    def __init__(
        self, schedules: Mapping[str, Schedule], calendars: Mapping[str, OpeningHours]
    ) -> None:
        self._schedules = schedules
        self._calendars = calendars
        self._looked_at: datetime | None = None
        #: Schedule to until when it was looked at, and the gap that was found before.
        self._looked: dict[str, tuple[datetime, Turn | None]] = {}
        #: Schedule to the severity of its alert, and since when it fires.
        self._firing: dict[str, tuple[int, datetime]] = {}
        self._entries = Entries({"coverage": self._written})

    def look(self, at: datetime) -> list[Finding]:
        """Return what changed until *at*."""
        if self._looked_at is not None and at - self._looked_at < EVERY:
            return []
        self._looked_at = at
        found = [self._of(name, at) for name in sorted({*self._schedules, *self._firing})]
        return [each for each in found if each is not None]

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        return self._entries.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` returned, accumulated; entries of others are passed over."""
        for name, raw in entries.items():
            kind, place = unnamed(name)
            if kind == "coverage":
                severity, since = orjson.loads(raw)
                self._firing[place[0]] = (severity, datetime.fromisoformat(since))

    def _of(self, name: str, at: datetime) -> Finding | None:
        schedule, before = self._schedules.get(name), self._firing.get(name)
        gap = self._gap(name, schedule, at) if schedule else None
        if schedule is None or gap is None:
            if before is None:
                return None
            self._keep(name, None)
            reason = (
                f"somebody is on call for the next {spelled(schedule.warn_before)}"
                if schedule
                else "the policy has no such schedule"
            )
            summary = f"Somebody is on call in {name}"
            return Finding(name, AlertState.RESOLVED, before[0], summary, reason, before[1])
        severity = NOW if gap.start <= at else AHEAD
        if before is not None and before[0] == severity:
            return None
        since = before[1] if before else at
        self._keep(name, (severity, since))
        state = AlertState.CHANGED if before else AlertState.FIRING
        when = self._whole(schedule, gap)
        summary = f"Nobody is on call in {name} {when}"
        reason = f"no layer and no override of {name} has anybody {when}"
        return Finding(name, state, severity, summary, reason, since)

    def _gap(self, name: str, schedule: Schedule, at: datetime) -> Turn | None:
        """Return the next gap; what was looked at before is not looked at again."""
        looked_until, gap = self._looked.get(name, (at, None))
        if gap is not None and at < gap.end:
            return gap
        start, end = max(at, looked_until), at + schedule.warn_before
        needed = self._calendars.get(schedule.needed) if schedule.needed else None
        found = gaps(schedule, start, end, needed) if start < end else []
        self._looked[name] = (found[0].end, found[0]) if found else (max(start, end), None)
        return self._looked[name][1]

    def _whole(self, schedule: Schedule, gap: Turn) -> str:
        """Say how long *gap* is, also beyond what was looked at."""
        needed = self._calendars.get(schedule.needed) if schedule.needed else None
        until = gaps(schedule, gap.start, gap.start + FAR, needed)[0].end
        start, end = (f"{each.astimezone(UTC):%Y-%m-%d %H:%M}" for each in (gap.start, until))
        return f"from {start} until {end} UTC" + (", at least" if until >= gap.start + FAR else "")

    def _keep(self, name: str, firing: tuple[int, datetime] | None) -> None:
        if firing is None:
            del self._firing[name]
        else:
            self._firing[name] = firing
        self._entries.note("coverage", (name,))

    def _written(self, place: Place) -> bytes | None:
        firing = self._firing.get(place[0])
        return written((firing[0], firing[1].isoformat())) if firing else None
