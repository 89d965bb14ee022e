"""
What a policy says that its author hardly meant: it can be used, and does something else than it seems to.

Here stands what only the policy as a whole shows: a rule that says what another one says, a route that adds nobody, a channel
that nothing leads to, a service that the catalogue does not have. What is doubtful about a rule by itself stands in
``detection/doubts.py``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from streams.detection.doubts import doubts as rule_doubts
from streams.detection.doubts import finds_all
from streams.detection.rule import Rule
from streams.gateways.probes import Probe
from streams.incidents.settings import IncidentSettings
from streams.notifications.channel import Channel
from streams.notifications.routing import Route, channels_of
from streams.notifications.substitutes import without_substitute
from streams.notifications.unreached import BEFORE, useless
from streams.policy_faults import meant
from streams.policy_files import Document, Place, Problem
from streams.runbooks import files_beside, is_file

SettingT = TypeVar("SettingT")


@dataclass(frozen=True)
class Placed(Generic[SettingT]):
    """A setting, and where it is written."""

    document: Document
    place: Place
    setting: SettingT

    def problem(self, *below: str | int, text: str) -> Problem:
        """Return a problem of this setting, or of the part of it that stands *below*."""
        return self.document.problem((*self.place, *below), text)

    @property
    def where(self) -> str:
        """The file and line."""
        return f"{self.document.name}:{self.document.problem(self.place, '').line}"


@dataclass
class Written:
    """The usable parts of a policy, and where they are written."""

    rules: list[Placed[Rule]] = field(default_factory=list)
    routes: list[Placed[Route]] = field(default_factory=list)
    #: Channels that stand in for others, or that people, teams and escalations are reached through.
    called: list[str] = field(default_factory=list)
    probes: list[Placed[Probe]] = field(default_factory=list)
    #: Channels in whose place nobody is told.
    alone: list[str] = field(default_factory=list)
    #: By name.
    channels: list[Placed[str]] = field(default_factory=list)
    #: Parts that are one model each; None where one cannot be used.
    settings: list[Placed[Any]] = field(default_factory=list)
    #: Names of the catalogue; nothing is unknown where there is none.
    services: list[Placed[str]] = field(default_factory=list)
    #: People whom a schedule wants told of handovers, and cannot.
    untold: list[Problem] = field(default_factory=list)

    def weigh(self, usable: Mapping[str, Channel], untold: Iterable[Problem]) -> None:
        """Take in what only all channels together show: which are alone, and who is *untold*."""
        self.alone.extend(without_substitute(usable, [each.setting for each in self.routes]))
        self.untold.extend(untold)


def doubts(written: Written, beside: Path | None = None) -> list[Problem]:
    """Return what is doubtful about the parts of a policy that can be used; its files stand in the folder *beside*, if in any."""
    return [
        *_of_rules(written.rules),
        *_of_routes(written),
        *_of_services(written),
        *written.untold,
        *(_of_runbooks(written.rules, beside) if beside else ()),
    ]


def _of_runbooks(rules: Sequence[Placed[Rule]], beside: Path) -> Iterator[Problem]:
    named = [(rule, name) for rule in rules if (name := rule.setting.runbook) and is_file(name)]
    known = files_beside(beside) if named else []
    for rule, name in named:
        if name not in known:
            hint = meant(name, known) if known else "there are no files beside the policy"
            yield rule.problem("runbook", text=f"there is no file {name!r}; {hint}")


def _of_rules(rules: Sequence[Placed[Rule]]) -> Iterator[Problem]:
    for number, each in enumerate(rules):
        rule = each.setting
        for setting, text in rule_doubts(rule):
            yield each.problem(setting, text=text)
        earlier, later = rules[:number], rules[number + 1 :]
        twin = next((one for one in earlier if _same(one.setting, rule)), None)
        if twin is not None:
            yield each.problem(
                text=f"finds the same as the rule {twin.setting.name!r} ({twin.where}): every alert comes twice"
            )
            continue
        wider = next(
            (
                one
                for one in [*earlier, *later]
                if finds_all(one.setting, rule) and not finds_all(rule, one.setting)
            ),
            None,
        )
        if wider is not None:
            yield each.problem(
                text=f"tells nothing new: whenever it fires, the rule {wider.setting.name!r} ({wider.where}) "
                "does too, and is at least as severe"
            )


def _same(one: Rule, other: Rule) -> bool:
    return finds_all(one, other) and finds_all(other, one)


def _of_routes(written: Written) -> Iterator[Problem]:
    routes = written.routes
    for each in useless([one.setting for one in routes]):
        # A text can quote an expression, which has braces of its own.
        text = each.text.replace(BEFORE, _where(routes, each.before)) if each.before else each.text
        yield routes[int(each.place[1])].problem(*each.place[2:], text=text)
    reached = {name for each in routes for name in channels_of(each.setting)}
    reached.update(written.called)
    for channel in written.channels:
        if channel.setting not in reached:
            yield channel.problem(text="no route leads to it: it is never told anything")
        elif channel.setting in written.alone:
            yield channel.problem(
                text="nobody hears of what it cannot deliver: no other channel tells people of new incidents; "
                "add one, or name a fallback"
            )


def _where(routes: Sequence[Placed[Route]], place: Place) -> str:
    """Return the file and line of a route of the tree."""
    top = routes[int(place[1])]
    return f"{top.document.name}:{top.problem(*place[2:], text='').line}"


def _of_services(written: Written) -> Iterator[Problem]:
    known = {each.setting for each in written.services}
    if not known:
        return
    for rule in written.rules:
        yield from _unknown(rule, "service", rule.setting.service, known)
    for route in written.routes:
        yield from _unknown(route, "services", route.setting.services, known)
    for probe in written.probes:
        # What a probe says is what alerts are about.
        yield from _unknown(probe, "service", (probe.setting.service,), known)
    for part in written.settings:
        if isinstance(part.setting, IncidentSettings):
            for name, item in part.setting.checklist.items():
                placed = Placed(part.document, (*part.place, "checklist", name), item)
                yield from _unknown(placed, "services", item.services, known)


def _unknown(
    placed: Placed[Any], setting: str, named: Collection[str], known: Collection[str]
) -> Iterator[Problem]:
    for name in named:
        if name not in known:
            text = f"{name!r} is not defined under services; {meant(name, known)}"
            yield placed.problem(setting, text=text)
