"""
How what was only noted down comes into the memory of the rules, and what they are calm about then.

Between two signals that must be judged, a feed notes down what it hears. Before anybody looks at a series, everything that its
feeds noted down is absorbed, in the order of each feed: so a series is never looked at without what was heard of it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.agenda import Agenda
from streams.detection.feeds import Feed, Feeds, Left, Reader, narrower
from streams.detection.index import Index
from streams.detection.ledger import Ledger
from streams.detection.rule import Calm
from streams.detection.watch import Watch, Watched

#: Signals of a feed after which a rule that had no room for it is asked again.
ASKED_AGAIN: Final = 100


class Absorber:
    """The feeds of one partition and the series that they feed."""

    def __init__(self, index: Index[Watch], ledger: Ledger, agenda: Agenda) -> None:
        self.feeds = Feeds(self.absorb, self.heard_before)
        self._index = index
        self._ledger = ledger
        self._agenda = agenda

    def feed_of(
        self, left: Left, signal: Signal, origin: Origin, all_watched: Iterable[Watched]
    ) -> Feed:
        """Return the feed of a record that was left, with everything absorbed that it noted down."""
        feed = self.feeds.of(left)
        if feed is None:
            if self.feeds.full:
                self.drop_feeds(all_watched)
            feed = Feed(left.topic, origin.partition, left.key, signal)
            self.feeds.keep(feed)
        self.absorb(feed)
        return feed

    def open(self, feed: Feed, signal: Signal, origin: Origin) -> None:
        """Let *feed*, of which *signal* is one, note down what nobody has anything to say about."""
        if not feed.tied:
            self.feeds.keep(feed)
            self._tie(feed, signal, origin)
        self._find_series(feed, signal, origin)
        feed.open()

    def absorb_waiting(self, *, everything: bool) -> None:
        """Absorb what feeds noted down, though nobody asks for it: all of it, or what waits longest."""
        for feed in self.feeds.waiting(everything=everything):
            self.absorb(feed)

    def _tie(self, feed: Feed, signal: Signal, origin: Origin) -> None:
        """Look up who hears *feed*, of which *signal* is one."""
        feed.tied = True
        bound: list[Watched] = []
        ignored: list[Calm | None] = []
        hearing = self._index.hearing(signal)
        readers = [
            Reader(watch)
            for watch in hearing
            if watch.rule.reads_text() and watch.rule.selects(signal)
        ]
        for watch in hearing:
            rule = watch.rule
            if rule.reads_text():
                continue
            if rule.reads_content():
                ignored.append(rule.ignores())
            elif rule.concerns(signal):
                watched = watch.series.get(watch.key_of(signal))
                if watched is None:
                    # What was too old to begin a series, or had been heard before it was forgotten, says nothing of what comes next.
                    ignored.append(None if watch.has_room else Calm(count=ASKED_AGAIN))
                    feed.tied = False
                else:
                    bound.append(watched)
        feed.bound, feed.ignored, feed.readers = tuple(bound), tuple(ignored), tuple(readers)
        heard_to = [watched.heard_to.get(origin.topic, 0) for watched in bound]
        feed.skip_to = min(heard_to, default=0) if not (ignored or readers) else 0
        self._bind(feed)
        if max(heard_to, default=0) > origin.offset + 1:
            # Read again after a restart: some have heard what others have not.
            feed.tied = False
            feed.ignored = (None,)

    def _bind(self, feed: Feed) -> None:
        """Let the series that *feed* is bound to know of it."""
        for watched in feed.bound:
            watched.feeds[feed] = None
            if watched.apart:
                # Further feeds cannot set apart what was not.
                watched.apart = None
        for watched in feed.bound:
            # One that was asked when it was judged answers the same, unless this feed is not its only one.
            if watched.calm is None or len(watched.feeds) > 1:
                self.ask(watched)

    def _find_series(self, feed: Feed, signal: Signal, origin: Origin) -> None:
        """Look up what series of its readers *feed* belongs to: they begin with the first signal that concerns them."""
        for reader in feed.readers:
            if reader.watched is None:
                watched = reader.watch.series.get(reader.watch.key_of(signal))
                # What is read again after a restart is in the state of some series.
                if watched and watched.heard_to.get(origin.topic, 0) <= origin.offset + 1:
                    reader.watched = watched
                    watched.feeds[feed] = None

    def heard_before(self, feed: Feed, text: str, at: datetime, level: float, offset: int) -> bool:
        """Whether a text of *feed* is nothing new to its readers; if so, they remember when it came again."""
        recalling = []
        for reader in feed.readers:
            if reader.rule.passes_over(level, text):
                continue
            watched = reader.watched
            if watched is None or watched.waits:
                return False
            recalled = reader.rule.recall(watched.series.memory, text)
            if recalled is None:
                return False
            # Nothing else than silence moves a quiet series of a rule that recalls.
            if at >= (watched.next_moment if watched.calm is None else watched.forgotten_at):
                return False
            recalling.append((watched, recalled))
        if recalling and at.tzinfo is not UTC:
            at = at.astimezone(UTC)
        for watched, recalled in recalling:
            series = watched.series
            watched.watch.rule.hear_again(series.memory, recalled, at)
            if at > series.heard_at:
                series.heard_at = at
                series.origin = Origin(topic=feed.topic, partition=feed.partition, offset=offset)
                self._ledger.change(watched, self._ledger.mark)
            elif at < series.heard_at:
                watched.watch.late += 1
        return True

    def absorb(self, feed: Feed) -> None:
        """Let the rules of *feed* remember what it noted down."""
        if not feed.backlog:
            return
        batch = self.feeds.taken(feed)
        origin = Origin(topic=feed.topic, partition=feed.partition, offset=batch.offsets[-1])
        for watched in feed.bound:
            series, rule = watched.series, watched.watch.rule
            late = batch.after(series.heard_at)
            if late and watched.watch.late_counts:
                # Another feed of the series said something newer.
                rule.absorb_late(series.memory, batch.part(0, late), origin)
            if late < len(batch):
                newer = batch.part(late) if late else batch
                rule.absorb(series.memory, series.heard_at, newer, origin)
                series.heard_at = newer.ats[-1]
            if late < len(batch) or watched.watch.late_counts:
                before = series.origin
                if origin.offset > before.offset or origin.topic != before.topic:
                    # What was heard last may be of another feed.
                    series.origin = origin
            self._ledger.change(watched, feed.since)
            if watched.calm is None or not (watched.calm.lasts or watched.calm.stands):
                self.ask(watched)
                self._agenda.plan(series.fingerprint, watched.planned_for)
        feed.open()

    def catch_up(self, watched: Watched) -> None:
        """Absorb whatever was noted down for a series."""
        if watched.calm is not None:
            for feed in watched.feeds:
                self.absorb(feed)

    def ask(self, watched: Watched) -> None:
        """Ask a series what it is calm about now, and let its feeds note down no more than that."""
        before, watched.calm = watched.calm, watched.ask()
        if before is not None and narrower(watched.calm, before):
            for feed in watched.feeds:
                self.absorb(feed)
                feed.shut()
        calm = watched.calm
        if calm is None or calm is before:
            return
        changed = before is not None and (calm.pool is None) != (before.pool is None)
        if calm.tops is not None or changed:
            # Asking one of many feeds tells what all may say, and for how long.
            for feed in watched.feeds:
                if feed.tied and not feed.backlog:
                    feed.open()

    def drop_feeds(self, all_watched: Iterable[Watched]) -> None:
        """Absorb what is noted down and forget all feeds, those of *all_watched*."""
        for feed in self.feeds.noting:
            self.absorb(feed)
        for watched in all_watched:
            watched.feeds.clear()
            watched.apart = None
        self.feeds.clear()

    def look_up_in(self, index: Index[Watch]) -> None:
        """Look up who hears a feed in *index* from now on; there must be no feeds."""
        self._index = index

    def untie(self, watched: Watched) -> None:
        """Let the feeds of a series that is forgotten look up anew who hears them."""
        for feed in list(watched.feeds):
            self.absorb(feed)
            readers = [reader.watched for reader in feed.readers if reader.watched]
            for other in (*feed.bound, *readers):
                other.feeds.pop(feed, None)
                other.apart = None
            self.feeds.remove(feed)


def waiting_since(watched: Watched) -> int | None:
    """Return the mark of the last writing before the first signal that feeds of a series only noted down; None where there is none."""
    return min((feed.since for feed in watched.feeds if feed.backlog), default=None)
