"""
What the rules say when a signal comes, and when time passes.

What is promised, whatever the order in which signals of different series, and ticks, arrive:

* A signal that is not newer than the newest one of its series changes nothing, except where a rule counts in a window: there
  it counts as long as the window reaches back to it. The same signal twice is harmless either way.
* What only needs time happens at the moment it is due, and bears that time, whether a tick or the series' next signal shows that
  the moment has passed. Where a signal and a due moment have the same time, the signal comes first.
* Alerts of one series alternate: firing, any number of changes, resolved. Each firing is a new episode with a start of its own.
  Their times never go back.
* A series that is silent for the rule's ``forget_after`` is forgotten; where it fires, its alert is resolved first.
* A rule that is gone from the policy, or has become another kind or grouping, ends its alerts with the next tick.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import ValidationError

from schemas.alerts import AlertState, AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection import holding
from streams.detection.agenda import Agenda
from streams.detection.fingerprint import fingerprint
from streams.detection.holding import Move, Phase, Says
from streams.detection.index import Index
from streams.detection.rule import Evidence, Rule
from streams.detection.series import Series, dump, load, revive
from streams.detection.telling import begun, ended, group_key
from streams.detection.watch import Key, Watch
from streams.durations import written

#: Names of the state entries that are no series; a series' is its fingerprint.
_SEQUENCE: Final = "sequence"
_CROWD: Final = "crowd/"


class Detector:
    """All rules over the signals of one partition."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._watches = {rule.name: Watch(rule) for rule in rules}
        self._index = Index(list(self._watches.values()))
        self._known: dict[str, tuple[Watch, Key, Series]] = {}
        self._agenda = Agenda()
        self._sequence = 0
        self._touched: set[str] = set()
        #: Remembered series, and alerts of crowded rules, that no rule of the policy watches any more.
        self._orphans: dict[str, tuple[AlertV1 | None, str]] = {}
        #: Whether no tick has come since the state was restored.
        self._restored = False

    def hear(self, signal: Signal, origin: Origin) -> list[AlertV1]:
        """Take in *signal*, which stands at *origin*, and return the alerts that follow."""
        alerts: list[AlertV1] = []
        # One zone for all: comparing times of different zone objects costs several times as much.
        at = signal.occurred_at.astimezone(UTC)
        for watch in self._index.hearing(signal):
            if watch.rule.concerns(signal):
                self._hear(watch, signal, at, origin, alerts)
        return alerts

    def tick(self, at: datetime) -> list[AlertV1]:
        """Take in the time and return the alerts that are due."""
        alerts: list[AlertV1] = []
        at = at.astimezone(UTC)
        self._end_orphans(at, alerts)
        waiting = []
        for name in self._agenda.take(at):
            watch, _, series = self._known[name]
            moment = _next_moment(watch, series)
            if moment <= at:
                waiting.append((moment, name))
            else:
                self._agenda.plan(name, moment)
        # In an order that does not depend on when each was planned.
        for _, name in sorted(waiting):
            watch, key, series = self._known[name]
            if self._let_pass(watch, key, series, at, alerts, inclusive=True):
                self._agenda.plan(name, _next_moment(watch, series))
        return alerts

    def changes(self) -> dict[str, bytes | None]:
        """Return the state entries that changed since the last call; None where one is gone."""
        changed: dict[str, bytes | None] = {}
        for name in sorted(self._touched):
            changed[name] = self._entry(name)
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

    def _hear(
        self, watch: Watch, signal: Signal, at: datetime, origin: Origin, alerts: list[AlertV1]
    ) -> None:
        key = watch.key_of(signal)
        series = watch.series.get(key)
        if series is not None and at > series.heard_at:
            if not self._let_pass(watch, key, series, at, alerts, inclusive=False):
                series = None
        elif series is not None and not watch.late_counts:
            return
        if series is None:
            if not watch.has_room:
                self._crowd(watch, signal, at, origin, alerts)
                return
            series = watch.open(key, signal, at, origin)
            # The same identity can have been another kind's before the policy changed.
            self._end_orphan(series.fingerprint, at, alerts)
            self._known[series.fingerprint] = (watch, key, series)
        says = watch.rule.judge(series.memory, signal, at, origin)
        if at >= series.heard_at:
            series.heard_at, series.origin = at, origin
        elif says is None:
            return
        else:
            series.origin = origin
        self._touched.add(series.fingerprint)
        if says is not None:
            self._hold(watch, series, says, series.heard_at, alerts)
            self._let_pass(watch, key, series, series.heard_at, alerts, inclusive=True)
        self._agenda.plan(series.fingerprint, _next_moment(watch, series))

    def _hold(
        self, watch: Watch, series: Series, says: Says, at: datetime, alerts: list[AlertV1]
    ) -> None:
        if says is not Says.BAD and series.held.phase is Phase.QUIET:
            return  # Nearly all signals end here.
        severity = watch.rule.severity_of(series.memory)
        if says is Says.BAD and series.began is None:
            evidence = watch.rule.evidence(series.memory, says)
            series.began = (evidence.started_at or at, evidence.first or series.origin)
        series.held, move = holding.hold(series.held, says, at, severity, watch.terms)
        if move is not None:
            self._tell(watch, series, move, at, says, alerts)
        elif series.held.phase is Phase.QUIET:
            series.began = None

    # -- time -------------------------------------------------------------------------------------

    def _let_pass(
        self,
        watch: Watch,
        key: Key,
        series: Series,
        until: datetime,
        alerts: list[AlertV1],
        *,
        inclusive: bool,
    ) -> bool:
        """Let everything happen to *series* that is due, and return whether it is still watched."""
        while True:
            moment = _next_moment(watch, series)
            if moment > until or (moment == until and not inclusive):
                return True
            self._touched.add(series.fingerprint)
            if moment == series.heard_at + watch.rule.forget_after:
                self._forget(watch, key, series, moment, alerts)
                return False
            if moment == holding.due(series.held, watch.terms):
                said = Says.BAD if series.held.phase is Phase.PENDING else Says.CLEAR
                series.held, move = holding.elapse(series.held, moment)
                self._tell(watch, series, move, moment, said, alerts, waited=True)
                continue
            says = watch.rule.look(series.memory, series.heard_at, moment)
            if says is not None:
                self._hold(watch, series, says, moment, alerts)

    def _forget(
        self, watch: Watch, key: Key, series: Series, at: datetime, alerts: list[AlertV1]
    ) -> None:
        if series.alert is not None:
            reason = (
                f"nothing heard of it for {written(watch.rule.forget_after)}: "
                "it is not watched any longer, which does not mean that it is well"
            )
            alerts.append(self._ended(series, series.alert, reason, at))
        del watch.series[key], self._known[series.fingerprint]
        self._agenda.drop(series.fingerprint)
        self._touched.add(series.fingerprint)
        self._end_crowd(watch, at, alerts)

    # -- alerts -----------------------------------------------------------------------------------

    def _tell(
        self,
        watch: Watch,
        series: Series,
        move: Move,
        at: datetime,
        says: Says,
        alerts: list[AlertV1],
        *,
        waited: bool = False,
    ) -> None:
        evidence = watch.rule.evidence(series.memory, says)
        at = max(at, series.moved_at or at)
        if move is Move.RESOLVED:
            if series.alert is not None:
                reason = evidence.reason + _for(watch.terms.keep if waited else None)
                alerts.append(self._ended(series, series.alert, reason, at, value=evidence.value))
            series.alert = series.began = None
        else:
            if waited:
                evidence = _after(evidence, watch.terms.wait)
            series.alert = begun(
                watch.rule,
                series,
                evidence,
                at,
                severity=series.held.severity,
                sequence=self._next_sequence(),
            )
            alerts.append(series.alert)
        series.moved_at = at

    def _ended(
        self,
        series: Series,
        fired: AlertV1,
        reason: str,
        at: datetime,
        *,
        value: float | None = None,
    ) -> AlertV1:
        at = max(at, fired.occurred_at)
        return ended(series, fired, reason, at, value=value, sequence=self._next_sequence())

    def _next_sequence(self) -> int:
        self._sequence += 1
        self._touched.add(_SEQUENCE)
        return self._sequence

    def _crowd(
        self, watch: Watch, signal: Signal, at: datetime, origin: Origin, alerts: list[AlertV1]
    ) -> None:
        if watch.crowd is not None:
            return
        rule = watch.rule
        reason = f"{len(watch.series)} series are watched, as many as max_series allows: further ones are left out"
        watch.crowd = AlertV1(
            occurred_at=at,
            tenant=signal.tenant,
            # No signal has an empty environment, so no series can have this fingerprint.
            fingerprint=fingerprint(
                tenant=signal.tenant,
                service="",
                environment="",
                rule=rule.name,
                subject="",
                labels={},
            ),
            sequence=self._next_sequence(),
            state=AlertState.FIRING,
            rule=rule.name,
            severity=rule.severity_of(rule.fresh()),
            service=signal.service,
            environment=signal.environment,
            group_key=group_key(signal.service, signal.environment),
            summary=f"{rule.name} does not see everything: it has too many series",
            reason=reason,
            value=float(len(watch.series)),
            runbook=rule.runbook,
            owner=rule.owner,
            started_at=at,
            origins=(origin,),
        )
        alerts.append(watch.crowd)
        self._touched.add(_CROWD + rule.name)

    # -- state ------------------------------------------------------------------------------------

    def _entry(self, name: str) -> bytes | None:
        if name == _SEQUENCE:
            return orjson.dumps(self._sequence)
        if name.startswith(_CROWD):
            watch = self._watches.get(name.removeprefix(_CROWD))
            return watch.crowd.to_wire() if watch and watch.crowd else None
        known = self._known.get(name)
        return dump(known[2]) if known else None

    def _restore_crowd(self, name: str, alert: AlertV1) -> None:
        watch = self._watches.get(alert.rule)
        if watch is None:
            self._orphans[name] = (alert, "the policy has no such rule any more")
        else:
            watch.crowd = alert

    def _restore_series(self, name: str, series: Series) -> None:
        watch = self._watches.get(series.rule)
        key = None if watch is None else watch.key_again(series)
        why = (
            "the policy has no such rule any more"
            if watch is None
            else "the rule groups otherwise now"
        )
        if watch is not None and key is not None and series.kind == watch.kind:
            series.memory = _revived(watch, series)
        if watch is None or key is None or series.kind != watch.kind or series.memory is None:
            self._orphans[name] = (series.alert, why)
            return
        watch.series[key] = series
        self._known[name] = (watch, key, series)
        self._agenda.plan(name, _next_moment(watch, series))

    def _end_orphans(self, at: datetime, alerts: list[AlertV1]) -> None:
        for name in sorted(self._orphans):
            self._end_orphan(name, at, alerts)
        if self._restored:
            self._restored = False
            for watch in self._watches.values():
                # The policy can have made room.
                self._end_crowd(watch, at, alerts)

    def _end_orphan(self, name: str, at: datetime, alerts: list[AlertV1]) -> None:
        if name not in self._orphans:
            return
        alert, why = self._orphans.pop(name)
        self._touched.add(name)
        if alert is not None:
            alerts.append(_over(alert, why, max(at, alert.occurred_at), self._next_sequence()))

    def _end_crowd(self, watch: Watch, at: datetime, alerts: list[AlertV1]) -> None:
        if watch.crowd is None or not watch.has_room_again:
            return
        reason = f"{len(watch.series)} series are watched: there is room again"
        at = max(at, watch.crowd.occurred_at)
        alerts.append(_over(watch.crowd, reason, at, self._next_sequence()))
        watch.crowd = None
        self._touched.add(_CROWD + watch.rule.name)


def _next_moment(watch: Watch, series: Series) -> datetime:
    """Return when time alone next does something to *series*; it is forgotten at the latest."""
    moment = series.heard_at + watch.rule.forget_after
    look = watch.rule.next_look(series.memory, series.heard_at)
    if look is not None and look < moment:
        moment = look
    due = holding.due(series.held, watch.terms)
    return due if due is not None and due <= moment else moment


def _over(alert: AlertV1, reason: str, at: datetime, sequence: int) -> AlertV1:
    return alert.model_copy(
        update={
            "occurred_at": at,
            "sequence": sequence,
            "state": AlertState.RESOLVED,
            "reason": reason,
            "value": None,
        }
    )


def _revived(watch: Watch, series: Series) -> Any:
    try:
        return revive(series.memory, type(watch.rule.fresh()))
    except ValidationError:
        return None


def _after(evidence: Evidence, wait: Any) -> Evidence:
    return Evidence(
        evidence.reason + _for(wait),
        evidence.value,
        evidence.started_at,
        evidence.first,
        evidence.message,
    )


def _for(span: Any) -> str:
    return f", for {written(span)}" if span else ""
