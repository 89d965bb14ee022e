"""One rule and the series it has heard: which series a signal belongs to, and how many there may be."""

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.telemetry import Signal
from streams.detection.fingerprint import fingerprint
from streams.detection.rule import Rule
from streams.detection.series import Series

Key = tuple[Hashable, ...]


class Watch:
    """The series of one rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.kind = str(getattr(rule, "kind", ""))
        self.late_counts = rule.counts_late()
        self.terms = rule.terms
        self.series: dict[Key, Series] = {}
        #: The alert that says that there is no more room, while that is so.
        self.crowd: AlertV1 | None = None
        self._label_key = _label_key(rule.group_by)

    def key_of(self, signal: Signal) -> Key:
        """Return what tells the series of *signal* from the others."""
        return (
            signal.tenant,
            signal.service,
            signal.environment,
            self.rule.subject(signal),
            self._label_key(signal.labels),
        )

    def key_again(self, series: Series) -> Key | None:
        """Return the key of a series that was remembered; None where the rule groups otherwise by now."""
        if self.rule.group_by is not None and not series.labels.keys() <= set(self.rule.group_by):
            return None
        return (
            series.tenant,
            series.service,
            series.environment,
            series.subject,
            self._label_key(series.labels),
        )

    @property
    def has_room(self) -> bool:
        """Whether another series can be watched."""
        return len(self.series) < self.rule.max_series

    @property
    def has_room_again(self) -> bool:
        """Whether so many series are gone that it is worth saying: at the limit itself, each one would be."""
        return len(self.series) * 10 <= self.rule.max_series * 9

    def open(self, key: Key, signal: Signal, at: datetime, origin: Origin) -> Series:
        """Begin to watch the series of *signal*."""
        by = self.rule.group_by
        labels = {
            name: value
            for name, value in sorted(signal.labels.items())
            if value and (by is None or name in by)
        }
        subject = self.rule.subject(signal)
        series = Series(
            rule=self.rule.name,
            kind=self.kind,
            tenant=signal.tenant,
            service=signal.service,
            environment=signal.environment,
            subject=subject,
            labels=labels,
            fingerprint=fingerprint(
                tenant=signal.tenant,
                service=signal.service,
                environment=signal.environment,
                rule=self.rule.name,
                subject=subject,
                labels=labels,
            ),
            heard_at=at,
            origin=origin,
            memory=self.rule.fresh(),
        )
        self.series[key] = series
        return series


def _label_key(by: tuple[str, ...] | None) -> Callable[[dict[str, str]], Hashable]:
    if by is None:
        return _all_labels
    if not by:
        return lambda _: None

    def some(labels: dict[str, str]) -> Any:
        return tuple(labels.get(name, "") for name in by)

    return some


def _all_labels(labels: dict[str, str]) -> Hashable:
    if not labels:
        return None
    # An empty label is as good as none.
    return frozenset(item for item in labels.items() if item[1]) or None
