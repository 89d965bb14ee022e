"""
What an incident takes from its alerts: their list, the labels they share, the severity of the worst, since when all is clear.

The full list is kept beside the incident; its snapshot lists the worst hundred and counts the rest.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas import limits
from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import AttachedAlert, Bond, IncidentV1, Joined
from schemas.origin import Origin
from streams.incidents.members import Member

#: Characters of an alert's summary, and of why it is there, inside an incident: a hundred of them must fit into one message.
_SHORT: Final = 200


class Heard(NamedTuple):
    """An alert that an incident takes, and what ties it to the incident."""

    alert: AlertV1
    origin: Origin
    bond: Bond
    score: float
    reason: str


class Change(NamedTuple):
    """What an incident knew of an alert, None for a new one, and what it knows now."""

    before: Member | None
    now: Member
    alert: AlertV1


def member(alert: AlertV1) -> Member:
    """Return what an incident remembers of *alert*."""
    return Member(
        alert.fingerprint,
        alert.sequence,
        alert.state,
        alert.rule,
        alert.severity,
        alert.service,
        alert.summary[:_SHORT],
        alert.started_at,
        alert.occurred_at,
    )


def shown(alert: Member) -> AttachedAlert:
    """Return *alert* as a snapshot lists it."""
    return AttachedAlert(
        fingerprint=alert.fingerprint,
        sequence=alert.sequence,
        state=alert.state,
        rule=alert.rule,
        severity=alert.severity,
        service=alert.service,
        summary=alert.summary,
        since=alert.since,
        changed_at=alert.changed_at,
    )


def joined(heard: Heard) -> Joined:
    """Return what a step says of an alert."""
    return Joined(
        fingerprint=heard.alert.fingerprint,
        rule=heard.alert.rule,
        service=heard.alert.service,
        bond=heard.bond,
        reason=heard.reason[:_SHORT],
        score=heard.score,
        origin=heard.origin,
    )


def taken(incident: IncidentV1, changes: Sequence[Change], at: datetime) -> dict[str, Any]:
    """
    Return the fields of *incident* that *changes* of its alerts change.

    The cost does not grow with the number of alerts that it has.
    """
    firing = incident.firing_count + sum(
        _fires(each.now) - (each.before is not None and _fires(each.before)) for each in changes
    )
    fields: dict[str, Any] = {
        "alerts": listed(incident.alerts, [each.now for each in changes]),
        "alert_count": incident.alert_count + sum(each.before is None for each in changes),
        "firing_count": firing,
        "clear_since": None if firing else incident.clear_since or at,
        "services": _with(incident.services, {each.now.service for each in changes}),
    }
    labels: Mapping[str, str] | None = incident.labels if incident.alert_count else None
    started_at, runbook, owner = incident.started_at, incident.runbook, incident.owner
    for each in changes:
        alert = each.alert
        labels = alert.labels if labels is None else _shared(labels, alert.labels)
        # A late alert can show that it began earlier than was known.
        started_at = min(started_at, alert.started_at)
        runbook = runbook or alert.runbook
        owner = owner or alert.owner
    return {
        **fields,
        "labels": dict(labels or {}),
        "started_at": started_at,
        "runbook": runbook,
        "owner": owner,
    }


def listed(alerts: Sequence[AttachedAlert], changed: Sequence[Member]) -> tuple[AttachedAlert, ...]:
    """Return the alerts that a snapshot lists, the worst first, after some of them changed."""
    news = {each.fingerprint: each for each in changed}
    others = [each for each in alerts if each.fingerprint not in news]
    every: list[AttachedAlert | Member] = [*others, *news.values()]
    ordered = sorted(
        every,
        key=lambda each: (not _fires(each), each.severity, each.since, each.fingerprint),
    )[: limits.ALERTS_LISTED]
    return tuple(each if isinstance(each, AttachedAlert) else shown(each) for each in ordered)


def worst_first(heard: Heard) -> tuple[int, datetime, str]:
    """Return what alerts are ordered by: the worst, and of those that which began first, before the others."""
    return heard.alert.severity, heard.alert.started_at, heard.alert.fingerprint


def _fires(alert: Member | AttachedAlert) -> bool:
    return alert.state is not AlertState.RESOLVED


def _with(services: tuple[str, ...], others: set[str]) -> tuple[str, ...]:
    new = sorted(others.difference(services))[: limits.SERVICES_LISTED - len(services)]
    return tuple(sorted([*services, *new])) if new else services


def _shared(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Mapping[str, str]:
    if ours == theirs:
        return ours
    return {name: value for name, value in ours.items() if theirs.get(name) == value}
