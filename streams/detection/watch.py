"""One rule and the series it has heard: which series a signal belongs to, and how many there may be."""

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import Any, Final, Self

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection import holding
from streams.detection.feeds import Feed
from streams.detection.fingerprint import fingerprint
from streams.detection.holding import Phase
from streams.detection.rule import MANY, Calm, Rule
from streams.detection.series import Series, dump

Key = tuple[Hashable, ...]
#: Instead of a service and an environment, where the subject alone tells series apart.
_ANYWHERE = ("*", "*")


class Watched:
    """A series that is looked after: by whom, under which key, who feeds it."""

    __slots__ = (
        "apart",
        "as_heard",
        "calm",
        "feeds",
        "heard_to",
        "key",
        "series",
        "since",
        "watch",
    )

    def __init__(self, watch: "Watch", key: Key, series: Series) -> None:
        self.watch = watch
        self.key = key
        self.series = series
        #: Its feeds, each with what tells its source from others, once somebody asked: most rules never do.
        self.feeds: dict[Feed, str | None] = {}
        #: Whether each feed is a source of its own; None where nobody has looked since there were others.
        self.apart: bool | None = None
        #: Its memory as signals left it, where ticks have moved on what a late one would find; None otherwise.
        self.as_heard: Any = None
        #: What it is calm about as of the last signal that it heard.
        self.calm: Calm | None = None
        #: Mark of the last writing before the first change that is not written down.
        self.since = 0
        #: Next offset of each topic that its state does not hold, as far as a restart knows.
        self.heard_to: Mapping[str, int] = series.heard_to

    @property
    def next_moment(self) -> datetime:
        """When time alone next does something to the series, in its own time; it is forgotten at the latest."""
        rule, series = self.watch.rule, self.series
        moment = self.forgotten_at
        look = rule.next_look(series.memory, series.heard_at)
        if look is not None and look < moment:
            moment = look
        if series.held.phase is Phase.QUIET:
            return moment
        due = holding.due(series.held, self.watch.terms)
        return due if due is not None and due <= moment else moment

    @property
    def due_at(self) -> datetime:
        """When that is on the clock: a series that waits for late signals lives so much behind."""
        queue = self.series.queue
        if queue is None:
            return self.next_moment
        moments = [kept.at for kept in queue.waiting[:1]]
        if queue.heard or not moments:
            moments.append(self.next_moment)
        return min(moments) + self.watch.rule.lateness

    @property
    def planned_for(self) -> datetime:
        """When somebody must look at it, if nothing more is heard: what it is calm about need not be looked at."""
        if self.calm is None:
            return self.due_at
        moment, until, gap = self.forgotten_at, self.calm.until, self.calm.gap
        if gap is not None:
            moment = min(moment, self.series.heard_at + gap)
        return moment if until is None or until > moment else until

    @property
    def forgotten_at(self) -> datetime:
        """When it is forgotten unless it is heard."""
        series = self.series
        repeated = series.repeated_at
        at = series.heard_at if repeated is None else max(series.heard_at, repeated)
        return at + self.watch.rule.forget_after

    @property
    def waits(self) -> bool:
        """Whether its signals wait for late ones."""
        return self.watch.waits or self.series.queue is not None

    def ask(self) -> Calm | None:
        """Return what it is calm about now."""
        if self.series.held.phase is not Phase.QUIET or self.waits:
            return None
        rule, memory = self.watch.rule, self._heard_memory
        given = self.calm is not None and self.calm.tops is not None
        calm = rule.renewed(memory, self.calm) if given and self.calm else None
        if calm is None:
            calm = rule.calm(memory)
        if len(self.feeds) < 2:  # noqa: PLR2004 - several
            return calm
        if calm is not None and calm.count >= MANY and not calm.by_source:
            return calm
        # Several feeds would each spend the whole of a budget.
        if not self._apart():
            return None
        return calm if calm is not None and calm.count >= MANY else rule.pooled(memory)

    def calm_of(self, feed: Feed) -> Calm | None:
        """Return what it is calm about when *feed* says it."""
        calm = self.calm
        if calm is None or calm.tops is None:
            return calm
        return self.watch.rule.calm_of(self._heard_memory, calm, self._source_of(feed))

    @property
    def _heard_memory(self) -> Any:
        return self.series.memory if self.as_heard is None else self.as_heard

    def keep_as_heard(self) -> None:
        """
        Remember what signals left of a quiet series, before a tick lets its time pass.

        Whether a tick looks at it depends on what it is calm about, hence on who feeds it. What its next signal finds must not.
        """
        if self.as_heard is None and self.series.held.phase is Phase.QUIET and not self.waits:
            self.as_heard = self.watch.rule.as_heard(self.series.memory)

    def write_down(self, heard: Mapping[str, int]) -> bytes:
        """Return its entry, now that everything before *heard* was heard."""
        series = self.series
        series.moment = self.planned_for
        self.go_back()
        # While records are read again, some series have heard more than has been read.
        series.heard_to = {
            **heard,
            **{
                topic: offset
                for topic, offset in self.heard_to.items()
                if offset > heard.get(topic, 0)
            },
        }
        return dump(series)

    def go_back(self) -> None:
        """Let the next signal find what signals left: what only needs time happens anew."""
        if self.as_heard is not None:
            self.series.memory, self.as_heard = self.as_heard, None

    def _apart(self) -> bool:
        """Whether each feed is a source of its own."""
        if self.apart is None:
            self.apart = len(set(map(self._source_of, self.feeds))) == len(self.feeds)
        return self.apart

    def _source_of(self, feed: Feed) -> str:
        source = self.feeds[feed]
        if source is None:
            source = self.feeds[feed] = self.watch.rule.source_for(feed.signal)
        return source


