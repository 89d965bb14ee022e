"""
Routes that never tell anybody anything of their own, at every level of the tree.

One is never reached, since what gets there does not fit it, or a route before it takes all that it would; another adds nobody, since
the route before it tells all whom it would tell.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from streams.matchers import exclusion, shown
from streams.notifications.routing import Route

#: Settings that are compared by what they let through; all others must be the same.
_COMPARED: Final = frozenset({"severities", "services", "purposes", "channels"})

Place = tuple[str | int, ...]
#: In a text, where the route stands that makes another one useless.
BEFORE: Final = "{before}"


class Useless(NamedTuple):
    """A route that does nothing of its own."""

    place: Place
    """Where it stands."""
    text: str
    """Why; ``BEFORE`` stands for where the other route is."""
    before: Place | None = None
    """The route that makes it so, if one does."""


def useless(
    routes: Sequence[Route], above: Sequence[Route] = (), place: Place = ()
) -> Iterator[Useless]:
    """Yield the routes among *routes*, and below them, that do nothing of their own; *above* are those that lead there."""
    for number, route in enumerate(routes):
        here = (*place, "routes", number)
        fault = _contradiction([*above, route])
        if fault is not None:
            yield Useless(here, fault)
            continue
        taken = _before(routes, number, takes_all)
        if taken is not None:
            yield Useless(
                here,
                f"is never reached: the route before it ({BEFORE}) takes all that it would, and does not say continue",
                (*place, "routes", taken),
            )
            continue
        told = _before(
            [each.below(above[-1] if above else None) for each in routes], number, tells_all
        )
        if told is not None:
            yield Useless(
                here,
                f"adds nobody: whatever it tells, the route before it ({BEFORE}) tells the same channels",
                (*place, "routes", told),
            )
            continue
        inherits = route.below(above[-1] if above else None)
        yield from useless(route.routes, [*above, inherits], here)


def tells_all(wide: Route, narrow: Route) -> bool:
    """Whether *wide* tells every channel of *narrow* whenever that fits."""
    services = not wide.services or (
        bool(narrow.services) and {*narrow.services} <= {*wide.services}
    )
    return (
        services
        and {*narrow.severities} <= {*wide.severities}
        and {*narrow.purposes} <= {*wide.purposes}
        and {*narrow.channels} <= {*wide.channels}
        and wide.model_dump(exclude={*_COMPARED}) == narrow.model_dump(exclude={*_COMPARED})
    )


def takes_all(wide: Route, narrow: Route) -> bool:
    """Whether *wide* is taken, and nothing after it, whenever *narrow* fits."""
    return (
        not wide.continue_
        and {*narrow.severities} <= {*wide.severities}
        and {*narrow.purposes} <= {*wide.purposes}
        and _within(narrow.services, wide.services)
        and _within(narrow.owners, wide.owners)
        and {*wide.matchers} <= {*narrow.matchers}
    )


def _before(
    routes: Sequence[Route], number: int, outdoes: Callable[[Route, Route], bool]
) -> int | None:
    """Return the first of the routes before *number* that outdoes it."""
    narrow = routes[number]
    return next((at for at in range(number) if outdoes(routes[at], narrow)), None)


def _within(narrow: Sequence[str], wide: Sequence[str]) -> bool:
    return not wide or (bool(narrow) and {*narrow} <= {*wide})


def _contradiction(way: Sequence[Route]) -> str | None:
    """Return why nothing can pass all routes of *way*; None where something can. An incident has several services, but one severity, message and owner."""
    route, above = way[-1], way[:-1]
    for what, own, let_through in (
        ("severities", {*route.severities}, [{*each.severities} for each in above]),
        ("purposes", {*route.purposes}, [{*each.purposes} for each in above]),
        ("owners", {*route.owners}, [{*each.owners} for each in above if each.owners]),
    ):
        passing = set.intersection(*let_through) if let_through else own
        if own and own.isdisjoint(passing):
            return (
                f"is never reached: the routes above it let only the {what} "
                f"{', '.join(map(str, sorted(passing))) or 'of nobody'} through"
            )
    excluded = exclusion([each for one in way for each in one.matchers])
    if excluded is not None:
        one, other = map(shown, excluded)
        return f"is never reached: {one} and {other} exclude each other"
    return None
