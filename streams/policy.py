"""
The policy: everything that decides, read from files and checked as a whole before anything starts.

A policy is a YAML file, or a folder of them whose parts are put together: lists are joined, maps must not overlap.
"""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

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
from streams.intake.settings import IntakeSettings
from streams.notifications import channels
from streams.notifications.channel import Channel
from streams.notifications.routing import Route, schedules_named, silent, times_named
from streams.notifications.times import TimeInterval
from streams.notifications.wording import Wording
from streams.policy_doubts import Placed, Written, doubts
from streams.policy_duty import PARTS as DUTY_PARTS
from streams.policy_duty import DutyParts, plan_of, promises_of
from streams.policy_faults import meant, nearest, undefined
from streams.policy_files import (
    Document,
    Place,
    Problem,
    documents,
    parts_below,
    there_instead,
)
from streams.policy_reading import Reading
from streams.policy_references import (
    channels_of,
    combination_faults,
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
    "intake",
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
    intake: IntakeSettings = IntakeSettings()
    """Who may post telemetry."""
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
    read = [*documents(path, os.environ if environment is None else environment)]
    examined = put_together(path.name, read, path if path.is_dir() else path.parent)
    unread = [*parts_below(path, PARTS)] if read and path.is_dir() else []
    return replace(examined, doubts=(*examined.doubts, *unread))


def put_together(name: str, read: Sequence[Document], beside: Path | None = None) -> Examined:
    """Return the policy called *name* that the files which were *read* make; *beside* is where they were read from."""
    reading = _Reading()
    for document in read:
        reading.take(document)
    if not read:
        there = there_instead(beside) if beside else ""
        reading.problems.append(Problem(name, 0, "", f"has no .yaml files{there}"))
    # What cannot be read may hold what is named elsewhere: then it follows from what is told already.
    gaps = _unread(reading.problems)
    reading.check_references()
    problems = _in_order(each for each in reading.problems if each.names not in gaps)
    doubtful = doubts(reading.written, {*gaps, *map(_part, problems)}, beside)
    return Examined(None if problems else reading.policy(), problems, _in_order(doubtful))


def refusal(name: str, problems: Iterable[Problem]) -> str:
    """Return what is said of the policy called *name*, which cannot be used."""
    return "\n".join([f"{name} cannot be used:", *(f"  {problem}" for problem in problems)])


def _unread(problems: Iterable[Problem]) -> set[str]:
    """Return the parts of which *problems* say that names in them may not have been read."""
    gaps: set[str] = set()
    for each in problems:
        if not each.place:
            return set(PARTS)
        if each.place == _part(each):
            gaps.add(each.place if each.place in PARTS else nearest(each.place, PARTS) or "")
    return gaps - {""}


def _part(problem: Problem) -> str:
    """Return the part of the policy in which *problem* is."""
    return re.split(r"[.\[]", problem.place)[0]


def _in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    # That is how they are mended.
    return tuple(sorted(problems, key=lambda problem: (problem.file, problem.line)))


class _Reading(Reading):
    """A policy while its files are read."""

    def __init__(self) -> None:
        super().__init__()
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
        self._channel_names: set[str] = set()
        #: Channels that routes name.
        self._references: list[tuple[Document, Place, str]] = []
        self._rule_kinds = {kind_of(each): each for each in declared_in(kinds)}
        self._format_kinds = {kind_of(each): each for each in declared_in(formats)}
        self._channel_kinds = {kind_of(each): each for each in declared_in(channels)}

    def take(self, document: Document) -> None:
        """Take in one file."""
        self.problems.extend(document.problems)
        if document.meant is None and not document.problems:
            self.written.empty.append(document)
        if document.meant is None:
            return
        if not isinstance(document.meant, dict):
            self.say(document, (), f"must be a map with any of {', '.join(PARTS)}")
            return
        for part, value in document.meant.items():
            if part not in PARTS:
                self.say(document, (part,), f"is no part of a policy; {meant(str(part), PARTS)}")
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
        self.written.weigh(usable, self._duty.doubts(usable))
        self._check_names(self._references, "channels", self._channel_names)
        self.written.kept.update(name for _, _, name in self._times)
        self._check_names(self._times, "time_intervals", self._names("time interval"))
        combining = [each for each in self.written.rules if each.setting.combines()]
        self.problems.extend(combination_faults(combining, self._names("rule")))
        self.problems.extend(runbook_faults(self.written.rules, runbooks_of(self._settings)))
        self.problems.extend(service_faults(self._services, self._catalogue))
        self.problems.extend(
            self._status.check(self._channels, self._channel_names, self._services, self._catalogue)
        )
        self.problems.extend(self._reports.check(self._channels))
        named = [*self._references, *self._duty.naming("channels")]
        self.problems.extend(facing_outwards(self._channels, named))

    def _names(self, what: str) -> set[str]:
        """Return the names of those that stand there, usable or not."""
        return {name for each, name in self.named if each == what}

    def _check_names(
        self, references: Iterable[tuple[Document, Place, str]], part: str, known: Collection[str]
    ) -> None:
        for document, place, name in references:
            if name not in known:
                self.problems.append(undefined(document, place, name, part, known))

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
        for place, each in self.each(document, "rules", value):
            model = self.kind(document, place, each, self._rule_kinds)
            self.once(document, (*place, "name"), "rule", each.get("name"))
            rule = None if model is None else self.model(document, place, each, model)
            if rule is not None:
                self.written.rules.append(Placed(document, place, rule))

    def _take_channels(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self.say(document, ("channels",), "must be a map of names to channels")
            return
        for name, each in value.items():
            place = ("channels", name)
            self._channel_names.add(str(name))
            self.once(document, place, "channel", name)
            if not isinstance(each, dict):
                self.say(document, place, "must be a map of settings")
                continue
            model = self.kind(document, place, each, self._channel_kinds)
            if model is not None:
                channel = self._channels[str(name)] = self.model(document, place, each, model)
                # An address that the environment may have is left out on purpose.
                if channel is not None and "${" not in str(document.written_at(place)):
                    unset = channel.missing()
                    if unset is not None and unset not in each:
                        self.written.off.append(Placed(document, place, unset))
                if isinstance(each.get("fallback"), str) and each["fallback"]:
                    self._references.append((document, (*place, "fallback"), each["fallback"]))
                    if each["fallback"] == str(name):
                        self.written.replaced_by_itself.add(str(name))
                    else:
                        self.written.called.append(each["fallback"])
                self.written.channels.append(Placed(document, place, str(name)))

    def _take_routes(self, document: Document, value: Any) -> None:
        for place, each in self.each(document, "routes", value):
            route = self.model(document, place, each, Route)
            self._references.extend(
                (document, where, name) for where, name in channels_of(place, each)
            )
            if route is not None:
                self.written.routes.append(Placed(document, place, route))
                for deeper in silent([route]):
                    self.say(document, (*place, *deeper[2:]), "tells nobody: name channels")
                for where, name in schedules_named(route):
                    self._duty.refer(document, (*place, *where), "schedules", name)
                self._times.extend(
                    (document, (*place, *where), name) for where, name in times_named(route)
                )

    def _take_time_intervals(self, document: Document, value: Any) -> None:
        for place, each in self.each(document, "time_intervals", value):
            interval = self.model(document, place, each, TimeInterval)
            self.once(document, (*place, "name"), "time interval", each.get("name"))
            if interval is not None:
                self._time_intervals.append(interval)
                self.written.intervals.append(Placed(document, place, interval.name))

    def _take_templates(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self.say(document, ("templates",), "must be a map from messages to their forms")
            return
        for name, each in value.items():
            place = ("templates", name)
            if name not in set(Purpose):
                self.say(document, place, f"is no message; {meant(str(name), Purpose)}")
                continue
            self.once(document, place, "template", name)
            wording = self.model(document, place, each, Wording)
            if wording is not None:
                self._templates[Purpose(name)] = wording

    def _take_probes(self, document: Document, value: Any) -> None:
        for place, each in self.each(document, "probes", value):
            probe = self.model(document, place, each, Probe)
            if probe is not None:
                name = f"{probe.name} of {probe.service} ({probe.environment}, {probe.tenant})"
                self.once(document, (*place, "name"), "probe", name)
                self.written.probes.append(Placed(document, place, probe))

    def _take_settings(self, document: Document, part: str, value: Any) -> None:
        self.once(document, (part,), "part", part)
        model = self._settings[part] = self.model(document, (part,), value, SETTINGS[part])
        self.written.settings.append(Placed(document, (part,), model))

    def _take_severities(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self.say(document, ("severities",), "must be a map from 1, 2, 3 and 4")
            return
        for number, each in value.items():
            place = ("severities", number)
            if number not in SEVERITIES:
                text = "is no severity; there are 1, 2, 3, 4"
                if str(number).isdecimal() and int(number) in SEVERITIES:
                    text = f"is a text: write {int(number)} without quotes"
                self.say(document, place, text)
                continue
            self.once(document, place, "severity", str(number))
            if isinstance(each, dict) and isinstance(each.get("calendar"), str):
                self._duty.refer(document, (*place, "calendar"), "calendars", each["calendar"])
            level = self.model(document, place, each, SeverityLevel)
            if level is not None:
                self._severities[number] = level
                self.written.severities.append(Placed(document, place, level))

    def _take_formats(self, document: Document, value: Any) -> None:
        for place, each in self.each(document, "formats", value):
            model = self.kind(document, place, each, self._format_kinds)
            found = None if model is None else self.model(document, place, each, model)
            if found is None:
                continue
            for number, topic in enumerate(found.topics):
                self.once(document, (*place, "topics", number), "format of", topic)
            if not found.topics:
                self.once(document, (*place, "kind"), "format", each["kind"])
            self._formats.append(found)

    def _take_services(self, document: Document, value: Any) -> None:
        if not isinstance(value, dict):
            self.say(document, ("services",), "must be a map of names to services")
            return
        for given, each in value.items():
            name, place = str(given), ("services", given)
            self.once(document, place, "service", name)
            self._catalogue.setdefault(name, (document, place))
            self.written.services.append(Placed(document, place, name))
            service = self.model(document, place, {} if each is None else each, Service)
            if service is not None:
                self._services[name] = service

    def _take_reports(self, document: Document, value: Any) -> None:
        self.problems.extend(self._reports.take(document, value))
        self.written.called.extend(self._reports.told())
