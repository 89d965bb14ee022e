"""
What the warehouse keeps of a message: table and row, as data.

Values are what ClickHouse has types for. A missing text is empty, because a column that can be NULL costs more than
it tells; a missing time is None, because an empty time would be a false one.
"""

from collections.abc import Iterable
from datetime import date, datetime
from functools import singledispatch
from typing import Any, Final

from schemas.alerts import AlertV1
from schemas.changes import ChangeV1
from schemas.contract import Contract
from schemas.lifecycle import IncidentV1, Status, StepV1
from schemas.notices import NoticeV1, ReceiptV1
from schemas.origin import Origin
from schemas.telemetry import HealthV1
from streams.errors import Rejected

Row = dict[str, Any]


#: What somebody should work on.
OPEN: Final = frozenset({Status.INVESTIGATING, Status.IDENTIFIED, Status.MONITORING})
#: What ``DateTime64`` and ``Date`` hold, in every time zone; beyond it they would hold another time.
YEARS: Final = range(1901, 2299)
DAYS: Final = (date(1970, 1, 1), date(2149, 6, 6))


def rows_of(message: Contract) -> list[tuple[str, Row]]:
    """
    Return the rows that *message* becomes, each with its table; the same message gives the same rows.

    Raises:
        Rejected: A time has no place in the warehouse.
        TypeError: Nothing is kept of messages of this sort.
    """
    rows = _rows(message)
    for table, row in rows:
        for column, value in row.items():
            if isinstance(value, datetime) and value.year not in YEARS:
                reason = f"{table}.{column} is outside the years {YEARS[0]} to {YEARS[-1]}"
                raise Rejected(reason)
    return rows


def check_row(signal: HealthV1, partition: int, offset: int, place: int) -> tuple[str, Row]:
    """
    Return the row of a health check, which is known by its place in the log.

    Args:
        signal: What was found.
        partition: Partition of its record.
        offset: Offset of its record.
        place: Which of the signals of that record it is.
    """
    return "health_checks", {
        "tenant": signal.tenant,
        "service": signal.service,
        "occurred_at": signal.occurred_at,
        "partition": partition,
        "offset": offset,
        "place": place,
        "environment": signal.environment,
        "check": signal.check,
        "status": str(signal.status),
        "critical": signal.critical,
        "latency_seconds": None if signal.latency is None else signal.latency.total_seconds(),
    }


@singledispatch
def _rows(message: Contract) -> list[tuple[str, Row]]:
    reason = f"the warehouse keeps nothing of {type(message).__name__}"
    raise TypeError(reason)


@_rows.register
def _(step: StepV1) -> list[tuple[str, Row]]:
    incident = step.incident
    return [
        (
            "incident_steps",
            {
                "tenant": step.tenant,
                "incident_id": step.incident_id,
                "sequence": step.sequence,
                "step_id": step.step_id,
                "occurred_at": step.occurred_at,
                "kind": str(step.kind),
                "author": step.author,
                "source": step.source,
                "reason": step.reason,
                "detail": step.detail,
                "trigger_id": step.trigger_id,
                "status_before": str(step.before or ""),
                "status": str(incident.status),
                "severity": incident.severity,
                "service": incident.service,
                "drill": incident.drill,
                "origins": _places(step.origins),
            },
        ),
        ("incidents", _snapshot(incident)),
        *_turn(step),
    ]


def _turn(step: StepV1) -> list[tuple[str, Row]]:
    """Return the row of a step with which the incident began or ceased to be open; none for the others."""
    is_open = step.incident.status in OPEN
    if is_open is (step.before in OPEN):
        return []
    row: Row = {
        "tenant": step.tenant,
        "opened_on": _day_in(step.incident_id),
        "incident_id": step.incident_id,
        "sequence": step.sequence,
        "occurred_at": step.occurred_at,
        "open": is_open,
    }
    return [("incident_turns", row)]


