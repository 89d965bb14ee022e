"""
What a session remembers: its ``SET`` statements.

Temporary tables are not offered, so a session is a few strings here and nothing in the engine.
"""

from collections import OrderedDict
from datetime import timedelta
from typing import Final

from streams.laptop.warehouse.authentication import User

SESSIONS: Final = 256
REMEMBERED: Final = 32
LONGEST: Final = timedelta(hours=1)


class Sessions:
    """The sessions of all users, the least used forgotten first; *now* is any steady clock, in seconds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[User, str], tuple[float, tuple[str, ...]]] = OrderedDict()

    def recall(self, user: User, session: str | None, now: float) -> tuple[str, ...]:
        """Return what was set in this session."""
        if session is None:
            return ()
        ends, remembered = self._kept.get((user, session), (now, ()))
        return remembered if now < ends else ()

    def remember(self, user: User, session: str | None, assignment: str, now: float) -> None:
        """Add a ``SET`` to this session, replacing the oldest where there are too many."""
        if session is None:
            return
        remembered = (*self.recall(user, session, now), assignment)[-REMEMBERED:]
        self._kept[user, session] = (now + LONGEST.total_seconds(), remembered)
        self._kept.move_to_end((user, session))
        while len(self._kept) > SESSIONS:
            self._kept.popitem(last=False)
