"""
Shifts: who was on call when we last looked, so that a handover is told of once, also where no incident is open.

Only schedules that want it are looked at. Who is on call when a schedule is first looked at is noted down, and nobody is told. After an outage
of ours only what is different then is told of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from schemas.lifecycle import CallV1
from schemas.notices import ShiftV1
from streams.entries import Entries, Place, unnamed, written
from streams.incidents.escalation import person_calls, together
from streams.incidents.people import Roster
from streams.incidents.promises import as_calls
from streams.incidents.schedules import ALWAYS, on_call


@dataclass(frozen=True, slots=True)
class Handover:
    """Somebody came on call, or went, and by which channels those people are told."""

    shift: ShiftV1
    calls: tuple[CallV1, ...]


class Shifts:
    """Looks after the schedules whose people are told of every handover; the desk of one *partition* does."""

    def __init__(
        self, roster: Roster, unfit: frozenset[str] = frozenset(), partition: int = 0
    ) -> None:
        self.partition = partition
        self._roster = roster
        #: Channels that would make an incident of it.
        self._unfit = unfit
        #: Schedule to who was on call; None where nobody was.
        self._seen: dict[str, str | None] = {}
        self._entries = Entries({"shift": self._written})

    def look(self, at: datetime) -> list[Handover]:
        """Return the handovers since the last look, by *at*."""
        found = []
        for name in sorted({*self._roster.schedules, *self._seen}):
            schedule = self._roster.schedules.get(name)
            if schedule is None or schedule.handover_notices != ALWAYS:
                if name in self._seen:
                    del self._seen[name]
                    self._entries.note("shift", (name,))
                continue
            now = on_call(schedule, at)
            if name in self._seen and self._seen[name] == now:
                continue
            if name in self._seen:
                found.append(self._handover(name, self._seen[name], now))
            self._seen[name] = now
            self._entries.note("shift", (name,))
        return found

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        return self._entries.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` returned, accumulated; entries of others are passed over."""
        for name, raw in entries.items():
            kind, place = unnamed(name)
            if kind == "shift":
                [self._seen[place[0]]] = orjson.loads(raw)

    def _handover(self, name: str, before: str | None, now: str | None) -> Handover:
        calls = together(
            call
            for person, what in ((now, "comes on"), (before, "goes off"))
            if person is not None
            for call in person_calls(self._roster, person, f"{name}: {person} {what} call")
            if call.channel not in self._unfit
        )
        return Handover(ShiftV1(schedule=name, before=before, now=now), as_calls(calls))

    def _written(self, place: Place) -> bytes | None:
        return written([self._seen[place[0]]]) if place[0] in self._seen else None
