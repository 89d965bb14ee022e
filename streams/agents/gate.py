"""
Ticks wait here until the records that came before them have been read.

So time never runs ahead of the telemetry: a backlog after an outage of ours looks like the minutes that it came from, not
like silence.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.ticks import TickV1


@dataclass(frozen=True, slots=True)
class HeldTick:
    """A tick, and the record that brought it; None where it could not be read, or is for another hop."""

    tick: TickV1 | None
    record: Any


class Gate:
    """The ticks of one partition that may not pass yet."""

    def __init__(self, inputs: Collection[str]) -> None:
        self._inputs = frozenset(inputs)
        self._held: deque[HeldTick] = deque()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, tick: TickV1 | None, record: Any) -> None:
        """Take in a tick; ticks pass in the order in which they came."""
        self._held.append(HeldTick(tick, record))

    def passing(self, positions: Mapping[str, int], *, forced: bool = False) -> HeldTick | None:
        """
        Return the next tick that may pass, and let it go.

        *forced* lets it go although records are missing: those before it can have been deleted by retention.
        """
        if not self._held or (self.lagging(positions) and not forced):
            return None
        return self._held.popleft()

    def lagging(self, positions: Mapping[str, int]) -> frozenset[str]:
        """Return the inputs whose records the next tick waits for."""
        tick = self._held[0].tick if self._held else None
        if tick is None:
            return frozenset()
        return frozenset(
            topic for topic in self._inputs if positions.get(topic, 0) < tick.reached.get(topic, 0)
        )
