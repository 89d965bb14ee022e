"""
Feeds: what one producer says about one thing, and what its rules stay calm about.

A feed is all signals that differ in nothing but time and level: one metric of one host, say. The rules that hear it are looked up
once. While all of them are calm about what comes, its signals are only noted down; they are absorbed together as soon as anybody
wants to know: a signal that somebody might have something to say about, a moment that is due, a checkpoint.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec

from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.heard import LEVELS, Batch
from streams.detection.rule import MANY, Calm

if TYPE_CHECKING:
    from streams.detection.watch import Watch, Watched

#: Signals that a feed notes down before they are absorbed: bounds memory.
ROOM: Final = 500
#: Feeds whose rules are kept looked up. Producers choose what there is, so there must be an end.
FEEDS: Final = 500_000
#: Feeds that are absorbed at one time without need: so many, or this part of all.
ABSORBED_AT_ONCE: Final = 50
ABSORBED_PART: Final = 60
#: Nothing is due.
NEVER: Final = datetime.max.replace(tzinfo=UTC)
#: No gap is too long.
_EVER: Final = timedelta.max
#: Every level is somebody's business.
_NOTHING: Final = Calm(low=inf, high=-inf)
_ZONE: Final = attrgetter("tzinfo")


class Feed:
    """One feed: its rules' series, what they are all calm about, and what was noted down."""

    __slots__ = (
        "backlog",
        "bound",
        "gap",
        "high",
        "ignored",
        "key",
        "last",
        "low",
        "newest",
        "partition",
        "pooled",
        "readers",
        "rising",
        "room",
        "signal",
        "since",
        "skip_to",
        "tied",
        "topic",
        "until",
        "wide_high",
        "wide_low",
    )

    def __init__(self, topic: str, partition: int, key: bytes, signal: Signal) -> None:
        self.topic = topic
        self.partition = partition
        self.key = key
        #: One of its signals: the others differ in time, level and id.
        self.signal = signal
        #: Whether those who hear it are known.
        self.tied = False
        self.bound: tuple[Watched, ...] = ()
        #: What is not heard at all by rules that look at more than a level; None where that cannot be said.
        self.ignored: tuple[Calm | None, ...] = ()
        #: Who reads the texts of its signals.
        self.readers: tuple[Reader, ...] = ()
        #: The series that it shares a pool of with other feeds.
        self.pooled: tuple[Watched, ...] = ()
        self.newest = signal.occurred_at
        self.low, self.high, self.room = inf, -inf, 0
        #: The levels that nobody has anything to say about but readers, who are asked about the text then, and those who have pools.
        self.wide_low, self.wide_high = inf, -inf
        #: Whether a level that is lower than the one before must be judged.
        self.rising = False
        #: Until when signals may be noted down, if none more is; at the latest; and by how much later than the one before.
        self.until, self.last, self.gap = NEVER, NEVER, _EVER
        self.backlog: list[tuple[datetime, float, int, str | None]] = []
        #: Mark of the last writing before the first signal of the backlog.
        self.since = 0
        #: Records before this offset are in the state of all its series.
        self.skip_to = 0

    def shut(self) -> None:
        """Let every signal be judged."""
        self.low, self.high = self.wide_low, self.wide_high = inf, -inf

    def open(self) -> None:
        """Let those signals be noted down that nobody has anything to say about."""
        low, high, room, last, gap = -inf, inf, ROOM, NEVER, _EVER
        self.rising = False
        for calm in (*self.ignored, *[watched.calm_of(self) for watched in self.bound]):
            if calm is None:
                self.shut()
                return
            low, high = max(low, calm.low), min(high, calm.high)
            if calm.rising:
                self.rising = True
            if calm.count < MANY:
                room = min(room, calm.count)
            if calm.until is not None and calm.until < last:
                last = calm.until
            if calm.gap is not None and calm.gap < gap:
                gap = calm.gap
        for watched in self.bound:
            gap = min(gap, watched.watch.rule.forget_after)
        if room <= 0:
            self.shut()
            return
        self._narrow(low, high)
        self.room, self.last, self.gap = room, last, gap
        self.go_on()

    def _narrow(self, low: float, high: float) -> None:
        """Leave it to readers and to pools to decide about levels from *low* to *high*, where there are any."""
        self.wide_low, self.wide_high = low, high
        self.pooled = tuple(each for each in self.bound if each.calm and each.calm.pool)
        if self.pooled:
            low, high = inf, -inf
        for reader in self.readers:
            low, high = max(low, reader.ignores.low), min(high, reader.ignores.high)
        self.low, self.high = low, high

    def go_on(self) -> None:
        """Count the gap from the newest signal on."""
        # A series that others feed as well can have heard something newer: then there is more time than this.
        self.until = self.last if self.gap is _EVER else min(self.last, self.newest + self.gap)


