"""What was decided and not returned yet, and what rules hear of it that combine others: that an alert fires, or is over."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Protocol

from schemas.alerts import AlertState, AlertV1
from schemas.contract import Name
from schemas.origin import Origin
from schemas.telemetry import Signal


class Told(Signal):
    """A transition of an alert of another rule, as a signal of the alert's service, environment and labels."""

    rule: Name
    """The rule whose alert it is."""
    fingerprint: str
    """The alert."""
    fires: bool
    """Whether it fires from then on."""


class Combining(Protocol):
    """Whatever can combine rules."""

    @property
    def name(self) -> str:
        """Its own name."""

    def combines(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the rules."""


class Decided:
    """What was decided: for those who asked, and for rules that combine others."""

    def __init__(self, rules: Iterable[Combining]) -> None:
        #: Rules whose alerts others hear.
        self._combined = {
            name for rule in rules for names in rule.combines().values() for name in names
        }
        self._alerts: list[AlertV1] = []
        #: The earliest first, of one moment the first that was decided.
        self._unheard: list[tuple[datetime, int, AlertV1]] = []
        self._numbers = count()

    def add(self, alert: AlertV1) -> None:
        """Take in what a rule found, or that it is over."""
        self._alerts.append(alert)
        if alert.rule in self._combined:
            heapq.heappush(self._unheard, (alert.occurred_at, next(self._numbers), alert))

    def add_about_rule(self, alert: AlertV1) -> None:
        """Take in an alert that is about a rule itself, which no rule needs to hear."""
        self._alerts.append(alert)

    def take(self) -> list[AlertV1]:
        """Return what was not returned yet."""
        taken, self._alerts = self._alerts, []
        return taken

    def unheard(self) -> tuple[Told, Origin] | None:
        """Return the earliest that rules which combine others have not heard yet, and the record that decided it; None where there is none."""
        if not self._unheard:
            return None
        alert = self._unheard[0][-1]
        return _told(alert), alert.origins[-1]

    def heard(self) -> None:
        """Take note that the earliest was heard."""
        heapq.heappop(self._unheard)


def ranks_of(rules: Sequence[Combining]) -> dict[str, int]:
    """Return by the names of *rules* which are to be asked after which others at one moment: those that combine others after these."""
    ranks = {rule.name: 0 for rule in rules}
    for _ in rules:
        before = dict(ranks)
        for rule in rules:
            parts = [name for names in rule.combines().values() for name in names]
            ranks[rule.name] = max((ranks.get(name, 0) + 1 for name in parts), default=0)
        if ranks == before:
            break
    return ranks


def _told(alert: AlertV1) -> Told:
    return Told(
        occurred_at=alert.occurred_at,
        tenant=alert.tenant,
        service=alert.service,
        environment=alert.environment,
        labels=alert.labels,
        rule=alert.rule,
        fingerprint=alert.fingerprint,
        fires=alert.state is not AlertState.RESOLVED,
    )
