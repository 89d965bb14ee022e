"""
How much is in hand at once: a number of requests, and the bytes of their bodies, packed and unpacked.

What does not fit is refused before it costs anything, and its sender keeps it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

REQUESTS: Final = 100
BYTES: Final = 96 * 1024 * 1024


class Full(Exception):
    """There is no room for more."""


class Share:
    """What one request takes of it."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self.held = 0

    def take(self, count: int) -> None:
        """
        Take *count* bytes more.

        Raises:
            Full: There are no more.
        """
        self._room.move(0, count)
        self.held += count


class Room:
    """All of it. Bodies are unpacked in threads, so shares are taken in them too."""

    def __init__(self, requests: int = REQUESTS, size: int = BYTES) -> None:
        self._requests = requests
        self._size = size
        self._lock = threading.Lock()
        self.in_hand = 0
        self._bytes = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """
        Take one request in.

        Raises:
            Full: There are as many as may be.
        """
        self.move(1, 0)
        share = Share(self)
        try:
            yield share
        finally:
            self.move(-1, -share.held)

    def move(self, requests: int, size: int) -> None:
        """
        Take so many *requests* and bytes, or give them back.

        Raises:
            Full: There are not so many left.
        """
        with self._lock:
            in_hand, held = self.in_hand + requests, self._bytes + size
            if (requests > 0 and in_hand > self._requests) or (size > 0 and held > self._size):
                raise Full
            self.in_hand, self._bytes = in_hand, held
