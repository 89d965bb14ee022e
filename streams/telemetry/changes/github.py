"""GitHub's webhooks ``deployment_status`` (of those that succeeded) and ``release`` (published)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.changes import ChangeKind, ChangeV1
from streams.telemetry.changes._parts import moment, part, text


def read(payload: Mapping[str, Any], at: datetime) -> list[ChangeV1]:
    """Return the change that *payload*, heard at *at*, tells of."""
    status, deployment = part(payload, "deployment_status"), part(payload, "deployment")
    service = text(part(payload, "repository").get("name"))
    if service and status and deployment and status.get("state") == "success":
        return [_deployed(service, status, deployment, at)]
    release = part(payload, "release")
    if service and release and payload.get("action") == "published":
        return [_released(service, release, at)]
    return []


def _deployed(
    service: str, status: Mapping[str, Any], deployment: Mapping[str, Any], at: datetime
) -> ChangeV1:
    ref, sha = text(deployment.get("ref")) or "?", text(deployment.get("sha"))
    environment = text(status.get("environment")) or text(deployment.get("environment"))
    return ChangeV1(
        occurred_at=moment(status.get("updated_at")) or moment(status.get("created_at")) or at,
        change_id=f"github-deployment-{deployment.get('id')}",
        service=service,
        environment=environment or "production",
        kind=ChangeKind.DEPLOYMENT,
        summary=text(deployment.get("description")) or f"Deploy {service} {ref}",
        version=sha or ref,
        author=text(part(deployment, "creator").get("login")),
        url=text(status.get("log_url")) or text(status.get("target_url")),
    )


def _released(service: str, release: Mapping[str, Any], at: datetime) -> ChangeV1:
    tag = text(release.get("tag_name")) or "?"
    return ChangeV1(
        occurred_at=moment(release.get("published_at")) or at,
        change_id=f"github-release-{release.get('id')}",
        service=service,
        kind=ChangeKind.DEPLOYMENT,
        summary=f"Release {service} {text(release.get('name')) or tag}",
        version=tag,
        author=text(part(release, "author").get("login")),
        url=text(release.get("html_url")),
    )
