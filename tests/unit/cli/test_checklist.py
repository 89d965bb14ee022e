"""``tocsin incident checklist``: what is sent, and what is shown."""

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.commands import Acknowledge, CheckOff
from schemas.lifecycle import IncidentV1
from streams.cli.checklist import lines_of
from streams.cli.explain import why
from streams.cli.incident import incident
from streams.gateways import incidents
from streams.gateways.explaining import Told
from streams.gateways.incidents import Refused
from tests.life import Life, alert, policy

ID = "INC-2026-03-02-001"
CHECKLIST = {
    "acknowledge": {"text": "Take it", "within": "5m", "done_by": "acknowledged"},
    "channel": {"text": "Create {channel}", "within": "5m"},
    "impact": {"text": "Assess the impact", "within": "15m"},
    "coffee": {"text": "Make coffee"},
}


@pytest.fixture
def life() -> Life:
    """An incident six minutes old."""
    life = Life(policy(incidents={"checklist": CHECKLIST}))
    life.happen(alert())
    life.tick(60)
    of: dict[str, Any] = {"author": "ada", "source": "chat", "incident_id": ID}
    life.happen(Acknowledge(occurred_at=life.now, command_id="1", **of))
    life.tick(300)
    life.happen(CheckOff(occurred_at=life.now, command_id="2", item="channel", **of))
    return life


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, life: Life) -> Iterator[list[Any]]:
    sent: list[Any] = []

    async def ask(_: Any, command: Any, **__: Any) -> Refused:
        sent.append(command)
        return Refused("no")

    async def current(*_: Any, **__: Any) -> list[IncidentV1]:
        return list(life.incidents.values())

    monkeypatch.setattr(incidents, "ask", ask)
    monkeypatch.setattr(incidents, "current", current)
    return sent


SHOWN = [
    "[x] acknowledge  Take it (ada, chat, 12:01:01)",
    "[x] channel      Create #incident-2026-03-02-001 (ada, chat, 12:06:02; late, was due at 12:05:01)",
    "[ ] impact       Assess the impact (due at 12:15:01 UTC)",
    "[ ] coffee       Make coffee",
]


@pytest.mark.parametrize(("options", "done"), [([], True), (["--undo"], False)])
def test_an_item_that_is_named_is_ticked(asked: list[Any], options: list[str], done: bool) -> None:  # noqa: FBT001
    """What a responder did would be asked for again."""
    ran = CliRunner().invoke(incident, ["checklist", ID, "impact", "--author", "ada", *options])
    assert (ran.exit_code, ran.stderr) == (1, "refused: no\n")
    [command] = asked
    assert (command.action, command.item, command.done) == ("checklist", "impact", done)


def test_without_an_item_it_is_shown(asked: list[Any]) -> None:
    """A responder would not know what is left."""
    ran = CliRunner().invoke(incident, ["checklist", ID.lower()])
    assert ran.stdout.splitlines() == SHOWN
    assert asked == []


def test_undoing_nothing_is_refused() -> None:
    """A responder would believe that it was undone."""
    ran = CliRunner().invoke(incident, ["checklist", ID, "--undo"])
    assert ran.exit_code == 2
    assert "name the item that is not done" in ran.stderr


def test_an_incident_that_is_not_there_is_said(asked: list[Any]) -> None:
    """A mistyped id would look like an incident without a checklist."""
    ran = CliRunner().invoke(incident, ["checklist", "INC-2026-03-02-009"])
    assert ran.exit_code == 1
    assert "there is no INC-2026-03-02-009 in tenant default" in ran.stderr


def test_what_is_overdue_is_shown_so(life: Life) -> None:
    """What is late would look like what has time."""
    life.tick(600)
    [found] = life.incidents.values()
    assert (
        list(lines_of(found))[2]
        == "[ ] impact       Assess the impact (overdue since 12:15:01 UTC)"
    )


def test_explanations_show_it(life: Life) -> None:
    """Whoever asks why would not see what was left undone."""
    [found] = life.incidents.values()
    lines = list(why(Told(found, life.steps, [])))
    assert lines[1:5] == [f"  checklist {line}" for line in SHOWN]
    assert any("checked off by ada (chat): channel: Create" in line for line in lines)
