"""
Which alerts nobody is told of: muted by a silence or by their cause, or too few for an incident.

Each is kept until it resolves or nothing withholds it any more; then it is placed as if it fired now. The end of an alert that an
incident has is never withheld.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson

from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import IncidentV1
from schemas.silences import SilenceV1
from schemas.withheld import Withholding
from streams.correlation.inhibition import Inhibitions
from streams.correlation.intake import Arrival
from streams.correlation.settings import CorrelationSettings
from streams.correlation.silences import Silences
from streams.correlation.telling import Told
from streams.entries import Entries, Place


class Having(Protocol):
    """Knows which alerts incidents have."""

    def having(self, tenant: str, fingerprint: str) -> tuple[IncidentV1, bool] | None:
        """Return the incident that has an alert, and whether the alert fires there; None where none has it."""


@dataclass(frozen=True, slots=True)
class Held:
    """An alert that is withheld."""

    arrival: Arrival
    withholding: Withholding
    silence_id: str | None = None


@dataclass
class Sifted:
    """One round of alerts, sorted."""

    #: Fire, and belong to an incident that is to be found or opened.
    fresh: list[Arrival] = field(default_factory=list)
    #: Change or end what an incident has.
    known: list[tuple[IncidentV1, Arrival]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


class Withheld:
    """The alerts of one partition that are withheld, and what withholds them."""

    def __init__(self, settings: CorrelationSettings) -> None:
        self._silences = Silences(settings.warn_before)
        self._inhibitions = Inhibitions(settings.inhibit)
        self._inhibits = bool(settings.inhibit)
        self._held: dict[tuple[str, str], Held] = {}
        #: Those of them for which too few others fire.
        self._waiting: dict[tuple[str, str], Arrival] = {}
        self._entries = Entries({"held": self._written})

    def hear(self, silence_id: str, said: SilenceV1 | None) -> None:
        """
        Take in a silence; None ends the one with that id.

        Raises:
            ValueError: One of its expressions is none.
        """
        self._silences.hear(silence_id, said)

    def waiting(self, tenants: set[str]) -> list[Arrival]:
        """Return the alerts of *tenants* for which too few others fire."""
        return [arrival for place, arrival in sorted(self._waiting.items()) if place[0] in tenants]

    def sift(self, arrivals: Sequence[Arrival], at: datetime, having: Having) -> Sifted:
        """Sort *arrivals*, at most one for each alert."""
        if self._inhibits:
            # All of them first: which of a cause and its symptoms came first decides nothing.
            for arrival in arrivals:
                self._inhibitions.hear(arrival.alert)
        sifted = Sifted()
        for arrival in arrivals:
            alert = arrival.alert
            if alert.state is AlertState.RESOLVED:
                self._end(arrival, having, sifted)
                continue
            if alert.state is AlertState.CHANGED and arrival.place not in self._held:
                found = having.having(*arrival.place)
                if found is not None and found[1]:
                    sifted.known.append((found[0], arrival))
                    continue
            held = self._muted(arrival, at, sifted.told)
            if held is None:
                # What it was withheld for is forgotten where it is placed.
                sifted.fresh.append(arrival)
            else:
                self._keep(held)
        return sifted

    def wait(self, arrival: Arrival) -> bool:
        """Keep an alert for which too few others fire; whether that is news."""
        before = self._held.get(arrival.place)
        if before is not None and before.arrival is arrival:
            return False
        self._keep(Held(arrival, Withholding.WAITING))
        return True

    def drop(self, arrival: Arrival) -> None:
        """Withhold an alert no longer."""
        if self._held.pop(arrival.place, None) is not None:
            self._waiting.pop(arrival.place, None)
            self._entries.note("held", arrival.place)

    def freed(self, at: datetime) -> tuple[list[Arrival], list[Told]]:
        """Return the alerts that nothing mutes any more, and what is said of them."""
        turned = self._silences.turned(at)
        if not (self._inhibitions.turned() or turned):
            return [], []
        freed, told = [], []
        for place, held in sorted(self._held.items()):
            if held.withholding is Withholding.WAITING:
                continue
            now = self._muted(held.arrival, at, [])
            if now is None:
                why = f"no longer {held.withholding}"
                arrival = held.arrival
                told.append(Told(arrival.alert, arrival.origin, Withholding.RELEASED, why))
                freed.append(arrival)
                del self._held[place]
                self._entries.note("held", place)
            elif now != held:
                self._keep(now)
        return freed, told

    def warnings(self, at: datetime) -> list[AlertV1]:
        """Return the alerts about silences that end soon although they mute something."""
        if not self._silences.ending(at):
            return []
        return self._silences.warnings(
            at,
            [
                (held.silence_id, held.arrival.alert)
                for held in self._held.values()
                if held.silence_id
            ],
        )

    def changes(self) -> Iterator[Mapping[str, bytes | None]]:
        """Yield the entries that changed since the last call."""
        for entries in (self._entries, self._silences.entries, self._inhibitions.entries):
            yield entries.changes()

    def restore(self, kind: str, place: Place, value: Any) -> None:
        """Take back one entry."""
        if kind == "held":
            held = Held(
                Arrival.from_json(value["arrival"]), Withholding(value["why"]), value["silence"]
            )
            self._put(held)
        elif kind == "source":
            self._inhibitions.restore(value)
        else:
            self._silences.restore(kind, place, value)

    def _end(self, arrival: Arrival, having: Having, sifted: Sifted) -> None:
        held = self._held.get(arrival.place)
        found = having.having(*arrival.place)
        if held is not None:
            self.drop(arrival)
            why = f"resolved while it was {held.withholding}: nobody was told"
            sifted.told.append(Told(arrival.alert, arrival.origin, Withholding.ENDED, why))
        if found is not None and found[1]:
            sifted.known.append((found[0], arrival))
        elif held is None:
            why = "resolved, and no incident that is not closed has it firing"
            sifted.told.append(Told(arrival.alert, arrival.origin, Withholding.UNKNOWN, why))

    def _muted(self, arrival: Arrival, at: datetime, told: list[Told]) -> Held | None:
        alert = arrival.alert
        silence = self._silences.muting(alert, at)
        if silence is not None:
            said = silence.said
            told.append(
                Told(
                    alert,
                    arrival.origin,
                    Withholding.SILENCED,
                    silence.reason,
                    by=said.author,
                    silence_id=said.silence_id,
                    until=said.ends_at,
                )
            )
            return Held(arrival, Withholding.SILENCED, said.silence_id)
        if not self._inhibits:
            return None
        inhibited = self._inhibitions.muting(alert)
        if inhibited is None:
            return None
        rule, source = inhibited
        reason = f"inhibit {rule!r}: {source.rule} of {source.service} fires ({source.fingerprint})"
        told.append(Told(alert, arrival.origin, Withholding.INHIBITED, reason))
        return Held(arrival, Withholding.INHIBITED)

    def _keep(self, held: Held) -> None:
        self._put(held)
        self._entries.note("held", held.arrival.place)

    def _put(self, held: Held) -> None:
        place = held.arrival.place
        self._held[place] = held
        if held.withholding is Withholding.WAITING:
            self._waiting[place] = held.arrival
        else:
            self._waiting.pop(place, None)

    def _written(self, place: Place) -> bytes | None:
        held = self._held.get((place[0], place[1]))
        if held is None:
            return None
        return orjson.dumps(
            {
                "arrival": orjson.Fragment(held.arrival.to_json()),
                "why": held.withholding,
                "silence": held.silence_id,
            }
        )
