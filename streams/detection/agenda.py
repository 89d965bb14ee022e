"""
Which series have to be looked at when time passes, without asking each of them at each tick.

A series is planned for the earliest moment at which anything could happen to it. It is not moved when that moment moves away, as it does
with every heartbeat: it is looked at too early instead, and planned anew.
"""

import heapq
from datetime import datetime


class Agenda:
    """Moments, each with the series that is to be looked at then."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._planned: dict[str, datetime] = {}

    def plan(self, name: str, at: datetime) -> None:
        """See to it that *name* is looked at no later than *at*."""
        planned = self._planned.get(name)
        if planned is None or at < planned:
            self._planned[name] = at
            heapq.heappush(self._heap, (at, name))

    def fill(self, moments: list[tuple[datetime, str]]) -> None:
        """Plan many at once, while nothing is planned."""
        heapq.heapify(moments)
        self._heap = moments
        self._planned = {name: at for at, name in moments}

    def drop(self, name: str) -> None:
        """Forget *name*."""
        self._planned.pop(name, None)

    def take(self, until: datetime) -> list[str]:
        """Return whatever is planned for *until* or earlier; it is no longer planned then."""
        taken = []
        while self._heap and self._heap[0][0] <= until:
            at, name = heapq.heappop(self._heap)
            if self._planned.get(name) == at:
                del self._planned[name]
                taken.append(name)
        return taken
