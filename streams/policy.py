"""
The policy: everything that decides, read from files and checked as a whole before anything starts.

A policy is a YAML file, or a folder of them whose parts are put together: lists are joined, maps must not overlap.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.notices import Purpose
from streams.correlation.catalogue import Service
from streams.correlation.settings import CorrelationSettings
from streams.detection import kinds
from streams.detection.costs import DetectionSettings, watched_rules
from streams.detection.rule import Rule
from streams.discovery import declared_in, kind_of
from streams.errors import PolicyError
from streams.gateways.probes import Probe
from streams.incidents.calendars import Calendar
from streams.incidents.escalation import Chain
from streams.incidents.people import Person, Roster, Team
from streams.incidents.promises import Plan
from streams.incidents.publishing import Outside
from streams.incidents.schedules import Schedule
from streams.incidents.settings import IncidentSettings
from streams.incidents.severities import SEVERITIES, SeverityLevel
from streams.notifications import channels
from streams.notifications.channel import Channel
from streams.notifications.routing import Route, schedules_named, silent, times_named
from streams.notifications.times import TimeInterval
from streams.notifications.wording import Wording
from streams.policy_doubts import Placed, Written, doubts
from streams.policy_duty import PARTS as DUTY_PARTS
from streams.policy_duty import DutyParts, plan_of, promises_of
from streams.policy_faults import faults, meant
from streams.policy_files import Document, Place, Problem, documents
from streams.policy_references import (
    channels_of,
    combination_fault,
    runbook_faults,
    service_faults,
    with_links,
)
from streams.policy_reports import ReportsPart
from streams.policy_settings import SETTINGS, runbooks_of, settings_of
from streams.policy_status import (
    STATUS_PARTS,
    StatusPart,
    facing_outwards,
    outside_of,
    pages_of,
)
from streams.status_page.settings import StatusPage
from streams.telemetry import formats
from streams.telemetry.format import Format
from streams.warehouse.digests import ReportSettings
from streams.warehouse.levels import Promise
from streams.warehouse.retention import HistorySettings

PARTS: Final = (
    "rules",
    "channels",
    "routes",
    "templates",
    "time_intervals",
    "probes",
    "incidents",
    "severities",
    "formats",
    "services",
    "detection",
    "correlation",
    "history",
    "reports",
    *STATUS_PARTS,
    *DUTY_PARTS,
)


class Policy(BaseModel):
    """All that decides."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rules: tuple[Rule, ...] = ()
    """What turns signals into alerts."""
    channels: Mapping[str, Channel] = {}
    """Where people can be told, by name."""
    routes: tuple[Route, ...] = ()
    """Who is told."""
    templates: Mapping[Purpose, Wording] = {}
    """What messages say, where it is not what they say by themselves."""
    time_intervals: tuple[TimeInterval, ...] = ()
    """Times at which routes are mute, or active."""
    probes: tuple[Probe, ...] = ()
    """The health endpoints that are asked."""
    incidents: IncidentSettings = IncidentSettings()
    """How incidents live."""
    severities: Mapping[int, SeverityLevel] = SEVERITIES
    """What severities mean."""
    formats: tuple[Format, ...] = ()
    """How formats of telemetry are read where that is not as they come."""
    services: Mapping[str, Service] = {}
    """The service catalogue, by name."""
    detection: DetectionSettings = DetectionSettings()
    """What rules may cost."""
    correlation: CorrelationSettings = CorrelationSettings()
    """How alerts become incidents."""
    history: HistorySettings = HistorySettings()
    """How long history is kept."""
    reports: ReportSettings = ReportSettings()
    """Which reports are mailed by themselves."""
    calendars: Mapping[str, Calendar] = {}
    """When somebody works, by name."""
    people: Mapping[str, Person] = {}
    """Who can be called, by name."""
    teams: Mapping[str, Team] = {}
    """Who belongs together, by name."""
    schedules: Mapping[str, Schedule] = {}
    """Who is on call when, by name."""
    escalations: Mapping[str, Chain] = {}
    """Who is called next while nobody takes an incident, by name; the first that fits counts."""
    status_page: StatusPage | None = None
    """What people outside see."""
    status_pages: Mapping[str, StatusPage] = {}
    """What people outside see of further tenants, by tenant."""

    @property
    def pages(self) -> Mapping[str, StatusPage]:
        """The page of each tenant that has one."""
        return pages_of(self.status_page, self.status_pages)

    @property
    def outside(self) -> Outside:
        """What people outside can see of the service catalogue."""
        return outside_of(self.pages, self.services)

    @property
    def watched_rules(self) -> tuple[Rule, ...]:
        """The rules, and the one about what they cost."""
        return watched_rules(self.rules, self.detection)

    @property
    def roster(self) -> Roster:
        """Everybody who can be called."""
        return Roster(self.people, self.teams, self.schedules)

    @property
    def plan(self) -> Plan:
        """What is promised about every incident."""
        chains, channels = self.escalations, self.channels
        return plan_of(self.severities, self.calendars, self.roster, chains, channels)

    def promises(self) -> list[Promise]:
        """Return what severities promise, for the warehouse to judge by, and how that is counted."""
        return promises_of(self.severities)


