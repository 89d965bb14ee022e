"""
What an incident takes from its alerts: their list, the labels they share, the severity of the worst, since when all is clear.

The full list is kept beside the incident; its snapshot lists the worst hundred and counts the rest.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas import limits
from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import AttachedAlert, IncidentV1

#: Characters of an alert's summary inside an incident: a hundred of them must fit into one message.
_SUMMARY_LENGTH = 200


def member(alert: AlertV1) -> AttachedAlert:
    """Return what an incident remembers of *alert*."""
    return AttachedAlert(
        fingerprint=alert.fingerprint,
        sequence=alert.sequence,
        state=alert.state,
        rule=alert.rule,
        severity=alert.severity,
        service=alert.service,
        summary=alert.summary[:_SUMMARY_LENGTH],
        since=alert.started_at,
        changed_at=alert.occurred_at,
    )


def attached(
    incident: IncidentV1,
    before: AttachedAlert | None,
    now: AttachedAlert,
    alert: AlertV1,
    at: datetime,
) -> dict[str, Any]:
    """
    Return the fields of *incident* that *alert* changes.

    *before* is what the incident remembered of it, None for an alert that is new to it. The cost does not grow with the
    number of alerts.
    """
    firing = incident.firing_count + _fires(now) - (before is not None and _fires(before))
    return {
        "alerts": _listed(incident.alerts, now),
        "alert_count": incident.alert_count + (before is None),
        "firing_count": firing,
        "clear_since": None if firing else incident.clear_since or at,
        "labels": _shared(incident.labels, alert.labels) if incident.alert_count else alert.labels,
        "services": _with(incident.services, alert.service),
        # A late alert can show that it began earlier than was known.
        "started_at": min(incident.started_at, alert.started_at),
        "runbook": incident.runbook or alert.runbook,
        "owner": incident.owner or alert.owner,
    }


def _fires(alert: AttachedAlert) -> bool:
    return alert.state is not AlertState.RESOLVED


def _listed(alerts: tuple[AttachedAlert, ...], changed: AttachedAlert) -> tuple[AttachedAlert, ...]:
    others = [each for each in alerts if each.fingerprint != changed.fingerprint]
    ordered = sorted(
        [*others, changed],
        key=lambda each: (not _fires(each), each.severity, each.since, each.fingerprint),
    )
    return tuple(ordered[: limits.ALERTS_LISTED])


def _with(services: tuple[str, ...], another: str) -> tuple[str, ...]:
    if another in services or len(services) >= limits.SERVICES_LISTED:
        return services
    return tuple(sorted([*services, another]))


def _shared(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in ours.items() if theirs.get(name) == value}
