"""Incidents and notices, for tests of what is told to whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.lifecycle import AttachedAlert, CallV1, IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose, ShiftV1
from schemas.public import PageV1, PublicUpdate, PublicV1
from streams.notifications.publicity import public_notices
from streams.notifications.routing import TOLD, UPDATE_EVERY
from streams.notifications.shifts import shift_notices

AT = datetime(2024, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)

#: What the incident's steps are called for.
REASONS = {
    StepKind.OPENED: "first alert of its group",
    StepKind.REOPENED: "database-health fires again",
    StepKind.ACKNOWLEDGED: "acknowledged by responder",
    StepKind.RESOLVED: "no alert has fired for 5 min",
}

#: What has changed by then.
AFTER: dict[StepKind, dict[str, Any]] = {
    StepKind.OPENED: {},
    StepKind.ACKNOWLEDGED: {
        "acknowledged_at": AT,
        "acknowledged_by": "responder",
        "assigned_to": "responder",
    },
    StepKind.RESOLVED: {
        "status": Status.RESOLVED,
        "acknowledged_at": AT - timedelta(minutes=10),
        "acknowledged_by": "responder",
        "assigned_to": "responder",
        "resolved_at": AT,
        "root_cause": "The disk of the primary was full",
        "resolution": "Old backups were deleted",
        "firing_count": 0,
    },
}


def incident(**changed: Any) -> IncidentV1:
    """Return an incident of severity 2."""
    given: dict[str, Any] = {
        "occurred_at": AT,
        "incident_id": "INC-2024-03-01-007",
        "sequence": 1,
        "status": Status.INVESTIGATING,
        "severity": 2,
        "severity_first": 2,
        "severity_peak": 2,
        "summary": "Database does not answer",
        "impact": "No orders",
        "service": "database",
        "services": ("database", "orders"),
        "labels": {"region": "eu"},
        "group_key": "database/production",
        "alerts": (
            AttachedAlert(
                fingerprint="00112233aabbccdd",
                sequence=9,
                state="firing",
                rule="database-health",
                severity=2,
                service="database",
                summary="Database is unhealthy",
                since=AT - timedelta(minutes=30),
                changed_at=AT - timedelta(minutes=30),
            ),
        ),
        "alert_count": 1,
        "firing_count": 1,
        "started_at": AT - timedelta(minutes=30),
        "detected_at": AT - timedelta(minutes=29),
        "runbook": "https://runbooks.example.org/database",
    }
    return IncidentV1(**given | changed)


def step(kind: StepKind = StepKind.OPENED, **changed: Any) -> StepV1:
    """Return a step of *kind*; what is *changed* is of the incident, or, where the step has it, of the step."""
    own = {name: changed.pop(name) for name in ("reason", "detail", "tenant") if name in changed}
    if "tenant" in own:
        changed["tenant"] = own["tenant"]
    after = incident(**AFTER.get(kind, {}) | changed)
    return StepV1(
        **{
            "occurred_at": AT,
            "step_id": f"{after.tenant}/{after.incident_id}.{after.sequence}",
            "incident_id": after.incident_id,
            "sequence": after.sequence,
            "kind": kind,
            "author": "tocsin",
            "source": "alert",
            "reason": REASONS.get(kind, f"{kind} by responder"),
            "trigger_id": "trigger",
            "incident": after,
        }
        | own
    )


def notice(
    kind: StepKind = StepKind.OPENED, channel: str = "somewhere", number: int = 1, **changed: Any
) -> NoticeV1:
    """Return what *channel* is told of a step of *kind*, the incident's *number*."""
    of = step(kind, sequence=number, **changed)
    purpose = TOLD[kind]
    return NoticeV1(
        occurred_at=AT,
        notice_id=f"{of.step_id}/{channel}",
        tenant=of.tenant,
        incident_id=of.incident_id,
        step=kind,
        purpose=purpose,
        channel=channel,
        reason="routes[0]: severity 2",
        update=of.reason,
        next_update_at=None if purpose is Purpose.RESOLUTION else AT + UPDATE_EVERY,
        incident=of.incident,
    )


#: The status page that people outside are told by.
PAGE = PageV1(name="Shop", url="https://status.example.org")


def update(
    status: str = "investigating", message: str = "We look into it.", **facts: Any
) -> PublicUpdate:
    """Return one thing that was said to people outside."""
    given = {
        "published_at": AT,
        "status": status,
        "impact": "major",
        "components": ("Checkout",),
        "message": message,
    }
    return PublicUpdate(**given | facts)


def public(*updates: PublicUpdate, **facts: Any) -> PublicV1:
    """Return what people outside know after *updates*, the latest first."""
    said = updates or (update(),)
    latest = said[0]
    given = {
        "title": "Checkout fails",
        "status": latest.status,
        "impact": latest.impact,
        "components": latest.components,
        "published_at": said[-1].published_at,
        "resolved_at": latest.published_at if latest.status == "resolved" else None,
        "updates": said,
    }
    return PublicV1(**given | facts)


def public_notice(channel: str = "somewhere", number: int = 1, **changed: Any) -> NoticeV1:
    """Return what *channel* tells people outside, the incident's *number*."""
    changed.setdefault("public", public())
    of = step(StepKind.PUBLISHED, sequence=number, **changed)
    return public_notices(of, PAGE, [channel])[0]


#: A notice of no incident: a shift ends.
SHIFT = shift_notices(
    ShiftV1(schedule="primary", before="ada", now="<grace>"),
    [CallV1(channel="somewhere", people=("ada",), reason="primary: ada goes off call")],
    [incident()],
    AT,
)[0]
#: A notice for each message.
AT_PURPOSE = {
    Purpose.PUBLIC: public_notice(number=10),
    Purpose.INITIAL: notice(),
    Purpose.UPDATE: notice(StepKind.ACKNOWLEDGED, number=2),
    Purpose.RESOLUTION: notice(StepKind.RESOLVED, number=9),
    **{
        purpose: notice(StepKind.STATUS_CHANGED, number=number).model_copy(
            update={"purpose": purpose, "update": said}
        )
        for number, (purpose, said) in enumerate(
            {
                Purpose.SEVERITY: "severity 3 becomes 2",
                Purpose.ESCALATION: "nobody acknowledged it within 15 min",
                Purpose.AT_RISK: "to be resolved by 2024-03-01 16:00 UTC: 80 % of the time is gone",
                Purpose.HANDOVER: "the shift of responder ends, that of another begins",
                Purpose.REMINDER: "not resolved for 30 min",
            }.items(),
            start=3,
        )
    },
}
