"""
Which series there are, who watches them, and what becomes of them when the rules are others.

A series belongs to a rule's name. Under another rule of that name it goes on where that is of the same kind and groups alike; otherwise
nobody watches it any more, and its alert ends with the next tick.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.alerts import AlertV1
from streams.detection.agenda import Agenda
from streams.detection.index import Index
from streams.detection.ledger import Ledger
from streams.detection.rule import Rule
from streams.detection.series import Head, Series, Unusable, alert_of, head_of, load
from streams.detection.watch import Watch, Watched

#: Before a rule's name: the state entry of its alert that it has too many series. A series' is its fingerprint.
CROWD: Final = "crowd/"

RULE_GONE: Final = "the policy has no such rule any more"
RULE_CHANGED: Final = "the rule is of another kind or groups otherwise now"


class Figures(NamedTuple):
    """What was counted of one rule in one partition."""

    rule: str
    late: int
    """Signals that came after newer ones of their series, and that it left out."""
    condition_failures: int
    """Signals of which its ``when`` could not be told."""


class Roster:
    """The series of all rules."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._watches = {rule.name: Watch(rule) for rule in rules}
        self._index = Index(list(self._watches.values()))
        #: Every series that is awake, by its fingerprint.
        self._watched: dict[str, Watched] = {}
        #: Entries of series that a restart remembered and nobody has needed since.
        self._asleep: dict[str, bytes] = {}
        self._agenda = Agenda()
        self._ledger = Ledger()
        #: Remembered series, and alerts of crowded rules, that no rule of the policy watches any more.
        self._orphans: dict[str, tuple[AlertV1 | None, str]] = {}
        #: Those of them that lost their rule since the start: they are written down until they are ended.
        self._orphaned: dict[str, Watched] = {}
        #: Whether no tick has come since the rules were others.
        self._restored = False

    def series_at(self, fingerprint: str) -> Series | None:
        """Return the series with that identity, if it is watched: for explanations."""
        watched = self._watched.get(fingerprint)
        return watched.series if watched else None

    def series_of(self, rule: str) -> list[Series]:
        """Return the series that the rule called *rule* watches: for explanations."""
        watch = self._watches.get(rule)
        return [each.series for each in watch.series.values()] if watch else []

    def rule_called(self, name: str) -> Rule | None:
        """Return the rule of that name, if there is one."""
        watch = self._watches.get(name)
        return watch.rule if watch else None

    def series_counts(self) -> dict[str, int]:
        """Return how many series each rule watches."""
        return {name: watch.count for name, watch in self._watches.items()}

    def crowded(self) -> list[str]:
        """Return the names of the rules that have no room for further series."""
        return [name for name, watch in self._watches.items() if watch.crowd is not None]

    def figures(self) -> list[Figures]:
        """Return what was counted of each rule since the last call."""
        figures = []
        for name, watch in self._watches.items():
            late, watch.late = watch.late, 0
            rule = watch.rule
            figures.append(Figures(name, late, rule.new_condition_failures() if rule.when else 0))
        return figures

    def _remember(self, entries: Mapping[str, bytes], *, besides: Collection[str]) -> None:
        """Take the entries of series and of crowded rules, which are all *besides* a few."""
        self._restored = True
        moments = []
        for name, entry in entries.items():
            if name.startswith(CROWD):
                self._restore_crowd(name, AlertV1.from_wire(entry))
            elif name not in besides and not self._ledger.restore_gone(name, entry):
                head = head_of(entry)
                why = self._why_gone(head.rule, head.kind, head.grouping)
                if why is not None:
                    self._orphans[name] = (alert_of(entry), why)
                else:
                    self._asleep[name] = entry
                    self._watches[head.rule].asleep += 1
                    moments.append((head.moment, name))
        self._agenda.fill(moments)

    def _hand_on(self, rules: Sequence[Rule]) -> None:
        """Give all series to *rules*; those of rules that are as they were are not touched."""
        before = self._watches
        self._watches = {
            rule.name: kept
            if (kept := before.get(rule.name)) is not None and _same(kept.rule, rule)
            else Watch(rule)
            for rule in rules
        }
        self._index = Index(list(self._watches.values()))
        replaced = {
            name: watch for name, watch in before.items() if self._watches.get(name) is not watch
        }
        for watch in replaced.values():
            if (heir := self._watches.get(watch.rule.name)) is not None:
                heir.late = watch.late
            if watch.crowd is not None:
                self._ledger.told.add(CROWD + watch.rule.name)
                self._restore_crowd(CROWD + watch.rule.name, watch.crowd)
        for name, watched in list(self._watched.items()):
            if watched.watch.rule.name in replaced:
                self._watch_again(name, watched)
        if any(watch.asleep for watch in replaced.values()):
            for name, entry in list(self._asleep.items()):
                head = head_of(entry)
                if head.rule in replaced:
                    self._let_sleep_on(name, entry, head)
        self._restored = True

    def _wake(self, name: str) -> Watched | None:
        """Return the series of a remembered entry; None where there is none that its rule can use."""
        entry = self._asleep.pop(name, None)
        if entry is None:
            return None
        head = head_of(entry)
        watch = self._watches[head.rule]
        watch.asleep -= 1
        try:
            series = load(entry, type(watch.rule.fresh()))
        except Unusable:
            self._orphans[name] = (alert_of(entry), RULE_CHANGED)
            return None
        watched = watch.take(watch.key_again(series), series)
        self._watched[name] = watched
        return watched

    def _why_gone(self, rule: str, kind: str, grouping: str) -> str | None:
        """Return why no rule watches a series of such a rule any more; None where one does."""
        watch = self._watches.get(rule)
        if watch is None:
            return RULE_GONE
        return None if (watch.kind, watch.grouping) == (kind, grouping) else RULE_CHANGED

    def _watch_again(self, name: str, watched: Watched) -> None:
        """Give a series to the rule that has its own rule's name now; where none can use it, its alert ends."""
        watched.go_back()
        series, before = watched.series, watched.watch
        why = self._why_gone(before.rule.name, before.kind, before.grouping)
        if why is None and type(series.memory) is not type(
            self._watches[before.rule.name].rule.fresh()
        ):
            why = RULE_CHANGED
        self._ledger.told.add(name)
        if why is not None:
            del self._watched[name]
            self._agenda.drop(name)
            self._orphans[name] = (series.alert, why)
            self._orphaned[name] = watched
            return
        watch = self._watches[before.rule.name]
        series.heard_to = dict(watched.heard_to)
        again = self._watched[name] = watch.take(watch.key_again(series), series)
        again.since = watched.since
        self._agenda.plan(name, again.due_at)

    def _let_sleep_on(self, name: str, entry: bytes, head: Head) -> None:
        """The same for a series that nobody has needed since the restart."""
        why = self._why_gone(head.rule, head.kind, head.grouping)
        if why is None:
            self._watches[head.rule].asleep += 1
            return
        del self._asleep[name]
        self._agenda.drop(name)
        self._orphans[name] = (alert_of(entry), why)

    def _restore_crowd(self, name: str, alert: AlertV1) -> None:
        watch = self._watches.get(alert.rule)
        if watch is None:
            self._orphans[name] = (alert, RULE_GONE)
        else:
            watch.crowd = alert


def _same(one: Rule, other: Rule) -> bool:
    return type(one) is type(other) and one.model_dump() == other.model_dump()
