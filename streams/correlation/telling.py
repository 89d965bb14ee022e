"""What is said of an alert that nobody is told of."""

from dataclasses import dataclass
from datetime import datetime

from schemas.alerts import AlertV1
from schemas.origin import Origin
from schemas.withheld import WithheldV1, Withholding


@dataclass(frozen=True, slots=True)
class Told:
    """A decision about one alert that opens and joins no incident."""

    alert: AlertV1
    origin: Origin
    withholding: Withholding
    reason: str
    by: str = "tocsin"
    silence_id: str | None = None
    until: datetime | None = None


def message(told: Told, at: datetime, incident_id: str | None) -> WithheldV1:
    """Return *told* as a message; *incident_id* is the incident that has the alert all the same."""
    alert = told.alert
    return WithheldV1(
        occurred_at=at,
        tenant=alert.tenant,
        fingerprint=alert.fingerprint,
        sequence=alert.sequence,
        state=alert.state,
        rule=alert.rule,
        service=alert.service,
        environment=alert.environment,
        severity=alert.severity,
        group_key=alert.group_key,
        summary=alert.summary,
        withholding=told.withholding,
        by=told.by,
        reason=told.reason[:1_000],
        silence_id=told.silence_id,
        incident_id=incident_id,
        until=told.until,
        origin=told.origin,
    )
