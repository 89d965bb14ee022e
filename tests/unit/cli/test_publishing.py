"""``tocsin incident publish``: what is sent, and what is not."""

from typing import Any

import pytest
from click.testing import CliRunner

from schemas.commands import Publish
from streams.cli.incident import incident
from streams.gateways import incidents
from streams.gateways.incidents import Refused
from streams.settings import Settings

ID = "INC-2026-03-01-001"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Publish]:
    asked: list[Publish] = []

    async def ask(settings: Settings, command: Publish, **_: Any) -> Refused:
        del settings
        asked.append(command)
        return Refused("no")

    monkeypatch.setattr(incidents, "ask", ask)
    return asked


def test_what_is_said_is_sent(sent: list[Publish]) -> None:
    """Otherwise customers would read something else than what was typed."""
    said = ["--message", "We look into it.", "--title", "Checkout fails", "--impact", "major"]
    parts = ["--component", "Checkout", "--component", "Search", "--impact-text", "Cards fail"]
    until = ["--expected", "2026-03-01T13:00:00Z", "--author", "Ada"]
    ran = CliRunner().invoke(incident, ["publish", ID, *said, *parts, *until])
    assert (ran.exit_code, ran.stderr) == (1, "refused: no\n")
    [command] = sent
    assert command.model_dump(
        mode="json", exclude={"command_id", "occurred_at"}, exclude_none=True
    ) == {
        "action": "publish",
        "incident_id": ID,
        "tenant": "default",
        "author": "Ada",
        "source": "cli",
        "message": "We look into it.",
        "title": "Checkout fails",
        "impact": "major",
        "impact_text": "Cards fail",
        "components": ["Checkout", "Search"],
        "expected_at": "2026-03-01T13:00:00Z",
    }


def test_what_is_left_out_is_not_sent(sent: list[Publish]) -> None:
    """Otherwise an update would wipe out what was said before."""
    CliRunner().invoke(incident, ["publish", ID, "--message", "Over.", "--status", "resolved"])
    [command] = sent
    left_out = (command.title, command.impact, command.impact_text, command.components)
    assert left_out == (None, None, None, None)
    assert command.status == "resolved"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--title", "x"], "Missing option '--message'"),
        (["--message", ""], "message: string should have at least 1 character"),
        (["--message", "x" * 2_001], "message: string should have at most 2000 characters"),
        (
            ["--message", "x", "--status", "closed"],
            "'closed' is not one of 'investigating', 'identified', 'monitoring', 'resolved'",
        ),
        (["--message", "x", "--expected", "soon"], "expected_at: "),
    ],
)
def test_what_cannot_be_said_is_not_sent(
    sent: list[Publish], arguments: list[str], said: str
) -> None:
    """Otherwise the hop would refuse it where nobody looks."""
    ran = CliRunner().invoke(incident, ["publish", ID, *arguments])
    assert ran.exit_code == 2
    assert said in ran.stderr
    assert sent == []
