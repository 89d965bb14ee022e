"""
State whose changes are told: what changed, by kind and place, written down only when somebody asks.

Whatever a stateful part of a hop keeps is a table of places; each change of a place is noted here, and however often it changed
it is written once.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

Place = tuple[str, ...]

#: Between the parts of an entry's name.
_SEPARATOR: Final = "\x1f"


class Entries:
    """
    The places that changed since they were last asked for.

    *written* gives, for each kind, the function that returns what a place holds now as JSON; None where it holds nothing.
    """

    def __init__(self, written: Mapping[str, Callable[[Place], bytes | None]]) -> None:
        self._written = written
        #: With whether the place is new: told of never before.
        self._changed: dict[str, dict[Place, bool]] = {kind: {} for kind in written}

    def note(self, kind: str, place: Place) -> None:
        """Note that *place* changed, or is gone."""
        self._changed[kind].setdefault(place, False)

    def come(self, kind: str, place: Place) -> None:
        """Note that *place* holds something for the first time."""
        self._changed[kind].setdefault(place, True)

    def go(self, kind: str, place: Place) -> None:
        """Note that *place* is gone; what came and went unseen is not told of at all."""
        if self._changed[kind].get(place):
            del self._changed[kind][place]
        else:
            self._changed[kind][place] = False

    def changes(self) -> dict[str, bytes | None]:
        """Return the entries that changed since the last call, by name; None where one is gone."""
        found: dict[str, bytes | None] = {}
        for kind, places in self._changed.items():
            write = self._written[kind]
            for place in places:
                found[named(kind, place)] = write(place)
            places.clear()
        return found


def named(kind: str, place: Place) -> str:
    """Return the name of an entry; as JSON where a part holds the separator, as the value of a stranger's label may."""
    name = _SEPARATOR.join((kind, *place))
    if name.count(_SEPARATOR) != len(place):
        return orjson.dumps((kind, *place)).decode()
    return name


def unnamed(name: str) -> tuple[str, Place]:
    """Return kind and place of the entry called *name*."""
    # No kind begins as JSON does.
    kind, *place = orjson.loads(name) if name.startswith("[") else name.split(_SEPARATOR)
    return kind, tuple(place)


def written(value: Any) -> bytes | None:
    """Return *value* as JSON; None stays None."""
    return None if value is None else orjson.dumps(value)
