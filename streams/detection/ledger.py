"""
What of the state is not written down yet, and from where on reading must begin again to find it.

A series of which something was told is written down with what was told. One that only heard something can wait: it is written
down with others, those that wait longest first, so that what is heard costs no writing of its own. Until then the log itself
remembers it.
"""

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

import orjson

from streams.detection.watch import Watched

#: Series that are written down at one time although nothing was told of them: so many, or this part of all that changed.
WRITTEN_AT_ONCE: Final = 400
WRITTEN_PART: Final = 60


class Keep(Enum):
    """What is to be written down."""

    TOLD = "told"
    """Series of which something was told."""
    SOME = "some"
    """These, and some of those that only heard something: the ones that wait longest."""
    ALL = "all"
    """Everything that changed."""


class Changes(NamedTuple):
    """What changed in the state since it was last written down."""

    entries: dict[str, bytes | None]
    """The entries to write; None where one is gone."""
    resume: Mapping[str, int]
    """Where reading must begin again to find what is not in the entries: the next offset of each topic."""


class Ledger:
    """What is written down, and what is not. A *mark* is the number of a writing."""

    def __init__(self) -> None:
        #: Entries that must be written down next.
        self.told: set[str] = set()
        #: Series that changed otherwise, in the order in which they began to.
        self._changed: dict[str, Watched] = {}
        #: How many of them there are for each mark since when they changed.
        self._since: Counter[int] = Counter()
        #: Series that are gone, with what they had heard: what is read again after a restart must not begin them anew.
        self._gone: dict[str, dict[str, int]] = {}
        #: Number of the last writing.
        self.mark = 0
        #: What was read at each writing, as far back as something that is not written down began.
        self._read: dict[int, Mapping[str, int]] = {0: {}}
        self._resume = 0

    def begin(self, resume: Mapping[str, int]) -> None:
        """Begin with everything before *resume* written down."""
        self._read[self.mark] = dict(resume)

    def change(self, watched: Watched, since: int) -> None:
        """Remember that a series is not written down as it is, because of something heard after the writing *since*."""
        name = watched.series.fingerprint
        if name not in self._changed:
            self._changed[name] = watched
        elif since < watched.since:
            self._count_out(watched)
        else:
            return
        watched.since = since
        self._since[since] += 1

    def forget(self, name: str) -> None:
        """Remember that a series is gone."""
        self._settle(name)
        self.told.add(name)
        # It can have begun anew since it was gone before.
        self._gone.pop(name, None)

    def gone(self, name: str, read: dict[str, int]) -> bytes | None:
        """Return the entry of a series that is gone, now that everything before *read* was heard; None where none is needed."""
        heard_to = self._gone.get(name, read)
        if self._is_behind(heard_to):
            self._gone.pop(name, None)
            return None
        self._gone[name] = heard_to
        return orjson.dumps(heard_to)

    def gone_at(self, name: str) -> Mapping[str, int]:
        """Return what a series that is gone had heard: the next offset of each topic; nothing where it is not known."""
        return self._gone.get(name, {})

    def restore_gone(self, name: str, entry: bytes) -> bool:
        """Take the entry of a series that is gone; return whether it is one."""
        if not entry.startswith(b"{"):
            return False
        self._gone[name] = orjson.loads(entry)
        return True

    def choose(self, *, everything: bool) -> None:
        """Choose series that are written down next although nothing was told of them."""
        count = len(self._changed)
        some = count if everything else max(WRITTEN_AT_ONCE, count // WRITTEN_PART)
        self.told.update(islice(self._changed, some))
        self.told.update(name for name, gone in self._gone.items() if self._is_behind(gone))

    def take(self, name: str) -> None:
        """Take note that a series is written down as it is."""
        self._settle(name)
        self._gone.pop(name, None)

    def write(self, read: Mapping[str, int], noted_since: int | None, keep: Keep) -> None:
        """Take note of a writing, when everything before *read* was heard; feeds hold what was noted down after the mark *noted_since*."""
        self.told.clear()
        self.mark += 1
        self._read[self.mark] = read
        if keep is not Keep.TOLD:
            noted = self.mark if noted_since is None else noted_since
            self._resume = min(min(self._since, default=self.mark), noted)
            for mark in [mark for mark in self._read if mark < self._resume]:
                del self._read[mark]

    @property
    def resume(self) -> Mapping[str, int]:
        """Where reading must begin again to find what is not written down."""
        return self._read[self._resume]

    def read_at(self, mark: int) -> Mapping[str, int]:
        """Return what was read at the writing *mark*, since when something is only noted down: the next offset of each topic."""
        return self._read[mark]

    def _settle(self, name: str) -> None:
        watched = self._changed.pop(name, None)
        if watched is not None:
            self._count_out(watched)

    def _count_out(self, watched: Watched) -> None:
        self._since[watched.since] -= 1
        if not self._since[watched.since]:
            del self._since[watched.since]

    def _is_behind(self, heard_to: Mapping[str, int]) -> bool:
        """Whether nothing before *heard_to* will be read again."""
        resume = self.resume
        return all(resume.get(topic, 0) >= offset for topic, offset in heard_to.items())
