"""The policy that the board answers by: what is published takes effect, what is broken changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import Depends
from prometheus_client import REGISTRY

from schemas.policies import PolicyV1
from schemas.topics import POLICIES
from streams.agents.governed import Folder
from streams.board.application import application
from streams.board.in_force import HOP, InForce, settled
from streams.gateways.following import Following
from streams.policy import Policy
from streams.releases import digest
from streams.settings import Settings
from tests.recording import Record
from tests.unit.board.test_callbacks import Broker, slack

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD = "channels: {slack: {kind: slack, url: '${URL}', signing_secret: a-signing-secret}}"
OTHER = GOOD.replace("a-signing-secret", "another")
BROKEN = "chanels: {}"


@pytest.fixture
def in_force() -> InForce:
    folder = Folder("policy", "f" * 64, {"URL": "https://example.org/x"})
    return InForce(folder, "f" * 64, Policy())


def published(text: str, minutes: int = 0, partition: int = 0, **facts: Any) -> PolicyV1:
    files = {"policy.yaml": text}
    given = {
        "occurred_at": AT + timedelta(minutes=minutes),
        "partition": partition,
        "sha256": digest(files),
        "author": "ada",
        "reason": "test",
        "files": files,
    }
    return PolicyV1(**given | facts)


def secret(in_force: InForce) -> str:
    return in_force.channels["slack"].signing_secret.get_secret_value()  # type: ignore[attr-defined]


def hear(in_force: InForce, *releases: PolicyV1) -> None:
    for each in releases:
        in_force.hear(each)
    in_force.settle()


def refused() -> float | None:
    return REGISTRY.get_sample_value("tocsin_policy_refused_total", {"hop": HOP})


def test_what_it_refuses_is_counted_from_the_first_on(in_force: InForce) -> None:
    """Growth from nothing is no growth to Prometheus: its alert would miss the only refusal."""
    before = refused()
    assert before is not None
    hear(in_force, published(BROKEN))
    assert refused() == before + 1


def test_the_folders_counts_until_one_is_published(in_force: InForce) -> None:
    """Otherwise a new installation would have no page and hear no callback."""
    assert (in_force.sha256, [*in_force.channels]) == ("f" * 64, [])
    hear(in_force, *(published(GOOD, partition=each) for each in range(4)))
    assert in_force.sha256 == published(GOOD).sha256
    assert (len(in_force.channels), secret(in_force)) == (1, "a-signing-secret")


def test_the_latest_usable_one_counts(in_force: InForce) -> None:
    """Otherwise a mistake would take the page away, or a restart bring an old secret back."""
    hear(in_force, published(GOOD), published(OTHER, 2), published(GOOD, 1), published(BROKEN, 3))
    assert secret(in_force) == "another"
    # As after a broken connection: all of it is read again.
    hear(in_force, published(GOOD), published(GOOD, 1), published(OTHER, 2), published(BROKEN, 3))
    assert secret(in_force) == "another"


def test_one_that_is_broken_changes_nothing_and_is_said_once(
    in_force: InForce, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise the page would be gone, or the log be full of it."""
    hear(in_force, published(GOOD))
    for partition in range(4):
        hear(in_force, published(BROKEN, 1, partition))
    hear(in_force, published(OTHER, 2, sha256="0" * 64))
    assert secret(in_force) == "a-signing-secret"
    said = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert len(said) == 2
    assert "chanels: is no part of a policy; did you mean 'channels'?" in said[0]
    assert "sha256: is not the digest of the files" in said[1]
    hear(in_force, published(OTHER, 3))
    assert secret(in_force) == "another"


def test_of_very_many_only_the_latest_are_remembered(in_force: InForce) -> None:
    """Otherwise a hundred days of policies would be in memory at once."""
    for minute in range(50):
        in_force.hear(published(f"# {minute}\n{GOOD}", minute))
    assert len(in_force._heard) == 10
    in_force.settle()
    assert in_force.published == published(f"# 49\n{GOOD}", 49)


async def test_a_published_secret_is_the_one_that_counts(in_force: InForce) -> None:
    """Otherwise a provider whose secret was changed would not be heard until somebody restarts the board, and whoever has the old one would."""
    broker = Broker()
    following = Following(Settings(), in_force)
    guard = Depends(settled(following))
    app = application(in_force.channels, broker, lambda: AT, guards=[guard])

    async def pressed(key: str) -> int:
        headers, body = slack(secret=key)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
            answer = await client.post("/callbacks/slack", headers=headers, content=body)
            return answer.status_code

    assert await pressed("another") == 503
    following.ready = True
    assert await pressed("another") == 401
    record = published(OTHER)
    following.take(Record(POLICIES.name, 0, 0, b"0", record.to_wire()))
    await following._settle()
    assert await pressed("another") == 200
    assert await pressed("a-signing-secret") == 401


def test_the_folder_is_named_in_the_log(
    in_force: InForce, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise whoever edits the folder would wonder why nothing changes."""
    hear(in_force, published(GOOD))
    assert any("folder not in force hop=board" in each.getMessage() for each in caplog.records)
