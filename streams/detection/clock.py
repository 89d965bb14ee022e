"""
What time it is, as far as ticks have told, and which signals are history by it.

A series that would be forgotten at the next tick is not begun: old telemetry that somebody sends again, or a machine that was cut
off for days, is no news. While a backlog is read the clock stands where it stood, because ticks wait for what was written before them; so
what follows from the log is the same whenever it is read.
"""

from collections.abc import Mapping
from datetime import datetime

import orjson

from schemas.origin import Origin


class Clock:
    """The newest tick."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        #: The next offset of each topic that had not been read at that time, as of the last restart.
        self._read: dict[str, int] = {}
        self._written: datetime | None = None

    @property
    def moved(self) -> bool:
        """Whether it is later than when it was written down."""
        return self._at != self._written

    def tick(self, at: datetime) -> None:
        """Take in the time."""
        if self._at is None or at > self._at:
            self._at = at

    def has_passed(self, moment: datetime, origin: Origin) -> bool:
        """Whether *moment* was over when the record at *origin* was read."""
        # What is read again after a restart was read when it was earlier; what was left out then is known to the ledger.
        again = origin.offset < self._read.get(origin.topic, 0)
        return self._at is not None and moment <= self._at and not again

    def write_down(self, positions: Mapping[str, int]) -> bytes:
        """Return it as a state entry, now that everything before *positions* was heard."""
        self._written = self._at
        read = {
            topic: max(self._read.get(topic, 0), positions.get(topic, 0))
            for topic in sorted({*self._read, *positions})
        }
        return orjson.dumps([self._at, read])

    def restore(self, entry: bytes) -> None:
        """Take what was written down."""
        at, self._read = orjson.loads(entry)
        self._at = self._written = datetime.fromisoformat(at)
