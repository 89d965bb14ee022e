"""The parts of a policy that say who is on duty: calendars, people, teams, schedules and escalations, read and checked together."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from streams.incidents.calendars import BUSINESS, Calendar
from streams.incidents.escalation import Chain
from streams.incidents.people import Person, Roster, Team
from streams.incidents.promises import Plan
from streams.incidents.schedules import ALWAYS, Schedule, Shift, chosen
from streams.incidents.severities import SeverityLevel
from streams.incidents.shifts import Shifts
from streams.notifications.channel import Channel
from streams.notifications.duty import Duty, OnDuty
from streams.policy_faults import faults, undefined
from streams.policy_files import Document, Place, Problem
from streams.time_zones import zone
from streams.warehouse.levels import Promise

#: Each part is a map of names to these.
PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "calendars": Calendar,
    "people": Person,
    "teams": Team,
    "schedules": Schedule,
    "escalations": Chain,
}

#: Whom a step of a chain can tell.
_TOLD: Final = ("people", "schedules", "teams", "channels")
#: A name that something refers to: the file, the place, the part in which it must be defined, the name.
_Reference = tuple[Document, Place, str, str]


class DutyParts:
    """These parts while the files of a policy are read."""

    def __init__(self) -> None:
        self._read: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        #: Names that are defined, rightly or not, and where.
        self._defined: dict[str, dict[str, tuple[Document, Place]]] = {part: {} for part in PARTS}
        self._references: list[_Reference] = []

    def take(self, document: Document, part: str, value: Any) -> Iterator[Problem]:
        """Take in one *part* of a file, and yield what is wrong with it."""
        model = PARTS[part]
        if not isinstance(value, dict):
            yield document.problem((part,), f"must be a map of names to {part}")
            return
        for key, given in value.items():
            name, place = str(key), (part, key)
            before = self._defined[part].get(name)
            if before is not None:
                where = f"{before[0].name}:{before[0].problem(before[1], '').line}"
                yield document.problem(place, f"is defined before, in {where}")
                continue
            self._defined[part][name] = (document, place)
            self._references += [
                (document, (*place, *where), to, each)
                for where, to, each in _REFERENCES[part](given)
            ]
            try:
                self._read[part][name] = model.model_validate(given)
            except ValidationError as error:
                yield from faults(document, place, model, error)

    def refer(self, document: Document, place: Place, part: str, name: str) -> None:
        """Remember that *place* names something of *part*."""
        self._references.append((document, place, part, name))

    def naming(self, part: str) -> Iterator[tuple[Document, Place, str]]:
        """Yield the names of *part* that something refers to, and where."""
        for document, place, to, name in self._references:
            if to == part:
                yield document, place, name

    def check(self, channels: Iterable[str]) -> Iterator[Problem]:
        """Yield what is wrong between the parts, once all files are read."""
        known: dict[str, Iterable[str]] = {
            **self._defined,
            "calendars": {**self._defined["calendars"], "business": None},
            "channels": set(channels),
        }
        for document, place, part, name in self._references:
            if name not in known[part]:
                yield undefined(document, place, name, part, known[part])
        yield from self._cycles()

    def channels(self) -> Iterator[str]:
        """Yield the channels that people, teams and escalations name."""
        for _, _, part, name in self._references:
            if part == "channels":
                yield name

    def doubts(self, channels: Mapping[str, Channel]) -> Iterator[Problem]:
        """Yield what can be used and is hardly meant; *channels* are those that can be used."""
        yield from self._untold(channels)
        yield from self._telling_nobody()
        yield from self._outdone()

    def _telling_nobody(self) -> Iterator[Problem]:
        """Yield the teams and the steps of chains that nobody stands in."""
        for name, team in self._read["teams"].items():
            if not (team.people or team.teams or team.channels):
                document, place = self._defined["teams"][name]
                text = "has nobody: add people, teams or channels"
                yield document.problem(place, text)
        for name, chain in self._read["escalations"].items():
            document, place = self._defined["escalations"][name]
            for number, step in enumerate(chain.steps):
                if not any(getattr(step, part) for part in _TOLD):
                    text = f"tells nobody: add {', '.join(_TOLD[:-1])} or {_TOLD[-1]}"
                    yield document.problem((*place, "steps", number), text)

    def _outdone(self) -> Iterator[Problem]:
        """Yield the chains that are never reached, because one before them is for the same incidents."""
        chains: list[tuple[str, Chain]] = []
        for name, chain in self._read["escalations"].items():
            before = next((each for each, other in chains if _takes_all(other, chain)), None)
            chains.append((name, chain))
            if before is not None:
                document, place = self._defined["escalations"][name]
                text = f"is never used: {before!r} before it is for all incidents that it is for"
                yield document.problem(place, text)

    def _untold(self, channels: Mapping[str, Channel]) -> Iterator[Problem]:
        """Yield the schedules that want handovers told to people whom none of the usable *channels* can tell them."""
        people: Mapping[str, Person] = self._read["people"]
        schedules: Mapping[str, Schedule] = self._read["schedules"]
        fit = {name for name, channel in channels.items() if channel.merges}
        for name, schedule in schedules.items():
            if schedule.handover_notices != ALWAYS:
                continue
            for person in sorted(schedule.people & people.keys()):
                if fit.isdisjoint(people[person].channels):
                    document, place = self._defined["schedules"][name]
                    text = (
                        f"{person} is told of no handover: all channels of {person} open an incident "
                        "of their own over there; add one that does not, such as slack, email or sms"
                    )
                    yield document.problem((*place, "handover_notices"), text)

    def _cycles(self) -> Iterator[Problem]:
        """Yield the teams that belong to themselves."""
        teams: Mapping[str, Team] = self._read["teams"]
        told: set[str] = set()
        for name in teams:
            if name in told:
                continue
            path, waiting = [name], [iter(teams[name].teams)]
            while waiting:
                below = next(waiting[-1], None)
                if below is None:
                    waiting.pop()
                    path.pop()
                elif below == name:
                    document, place = self._defined["teams"][name]
                    way = " -> ".join([*path, name])
                    told.update(path)
                    yield document.problem((*place, "teams"), f"belongs to itself: {way}")
                    break
                elif below in teams and below not in path:
                    path.append(below)
                    waiting.append(iter(teams[below].teams))

    def read(self) -> dict[str, dict[str, Any]]:
        """Return what was read, by part and name."""
        return self._read


def plan_of(
    levels: Mapping[int, SeverityLevel],
    calendars: Mapping[str, Calendar],
    roster: Roster,
    chains: Mapping[str, Chain],
    channels: Mapping[str, Channel],
) -> Plan:
    """Return what the incidents hop promises under these parts of a policy."""
    hours = {name: each.opening for name, each in {"business": BUSINESS, **calendars}.items()}
    quiet = frozenset(name for name, each in channels.items() if each.quiet)
    return Plan(levels, hours, roster, chains, quiet)


def shifts_of(roster: Roster, channels: Mapping[str, Channel], partition: int = 0) -> Shifts:
    """Return what tells of handovers in *partition*; never through *channels* that would open an incident over there."""
    unfit = frozenset(name for name, channel in channels.items() if not channel.merges)
    return Shifts(roster, unfit, partition)


def duty_of(roster: Roster) -> Duty:
    """Return what answers routes who is on call, and how that person is reached."""

    def on_duty(name: str, at: datetime) -> OnDuty | None:
        schedule = roster.schedules.get(name)
        found = chosen(schedule, at) if schedule else None
        person = roster.people.get(found[0]) if found else None
        if schedule is None or found is None or person is None:
            return None
        who, through = found
        if isinstance(through, Shift):
            _, ends = through.span(zone(schedule.time_zone))
            by = f"by an override until {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        else:
            by = f"by layer {through + 1} of {len(schedule.layers)}"
        return OnDuty(who, person.channels, f"{who} is on call in {name} {by}")

    return on_duty


def _takes_all(before: Chain, chain: Chain) -> bool:
    """Whether every incident that *chain* is for finds *before* first."""
    of_its_services = not before.services or (
        bool(chain.services) and set(chain.services) <= {*before.services}
    )
    return of_its_services and set(chain.severities) <= {*before.severities}


def _named(given: Any, key: str, part: str) -> Iterator[tuple[Place, str, str]]:
    """Yield the names that stand under *key*, one or a list, each with its place and the *part* it must be in."""
    named = given.get(key) if isinstance(given, dict) else None
    if isinstance(named, str):
        yield (key,), part, named
    elif isinstance(named, list):
        for number, each in enumerate(named):
            if isinstance(each, str):
                yield (key, number), part, each


def _targets(given: Any) -> Iterator[tuple[Place, str, str]]:
    for part in _TOLD:
        yield from _named(given, part, part)


def _within(given: Any, key: str) -> Iterator[tuple[Place, Any]]:
    listed = given.get(key) if isinstance(given, dict) else None
    if isinstance(listed, list):
        for number, each in enumerate(listed):
            yield (key, number), each


def _of_schedule(given: Any) -> Iterator[tuple[Place, str, str]]:
    yield from _named(given, "needed", "calendars")
    shifts = [*_within(given, "overrides")]
    for place, layer in _within(given, "layers"):
        for where, part, name in _named(layer, "rotation", "people"):
            yield (*place, *where), part, name
        shifts += [((*place, *where), shift) for where, shift in _within(layer, "shifts")]
    for place, shift in shifts:
        for where, part, name in _named(shift, "person", "people"):
            yield (*place, *where), part, name


def _of_chain(given: Any) -> Iterator[tuple[Place, str, str]]:
    for place, step in _within(given, "steps"):
        for where, part, name in _targets(step):
            yield (*place, *where), part, name


_REFERENCES: Final[Mapping[str, Callable[[Any], Iterator[tuple[Place, str, str]]]]] = {
    "calendars": lambda _: iter(()),
    "people": lambda given: _named(given, "channels", "channels"),
    "teams": _targets,
    "schedules": _of_schedule,
    "escalations": _of_chain,
}


def promises_of(severities: Mapping[int, SeverityLevel]) -> list[Promise]:
    """
    Return what *severities* promise, for the warehouse to judge by, and how it is counted.

    Seconds count around the clock where an incident recorded no deadline of its own: the next business day is a day then.
    """
    found = []
    for number, level in sorted(severities.items()):
        counted = "business hours" if level.counted_in == "business_hours" else ""
        within = level.respond_within
        found.append(
            Promise(
                number,
                level.name,
                within if isinstance(within, timedelta) else timedelta(days=1),
                level.resolve_within,
                counted if isinstance(within, timedelta) else within,
                counted,
            )
        )
    return found
