"""How parts of a policy name each other: rules other rules, routes channels, services what they need."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from streams.correlation.catalogue import Service
from streams.correlation.topology import cycles
from streams.policy_faults import meant
from streams.policy_files import Document, Place, Problem


def combination_fault(
    rule: str,
    name: str,
    known: Collection[str],
    combined: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> str | None:
    """Return what is wrong with *rule* naming the rule *name*; None where nothing is."""
    if name not in known:
        return f"{name!r} is no rule; {meant(name, set(known) - {rule})}"
    # Who is named leads back to whom names it: along the way that was found first.
    ways: list[tuple[str, ...]] = [(name,)]
    seen = {name}
    while ways:
        way = ways.pop(0)
        if way[-1] == rule:
            if len(way) == 1:
                return f"{name!r} is the rule itself"
            return f"{name!r} combines {rule!r} itself: {' → '.join((rule, *way))}"
        for names in combined.get(way[-1], {}).values():
            ways.extend((*way, each) for each in names if each not in seen)
            seen.update(names)
    return None


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


def service_faults(
    services: Mapping[str, Service], catalogue: Mapping[str, tuple[Document, Place]]
) -> Iterator[Problem]:
    """Yield the needs of *services* that are nowhere in the *catalogue*, and cycles among those that are."""
    for service, each in services.items():
        document, place = catalogue[service]
        for number, needed in enumerate(each.depends_on):
            if needed not in catalogue:
                hint = meant(needed, catalogue.keys() - {service})
                where = (*place, "depends_on", number)
                yield document.problem(where, f"{needed!r} is not defined under services; {hint}")
    known = {service: each.depends_on for service, each in services.items()}
    for cycle in cycles(known):
        document, place = catalogue[cycle[0]]
        way = " → ".join(cycle)
        text = f"is a cycle ({way}); leave out the dependency that is not needed to work"
        yield document.problem((*place, "depends_on"), text)