@dataclass(frozen=True)
class Examined:
    """A policy as it was read, with all that is to be said about it, file by file and line by line."""

    policy: Policy | None
    """None where it cannot be used."""
    problems: tuple[Problem, ...]
    """Why it cannot be used."""
    doubts: tuple[Problem, ...]
    """What can be used and is hardly meant."""


def read_policy(path: Path, environment: Mapping[str, str] | None = None) -> Policy:
    """
    Return the policy that *path*, a file or a folder, holds.

    Raises:
        PolicyError: It cannot be used; the text has one line for each problem.
    """
    examined = examine(path, environment)
    if examined.policy is None:
        raise PolicyError(refusal(str(path), examined.problems))
    return examined.policy


def examine(path: Path, environment: Mapping[str, str] | None = None) -> Examined:
    """Return the policy that *path*, a file or a folder, holds, and all that is to be said about it."""
    read = documents(path, os.environ if environment is None else environment)
    return put_together(path.name, list(read), path if path.is_dir() else path.parent)


def put_together(name: str, read: Sequence[Document], beside: Path | None = None) -> Examined:
    """Return the policy called *name* that the files which were *read* make; *beside* is where they were read from."""
    reading = _Reading()
    for document in read:
        reading.take(document)
    if not read:
        reading.problems.append(Problem(name, 0, "", "has no .yaml files"))
    reading.check_references()
    problems = _in_order(reading.problems)
    return Examined(
        None if problems else reading.policy(),
        problems,
        _in_order(doubts(reading.written, beside)),
    )


def refusal(name: str, problems: Iterable[Problem]) -> str:
    """Return what is said of the policy called *name*, which cannot be used."""
    return "\n".join([f"{name} cannot be used:", *(f"  {problem}" for problem in problems)])


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    # That is how they are mended.
    return tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))


