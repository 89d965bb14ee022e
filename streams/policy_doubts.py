"""
What a policy says that its author hardly meant: it can be used, and does something else than it seems to.

Here stands what only the policy as a whole shows: a rule that says what another one says, a route that adds nobody, a channel
that nothing leads to, a service that the catalogue does not have. What is doubtful about a rule by itself stands in
``detection/doubts.py``.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from schemas.silences import Matcher, MatchOperator
from streams.correlation.settings import CorrelationSettings
from streams.detection.doubts import doubts as rule_doubts
from streams.detection.doubts import finds_all
from streams.detection.rule import Rule
from streams.durations import written as duration
from streams.gateways.probes import Probe
from streams.incidents.settings import IncidentSettings
from streams.incidents.severities import SeverityLevel
from streams.notifications.channel import Channel
from streams.notifications.routing import Route, channels_of
from streams.notifications.substitutes import without_substitute
from streams.notifications.unreached import BEFORE, useless
from streams.policy_faults import meant, nearest, undefined
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
    #: Channels that are off, each with the setting that would turn it on.
    off: list[Placed[str]] = field(default_factory=list)
    #: Channels whose fallback they are themselves.
    replaced_by_itself: set[str] = field(default_factory=set)
    #: By name.
    channels: list[Placed[str]] = field(default_factory=list)
    #: Parts that are one model each; None where one cannot be used.
    settings: list[Placed[Any]] = field(default_factory=list)
    #: Names of the catalogue; nothing is unknown where there is none.
    services: list[Placed[str]] = field(default_factory=list)
    #: What is doubtful about who is on duty.
    duty: list[Problem] = field(default_factory=list)
    severities: list[Placed[SeverityLevel]] = field(default_factory=list)
    #: Names of time intervals, and of those that routes name.
    intervals: list[Placed[str]] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    #: Files that say nothing.
    empty: list[Document] = field(default_factory=list)

    def weigh(self, usable: Mapping[str, Channel], duty: Iterable[Problem]) -> None:
        """Take in what only all channels together show: which are alone, and what of *duty* is doubtful."""
        self.alone.extend(without_substitute(usable, [each.setting for each in self.routes]))
        self.duty.extend(duty)


#: Parts that say who is told.
_TELLING: Final = frozenset(
    {
        "channels",
        "routes",
        "reports",
        "status_page",
        "status_pages",
        *("people", "teams", "schedules", "escalations"),
    }
)


def doubts(
    written: Written, broken: Collection[str] = (), beside: Path | None = None
) -> list[Problem]:
    """
    Return what is doubtful about the parts of a policy that can be used; its files stand in the folder *beside*, if in any.

    What could follow from what is wrong with a *broken* part is not told: it is gone when that is mended.
    """
    found = [*_of_rules(written.rules), *(_of_runbooks(written.rules, beside) if beside else ())]
    found += [
        each.problem((), "says nothing: is it the file that was meant?") for each in written.empty
    ]
    found += _of_severities(written.severities)
    if "routes" not in broken:
        found += [*_of_routes(written.routes), *_of_intervals(written)]
    if _TELLING.isdisjoint(broken):
        found += [*_of_channels(written), *written.duty]
    if "rules" not in broken:
        found += _of_correlation(written)
    if "services" not in broken:
        found += _of_services(written)
    return found


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
        # Two of one name are told of as such.
        earlier, later = (
            [one for one in some if one.setting.name != rule.name]
            for some in (rules[:number], rules[number + 1 :])
        )
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


def _of_routes(routes: Sequence[Placed[Route]]) -> Iterator[Problem]:
    for each in useless([one.setting for one in routes]):
        # A text can quote an expression, which has braces of its own.
        text = each.text.replace(BEFORE, _where(routes, each.before)) if each.before else each.text
        yield routes[int(each.place[1])].problem(*each.place[2:], text=text)


def _of_channels(written: Written) -> Iterator[Problem]:
    reached = {name for each in written.routes for name in channels_of(each.setting)}
    reached.update(written.called)
    for each in written.off:
        yield each.problem(text=f"is off, since it has no {each.setting}: it tells nobody anything")
    for channel in written.channels:
        if channel.setting in written.replaced_by_itself:
            yield channel.problem("fallback", text="is the channel itself: name another one")
        if channel.setting not in reached:
            yield channel.problem(text="no route leads to it: it is never told anything")
        elif channel.setting in written.alone:
            yield channel.problem(
                text="nobody hears of what it cannot deliver: no other channel tells people of new incidents; "
                "add one, or name a fallback"
            )


def _of_intervals(written: Written) -> Iterator[Problem]:
    for each in written.intervals:
        if each.setting not in written.kept:
            yield each.problem(text="no route names it: nothing is mute or active by it")


def _of_severities(severities: Iterable[Placed[SeverityLevel]]) -> Iterator[Problem]:
    for each in severities:
        respond, resolve = each.setting.respond_within, each.setting.resolve_within
        if isinstance(respond, timedelta) and resolve < respond:
            text = (
                f"{duration(resolve)} is shorter than respond_within ({duration(respond)}): "
                "it should be over before anybody is on it"
            )
            yield each.problem("resolve_within", text=text)


def _of_correlation(written: Written) -> Iterator[Problem]:
    """Yield where alerts of a rule are named that is mistyped; what other systems call theirs nobody knows."""
    known = {each.setting.name for each in written.rules}
    for part in written.settings:
        if not isinstance(part.setting, CorrelationSettings):
            continue
        matchers: list[tuple[Place, Sequence[Matcher]]] = [
            (("inhibit", number, side), getattr(each, side))
            for number, each in enumerate(part.setting.inhibit)
            for side in ("source", "target")
        ]
        matchers += [
            (("demands", number, "match"), each.match)
            for number, each in enumerate(part.setting.demands)
        ]
        for place, named in matchers:
            for each in named:
                equal = each.label == "rule" and each.operator is MatchOperator.EQUAL
                if equal and each.value not in known and nearest(each.value, known):
                    text = f"{each.value!r} is no rule; {meant(each.value, known)}"
                    yield part.problem(*place, text=text)


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
            yield undefined(placed.document, (*placed.place, setting), name, "services", known)
