"""
The service catalogue: who depends on whom, and which failing service explains the others.

The deepest failing dependency is the probable cause: a failing service that depends on no other failing one. What depends on it is
impact.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.correlation.catalogue import Service


@dataclass(frozen=True, slots=True)
class Cause:
    """The service that explains why others fail."""

    service: str
    #: The part of the failing services that it explains, itself included.
    score: float
    reason: str
    #: The failing services that depend on it.
    impacted: tuple[str, ...]


class Topology:
    """
    The graph of a service catalogue, which must have no cycle.

    *distance* limits over how many dependencies anything is followed.
    """

    def __init__(self, services: Mapping[str, Service], distance: int = 8) -> None:
        self._services = services
        self._distance = distance
        self._below = {name: each.depends_on for name, each in services.items()}
        above: dict[str, list[str]] = {name: [] for name in services}
        for name, each in services.items():
            for needed in each.depends_on:
                above.setdefault(needed, []).append(name)
        self._above: dict[str, tuple[str, ...]] = {
            name: tuple(sorted(users)) for name, users in above.items()
        }
        self._needs: dict[str, dict[str, int]] = {}
        self._users: dict[str, dict[str, int]] = {}

    def owner(self, service: str) -> str | None:
        """Return the team that owns *service*; None where the catalogue does not say."""
        found = self._services.get(service)
        return found.owner if found else None

    def dependencies(self, service: str) -> Mapping[str, int]:
        """Return what *service* depends on, directly or not, with the number of steps to it."""
        found = self._needs.get(service)
        if found is None:
            found = self._needs[service] = _reached(service, self._below, self._distance)
        return found

    def dependants(self, service: str) -> Mapping[str, int]:
        """Return what depends on *service*, directly or not, with the number of steps from it."""
        found = self._users.get(service)
        if found is None:
            found = self._users[service] = _reached(service, self._above, self._distance)
        return found

    def path(self, service: str, needed: str) -> str:
        """Return one shortest way from *service* down to *needed*, as people write it: ``api → orders → database``."""
        way = [service]
        while way[-1] != needed:
            left = self.dependencies(way[-1])[needed]
            way.append(
                next(
                    each
                    for each in self._below[way[-1]]
                    if each == needed or self.dependencies(each).get(needed) == left - 1
                )
            )
        return " → ".join(way)

    def cause(self, failing: Collection[str]) -> Cause | None:
        """
        Return the failing service that explains most of the others; None where none explains any.

        Of several that explain as many, the one of the lowest tier is taken, and of those the first name: the answer does not hang on
        their order.
        """
        known = {service for service in failing if service in self._below}
        if len(known) < 2:  # noqa: PLR2004 - one service explains itself
            return None
        roots = [
            service for service in known if known.isdisjoint(self.dependencies(service).keys())
        ]
        explained = {root: self.dependants(root).keys() & known for root in roots}
        best = min(roots, key=lambda root: (-len(explained[root]), self._services[root].tier, root))
        impacted = sorted(explained[best])
        if not impacted:
            return None
        ways = [self.path(service, best) for service in impacted]
        shown = "; ".join(sorted(ways, key=lambda way: (-len(way), way))[:3])
        reason = (
            f"{len(impacted)} of the other {len(failing) - 1} failing services depend on {best}, "
            f"and it on none of them: {shown}"
        )
        return Cause(best, (len(impacted) + 1) / len(failing), reason[:1_000], tuple(impacted))


def cycles(services: Mapping[str, Collection[str]]) -> Iterator[list[str]]:
    """Yield each cycle of dependencies once, as the services on it, the first again at the end."""
    done: set[str] = set()
    for start in services:
        way: list[str] = []
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            service, left = waiting.pop()
            if left:
                way.pop()
                done.add(service)
            elif service in way:
                yield [*way[way.index(service) :], service]
            elif service not in done:
                way.append(service)
                waiting.append((service, True))
                waiting.extend((each, False) for each in services.get(service, ()))


def _reached(start: str, edges: Mapping[str, Any], limit: int) -> dict[str, int]:
    found: dict[str, int] = {}
    waiting = deque([(start, 0)])
    while waiting:
        service, distance = waiting.popleft()
        if distance == limit:
            continue
        for each in edges.get(service, ()):
            if each not in found and each != start:
                found[each] = distance + 1
                waiting.append((each, distance + 1))
    return found
