"""Kubernetes events (core/v1 and events.k8s.io/v1, one or a list) that tell of something that was changed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from schemas.changes import ChangeKind, ChangeV1
from streams.telemetry.changes._parts import moment, part, text

#: Reasons of events that are changes; all others tell of what follows from one.
REASONS: Final[Mapping[str, ChangeKind]] = {
    "ScalingReplicaSet": ChangeKind.DEPLOYMENT,
    "DeploymentRollback": ChangeKind.DEPLOYMENT,
    "SuccessfulRescale": ChangeKind.INFRASTRUCTURE,
    "NodeNotSchedulable": ChangeKind.INFRASTRUCTURE,
    "NodeSchedulable": ChangeKind.INFRASTRUCTURE,
    "RegisteredNode": ChangeKind.INFRASTRUCTURE,
    "RemovingNode": ChangeKind.INFRASTRUCTURE,
    "Rebooted": ChangeKind.INFRASTRUCTURE,
}


def read(payload: Mapping[str, Any], at: datetime) -> list[ChangeV1]:
    """Return the changes that *payload*, heard at *at*, tells of; the service is the object's name."""
    items = payload.get("items")
    events = items if isinstance(items, list) else [payload]
    return [
        change for event in events if isinstance(event, Mapping) for change in _changes(event, at)
    ]


def _changes(event: Mapping[str, Any], at: datetime) -> Iterator[ChangeV1]:
    kind = REASONS.get(str(event.get("reason")))
    subject = part(event, "involvedObject") or part(event, "regarding")
    service = text(subject.get("name"))
    times = (
        event.get("lastTimestamp"),
        part(event, "series").get("lastObservedTime"),
        event.get("eventTime"),
        event.get("deprecatedLastTimestamp"),
        part(event, "metadata").get("creationTimestamp"),
    )
    seen = next((found for found in map(moment, times) if found), at)
    if kind is None or not service:
        return
    message = text(event.get("message")) or text(event.get("note")) or str(event.get("reason"))
    yield ChangeV1(
        occurred_at=seen,
        change_id=f"kubernetes-{text(part(event, 'metadata').get('uid')) or service}-{seen.isoformat()}",
        service=service,
        kind=kind,
        summary=f"{subject.get('kind')} {service}: {message}"[:1_000],
        author=text(part(event, "source").get("component"))
        or text(event.get("reportingController")),
        labels={"namespace": text(subject.get("namespace")) or ""},
    )
