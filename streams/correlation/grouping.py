"""
Which incident an alert belongs to.

Alerts of one tenant with the same group key belong to one incident. A resolved alert never opens one. A closed incident takes
no alerts; one that was resolved a short while ago is reopened by an alert that fires again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import IncidentV1, Status


class Placement(StrEnum):
    """What becomes of an alert."""

    OPENS = "opens"
    JOINS = "joins"
    REOPENS = "reopens"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Placed:
    """Where an alert belongs, and why."""

    placement: Placement
    reason: str


def place(
    alert: AlertV1, candidate: IncidentV1 | None, at: datetime, *, reopen_within: timedelta
) -> Placed:
    """Say where *alert* belongs at *at*; *candidate* is the latest incident with its group key."""
    firing = alert.state is not AlertState.RESOLVED
    key = alert.group_key
    if candidate is None or candidate.status in {Status.CLOSED, Status.MERGED}:
        if firing:
            return Placed(Placement.OPENS, f"no open incident has the group key {key}")
        return Placed(Placement.IGNORED, f"resolved, and no open incident has the group key {key}")
    if candidate.resolved_at is None or not _begins(alert, candidate):
        return Placed(Placement.JOINS, f"{candidate.incident_id} has the group key {key}")
    since = at - candidate.resolved_at
    if since <= reopen_within:
        return Placed(
            Placement.REOPENS,
            f"{candidate.incident_id} with the group key {key} was resolved {_seconds(since)} ago",
        )
    return Placed(
        Placement.OPENS,
        f"{candidate.incident_id} with the group key {key} was resolved {_seconds(since)} ago, "
        f"more than {_seconds(reopen_within)}",
    )


def _begins(alert: AlertV1, candidate: IncidentV1) -> bool:
    """Whether *alert* is new trouble, and not the end or a change of what the incident had."""
    known = {each.fingerprint for each in candidate.alerts if each.state is not AlertState.RESOLVED}
    return alert.state is AlertState.FIRING or (
        alert.state is AlertState.CHANGED and alert.fingerprint not in known
    )


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
