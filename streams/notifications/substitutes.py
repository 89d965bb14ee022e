"""Which channels may stand in for any other: those by which people are told of new incidents anyway."""

from collections.abc import Iterator, Mapping, Sequence

from schemas.notices import Purpose
from streams.notifications.channel import Channel
from streams.notifications.routing import Route


def substitutes(channels: Mapping[str, Channel], routes: Sequence[Route]) -> list[str]:
    """
    Return the names of *channels*, in the order of the *routes* that tell new incidents to them.

    Nobody hears by them of what they would not hear of otherwise: a channel for the end of incidents alone, or for programs, is none.
    """
    named = dict.fromkeys(_telling(routes))
    return [
        name
        for name in named
        if name in channels and channels[name].stands_in and channels[name].missing() is None
    ]


def without_substitute(channels: Mapping[str, Channel], routes: Sequence[Route]) -> list[str]:
    """Return the names of the *channels* that are set up, name no fallback, and have no other that may stand in."""
    others = substitutes(channels, routes)
    return [
        name
        for name, channel in channels.items()
        if channel.missing() is None
        and not channel.outward
        and not channel.fallback
        and not {*others} - {name}
    ]


def _telling(routes: Sequence[Route]) -> Iterator[str]:
    for route in routes:
        if Purpose.INITIAL in route.purposes:
            yield from route.channels
            yield from _telling(route.routes)
