"""What was decided and not returned yet, and what rules hear of it that combine others: that an alert fires, or is over."""

from collections.abc import Iterable, Mapping
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
        self._unheard: list[AlertV1] = []

    def add(self, alert: AlertV1) -> None:
        """Take in what a rule found, or that it is over."""
        self._alerts.append(alert)
        if alert.rule in self._combined:
            self._unheard.append(alert)

    def add_about_rule(self, alert: AlertV1) -> None:
        """Take in an alert that is about a rule itself, which no rule needs to hear."""
        self._alerts.append(alert)

    def take(self) -> list[AlertV1]:
        """Return what was not returned yet."""
        taken, self._alerts = self._alerts, []
        return taken

    def unheard(self) -> list[tuple[Told, Origin]]:
        """Return what rules that combine others have not heard yet, and the record that decided it, in the order in which it happened."""
        alerts, self._unheard = self._unheard, []
        alerts.sort(key=lambda alert: alert.occurred_at)
        return [(_told(alert), alert.origins[-1]) for alert in alerts]


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
