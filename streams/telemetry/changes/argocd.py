"""Argo CD: an Application, bare or as ``app`` of a notification's body, whose last sync succeeded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.changes import ChangeKind, ChangeV1
from streams.telemetry.changes._parts import moment, part, text


def read(payload: Mapping[str, Any], at: datetime) -> list[ChangeV1]:
    """Return the change that *payload*, heard at *at*, tells of."""
    app = part(payload, "app") or payload
    name = text(part(app, "metadata").get("name"))
    operation = part(app, "status", "operationState")
    finished = moment(operation.get("finishedAt")) or at
    if not name or operation.get("phase") != "Succeeded":
        return []
    revision = text(part(operation, "syncResult").get("revision")) or text(
        part(app, "status", "sync").get("revision")
    )
    initiated = part(operation, "operation", "initiatedBy")
    return [
        ChangeV1(
            occurred_at=finished,
            change_id=f"argocd-{name}-{revision}-{finished.isoformat()}",
            service=name,
            environment=text(part(app, "metadata", "labels").get("environment")) or "production",
            kind=ChangeKind.DEPLOYMENT,
            summary=f"Sync {name} to {(revision or '?')[:12]}",
            version=revision,
            author=text(initiated.get("username"))
            or ("argocd" if initiated.get("automated") else None),
            labels={"namespace": text(part(app, "spec", "destination").get("namespace")) or ""},
        )
    ]