class _Reading:
    """A policy while its files are read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        #: What can be used, and where it stands.
        self.written = Written()
        self._channels: dict[str, Any] = {}
        self._time_intervals: list[TimeInterval] = []
        #: Times that routes name.
        self._times: list[tuple[Document, Place, str]] = []
        self._templates: dict[Purpose, Wording] = {}
        self._formats: list[Format] = []
        #: Parts that are one model each.
        self._settings: dict[str, Any] = {}
        self._severities: dict[int, SeverityLevel] = dict(SEVERITIES)
        self._duty = DutyParts()
        self._status = StatusPart()
        self._reports = ReportsPart()
        self._services: dict[str, Service] = {}
        #: Services that are in the catalogue, usable or not, and where each is.
        self._catalogue: dict[str, tuple[Document, Place]] = {}
        #: What has a name, by part and name: the same name twice is a mistake.
        self._named: dict[tuple[str, str], str] = {}
        self._channel_names: set[str] = set()
        #: Channels that routes name.
        self._references: list[tuple[Document, Place, str]] = []
        #: Rules that combine others.
        self._combining: list[tuple[Document, Place, Rule]] = []
        self._rule_kinds = {kind_of(each): each for each in declared_in(kinds)}
        self._format_kinds = {kind_of(each): each for each in declared_in(formats)}
        self._channel_kinds = {kind_of(each): each for each in declared_in(channels)}

    def take(self, document: Document) -> None:
        """Take in one file."""
        self.problems.extend(document.problems)
        if document.meant is None:
            return
        if not isinstance(document.meant, dict):
            self._say(document, (), f"must be a map with any of {', '.join(PARTS)}")
            return
        for part, value in document.meant.items():
            if part not in PARTS:
                self._say(document, (part,), f"is no part of a policy; {meant(str(part), PARTS)}")
            elif part in DUTY_PARTS and value is not None:
                self.problems.extend(self._duty.take(document, part, value))
            elif part in STATUS_PARTS and value is not None:
                self.problems.extend(self._status.take(document, part, value))
            elif part in SETTINGS and value is not None:
                self._take_settings(document, part, value)
            elif value is not None:
                getattr(self, f"_take_{part}")(document, value)

    def check_references(self) -> None:
        """Find names of what is nowhere, and rules that combine themselves."""
        self.problems.extend(self._duty.check(self._channel_names))
        self.written.called.extend([*self._duty.channels(), *self._status.told()])
        usable = {name: each for name, each in self._channels.items() if each is not None}
        self.written.weigh(usable, self._duty.untold(usable))
        for document, place, name in self._references:
            if name not in self._channel_names:
                hint = meant(name, self._channel_names)
                self._say(document, place, f"{name!r} is not defined under channels; {hint}")
        known = {name for what, name in self._named if what == "rule"}
        combined = {rule.name: rule.combines() for _, _, rule in self._combining}
        for document, place, rule in self._combining:
            for setting, names in rule.combines().items():
                for name in names:
                    wrong = combination_fault(rule.name, name, known, combined)
                    if wrong is not None:
                        self._say(document, (*place, setting), wrong)
        intervals = {each.name for each in self._time_intervals}
        for document, place, name in self._times:
            if name not in intervals:
                hint = meant(name, intervals)
                self._say(document, place, f"{name!r} is not defined under time_intervals; {hint}")
        self.problems.extend(runbook_faults(self.written.rules, runbooks_of(self._settings)))
        self.problems.extend(service_faults(self._services, self._catalogue))
        self.problems.extend(
            self._status.check(self._channels, self._channel_names, self._services, self._catalogue)
        )
        self.problems.extend(self._reports.check(self._channels))
        named = [*self._references, *self._duty.naming("channels")]
        self.problems.extend(facing_outwards(self._channels, named))

    def policy(self) -> Policy:
        """Return what was read."""
        return Policy(
            rules=with_links(self.written.rules, runbooks_of(self._settings)),
            channels=self._channels,
            templates=self._templates,
            time_intervals=tuple(self._time_intervals),
            routes=tuple(each.setting for each in self.written.routes),
            probes=tuple(each.setting for each in self.written.probes),
            severities=self._severities,
            formats=tuple(self._formats),
            **settings_of(self._settings) | self._duty.read(),
            status_page=self._status.page,
            status_pages=self._status.pages,
            reports=self._reports.settings,
            services=self._services,
        )

    # -- parts ------------------------------------------------------------------------------------

    def _take_rules(self, document: Document, value: Any) -> None:
        for place, each in self._each(document, "rules", value):
            model = self._kind(document, place, each, self._rule_kinds)
            if model is not None:
                rule = self._model(document, place, each, model)
                self._once(document, (*place, "name"), "rule", each.get("name"))
                if rule is not None:
                    self.written.rules.append(Placed(document, place, rule))
                    if rule.combines():
                        self._combining.append((document, place, rule))

    def _take_channels(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self._say(document, ("channels",), "must be a map of names to channels")
            return
        for name, each in value.items():
            place = ("channels", name)
            self._channel_names.add(str(name))
            self._once(document, place, "channel", name)
            if not isinstance(each, dict):
                self._say(document, place, "must be a map of settings")
                continue
            model = self._kind(document, place, each, self._channel_kinds)
            if model is not None:
                self._channels[str(name)] = self._model(document, place, each, model)
                if isinstance(each.get("fallback"), str) and each["fallback"]:
                    self._references.append((document, (*place, "fallback"), each["fallback"]))
                    self.written.called.append(each["fallback"])
                self.written.channels.append(Placed(document, place, str(name)))

    def _take_routes(self, document: Document, value: Any) -> None:
        for place, each in self._each(document, "routes", value):
            route = self._model(document, place, each, Route)
            self._references.extend(
                (document, where, name) for where, name in channels_of(place, each)
            )
            if route is not None:
                self.written.routes.append(Placed(document, place, route))
                for deeper in silent([route]):
                    self._say(document, (*place, *deeper[2:]), "tells nobody: name channels")
                for where, name in schedules_named(route):
                    self._duty.refer(document, (*place, *where), "schedules", name)
                self._times.extend(
                    (document, (*place, *where), name) for where, name in times_named(route)
                )

    def _take_time_intervals(self, document: Document, value: Any) -> None:
        for place, each in self._each(document, "time_intervals", value):
            interval = self._model(document, place, each, TimeInterval)
            self._once(document, (*place, "name"), "time interval", each.get("name"))
            if interval is not None:
                self._time_intervals.append(interval)

    def _take_templates(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self._say(document, ("templates",), "must be a map from messages to their forms")
            return
        for name, each in value.items():
            place = ("templates", name)
            if name not in set(Purpose):
                self._say(document, place, f"is no message; {meant(str(name), Purpose)}")
                continue
            self._once(document, place, "template", name)
            wording = self._model(document, place, each, Wording)
            if wording is not None:
                self._templates[Purpose(name)] = wording

    def _take_probes(self, document: Document, value: Any) -> None:
        for place, each in self._each(document, "probes", value):
            probe = self._model(document, place, each, Probe)
            if probe is not None:
                name = f"{probe.name} of {probe.service} ({probe.environment}, {probe.tenant})"
                self._once(document, (*place, "name"), "probe", name)
                self.written.probes.append(Placed(document, place, probe))

    def _take_settings(self, document: Document, part: str, value: Any) -> None:
        self._once(document, (part,), "part", part)
        model = self._settings[part] = self._model(document, (part,), value, SETTINGS[part])
        self.written.settings.append(Placed(document, (part,), model))

    def _take_severities(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self._say(document, ("severities",), "must be a map from 1, 2, 3 and 4")
            return
        for number, each in value.items():
            place = ("severities", number)
            if number not in SEVERITIES:
                self._say(document, place, "is no severity; there are 1, 2, 3, 4")
                continue
            self._once(document, place, "severity", str(number))
            if isinstance(each, dict) and isinstance(each.get("calendar"), str):
                self._duty.refer(document, (*place, "calendar"), "calendars", each["calendar"])
            level = self._model(document, place, each, SeverityLevel)
            if level is not None:
                self._severities[number] = level

    def _take_formats(self, document: Document, value: Any) -> None:
        for place, each in self._each(document, "formats", value):
            model = self._kind(document, place, each, self._format_kinds)
            found = None if model is None else self._model(document, place, each, model)
            if found is None:
                continue
            for number, topic in enumerate(found.topics):
                self._once(document, (*place, "topics", number), "format of", topic)
            if not found.topics:
                self._once(document, (*place, "kind"), "format", each["kind"])
            self._formats.append(found)

    def _take_services(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self._say(document, ("services",), "must be a map of names to services")
            return
        for given, each in value.items():
            name, place = str(given), ("services", given)
            self._once(document, place, "service", name)
            self._catalogue.setdefault(name, (document, place))
            self.written.services.append(Placed(document, place, name))
            service = self._model(document, place, {} if each is None else each, Service)
            if service is not None:
                self._services[name] = service

    def _take_reports(self, document: Document, value: Any) -> None:
        self.problems.extend(self._reports.take(document, value))
        self.written.called.extend(self._reports.told())

    # -- pieces -----------------------------------------------------------------------------------

    def _say(self, document: Document, place: Place, text: str) -> None:
        self.problems.append(document.problem(place, text))

    def _each(
        self, document: Document, part: str, value: Any
    ) -> Iterator[tuple[Place, dict[str, Any]]]:
        if not isinstance(value, list):
            self._say(document, (part,), "must be a list: begin each entry with '- '")
            return
        for number, each in enumerate(value):
            if isinstance(each, dict):
                yield (part, number), each
            else:
                self._say(document, (part, number), "must be a map of settings")

    def _kind(
        self, document: Document, place: Place, given: dict[str, Any], known: Mapping[str, Any]
    ) -> Any:
        kind = given.get("kind")
        if isinstance(kind, str) and kind in known:
            return known[kind]
        if kind is None:
            choices = ", ".join(sorted(known))
            self._say(document, (*place, "kind"), f"is missing; there are {choices}")
        else:
            written = str(document.written_at((*place, "kind")))
            text = f"{written!r} is no kind; {meant(written, known)}"
            self._say(document, (*place, "kind"), text)
        return None

    def _model(self, document: Document, place: Place, given: Any, model: Any) -> Any:
        try:
            return model.model_validate(given)
        except ValidationError as error:
            self.problems.extend(faults(document, place, model, error))
            return None

    def _once(self, document: Document, place: Place, what: str, name: Any) -> None:
        if name is None:
            return
        before = self._named.get((what, str(name)))
        if before is not None:
            self._say(document, place, f"the {what} {name!r} is defined before, in {before}")
        else:
            line = document.problem(place, "").line
            self._named[what, str(name)] = f"{document.name}:{line}"
