"""
What people are told of a shift that begins or ends: a notice that is of no incident.

Receivers and consumers know notices with an incident only, so it has one that stands in: its number begins with three noughts, which no real
one does, and it holds nothing but the handover.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from schemas import limits
from schemas.lifecycle import CallV1, IncidentV1, Status, StepKind
from schemas.notices import NoticeV1, Purpose, ShiftV1
from streams.notifications.ids import fitted
from streams.notifications.rendering import SEVERITIES, one_line

#: The tenant whose open incidents are named. Schedules are of the whole installation, like the alerts about their gaps.
TENANT: Final = "default"
#: Incidents that are named; the rest is counted.
_NAMED: Final = 20
#: Nobody is woken by it.
_LEAST: Final = 4


def shift_notices(
    shift: ShiftV1, calls: Sequence[CallV1], open_now: Sequence[IncidentV1], at: datetime
) -> list[NoticeV1]:
    """Return one notice for each of *calls* about the handover at *at*, with the incidents that are *open_now*."""
    what = f"shift/{shift.schedule}@{at.astimezone(UTC).isoformat()}"
    ours = [each for each in open_now if each.tenant == TENANT]
    incident = _standing_in(what, said(shift), at)
    return [
        NoticeV1(
            occurred_at=at,
            notice_id=fitted(f"{what}/{call.channel}"),
            tenant=TENANT,
            incident_id=incident.incident_id,
            step=StepKind.HANDED_OVER,
            purpose=Purpose.HANDOVER,
            channel=call.channel,
            people=call.people,
            reason=call.reason,
            update=_listed(ours),
            shift=shift,
            incident=incident,
        )
        for call in calls
    ]


def said(shift: ShiftV1) -> str:
    """Return the handover in one line."""
    if shift.before is None:
        return f"{shift.schedule}: {shift.now} comes on call"
    if shift.now is None:
        return f"{shift.schedule}: {shift.before} goes off call, nobody comes"
    return f"{shift.schedule}: {shift.before} hands over to {shift.now}"


def _listed(incidents: Sequence[IncidentV1]) -> str:
    if not incidents:
        return f"No incident of the tenant {TENANT} is open."
    ordered = sorted(incidents, key=lambda each: (each.severity, each.incident_id))
    count = len(ordered)
    lines = ["1 incident is open:" if count == 1 else f"{count} incidents are open:"]
    for each in ordered[:_NAMED]:
        drill = " DRILL" if each.drill else ""
        holder = each.assigned_to or each.acknowledged_by or "nobody is on it"
        lines.append(
            f"{each.incident_id} {SEVERITIES[each.severity].upper()}{drill} {one_line(each.summary)} ({holder})"
        )
    if count > _NAMED:
        lines.append(f"and {count - _NAMED} more")
    return "\n".join(lines)[: limits.TEXT_LENGTH]


def _standing_in(what: str, summary: str, at: datetime) -> IncidentV1:
    digits = int(hashlib.sha256(what.encode()).hexdigest(), 16) % 10**9
    return IncidentV1(
        occurred_at=at,
        incident_id=f"INC-{at.astimezone(UTC):%Y-%m-%d}-000{digits:09}",
        tenant=TENANT,
        sequence=1,
        status=Status.INVESTIGATING,
        severity=_LEAST,
        severity_first=_LEAST,
        severity_peak=_LEAST,
        summary=summary[: limits.LINE_LENGTH],
        service="on-call",
        group_key=fitted(what),
        started_at=at,
        detected_at=at,
    )
