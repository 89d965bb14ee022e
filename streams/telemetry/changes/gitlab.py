"""GitLab's webhooks of deployments (that succeeded) and feature flags."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.changes import ChangeKind, ChangeV1
from streams.telemetry.changes._parts import moment, part, text


def read(payload: Mapping[str, Any], at: datetime) -> list[ChangeV1]:
    """Return the change that *payload*, heard at *at*, tells of; a flag's webhook gives no time of its own."""
    service = text(part(payload, "project").get("path_with_namespace"))
    service = service.rpartition("/")[2] if service else text(part(payload, "project").get("name"))
    kind = payload.get("object_kind")
    if service and kind == "deployment" and payload.get("status") == "success":
        return [_deployed(service, payload, at)]
    if service and kind == "feature_flag":
        return [_flagged(service, payload, at)]
    return []


def _deployed(service: str, payload: Mapping[str, Any], at: datetime) -> ChangeV1:
    sha = text(payload.get("short_sha"))
    return ChangeV1(
        occurred_at=moment(payload.get("status_changed_at")) or at,
        change_id=f"gitlab-deployment-{payload.get('deployment_id')}",
        service=service,
        environment=text(payload.get("environment")) or "production",
        kind=ChangeKind.DEPLOYMENT,
        summary=text(payload.get("commit_title")) or f"Deploy {service} {sha or ''}".strip(),
        version=sha,
        author=text(part(payload, "user").get("username")),
        url=text(payload.get("deployable_url")) or text(payload.get("commit_url")),
    )


def _flagged(service: str, payload: Mapping[str, Any], at: datetime) -> ChangeV1:
    flag = part(payload, "object_attributes")
    name = text(flag.get("name")) or "?"
    turned = "on" if flag.get("active") else "off"
    return ChangeV1(
        occurred_at=at,
        change_id=f"gitlab-flag-{flag.get('id')}-{turned}-{at.isoformat()}",
        service=service,
        kind=ChangeKind.FEATURE_FLAG,
        summary=f"{name} {turned}",
        author=text(part(payload, "user").get("username")),
        url=text(part(payload, "project").get("web_url")),
        labels={"flag": name},
    )
