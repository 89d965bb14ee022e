"""
What people outside are told: a notice for each channel that faces outwards, made of what was published.

The incident in it is made anew from what was published, field by field. Whatever a channel does with it, nothing that was written
for people inside can come out, because nothing of it is in.
"""

from collections.abc import Iterable
from typing import Final

from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Purpose
from schemas.public import PageV1, PublicImpact, PublicV1
from streams.notifications.routing import notice_id

#: How urgent a delivery is goes by what people notice: the severity is internal.
_SEVERITIES: Final = {
    PublicImpact.CRITICAL: 1,
    PublicImpact.MAJOR: 2,
    PublicImpact.MINOR: 3,
    PublicImpact.NONE: 4,
}


def public_notices(step: StepV1, page: PageV1, channels: Iterable[str]) -> list[NoticeV1]:
    """Return one notice for each of *channels* where *step* published something, or ended it with a last word."""
    public = step.incident.public
    if public is None:
        return []
    if step.kind is StepKind.PUBLISHED:
        reason = "it was published"
    elif step.kind is StepKind.MERGED and public.continued_as is not None:
        reason = "it goes on as another one that was published"
    else:
        return []
    outside = _outside(step.incident, public, page)
    return [
        NoticeV1(
            occurred_at=step.occurred_at,
            notice_id=notice_id(step, channel),
            tenant=step.tenant,
            # Receivers go on with what they have.
            incident_id=outside.incident_id,
            step=step.kind,
            purpose=Purpose.PUBLIC,
            channel=channel,
            reason=f"status_page: {reason}",
            update=public.updates[0].message,
            next_update_at=None if public.resolved_at else step.incident.next_update_at,
            page=page,
            incident=outside,
        )
        for channel in dict.fromkeys(channels)
    ]


def _outside(incident: IncidentV1, public: PublicV1, page: PageV1) -> IncidentV1:
    severity = _SEVERITIES[public.impact]
    return IncidentV1(
        occurred_at=incident.occurred_at,
        incident_id=public.known_as or incident.incident_id,
        tenant=incident.tenant,
        sequence=incident.sequence,
        status=Status(public.status),
        severity=severity,
        severity_first=severity,
        severity_peak=severity,
        summary=public.title,
        impact=public.impact_text or str(public.impact),
        service=public.components[0] if public.components else page.name,
        services=public.components,
        group_key="public",
        started_at=public.published_at,
        detected_at=public.published_at,
        resolved_at=public.resolved_at,
        public=public,
    )