def _snapshot(incident: IncidentV1) -> Row:
    return {
        "tenant": incident.tenant,
        "opened_on": _day_in(incident.incident_id),
        "incident_id": incident.incident_id,
        "sequence": incident.sequence,
        "changed_at": incident.occurred_at,
        "status": str(incident.status),
        "severity": incident.severity,
        "severity_first": incident.severity_first,
        "severity_peak": incident.severity_peak,
        "summary": incident.summary,
        "impact": incident.impact,
        "service": incident.service,
        "services": list(incident.services),
        "environment": incident.environment,
        "labels": dict(incident.labels),
        "group_key": incident.group_key,
        "owner": incident.owner or "",
        "rules": sorted({alert.rule for alert in incident.alerts}),
        "alert_count": incident.alert_count,
        "firing_count": incident.firing_count,
        "started_at": incident.started_at,
        "detected_at": incident.detected_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by or "",
        "assigned_to": incident.assigned_to or "",
        "mitigated_at": incident.mitigated_at,
        "resolved_at": incident.resolved_at,
        "closed_at": incident.closed_at,
        "reopen_count": incident.reopen_count,
        "seconds_resolved": incident.time_resolved.total_seconds(),
        "root_cause": incident.root_cause,
        "resolution": incident.resolution,
        "merged_into": incident.merged_into or "",
        "drill": incident.drill,
        "respond_by": incident.respond_by,
        "resolve_by": incident.resolve_by,
        "checklist": [
            (
                item.name,
                item.text,
                item.due_at,
                item.done_at,
                item.done_by or "",
                item.source or "",
            )
            for item in incident.checklist
        ],
    }


@_rows.register
def _(alert: AlertV1) -> list[tuple[str, Row]]:
    row: Row = {
        "tenant": alert.tenant,
        "rule": alert.rule,
        "fingerprint": alert.fingerprint,
        "sequence": alert.sequence,
        "occurred_at": alert.occurred_at,
        "state": str(alert.state),
        "severity": alert.severity,
        "service": alert.service,
        "environment": alert.environment,
        "labels": dict(alert.labels),
        "group_key": alert.group_key,
        "summary": alert.summary,
        "reason": alert.reason,
        "value": alert.value,
        "owner": alert.owner or "",
        "started_at": alert.started_at,
        "origins": _places(alert.origins),
    }
    return [("alerts", row)]


@_rows.register
def _(notice: NoticeV1) -> list[tuple[str, Row]]:
    row: Row = {
        "tenant": notice.tenant,
        "incident_id": notice.incident_id,
        "notice_id": notice.notice_id,
        "occurred_at": notice.occurred_at,
        "step": str(notice.step),
        "purpose": str(notice.purpose),
        "channel": notice.channel,
        "reason": notice.reason,
        "severity": notice.incident.severity,
        "drill": notice.incident.drill,
    }
    return [("notices", row)]


@_rows.register
def _(receipt: ReceiptV1) -> list[tuple[str, Row]]:
    row: Row = {
        "tenant": receipt.tenant,
        "incident_id": receipt.incident_id,
        "notice_id": receipt.notice_id,
        "attempt": receipt.attempt,
        "occurred_at": receipt.occurred_at,
        "requested_at": receipt.requested_at,
        "purpose": str(receipt.purpose),
        "channel": receipt.channel,
        "channel_kind": receipt.channel_kind,
        "outcome": str(receipt.outcome),
        "reason": receipt.reason,
        "seconds": receipt.took.total_seconds(),
        "retry_at": receipt.retry_at,
        "provider_id": receipt.provider_id or "",
    }
    return [("receipts", row)]


@_rows.register
def _(change: ChangeV1) -> list[tuple[str, Row]]:
    row: Row = {
        "tenant": change.tenant,
        "change_id": change.change_id,
        "occurred_at": change.occurred_at,
        "service": change.service,
        "environment": change.environment,
        "kind": str(change.kind),
        "summary": change.summary,
        "version": change.version or "",
        "author": change.author or "",
        "url": change.url or "",
        "labels": dict(change.labels),
    }
    return [("changes", row)]


def _places(origins: Iterable[Origin]) -> list[tuple[str, int, int]]:
    return [(origin.topic, origin.partition, origin.offset) for origin in origins]


def _day_in(incident_id: str) -> date:
    """
    Return the day in an incident's id.

    Partition and key rest on it because it never changes, whereas every time of an incident can be corrected.

    Raises:
        Rejected: There is no such day, or not in the warehouse.
    """
    try:
        day = date.fromisoformat(incident_id[4:14])
    except ValueError:
        reason = "the incident's id names a day that does not exist"
        raise Rejected(reason) from None
    if not DAYS[0] <= day <= DAYS[1]:
        reason = f"the incident's id names a day outside {DAYS[0]} to {DAYS[1]}"
        raise Rejected(reason)
    return day
