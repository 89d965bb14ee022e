"""
What the rules say when a signal comes, and when time passes.

What is promised, whatever the order in which signals of different series, and ticks, arrive:

* A signal that is not newer than the newest one of its series changes nothing, except where a rule counts in a window: there
  it counts as long as the window reaches back to it. The same signal twice is harmless either way.
* What only needs time happens at the moment it is due, and bears that time, whether a tick or the series' next signal shows that
  the moment has passed. Where a signal and a due moment have the same time, the signal comes first.
* Alerts of one series alternate: firing, any number of changes, resolved. Each firing is a new episode with a start of its own.
  Their times never go back while the series is remembered.
* A series that is silent for the rule's ``forget_after`` is forgotten; where it fires, its alert is resolved first. What is heard
  of it then, however old, begins anew.
* A rule that is gone from the policy, or has become another kind or grouping, ends its alerts with the next tick.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import orjson
from pydantic import ValidationError

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection import holding
from streams.detection.agenda import Agenda
from streams.detection.holding import Move, Phase, Says
from streams.detection.index import Index
from streams.detection.rule import Evidence, Rule
from streams.detection.series import Series, dump, load, revive
from streams.detection.telling import begun, crowded, ended
from streams.detection.watch import Key, Watch
from streams.durations import written

#: Names of the state entries that are no series; a series' is its fingerprint.
_SEQUENCE: Final = "sequence"
_CROWD: Final = "crowd/"

_RULE_GONE: Final = "the policy has no such rule any more"
_RULE_CHANGED: Final = "the rule is of another kind or groups otherwise now"


@dataclass(frozen=True, slots=True)
class _Watched:
    """A series, and who watches it under which key."""

    watch: Watch
    key: Key
    series: Series

    @property
    def next_moment(self) -> datetime:
        """When time alone next does something to the series; it is forgotten at the latest."""
        rule, series = self.watch.rule, self.series
        moment = series.heard_at + rule.forget_after
        look = rule.next_look(series.memory, series.heard_at)
        if look is not None and look < moment:
            moment = look
        due = holding.due(series.held, self.watch.terms)
        return due if due is not None and due <= moment else moment


class Detector:
    """All rules over the signals of one partition."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._watches = {rule.name: Watch(rule) for rule in rules}
        self._index = Index(list(self._watches.values()))
        #: Every series, by its fingerprint.
        self._watched: dict[str, _Watched] = {}
        self._agenda = Agenda()
        self._sequence = 0
        #: What was decided and not returned yet.
        self._decided: list[AlertV1] = []
        self._touched: set[str] = set()
        #: Remembered series, and alerts of crowded rules, that no rule of the policy watches any more.
        self._orphans: dict[str, tuple[AlertV1 | None, str]] = {}
        #: Whether no tick has come since the state was restored.
        self._restored = False

    def hear(self, signal: Signal, origin: Origin) -> list[AlertV1]:
        """Take in *signal*, which stands at *origin*, and return the alerts that follow."""
        # One zone for all: comparing times of different zone objects costs several times as much.
        at = signal.occurred_at.astimezone(UTC)
        for watch in self._index.hearing(signal):
            if watch.rule.concerns(signal):
                self._hear(watch, signal, at, origin)
        return self._take_decided()

    def tick(self, at: datetime) -> list[AlertV1]:
        """Take in the time and return the alerts that are due."""
        at = at.astimezone(UTC)
        self._end_orphans(at)
        waiting = []
        for name in self._agenda.take(at):
            moment = self._watched[name].next_moment
            if moment <= at:
                waiting.append((moment, name))
            else:
                self._agenda.plan(name, moment)
        # In an order that does not depend on when each was planned.
        for _, name in sorted(waiting):
            watched = self._watched[name]
            if self._let_pass(watched, at, inclusive=True):
                self._agenda.plan(name, watched.next_moment)
        return self._take_decided()

    def changes(self) -> dict[str, bytes | None]:
        """Return the state entries that changed since the last call; None where one is gone."""
        changed = {name: self._entry(name) for name in sorted(self._touched)}
        self._touched.clear()
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take the state that ``changes`` returned, all calls together."""
        self._restored = True
        for name, entry in entries.items():
            if name == _SEQUENCE:
                self._sequence = int(orjson.loads(entry))
            elif name.startswith(_CROWD):
                self._restore_crowd(name, AlertV1.from_wire(entry))
            else:
                self._restore_series(name, load(entry))

    # -- signals ----------------------------------------------------------------------------------

    def _hear(self, watch: Watch, signal: Signal, at: datetime, origin: Origin) -> None:
        key = watch.key_of(signal)
        series = watch.series.get(key)
        newer = series is None or at > series.heard_at
        if not newer and not watch.late_counts:
            return
        if series is not None and newer:
            before = self._watched[series.fingerprint]
            if not self._let_pass(before, at, inclusive=False):
                series = None
        if series is None:
            if not watch.has_room:
                self._crowd(watch, signal, at, origin)
                return
            series = self._open(watch, key, signal, at, origin)
        says = watch.rule.judge(series.memory, signal, at, origin)
        if says is None and not newer:
            return
        series.heard_at, series.origin = max(at, series.heard_at), origin
        self._touched.add(series.fingerprint)
        watched = self._watched[series.fingerprint]
        if says is not None:
            self._hold(watched, says, series.heard_at)
            self._let_pass(watched, series.heard_at, inclusive=True)
        self._agenda.plan(series.fingerprint, watched.next_moment)

    def _open(self, watch: Watch, key: Key, signal: Signal, at: datetime, origin: Origin) -> Series:
        series = watch.open(key, signal, at, origin)
        # The same identity can have been another kind's before the policy changed.
        self._end_orphan(series.fingerprint, at)
        self._watched[series.fingerprint] = _Watched(watch, key, series)
        return series

    def _hold(self, watched: _Watched, says: Says, at: datetime) -> None:
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
        elif series.held.phase is Phase.QUIET:
            series.began = None

    # -- time -------------------------------------------------------------------------------------

    def _let_pass(self, watched: _Watched, until: datetime, *, inclusive: bool) -> bool:
        """Let everything happen to a series that is due, and return whether it is still watched."""
        watch, series = watched.watch, watched.series
        while True:
            moment = watched.next_moment
            if moment > until or (moment == until and not inclusive):
                return True
            self._touched.add(series.fingerprint)
            if moment == series.heard_at + watch.rule.forget_after:
                self._forget(watched, moment)
                return False
            if moment == holding.due(series.held, watch.terms):
                self._elapse(watched, moment)
            else:
                says = watch.rule.look(series.memory, series.heard_at, moment)
                if says is not None:
                    self._hold(watched, says, moment)

    def _elapse(self, watched: _Watched, at: datetime) -> None:
        """Make the move that has been waited for."""
        watch, series = watched.watch, watched.series
        pending = series.held.phase is Phase.PENDING
        evidence = watch.rule.evidence(series.memory, Says.BAD if pending else Says.CLEAR)
        waited = written(watch.terms.wait if pending else watch.terms.keep)
        series.held, move = holding.elapse(series.held, at)
        self._tell(watched, move, at, replace(evidence, reason=f"{evidence.reason}, for {waited}"))

    def _forget(self, watched: _Watched, at: datetime) -> None:
        watch, series = watched.watch, watched.series
        if series.alert is not None:
            reason = (
                f"nothing heard of it for {written(watch.rule.forget_after)}: "
                "it is not watched any longer, which does not mean that it is well"
            )
            self._tell(watched, Move.RESOLVED, at, Evidence(reason))
        del watch.series[watched.key], self._watched[series.fingerprint]
        self._agenda.drop(series.fingerprint)
        self._touched.add(series.fingerprint)
        self._end_crowd(watch, at)

    # -- alerts -----------------------------------------------------------------------------------

    def _tell(self, watched: _Watched, move: Move, at: datetime, evidence: Evidence) -> None:
        series = watched.series
        at = series.moved_at = max(at, series.moved_at or at)
        if move is not Move.RESOLVED:
            series.alert = begun(watched.watch.rule, series, evidence, at, self._next_sequence())
            self._decided.append(series.alert)
            return
        if series.alert is not None:
            self._decided.append(
                ended(series.alert, evidence, at, self._next_sequence(), series.origin)
            )
        series.alert = series.began = None

    def _next_sequence(self) -> int:
        self._sequence += 1
        self._touched.add(_SEQUENCE)
        return self._sequence

    def _take_decided(self) -> list[AlertV1]:
        decided, self._decided = self._decided, []
        return decided

    # -- rules with too many series ---------------------------------------------------------------

    def _crowd(self, watch: Watch, signal: Signal, at: datetime, origin: Origin) -> None:
        if watch.crowd is None:
            watch.crowd = crowded(
                watch.rule, len(watch.series), signal, at, self._next_sequence(), origin
            )
            self._decided.append(watch.crowd)
            self._touched.add(_CROWD + watch.rule.name)

    def _end_crowd(self, watch: Watch, at: datetime) -> None:
        if watch.crowd is None or not watch.has_room_again:
            return
        room = Evidence(f"{len(watch.series)} series are watched: there is room again")
        self._end(watch.crowd, room, at)
        watch.crowd = None
        self._touched.add(_CROWD + watch.rule.name)

    def _end(self, alert: AlertV1, evidence: Evidence, at: datetime) -> None:
        at = max(at, alert.occurred_at)
        self._decided.append(ended(alert, evidence, at, self._next_sequence()))

    # -- state ------------------------------------------------------------------------------------

    def _entry(self, name: str) -> bytes | None:
        if name == _SEQUENCE:
            return orjson.dumps(self._sequence)
        if name.startswith(_CROWD):
            watch = self._watches.get(name.removeprefix(_CROWD))
            return watch.crowd.to_wire() if watch and watch.crowd else None
        watched = self._watched.get(name)
        return dump(watched.series) if watched else None

    def _restore_crowd(self, name: str, alert: AlertV1) -> None:
        watch = self._watches.get(alert.rule)
        if watch is None:
            self._orphans[name] = (alert, _RULE_GONE)
        else:
            watch.crowd = alert

    def _restore_series(self, name: str, series: Series) -> None:
        watch = self._watches.get(series.rule)
        if watch is None:
            self._orphans[name] = (series.alert, _RULE_GONE)
            return
        key = watch.key_again(series)
        if key is None or not _revived(watch, series):
            self._orphans[name] = (series.alert, _RULE_CHANGED)
            return
        watch.series[key] = series
        watched = self._watched[name] = _Watched(watch, key, series)
        self._agenda.plan(name, watched.next_moment)

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
            self._touched.add(name)
            if alert is not None:
                self._end(alert, Evidence(why), at)


def _revived(watch: Watch, series: Series) -> bool:
    """Bring the memory of *series* back, and return whether it is one that its rule can use."""
    if series.kind != watch.kind:
        return False
    try:
        series.memory = revive(series.memory, type(watch.rule.fresh()))
    except ValidationError:
        return False
    return True
