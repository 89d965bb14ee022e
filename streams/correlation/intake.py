"""
The intake: alerts of one tick are taken together, each once, in an order that does not hang on when they arrived.

What was heard is known by fingerprint and sequence. Alerts wait here for the tick after them, so that the alerts of one failure
are seen together: which of them came first decides nothing. An alert that flaps is held here as firing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.withheld import Withholding
from streams.correlation.flapping import Beat, beaten, quiet
from streams.correlation.settings import Flapping
from streams.correlation.telling import Told
from streams.durations import written
from streams.entries import Entries, Place


class Arrival(NamedTuple):
    """One transition of an alert, and the record that carried it."""

    alert: AlertV1
    origin: Origin
    #: Tenant and fingerprint.
    place: tuple[str, str]
    #: When the record was written, in milliseconds since 1970; -1 where it does not say.
    stamped: int = -1

    @classmethod
    def of(cls, alert: AlertV1, origin: Origin, stamped: int = -1) -> "Arrival":
        """Return the arrival of *alert*."""
        return cls(alert, origin, (alert.tenant, alert.fingerprint), stamped)

    def precedes(self, at: datetime, before: int | None) -> bool:
        """
        Whether it came before the tick at *at*, which says that the log then reached the offset *before*.

        Some brokers tell the beginning of the last batch as the end: what is stamped earlier than the tick came before it as well.
        """
        if before is None or self.origin.offset < before:
            return True
        return 0 <= self.stamped <= at.timestamp() * 1_000

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return b'{"stamped":%d,"origin":%b,"alert":%b}' % (
            self.stamped,
            self.origin.model_dump_json().encode(),
            self.alert.to_wire(),
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Arrival":
        """Return what ``to_json`` was made from."""
        alert = AlertV1.model_validate(value["alert"])
        return cls.of(alert, Origin.model_validate(value["origin"]), value["stamped"])


class Seen(NamedTuple):
    """What is remembered of one fingerprint."""

    sequence: int
    at: datetime
    beat: Beat
    #: The latest transition that was held back because it flaps.
    held: Arrival | None = None


@dataclass
class Due:
    """What a tick brings: in each round at most one transition of each alert."""

    rounds: list[list[Arrival]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


class Intake:
    """The alerts of one partition that wait for the next tick, and what was heard before."""

    def __init__(self, settings: Flapping) -> None:
        self._settings = settings
        self._waiting: dict[Place, Arrival] = {}
        self._seen: dict[tuple[str, str], Seen] = {}
        self._flapping: set[tuple[str, str]] = set()
        self.entries = Entries({"waiting": self._written_waiting, "seen": self._written_seen})

    def hear(self, arrival: Arrival) -> None:
        """Take in one alert; what is older than what was heard of it is left out."""
        seen = self._seen.get(arrival.place)
        if seen is not None and arrival.alert.sequence <= seen.sequence:
            return
        place = (*arrival.place, str(arrival.alert.sequence))
        if place not in self._waiting:
            self._waiting[place] = arrival
            self.entries.come("waiting", place)

    def due(self, at: datetime, before: int | None) -> Due:
        """Return what came before the tick at *at*, which says that the log reached *before*; all where it does not say."""
        due = Due()
        rounds: dict[int, list[Arrival]] = defaultdict(list)
        for place in sorted(self._flapping):
            calm = self._calmed(place, at)
            if calm is not None:
                rounds[0].append(calm)
        count: dict[tuple[str, str], int] = defaultdict(int, {a.place: 1 for a in rounds[0]})
        for arrival in self._taken(at, before):
            if self._passes(arrival, at, due):
                number = count[arrival.place]
                rounds[number].append(arrival)
                count[arrival.place] = number + 1
        due.rounds = [rounds[number] for number in sorted(rounds) if rounds[number]]
        return due

    def forget(self, before: datetime) -> None:
        """Forget what was last heard before *before*."""
        for place in [
            place
            for place, seen in self._seen.items()
            if seen.at < before and place not in self._flapping
        ]:
            del self._seen[place]
            self.entries.note("seen", place)

    def restore(self, kind: str, place: Place, value: Any) -> None:
        """Take back one entry."""
        if kind == "waiting":
            self._waiting[place] = Arrival.from_json(value)
        elif kind == "seen":
            sequence, at, times, flaps, held = value
            beat = Beat(tuple(map(datetime.fromisoformat, times)), flaps)
            key = place[0], place[1]
            kept = Arrival.from_json(held) if held else None
            self._seen[key] = Seen(sequence, datetime.fromisoformat(at), beat, kept)
            if beat.flaps:
                self._flapping.add(key)

    def _taken(self, at: datetime, before: int | None) -> Iterable[Arrival]:
        taken = [
            (place, arrival)
            for place, arrival in self._waiting.items()
            if arrival.precedes(at, before)
        ]
        # By sequence, because the transitions of one alert have an order; the rest by what alerts are, not by when they came.
        taken.sort(key=lambda pair: (pair[1].alert.sequence, pair[0]))
        for place, arrival in taken:
            del self._waiting[place]
            self.entries.go("waiting", place)
            yield arrival

    def _passes(self, arrival: Arrival, at: datetime, due: Due) -> bool:
        alert, place = arrival.alert, arrival.place
        seen = self._seen.get(place)
        if seen is not None and alert.sequence <= seen.sequence:
            return False
        beat = seen.beat if seen else Beat()
        flapped = beat.flaps
        if alert.state is not AlertState.CHANGED:
            beat = beaten(beat, at, self._settings)
        # It is held as firing, so what begins the flapping passes where it is a beginning.
        held = beat.flaps and (flapped or alert.state is AlertState.RESOLVED)
        self._seen[place] = Seen(alert.sequence, at, beat, arrival if held else None)
        self.entries.note("seen", place)
        if beat.flaps:
            self._flapping.add(place)
            if held or not flapped:
                due.told.append(self._told(arrival, beat, at))
        return not held

    def _calmed(self, place: tuple[str, str], at: datetime) -> Arrival | None:
        seen = self._seen[place]
        if not quiet(seen.beat.times, at, self._settings):
            return None
        self._flapping.discard(place)
        self._seen[place] = seen._replace(beat=Beat(), held=None)
        self.entries.note("seen", place)
        return seen.held

    def _told(self, arrival: Arrival, beat: Beat, at: datetime) -> Told:
        within = written(self._settings.within)
        reason = (
            f"flapping: {len(beat.times)} beginnings and ends within {within}, more than "
            f"{self._settings.more_than}; it counts as firing until it is quiet for {within}"
        )
        until = at + self._settings.within
        return Told(arrival.alert, arrival.origin, Withholding.FLAPPING, reason, until=until)

    def _written_waiting(self, place: Place) -> bytes | None:
        arrival = self._waiting.get(place)
        return arrival.to_json() if arrival else None

    def _written_seen(self, place: Place) -> bytes | None:
        seen = self._seen.get((place[0], place[1]))
        if seen is None:
            return None
        held = orjson.Fragment(seen.held.to_json()) if seen.held else None
        return orjson.dumps([seen.sequence, seen.at, seen.beat.times, seen.beat.flaps, held])