class Reader:
    """A rule that reads the texts of a feed, and the series that the feed belongs to there once it is known."""

    __slots__ = ("ignores", "rule", "watch", "watched")

    def __init__(self, watch: "Watch") -> None:
        self.watch, self.rule = watch, watch.rule
        self.ignores = watch.rule.ignores() or _NOTHING
        self.watched: Watched | None = None


class Left(NamedTuple):
    """A record that could not be noted down, and what was seen of it."""

    topic: str
    offset: int
    key: bytes
    at: datetime


class Glance(Protocol):
    """How records are glanced at."""

    seen: Callable[[bytes], Any]
    """Returns time, level and id of a value, and as JSON its service, name, labels, environment, tenant and unit; or raises."""

    def ours(self, headers: Any) -> bool:
        """Whether *headers* leave no doubt that the value can be glanced at."""


class Feeds:
    """
    All feeds of one partition.

    *absorb* lets the rules of a feed remember what it noted down; *heard_before* says whether the readers of a feed have heard a text
    before, of that moment, level and offset, and lets them remember that it came again.
    """

    def __init__(
        self,
        absorb: Callable[[Feed], None],
        heard_before: Callable[[Feed, str, datetime, float, int], bool],
    ) -> None:
        self._absorb = absorb
        self._heard_before = heard_before
        self._by_key: dict[str, dict[bytes, Feed]] = {}
        #: Feeds with a backlog, in the order in which they began it.
        self._noting: dict[Feed, None] = {}
        self._left: Left | None = None
        #: Number of the last writing.
        self.mark = 0

    @property
    def noting(self) -> list[Feed]:
        """The feeds that noted something down, those first that did so first."""
        return list(self._noting)

    @property
    def noted_since(self) -> int | None:
        """Mark of the last writing before the first signal that is only noted down; None where there is none."""
        first = next(iter(self._noting), None)
        return None if first is None else first.since

    def waiting(self, *, everything: bool) -> list[Feed]:
        """Return the feeds whose backlog is absorbed next although nobody asks for it."""
        count = len(self._noting)
        # Each brings several series.
        some = count if everything else max(ABSORBED_AT_ONCE, count // ABSORBED_PART)
        return list(islice(self._noting, some))

    @property
    def full(self) -> bool:
        """Whether there are as many as may be."""
        return sum(map(len, self._by_key.values())) >= FEEDS

    def skim(  # noqa: C901 - the loop that every record goes through
        self,
        topic: str,
        records: Sequence[Any],
        start: int,
        glance: Glance,
        latest: datetime,
    ) -> int:
        """
        Note down signals that no rule has anything to say about, and return the place of the first of *records* that must be heard.

        *records* are of one partition of *topic*; those from *start* on are looked at. What happened after *latest* is left.
        """
        known = self._by_key.setdefault(topic, {}).get
        noting, mark = self._noting, self.mark
        glimpse, ours, join = glance.seen, glance.ours, b"".join
        for place in range(start, len(records)):
            record = records[place]
            if record.headers and not ours(record.headers):
                return place
            try:
                seen = glimpse(record.value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
                return place
            # Without a function's call, which would cost as much as this.
            key = join(
                (seen.service, seen.name, seen.labels, seen.environment, seen.tenant, seen.unit)
            )
            feed = known(key)
            at, level = seen.occurred_at, seen.level
            if feed is not None:
                if level.__class__ is str:
                    level = LEVELS[level]
                if (
                    feed.low <= level <= feed.high
                    and feed.newest < at <= latest
                    and (at < feed.until or self._goes_on(feed, at, level))
                ):
                    backlog = feed.backlog
                    if not backlog:
                        noting[feed] = None
                        feed.since = mark
                    feed.newest = at
                    if feed.rising:
                        feed.low = level
                    backlog.append((at, level, record.offset, seen.signal_id))
                    if len(backlog) >= feed.room:
                        self._absorb(feed)
                        if not feed.tied:
                            feed.shut()
                    continue
                if record.offset < feed.skip_to:
                    continue
                if (feed.pooled or feed.readers) and self._noted(feed, seen, latest, record.offset):
                    continue
            self._left = Left(topic, record.offset, key, at)
            return place
        return len(records)

    def _noted(self, feed: Feed, seen: Any, latest: datetime, offset: int) -> bool:
        """Note down a signal that a look at its level alone did not allow, if its text is nothing new and pools have enough."""
        at, level = seen.occurred_at, seen.level
        if (
            not feed.newest < at <= latest
            or (at >= feed.until and not self._goes_on_anew(feed, at))
            or not feed.wide_low <= level <= feed.wide_high
            or not all(_takes(watched.calm, at, level) for watched in feed.pooled)
            or (feed.readers and not self._heard_before(feed, seen.body, at, level, offset))
        ):
            return False
        feed.newest = at
        if feed.rising:
            feed.wide_low = level
        if feed.bound or not feed.tied:
            if not feed.backlog:
                self._noting[feed] = None
                feed.since = self.mark
            feed.backlog.append((at, level, offset, seen.signal_id))
            if len(feed.backlog) >= feed.room:
                self._absorb(feed)
                if not feed.tied:
                    feed.shut()
        return True

    def _goes_on_anew(self, feed: Feed, at: datetime) -> bool:
        """Whether *feed* may note down a signal of the moment *at* by what its series say by now."""
        if feed.backlog:
            self._absorb(feed)
        elif feed.tied:
            feed.open()
        return at < feed.until

    def _goes_on(self, feed: Feed, at: datetime, level: float) -> bool:
        """Whether *feed* may note down a signal of the moment *at*, which may be too late for what it noted down so far."""
        if not feed.backlog:
            return False
        feed.go_on()
        if at >= feed.until:
            # What was noted down may have moved that moment away.
            self._absorb(feed)
        return at < feed.until and feed.low <= level <= feed.high

    def left_at(self, origin: Origin) -> Left | None:
        """Return what was seen of the record at *origin*, if it is the one that the last skimming left."""
        left, self._left = self._left, None
        if left is not None and (left.topic, left.offset) == (origin.topic, origin.offset):
            return left
        return None

    def of(self, left: Left) -> Feed | None:
        """Return the feed of a record that was left, if there is one."""
        return self._by_key[left.topic].get(left.key)

    def taken(self, feed: Feed) -> Batch:
        """Return what *feed* noted down, and let it begin anew."""
        backlog, feed.backlog = feed.backlog, []
        del self._noting[feed]
        ats, levels, offsets, ids = zip(*backlog, strict=True)
        if list(map(_ZONE, ats)).count(UTC) < len(ats):
            # One zone for all: comparing times of different zone objects costs several times as much.
            ats = tuple(at.astimezone(UTC) for at in ats)
        return Batch(feed.signal, ats, levels, offsets, ids)

    def keep(self, feed: Feed) -> None:
        """Let the records of *feed* find it."""
        self._by_key.setdefault(feed.topic, {})[feed.key] = feed

    def remove(self, feed: Feed) -> None:
        """Let the next record of *feed* look up anew who hears it."""
        feed.tied = False
        feed.shut()
        self._by_key.get(feed.topic, {}).pop(feed.key, None)

    def clear(self) -> None:
        """Remove all; none may have a backlog."""
        for feeds in self._by_key.values():
            for feed in list(feeds.values()):
                self.remove(feed)


def _takes(calm: Calm | None, at: datetime, level: float) -> bool:
    """Take what a signal needs from the pool of *calm*, and return whether there was enough."""
    return calm is not None and calm.pool is not None and calm.pool.take(at, level)


def narrower(calm: Calm | None, before: Calm) -> bool:
    """Whether what was noted down under *before* might not be under *calm*."""
    return (
        calm is None
        or calm.low > before.low
        or calm.high < before.high
        or calm.rising > before.rising
        or (calm.tops is not before.tops and before.tops is not None)
        or (calm.pool is not None and before.pool is None)
        or calm.count < before.count
        or (calm.until is not None and (before.until is None or calm.until < before.until))
        or (calm.gap is not None and (before.gap is None or calm.gap < before.gap))
    )
