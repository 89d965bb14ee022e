"""What rules hear that combine others: that an alert fires, or is over."""

from schemas.alerts import AlertState, AlertV1
from schemas.contract import Name
from schemas.telemetry import Signal


class Told(Signal):
    """A transition of an alert of another rule, as a signal of the alert's service, environment and labels."""

    rule: Name
    """The rule whose alert it is."""
    fingerprint: str
    """The alert."""
    fires: bool
    """Whether it fires from then on."""


def told_of(alert: AlertV1) -> Told:
    """Return *alert* as the rules hear it that combine it with others."""
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
