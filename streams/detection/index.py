"""
Which rules can hear a signal: by its kind, its service and its name, without asking each rule.

Rules are looked at in the order of the policy.
"""

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from schemas.telemetry import HealthV1, MetricV1, Signal
from streams.detection.rule import Rule
from streams.detection.told import Told

#: Combinations of kind, service and name whose answer is kept ready. Producers choose the names, so there must be an end.
READY: Final = 50_000


class Ruled(Protocol):
    """Whatever stands for a rule."""

    @property
    def rule(self) -> Rule:
        """The rule."""


RuledT = TypeVar("RuledT", bound=Ruled)

_Place = tuple[type[Signal], str | None, str | None]


class Index(Generic[RuledT]):
    """The rules by what they hear."""

    def __init__(self, ruled: Sequence[RuledT]) -> None:
        self._places: dict[_Place, list[tuple[int, RuledT]]] = {}
        for order, each in enumerate(ruled):
            rule = each.rule
            for kind in rule.hears():
                for service in rule.service or (None,):
                    for name in rule.names() or (None,):
                        self._places.setdefault((kind, service, name), []).append((order, each))
        self._ready: dict[_Place, tuple[RuledT, ...]] = {}

    def hearing(self, signal: Signal) -> tuple[RuledT, ...]:
        """Return what can hear *signal*, as far as its kind, service and name tell."""
        name = name_of(signal)
        place = (type(signal), signal.service, name)
        found = self._ready.get(place)
        if found is None:
            found = self._gather(place)
            if len(self._ready) >= READY:
                self._ready.clear()
            self._ready[place] = found
        return found

    def _gather(self, place: _Place) -> tuple[RuledT, ...]:
        kind, service, name = place
        # A set, or a signal without a name would meet the rules for all names twice.
        places = {(kind, one, other) for one in (service, None) for other in (name, None)}
        found = {order: each for key in places for order, each in self._places.get(key, ())}
        return tuple(found[order] for order in sorted(found))


def name_of(signal: Signal) -> str | None:
    """Return what *signal* is called among those of its kind, an alert by its rule; None where its kind has no names."""
    if isinstance(signal, MetricV1):
        return signal.name
    if isinstance(signal, HealthV1):
        return signal.check
    if isinstance(signal, Told):
        return signal.rule
    return None