class Watch:
    """The series of one rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.kind = str(getattr(rule, "kind", ""))
        self.late_counts = rule.counts_late()
        self.terms = rule.terms
        self.waits = bool(rule.lateness)
        self.series: dict[Key, Watched] = {}
        #: Series that a restart remembered and nobody has heard of since.
        self.asleep = 0
        #: Signals that came after newer ones of their series and were left out, since somebody asked.
        self.late = 0
        self.grouping = grouping_of(rule)
        #: The alert that says that there is no more room, while that is so.
        self.crowd: AlertV1 | None = None
        self._label_key = _label_key(rule.group_by)

    def key_of(self, signal: Signal) -> Key:
        """Return what tells the series of *signal* from the others."""
        return (
            signal.tenant,
            *self._place(signal),
            self.rule.subject(signal),
            self._label_key(signal.labels),
        )

    def heard_again(self, signal: Signal, at: datetime, arrived: datetime | None) -> Watched | None:
        """Return the series of which *signal*, be it no news, shows that its alert still fired when it *arrived*, and remember that."""
        if arrived is None or not self.rule.is_repeated:
            return None
        watched = self.series.get(self.key_of(signal))
        if watched is None or watched.series.held.phase is Phase.QUIET:
            return None
        series = watched.series
        if at < series.heard_at or arrived <= (series.repeated_at or series.heard_at):
            return None
        series.repeated_at = arrived
        return watched

    def key_again(self, series: Series) -> Key:
        """Return the key of a series that was remembered."""
        return (
            series.tenant,
            *self._place(series),
            series.subject,
            self._label_key(series.labels),
        )

    @property
    def has_room(self) -> bool:
        """Whether another series can be watched."""
        return self.count < self.rule.max_series

    @property
    def count(self) -> int:
        """How many series there are."""
        return len(self.series) + self.asleep

    @property
    def has_room_again(self) -> bool:
        """Whether so many series are gone that it is worth saying: at the limit itself, each one would be."""
        return self.count * 10 <= self.rule.max_series * 9

    def labels_of(self, signal: Signal) -> dict[str, str]:
        """Return the labels that identify the series of *signal*."""
        labels, by = _IDENTIFYING.of(signal.labels).labels, self.rule.group_by
        return labels if by is None else {name: labels[name] for name in labels if name in by}

    def fingerprint_of(self, signal: Signal) -> str:
        """Return the identity of the series of *signal*."""
        service, environment = self._place(signal)
        return fingerprint(
            tenant=signal.tenant,
            service=service,
            environment=environment,
            rule=self.rule.name,
            subject=self.rule.subject(signal),
            labels=self.labels_of(signal),
        )

    def _place(self, of: Signal | Series) -> tuple[str, str]:
        """Return the service and the environment as far as they tell series apart."""
        return _ANYWHERE if self.rule.known_by_subject else (of.service, of.environment)

    def begin(self, signal: Signal, name: str, at: datetime, origin: Origin) -> Series:
        """Return the series of *signal*, whose identity is *name*, as nobody has heard it yet."""
        return Series(
            rule=self.rule.name,
            kind=self.kind,
            grouping=self.grouping,
            moment=at,
            tenant=signal.tenant,
            service=signal.service,
            environment=signal.environment,
            subject=self.rule.subject(signal),
            labels=self.labels_of(signal),
            fingerprint=name,
            heard_at=at,
            origin=origin,
            memory=self.rule.fresh(),
        )

    def take(self, key: Key, series: Series) -> Watched:
        """Begin to watch *series*."""
        watched = self.series[key] = Watched(self, key, series)
        return watched


def grouping_of(rule: Rule) -> str:
    """Return by what *rule* tells its series apart, as a text."""
    return "*" if rule.group_by is None else ",".join(sorted(rule.group_by))


class _Identifying:
    """
    What of a signal's labels can tell series apart: all that are not empty, by name.

    The rules that hear a signal ask one after the other, so the last answer is kept: their series share it.
    """

    __slots__ = ("_all", "key", "labels")

    def __init__(self) -> None:
        self._all: Mapping[str, str] = {}
        self.labels: dict[str, str] = {}
        self.key: Hashable = None

    def of(self, labels: dict[str, str]) -> Self:
        """Return it for *labels*, which nobody changes."""
        if labels is not self._all:
            self._all = labels
            self.labels = {name: value for name, value in sorted(labels.items()) if value}
            self.key = frozenset(self.labels.items()) or None
        return self


_IDENTIFYING: Final = _Identifying()


def _label_key(by: tuple[str, ...] | None) -> Callable[[dict[str, str]], Hashable]:
    if by is None:
        return lambda labels: _IDENTIFYING.of(labels).key
    if not by:
        return lambda _: None

    def some(labels: dict[str, str]) -> Any:
        return tuple(labels.get(name, "") for name in by)

    return some
