"""Changes as GitHub, GitLab, Argo CD and Kubernetes tell of them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.contract import Unreadable
from streams.telemetry.change_reading import read_changes, readers

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

GITHUB_DEPLOYED = {
    "action": "created",
    "deployment_status": {
        "state": "success",
        "created_at": "2026-03-02T11:58:00Z",
        "updated_at": "2026-03-02T11:59:00Z",
        "environment": "production",
        "target_url": "https://ci.example.org/1",
        "log_url": "",
    },
    "deployment": {
        "id": 145988746,
        "ref": "v2.14.0",
        "sha": "a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d",
        "environment": "production",
        "description": None,
        "creator": {"login": "deployer"},
    },
    "repository": {"name": "shop", "full_name": "example/shop"},
}
GITHUB_RELEASED = {
    "action": "published",
    "release": {
        "id": 17372790,
        "tag_name": "v2.14.0",
        "name": None,
        "published_at": "2026-03-02T11:59:00Z",
        "author": {"login": "deployer"},
        "html_url": "https://example.org/r",
    },
    "repository": {"name": "shop"},
}
GITLAB_DEPLOYED = {
    "object_kind": "deployment",
    "status": "success",
    "status_changed_at": "2026-03-02 13:59:00 +0200",
    "deployment_id": 15,
    "environment": "staging",
    "project": {"name": "Shop", "path_with_namespace": "example/shop"},
    "short_sha": "279484c0",
    "user": {"username": "deployer"},
    "commit_title": "Add a new file",
    "commit_url": "https://example.org/c",
}
GITLAB_FLAG = {
    "object_kind": "feature_flag",
    "project": {"path_with_namespace": "example/shop", "web_url": "https://example.org/shop"},
    "user": {"username": "deployer"},
    "object_attributes": {"id": 6, "name": "checkout-v2", "active": True},
}
ARGO_APPLICATION = {
    "metadata": {"name": "shop", "labels": {"environment": "staging"}},
    "spec": {"destination": {"namespace": "shops"}},
    "status": {
        "operationState": {
            "phase": "Succeeded",
            "finishedAt": "2026-03-02T11:59:00Z",
            "syncResult": {"revision": "279484c09fbe69ededfced8c1bb6e6d24616b468"},
            "operation": {"initiatedBy": {"automated": True}},
        }
    },
}
SCALED = {
    "kind": "Event",
    "reason": "ScalingReplicaSet",
    "message": "Scaled up replica set shop-5d9c to 3",
    "involvedObject": {"kind": "Deployment", "namespace": "shops", "name": "shop"},
    "metadata": {"uid": "e1", "creationTimestamp": "2026-03-02T11:00:00Z"},
    "lastTimestamp": "2026-03-02T11:59:00Z",
    "source": {"component": "deployment-controller"},
}
CORDONED = {
    "kind": "Event",
    "apiVersion": "events.k8s.io/v1",
    "reason": "NodeNotSchedulable",
    "note": "Node node-7 status is now: NodeNotSchedulable",
    "regarding": {"kind": "Node", "name": "node-7"},
    "metadata": {"uid": "e2"},
    "eventTime": "2026-03-02T11:59:00.000000Z",
    "reportingController": "kubelet",
}


@pytest.mark.parametrize(
    ("system", "payload", "expected"),
    [
        (
            "github",
            GITHUB_DEPLOYED,
            {
                "change_id": "github-deployment-145988746",
                "service": "shop",
                "environment": "production",
                "kind": "deployment",
                "summary": "Deploy shop v2.14.0",
                "version": "a84d88e7554fc1fa21bcbc4efae3c782a70d2b9d",
                "author": "deployer",
                "url": "https://ci.example.org/1",
            },
        ),
        (
            "github",
            GITHUB_RELEASED,
            {
                "change_id": "github-release-17372790",
                "summary": "Release shop v2.14.0",
                "version": "v2.14.0",
            },
        ),
        (
            "gitlab",
            GITLAB_DEPLOYED,
            {
                "change_id": "gitlab-deployment-15",
                "service": "shop",
                "environment": "staging",
                "summary": "Add a new file",
                "version": "279484c0",
                "author": "deployer",
            },
        ),
        (
            "argocd",
            ARGO_APPLICATION,
            {
                "service": "shop",
                "environment": "staging",
                "summary": "Sync shop to 279484c09fbe",
                "author": "argocd",
                "labels": {"namespace": "shops"},
            },
        ),
        (
            "argocd",
            {"app": ARGO_APPLICATION},
            {"version": "279484c09fbe69ededfced8c1bb6e6d24616b468"},
        ),
        (
            "kubernetes",
            SCALED,
            {
                "service": "shop",
                "kind": "deployment",
                "summary": "Deployment shop: Scaled up replica set shop-5d9c to 3",
                "author": "deployment-controller",
            },
        ),
        (
            "kubernetes",
            {"kind": "List", "items": [CORDONED, {**SCALED, "reason": "BackOff"}]},
            {"service": "node-7", "kind": "infrastructure", "author": "kubelet"},
        ),
    ],
)
def test_what_a_system_says_is_a_change(
    system: str, payload: dict[str, Any], expected: dict[str, Any]
) -> None:
    (change,) = read_changes(system, json.dumps(payload).encode(), AT)
    said = change.model_dump(mode="json")
    assert {name: said[name] for name in expected} == expected
    assert change.occurred_at == datetime(2026, 3, 2, 11, 59, tzinfo=UTC)


def test_a_flag_is_switched_when_it_is_heard_of() -> None:
    (change,) = read_changes("gitlab", json.dumps(GITLAB_FLAG).encode(), AT)
    assert (change.kind, change.summary, change.occurred_at) == (
        "feature_flag",
        "checkout-v2 on",
        AT,
    )


@pytest.mark.parametrize("system", readers())
@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"deployment_status": {"state": "failure"}, "deployment": {}, "repository": {"name": "s"}},
        {"object_kind": "deployment", "status": "running", "project": {"name": "s"}},
        {"metadata": {"name": "s"}, "status": {"operationState": {"phase": "Failed"}}},
        {"reason": "BackOff", "involvedObject": {"name": "s"}},
        {"repository": [], "project": 7, "app": "x", "items": [1, "x", None], "metadata": None},
    ],
)
def test_what_is_no_change_is_none(system: str, payload: dict[str, Any]) -> None:
    """A failed deployment would be the first suspect of the next incident."""
    assert read_changes(system, json.dumps(payload).encode(), AT) == []


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"{", "value: is not JSON"),
        (b"[1]", "value: must be an object"),
        (json.dumps({**SCALED, "message": "x", "involvedObject": {"name": "n" * 200}}).encode(), "service: string should have at most 128 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_without_quoting_it(payload: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read_changes("kubernetes", payload, AT)
    assert str(refusal.value) == said
