"""How parts of a policy name each other: rules other rules and runbooks, routes channels, services each other."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from streams.correlation.catalogue import Service
from streams.correlation.topology import cycles
from streams.detection.rule import Rule
from streams.policy_doubts import Placed
from streams.policy_faults import meant, undefined
from streams.policy_files import Document, Place, Problem
from streams.runbooks import is_file, linked


def combination_faults(
    combining: Iterable[Placed[Rule]], known: Collection[str]
) -> Iterator[Problem]:
    """Yield where rules that combine others name none of those *known*, or themselves in the end; a circle once."""
    placed = list(combining)
    combined = {each.setting.name: each.setting.combines() for each in placed}
    circles: set[frozenset[str]] = set()
    for each in placed:
        rule = each.setting.name
        for setting, names in each.setting.combines().items():
            for name in names:
                where = (*each.place, setting)
                if name not in known:
                    text = f"{name!r} is no rule; {meant(name, set(known) - {rule})}"
                    yield each.document.problem(where, text, names="rules")
                    continue
                way = _way(name, rule, combined)
                if not way or frozenset(way) in circles:
                    continue
                circles.add(frozenset(way))
                text = (
                    f"{name!r} is the rule itself"
                    if name == rule
                    else f"{name!r} combines {rule!r} itself: {' → '.join((rule, *way))}"
                )
                yield each.document.problem(where, text)


def _way(
    name: str, rule: str, combined: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> tuple[str, ...]:
    """Return how the rule *name* leads to *rule*, along the way that is found first; nothing where it does not."""
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    while ways:
        way = ways.pop(0)
        if way[-1] == rule:
            return way
        for names in combined.get(way[-1], {}).values():
            ways.extend((*way, each) for each in names if each not in seen)
            seen.update(names)
    return ()


def runbook_faults(rules: Iterable[Placed[Rule]], base: str | None) -> Iterator[Problem]:
    """Yield runbooks of *rules* that are files, where nothing says below which link files are read."""
    for rule in rules:
        runbook = rule.setting.runbook
        if base is None and runbook is not None and is_file(runbook):
            text = (
                f"{runbook!r} is a file, which nobody could follow from a message; "
                "say below which link people read such files: detection.runbooks"
            )
            yield rule.problem("runbook", text=text)


def service_faults(
    services: Mapping[str, Service], catalogue: Mapping[str, tuple[Document, Place]]
) -> Iterator[Problem]:
    """Yield dependencies of *services* that are nowhere, and cycles; the *catalogue* says where each service stands, usable or not."""
    for service, each in services.items():
        document, place = catalogue[service]
        for number, needed in enumerate(each.depends_on):
            if needed not in catalogue:
                where = (*place, "depends_on", number)
                known = catalogue.keys() - {service}
                yield undefined(document, where, needed, "services", known)
    for cycle in cycles({service: each.depends_on for service, each in services.items()}):
        document, place = catalogue[cycle[0]]
        way = " → ".join(cycle)
        text = f"is a cycle ({way}); leave out the dependency that is not needed to work"
        yield document.problem((*place, "depends_on"), text)


def with_links(placed: Iterable[Placed[Rule]], base: str | None) -> tuple[Rule, ...]:
    """Return the rules with links to their runbooks, where files are read below *base*."""
    return tuple(
        rule
        if (link := linked(rule.runbook, base)) == rule.runbook
        else rule.model_copy(update={"runbook": link})
        for rule in (each.setting for each in placed)
    )


def channels_of(place: Place, route: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the channels that a route names, and where."""
    one, several = route.get("channel"), route.get("channels")
    for key, named in (("channel", one), ("channels", several)):
        if isinstance(named, str):
            yield (*place, key), named
        elif isinstance(named, list):
            for number, name in enumerate(named):
                if isinstance(name, str):
                    yield (*place, key, number), name
    nested = route.get("routes")
    if isinstance(nested, list):
        for number, each in enumerate(nested):
            if isinstance(each, dict):
                yield from channels_of((*place, "routes", number), each)
