"""People and teams: who they are, and through which channels they are reached."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from schemas.contract import Name
from streams.incidents.schedules import Schedule, on_call
from streams.time_zones import ZoneName

_SETTINGS: Final = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Person(BaseModel):
    """One of the policy's ``people``."""

    model_config = ConfigDict(
        **_SETTINGS,
        json_schema_extra={"examples": [{"time_zone": "Europe/Berlin", "channels": ["sms"]}]},
    )

    channels: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The channels through which this person alone, or at least this person, is reached."""
    time_zone: ZoneName = "UTC"
    """The zone the person lives in, such as Europe/Berlin."""


class Team(BaseModel):
    """One of the policy's ``teams``."""

    model_config = ConfigDict(
        **_SETTINGS,
        json_schema_extra={"examples": [{"people": ["first", "second"], "channels": ["slack"]}]},
    )

    people: tuple[Name, ...] = ()
    """Its members."""
    teams: tuple[Name, ...] = ()
    """Teams that belong to it."""
    channels: tuple[Name, ...] = ()
    """Channels that the whole team reads."""


class Targets(BaseModel):
    """Whom something is told."""

    model_config = _SETTINGS

    people: tuple[Name, ...] = ()
    """People."""
    schedules: tuple[Name, ...] = ()
    """Schedules: whoever is on call then."""
    teams: tuple[Name, ...] = ()
    """Teams: everybody who belongs to them, and their channels."""
    channels: tuple[Name, ...] = ()
    """Channels."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom targets come to at one moment."""

    #: Person to why.
    people: Mapping[str, str]
    #: Channel, of no person, to why.
    channels: Mapping[str, str]
    #: Schedule to who is on call.
    on_call: Mapping[str, str]
    #: Schedules that have nobody.
    nobody: Sequence[str]


@dataclass(frozen=True)
class Roster:
    """Everybody who can be told something."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)

    def reach(self, targets: Targets, at: datetime) -> Reached:
        """Return whom *targets* come to at *at*; who is named several times is told once."""
        people = {name: f"{name} is named" for name in targets.people}
        on_duty: dict[str, str] = {}
        for name in targets.schedules:
            schedule = self.schedules.get(name)
            person = on_call(schedule, at) if schedule else None
            if person is not None:
                on_duty[name] = person
                people.setdefault(person, f"{person} is on call in {name}")
        channels: dict[str, str] = dict.fromkeys(targets.channels, "the channel is named")
        for name, team in self._teams(targets.teams):
            for person in team.people:
                people.setdefault(person, f"{person} belongs to {name}")
            for channel in team.channels:
                channels.setdefault(channel, f"the channel is of {name}")
        known = {name: why for name, why in people.items() if name in self.people}
        nobody = [name for name in targets.schedules if name not in on_duty]
        return Reached(known, channels, on_duty, nobody)

    def _teams(self, names: Sequence[str]) -> Iterator[tuple[str, Team]]:
        seen: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop(0)
            team = self.teams.get(name)
            if team is not None and name not in seen:
                seen.add(name)
                yield name, team
                waiting.extend(team.teams)
