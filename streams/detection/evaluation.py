"""
What the rules say when a signal comes, and when time passes.

What is promised, whatever the order in which signals of different series, and ticks, arrive:

* A signal that is not newer than the newest one of its series changes nothing, except where a rule counts in a window: there
  it counts as long as the window reaches back to it. The same signal twice is harmless either way.
* Where a rule allows signals to be late, they wait and are judged in the order in which they happened (``lateness.py``): the order of
  arrival changes nothing then, and what is later still is counted and left out.
* What only needs time happens at the moment it is due, and bears that time, whether a tick or the series' next signal shows that
  the moment has passed. Where a signal and a due moment have the same time, the signal comes first.
* Alerts of one series alternate: firing, any number of changes, resolved. Each firing is a new episode with a start of its own.
  Their times never go back while the series is remembered.
* A series that is silent for the rule's ``forget_after`` is forgotten; where it fires, its alert is resolved first. What is heard
  of it then begins anew, unless it is so old that it would be forgotten at once (``clock.py``).
* What all rules of a feed are calm about is noted down and absorbed later, together: it changes nothing that is told (``feeds.py``).
* A rule that is gone from the policy, or has become another kind or grouping, ends its alerts with the next tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection import holding
from streams.detection.absorbing import Absorber, waiting_since
from streams.detection.clock import Clock
from streams.detection.feeds import Glance
from streams.detection.holding import Move, Phase, Says
from streams.detection.lateness import Queue
from streams.detection.ledger import Changes, Keep
from streams.detection.roster import CROWD, Roster
from streams.detection.rule import Evidence, Rule
from streams.detection.series import dump
from streams.detection.telling import begun, crowded, ended
from streams.detection.told import Decided, Told
from streams.detection.watch import Watch, Watched
from streams.durations import written

#: Names of the state entries that number alerts, and tell the time.
_SEQUENCE: Final = "sequence"
_CLOCK: Final = "clock"


class Detector(Roster):
    """All rules over the signals of one partition."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        super().__init__(rules)
        self._decided = Decided(rules)
        self._sequence = 0
        self._clock = Clock()
        self._absorber = Absorber(self._index, self._ledger, self._agenda)

    def skim(
        self, topic: str, records: Sequence[Any], start: int, glance: Glance, latest: datetime
    ) -> int:
        """Note down what no rule has anything to say about; see ``Feeds.skim``."""
        return self._absorber.feeds.skim(topic, records, start, glance, latest)

    def hear(self, signal: Signal, origin: Origin) -> list[AlertV1]:
        """Take in *signal*, which stands at *origin*, and return the alerts that follow."""
        at, feed = signal.occurred_at, None
        left = self._absorber.feeds.left_at(origin)
        if left is not None:
            # Seen at a glance, a time may be rounded otherwise: one record has one time.
            at, feed = left.at, self._absorber.feed_of(left, signal, origin, self._watched.values())
        # One zone for all: comparing times of different zone objects costs several times as much.
        at = at.astimezone(UTC)
        for watch in self._index.hearing(signal):
            if watch.rule.concerns(signal):
                self._hear(watch, signal, at, origin)
        self._combine()
        if feed is not None:
            feed.newest = max(feed.newest, at)
            self._absorber.open(feed, signal, origin)
        return self._decided.take()

    def tick(self, at: datetime) -> list[AlertV1]:
        """Take in the time and return the alerts that are due."""
        at = at.astimezone(UTC)
        self._clock.tick(at)
        self._end_orphans(at)
        self._combine()
        # What is due can make something else due, in rules that combine it.
        while self._pass_to(at):
            pass
        return self._decided.take()

    def _pass_to(self, at: datetime) -> bool:
        """Let everything happen that is planned until *at*, and return whether there was anything."""
        waiting = []
        for name in self._agenda.take(at):
            watched = self._watched.get(name) or self._wake(name)
            if watched is None:
                self._end_orphan(name, at)
                continue
            self._absorber.catch_up(watched)
            self._absorber.ask(watched)
            moment, planned = watched.due_at, watched.planned_for
            if planned > at:
                # What it is calm about need not be looked at; nobody else would have planned this.
                self._agenda.plan(name, planned)
            elif moment <= at:
                waiting.append((moment, name))
            else:
                self._agenda.plan(name, moment)
        # In an order that does not depend on when each was planned.
        for _, name in sorted(waiting):
            watched = self._watched.get(name)
            watched = self._let_clock_pass(watched, at) if watched else None
            if watched is not None:
                self._absorber.ask(watched)
                planned = watched.planned_for
                self._agenda.plan(name, planned if planned > at else watched.due_at)
            self._combine()
        return bool(waiting)

    def changes(self, positions: Mapping[str, int] | None = None, keep: Keep = Keep.ALL) -> Changes:
        """
        Return what is to be written down now that everything before *positions* was heard.

        Whatever is not written down is heard again from ``resume`` on, and counts once: each series knows what it has heard.
        """
        positions = dict(positions or {})
        ledger, everything = self._ledger, keep is Keep.ALL
        if keep is not Keep.TOLD:
            self._absorber.absorb_waiting(everything=everything)
            ledger.choose(everything=everything)
        entries = {name: self._entry(name, positions) for name in sorted(ledger.told)}
        if keep is not Keep.SOME and self._clock.moved:
            # With whatever else is written; who asks for SOME wants to know whether there is anything.
            entries[_CLOCK] = self._clock.write_down(positions)
        feeds = self._absorber.feeds
        ledger.write(positions, feeds.noted_since, keep)
        feeds.mark = ledger.mark
        return Changes(entries, ledger.resume)

    def begin(self, positions: Mapping[str, int]) -> None:
        """Learn that what stands before *positions* is in the state: reading begins there."""
        self._ledger.begin(positions)

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the state that ``changes`` returned, all calls together."""
        sequence = entries.get(_SEQUENCE)
        if sequence is not None:
            self._sequence = int(orjson.loads(sequence))
        clock = entries.get(_CLOCK)
        if clock is not None:
            self._clock.restore(clock)
        self._remember(entries, besides={_SEQUENCE, _CLOCK})

    def replace_rules(self, rules: Sequence[Rule]) -> None:
        """
        Go on under *rules*, as a restart with them would, but without touching the series of those that are as they were.

        Alerts of rules that are gone end with the next tick. ``changes`` must be asked for everything next: nothing that was heard
        under the old rules may be read again under the new ones.
        """
        # What was noted down was noted down for the rules that were.
        self._absorber.drop_feeds(self._watched.values())
        self._hand_on(rules)
        self._absorber.look_up_in(self._index)
        self._decided = Decided(rules)

    # -- signals ----------------------------------------------------------------------------------

    def _hear(self, watch: Watch, signal: Signal, at: datetime, origin: Origin) -> None:
        name, watched = "", watch.series.get(watch.key_of(signal))
        if watched is None:
            name = watch.fingerprint_of(signal)
            watched = self._wake(name)
        if not isinstance(signal, Told) and self._is_left_out(watch, watched, name, at, origin):
            return
        if watch.waits or (watched is not None and watched.waits):
            self._queue(watch, watched, signal, at, origin)
            return
        newer = True
        if watched is not None:
            if watch.rule.order_matters() or watched.next_moment < at:
                # Or what its other feeds noted down moved that moment away.
                self._absorber.catch_up(watched)
            newer = at > watched.series.heard_at
            if newer and not self._let_pass(watched, at, inclusive=False):
                watched = None
        if newer or watch.late_counts:
            watched = watched or self._begin(watch, signal, at, origin, name)
            if watched is not None:
                self._judge(watched, signal, at, origin, newer=newer)
        elif watched is not None and at < watched.series.heard_at:
            watch.late += 1

    def _is_left_out(
        self, watch: Watch, watched: Watched | None, name: str, at: datetime, origin: Origin
    ) -> bool:
        """Whether a signal was heard before a restart, or a series that begins with it, called *name*, would be forgotten at once."""
        heard_to = watched.heard_to if watched else self._ledger.gone_at(name)
        if origin.offset < heard_to.get(origin.topic, 0):
            return True  # Read again: it is in the state.
        forgotten_at = at + watch.rule.forget_after + watch.rule.lateness
        if watched is not None or not self._clock.has_passed(forgotten_at, origin):
            return False
        watch.late += 1
        # Read again when the clock is not known yet, it must not count either.
        self._ledger.forget(name)
        return True

    def _queue(
        self, watch: Watch, watched: Watched | None, signal: Signal, at: datetime, origin: Origin
    ) -> None:
        """Let *signal* wait for its turn."""
        if watched is None:
            watched = self._begin(watch, signal, at, origin)
            if watched is None:
                return
            watched.series.queue = Queue()
        series = watched.series
        if series.queue is None:
            # Until now its rule let nothing wait.
            series.queue = Queue(heard=True, passed=series.heard_at)
        if not series.queue.take(signal, at, origin, watch.rule.lateness):
            watch.late += 1
            return
        self._ledger.change(watched, self._ledger.mark)
        again = self._take_turns(watched, series.queue.passed)
        if again is not None:
            self._absorber.ask(again)
            self._agenda.plan(series.fingerprint, again.planned_for)

    def _take_turns(self, watched: Watched, until: datetime | None) -> Watched | None:
        """Judge what has waited long enough, in order; return the series, or the one that began in its place."""
        watch, queue = watched.watch, watched.series.queue
        while queue is not None and (kept := queue.next(until)) is not None:
            if queue.heard and not self._let_pass(watched, kept.at, inclusive=False):
                again = self._begin_again(watch, queue)
                if again is None:
                    return None
                watched = again
            queue.waiting.pop(0)
            queue.pass_to(kept.at)
            series, newer = watched.series, not queue.heard or kept.at > watched.series.heard_at
            if not queue.heard:
                queue.heard, series.heard_at = True, kept.at
            if newer or watch.late_counts:
                self._judge(watched, kept.signal, kept.at, kept.origin, newer=newer)
        if not watch.waits and queue is not None and not queue.waiting:
            # Since the policy changed, nothing waits any longer.
            watched.series.queue = None
        return watched

    def _begin_again(self, watch: Watch, queue: Queue) -> Watched | None:
        """Begin a series anew that was forgotten while some of its signals waited; return None where none do, or there is no room."""
        if not queue.waiting:
            return None
        kept, queue.heard = queue.waiting[0], False
        watched = self._begin(watch, kept.signal, kept.at, kept.origin)
        if watched is not None:
            watched.series.queue = queue
            self._ledger.change(watched, self._ledger.mark)
        return watched

    def _let_clock_pass(self, watched: Watched, at: datetime) -> Watched | None:
        """Let a series live until *at* on the clock; return it, or the one that began in its place; None where it is forgotten."""
        watch = watched.watch
        until = at - watch.rule.lateness if watched.series.queue else at
        again = self._take_turns(watched, until)
        if again is None or (again.series.queue is not None and not again.series.queue.heard):
            return again
        queue = again.series.queue
        if self._let_pass(again, until, inclusive=True):
            return again
        return self._begin_again(watch, queue) if queue is not None else None

    def _judge(
        self, watched: Watched, signal: Signal, at: datetime, origin: Origin, *, newer: bool
    ) -> None:
        series, rule = watched.series, watched.watch.rule
        says = rule.judge(series.memory, signal, at, origin)
        if says is None and not newer:
            watched.watch.late += at < series.heard_at
            return
        series.heard_at, series.origin = max(at, series.heard_at), origin
        self._ledger.change(watched, self._ledger.mark)
        if says is not None:
            self._hold(watched, says, series.heard_at)
            self._let_pass(watched, series.heard_at, inclusive=True)
        self._absorber.ask(watched)
        self._agenda.plan(series.fingerprint, watched.planned_for)

    def _begin(
        self, watch: Watch, signal: Signal, at: datetime, origin: Origin, name: str = ""
    ) -> Watched | None:
        """Begin to watch the series of *signal*, whose identity can be known as *name*; return None where there is no room."""
        if not watch.has_room:
            self._crowd(watch, signal, at, origin)
            return None
        # The same identity can have been another kind's before the policy changed.
        name = name or watch.fingerprint_of(signal)
        self._end_orphan(name, at)
        series = watch.begin(signal, name, at, origin)
        watched = self._watched[name] = watch.take(watch.key_of(signal), series)
        return watched

    def _hold(self, watched: Watched, says: Says, at: datetime) -> None:
        rule, series = watched.watch.rule, watched.series
        if says is not Says.BAD and series.held.phase is Phase.QUIET:
            return  # Nearly all signals end here.
        if says is Says.BAD and series.began is None:
            evidence = rule.evidence(series.memory, says)
            series.began = (evidence.started_at or at, evidence.first or series.origin)
        severity = rule.severity_of(series.memory)
        series.held, move = holding.hold(series.held, says, at, severity, watched.watch.terms)
        if move is not None:
            self._tell(watched, move, at, rule.evidence(series.memory, says))
        if series.held.phase is Phase.QUIET:
            series.began = None
            rule.begin_anew(series.memory)

    def _combine(self) -> None:
        """Let the rules that combine others hear what these have told."""
        while heard := self._decided.unheard():
            for signal, origin in heard:
                for watch in self._index.hearing(signal):
                    if watch.rule.concerns(signal):
                        self._hear(watch, signal, signal.occurred_at, origin)
                        # An alert and what was made of it are written down together.
                        self._ledger.told.add(watch.fingerprint_of(signal))

    # -- time -------------------------------------------------------------------------------------

    def _let_pass(self, watched: Watched, until: datetime, *, inclusive: bool) -> bool:
        """Let everything happen to a series that is due, and return whether it is still watched."""
        watch, series = watched.watch, watched.series
        while True:
            moment = watched.next_moment
            if moment > until or (moment == until and not inclusive):
                return True
            self._ledger.change(watched, self._ledger.mark)
            if series.queue is not None:
                series.queue.pass_to(moment)
            if moment == series.heard_at + watch.rule.forget_after:
                self._forget(watched, moment)
                return False
            if moment == watch.rule.next_look(series.memory, series.heard_at):
                # Before what is waited for: that must still hold at its own moment.
                says = watch.rule.look(series.memory, series.heard_at, moment)
                if says is not None:
                    self._hold(watched, says, moment)
            else:
                self._elapse(watched, moment)

    def _elapse(self, watched: Watched, at: datetime) -> None:
        """Make the move that has been waited for."""
        watch, series = watched.watch, watched.series
        pending = series.held.phase is Phase.PENDING
        evidence = watch.rule.evidence(series.memory, Says.BAD if pending else Says.CLEAR)
        waited = written(watch.terms.wait if pending else watch.terms.keep)
        series.held, move = holding.elapse(series.held, at)
        self._tell(watched, move, at, replace(evidence, reason=f"{evidence.reason}, for {waited}"))
        if not pending:
            watch.rule.begin_anew(series.memory)

    def _forget(self, watched: Watched, at: datetime) -> None:
        watch, series = watched.watch, watched.series
        if series.alert is not None:
            reason = (
                f"nothing heard of it for {written(watch.rule.forget_after)}: "
                "it is not watched any longer, which does not mean that it is well"
            )
            self._tell(watched, Move.RESOLVED, at, Evidence(reason))
        self._absorber.untie(watched)
        del watch.series[watched.key], self._watched[series.fingerprint]
        self._agenda.drop(series.fingerprint)
        self._ledger.forget(series.fingerprint)
        self._end_crowd(watch, at)

    # -- alerts -----------------------------------------------------------------------------------

    def _tell(self, watched: Watched, move: Move, at: datetime, evidence: Evidence) -> None:
        series = watched.series
        at = series.moved_at = max(at, series.moved_at or at)
        self._ledger.told.add(series.fingerprint)
        if move is not Move.RESOLVED:
            series.alert = begun(watched.watch.rule, series, evidence, at, self._next_sequence())
            self._decided.add(series.alert)
            return
        if series.alert is not None:
            self._decided.add(
                ended(series.alert, evidence, at, self._next_sequence(), series.origin)
            )
        series.alert = series.began = None

    def _next_sequence(self) -> int:
        self._sequence += 1
        self._ledger.told.add(_SEQUENCE)
        return self._sequence

    # -- rules with too many series ---------------------------------------------------------------

    def _crowd(self, watch: Watch, signal: Signal, at: datetime, origin: Origin) -> None:
        if watch.crowd is None:
            watch.crowd = crowded(
                watch.rule, watch.count, signal, at, self._next_sequence(), origin
            )
            self._decided.add_about_rule(watch.crowd)
            self._ledger.told.add(CROWD + watch.rule.name)

    def _end_crowd(self, watch: Watch, at: datetime) -> None:
        if watch.crowd is None or not watch.has_room_again:
            return
        room = Evidence(f"{watch.count} series are watched: there is room again")
        self._decided.add_about_rule(self._ended(watch.crowd, room, at))
        watch.crowd = None
        self._ledger.told.add(CROWD + watch.rule.name)

    def _ended(self, alert: AlertV1, evidence: Evidence, at: datetime) -> AlertV1:
        return ended(alert, evidence, max(at, alert.occurred_at), self._next_sequence())

    # -- state ------------------------------------------------------------------------------------

    def _entry(self, name: str, positions: dict[str, int]) -> bytes | None:
        if name == _SEQUENCE:
            return orjson.dumps(self._sequence)
        if name.startswith(CROWD):
            watch = self._watches.get(name.removeprefix(CROWD))
            crowd = watch.crowd if watch else self._orphans.get(name, (None, ""))[0]
            return crowd.to_wire() if crowd else None
        watched = self._watched.get(name) or self._orphaned.get(name)
        if watched is None:
            return self._ledger.gone(name, positions)
        heard = positions
        since = None if watched.watch.rule.order_matters() else waiting_since(watched)
        if since is None:
            # What stands before the positions must all be in the entry.
            self._absorber.catch_up(watched)
        else:
            # Where only the newest signal counts it does no harm to hear again what others of its feeds said meanwhile.
            heard = dict(self._ledger.read_at(since))
        self._ledger.take(name)
        series = watched.series
        series.moment = watched.planned_for
        # While records are read again, some series have heard more than has been read.
        series.heard_to = heard | {
            topic: offset
            for topic, offset in watched.heard_to.items()
            if offset > heard.get(topic, 0)
        }
        return dump(series)

    def _end_orphans(self, at: datetime) -> None:
        for name in sorted(self._orphans):
            self._end_orphan(name, at)
        if self._restored:
            self._restored = False
            for watch in self._watches.values():
                # The policy can have made room.
                self._end_crowd(watch, at)

    def _end_orphan(self, name: str, at: datetime) -> None:
        if name in self._orphans:
            alert, why = self._orphans.pop(name)
            self._orphaned.pop(name, None)
            self._ledger.told.add(name)
            if alert is not None:
                self._decided.add(self._ended(alert, Evidence(why), at))
