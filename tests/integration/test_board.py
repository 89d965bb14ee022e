"""A button in Slack, and the status page, through a real board and a real incidents hop."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from schemas.commands import Declare, Publish, Report
from schemas.lifecycle import IncidentV1
from schemas.policies import PolicyV1
from streams.gateways import policies
from streams.gateways.following import Following
from streams.gateways.incidents import Done, ask, current
from streams.gateways.topics import create_topics
from streams.laptop.ports import free_port
from streams.releases import Release, digest, released
from streams.settings import Settings
from tests.pipeline import Pipeline, Worker, eventually

pytestmark = [pytest.mark.broker, pytest.mark.slow]

POLICY = """
status_page: {name: Shop, components: {Checkout: {}}}
services: {shop: {components: [Checkout]}}
channels:
  chat: {kind: slack, url: "http://127.0.0.1:9/x", signing_secret: a-signing-secret}
"""


CHANGED = POLICY.replace("Checkout: {}", "Checkout: {}, Returns: {}")
BROKEN = "status_page: {nome: Shop}"


async def put_in_force(settings: Settings, text: str) -> None:
    """Publish a policy, whatever it is worth."""
    release = Release("operator", "test", datetime.now(UTC))
    messages = released({"board.yaml": text}, None, release, settings.partitions)
    await policies.publish(settings, messages)


async def publish(settings: Settings, incident_id: str) -> None:
    """Tell people outside of an incident."""
    command = Publish(
        occurred_at=datetime.now(UTC),
        command_id="publish-1",
        author="operator",
        incident_id=incident_id,
        title="Checkout is slow",
        message="We look into it.",
    )
    assert isinstance(await ask(settings, command, source="test"), Done)


class Nobody:
    """Needs no policy."""

    def hear(self, published: PolicyV1) -> None:
        """Take nothing in."""

    def settle(self) -> None:
        """Change nothing."""


async def still_known(settings: Settings) -> None:
    """Have a board begin anew: it must show the same."""
    following = Following(settings, Nobody())
    task = asyncio.create_task(following.run())

    async def ready() -> bool:
        return following.ready

    await eventually(ready, "everything was read")
    task.cancel()
    (incident,) = following.state().incidents
    assert incident.public is not None
    assert incident.public.components == ("Checkout",)


async def test_a_button_in_slack_acknowledges_and_what_is_published_is_on_the_status_page(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Otherwise whoever takes an incident in the chat would be escalated past, and customers would see nothing."""
    policy = tmp_path / "board.yaml"
    policy.write_text(POLICY)
    settings = pipeline.settings = pipeline.settings.model_copy(update={"policy": policy})
    pipeline.start("incidents")
    port = free_port()
    board = Worker("board", settings, tmp_path, "-m", "streams", "board", "--port", str(port))
    try:
        await pipeline.ready()

        async def board_ready() -> bool:
            return board.ready()

        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await eventually(board_ready, "the board answers", board.tail)
            report = Report(summary="Slow")
            declared = await ask(
                settings,
                Declare(
                    occurred_at=datetime.now(UTC),
                    command_id="declare-1",
                    author="operator",
                    severity=3,
                    service="shop",
                    report=report,
                ),
                source="test",
            )
            assert isinstance(declared, Done)
            incident_id = declared.step.incident_id
            pressed = {"action_id": "acknowledge", "value": f"default/{incident_id}"}
            payload = {"user": {"username": "ada"}, "actions": [pressed]}
            body = urlencode({"payload": json.dumps(payload)}).encode()
            stamp = str(int(datetime.now(UTC).timestamp()))
            signed = hmac.new(b"a-signing-secret", f"v0:{stamp}:".encode() + body, hashlib.sha256)
            headers = {
                "X-Slack-Request-Timestamp": stamp,
                "X-Slack-Signature": f"v0={signed.hexdigest()}",
            }
            answer = await client.post("/callbacks/chat", headers=headers, content=body)
            assert answer.status_code == 200

        async def taken() -> IncidentV1 | None:
            (found,) = await current(settings)
            return found if found.acknowledged_by else None

        found = await eventually(taken, "it is acknowledged", board.tail)
        assert found.acknowledged_by == "ada"
        await publish(settings, incident_id)

        async def shown() -> bool:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                summary = (await client.get("/api/v2/summary.json")).json()
                return "Checkout is slow" in [each["name"] for each in summary["incidents"]]

        await eventually(shown, "it is on the status page", board.tail)
        await put_in_force(settings, BROKEN)
        await put_in_force(settings, CHANGED)

        async def followed() -> bool:
            async with httpx.AsyncClient() as client:
                page = await client.get(f"http://127.0.0.1:{port}/status")
                signs = await client.get(f"http://127.0.0.1:{board.port}/readyz")
            return "Returns" in page.text and signs.headers["tocsin-policy"] == digest(
                {"board.yaml": CHANGED}
            )

        await eventually(followed, "the board goes by what was published", board.tail)
        assert "policy not used hop=board" in board.tail()
        await still_known(settings)
        code, seconds = board.stop()
        assert (code, seconds < 5) == (0, True)
    finally:
        if board.alive():
            board.kill()


async def test_a_board_that_starts_before_its_broker_shows_what_there_is_once_it_came(
    own_broker: Any, tmp_path: Path
) -> None:
    """A restart of both would leave a page that answers to nobody until somebody starts it again."""
    policy = tmp_path / "board.yaml"
    policy.write_text(POLICY)
    settings = Settings(
        broker=own_broker.bootstrap, policy=policy, partitions=1, **own_broker.client_settings
    )
    port = free_port()
    board = Worker("board", settings, tmp_path, "-m", "streams", "board", "--port", str(port))
    try:
        async with httpx.AsyncClient() as client:

            async def missing() -> str:
                try:
                    told = await client.get(f"http://127.0.0.1:{board.port}/readyz")
                except httpx.HTTPError:
                    return ""
                return told.text if "no broker answers" in told.text else ""

            said = await eventually(missing, "it says what it waits for", board.tail)
            assert f"no broker answers at {own_broker.bootstrap}" in said
            alive = await client.get(f"http://127.0.0.1:{board.port}/livez")
            page = await client.get(f"http://127.0.0.1:{port}/status")
            assert (alive.status_code, page.status_code) == (200, 503)
            assert "We cannot tell how things are at the moment." in page.text

            await own_broker.start()
            await create_topics(settings)

            async def ready() -> bool:
                return board.ready()

            await eventually(ready, "it found the broker", board.tail)
            page = await client.get(f"http://127.0.0.1:{port}/status")
            assert page.status_code == 200
            assert "Checkout" in page.text
        assert board.stop()[0] == 0
        assert "Traceback" not in board.tail()
    finally:
        if board.alive():
            board.kill()
        await own_broker.stop()
