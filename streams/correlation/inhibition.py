"""Inhibition: symptoms are muted while their cause fires."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.alerts import AlertState, AlertV1
from streams.correlation.settings import Inhibition
from streams.correlation.silences import FIELDS
from streams.entries import Entries, Place
from streams.matchers import Predicate, predicate


@dataclass(frozen=True, slots=True)
class _Rule:
    said: Inhibition
    is_source: Predicate
    is_target: Predicate

    def common(self, alert: AlertV1) -> tuple[str, ...]:
        """Return the values that a source and its targets must share."""
        return tuple(
            str(getattr(alert, name)) if name in FIELDS else alert.labels.get(name, "")
            for name in self.said.equal
        )


class Inhibitions:
    """The inhibition rules, and the sources that fire."""

    def __init__(self, rules: Sequence[Inhibition]) -> None:
        self._rules = [_Rule(rule, _holding(rule.source), _holding(rule.target)) for rule in rules]
        #: By tenant and fingerprint.
        self._sources: dict[tuple[str, str], AlertV1] = {}
        #: By rule, tenant and common values: the fingerprints that fire.
        self._firing: dict[tuple[int, str, tuple[str, ...]], dict[str, AlertV1]] = {}
        #: Whether one has ended since it was last asked; a worker that went away may have been told and not have asked.
        self._ended = True
        self.entries = Entries({"source": self._written})

    def hear(self, alert: AlertV1) -> None:
        """Take in what became of an alert, which may be a source."""
        place = (alert.tenant, alert.fingerprint)
        if alert.state is AlertState.RESOLVED:
            fired = self._sources.pop(place, None)
            if fired is not None:
                self._leave(fired)
                self._ended = True
                self.entries.note("source", place)
        elif any(rule.is_source(alert) for rule in self._rules):
            before = self._sources.get(place)
            if before is not None:
                self._leave(before)
            self._enter(alert)
            self.entries.note("source", place)

    def muting(self, alert: AlertV1) -> tuple[str, AlertV1] | None:
        """Return the name of the rule that mutes *alert*, and the source that fires; None where none does."""
        for number, rule in enumerate(self._rules):
            if rule.is_target(alert) and not rule.is_source(alert):
                firing = self._firing.get((number, alert.tenant, rule.common(alert)))
                if firing:
                    return rule.said.name, firing[min(firing)]
        return None

    def turned(self) -> bool:
        """Whether a source has ended since this was last asked."""
        ended, self._ended = self._ended, False
        return ended

    def restore(self, value: Any) -> None:
        """Take back one source; the policy may have changed since."""
        alert = AlertV1.model_validate(value)
        if any(rule.is_source(alert) for rule in self._rules):
            self._enter(alert)

    def _enter(self, alert: AlertV1) -> None:
        self._sources[alert.tenant, alert.fingerprint] = alert
        for number, rule in enumerate(self._rules):
            if rule.is_source(alert):
                place = (number, alert.tenant, rule.common(alert))
                self._firing.setdefault(place, {})[alert.fingerprint] = alert

    def _leave(self, alert: AlertV1) -> None:
        for number, rule in enumerate(self._rules):
            place = (number, alert.tenant, rule.common(alert))
            firing = self._firing.get(place)
            if firing is not None:
                firing.pop(alert.fingerprint, None)
                if not firing:
                    del self._firing[place]

    def _written(self, place: Place) -> bytes | None:
        alert = self._sources.get((place[0], place[1]))
        return alert.to_wire() if alert else None


def _holding(matchers: Any) -> Predicate:
    return predicate(matchers, FIELDS) or (lambda _: False)
