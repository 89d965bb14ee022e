"""What `tocsin template preview` shows."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.notices import Purpose
from streams.__main__ import main
from tests.told import notice


def preview(*arguments: str, policy: str = "deploy/policy") -> tuple[int, str]:
    ran = CliRunner().invoke(main, ["template", "preview", *arguments, "--policy", policy])
    return ran.exit_code, ran.output


@pytest.mark.parametrize("purpose", Purpose)
def test_every_message_has_an_example(purpose: Purpose) -> None:
    """Otherwise an operator would see some messages for the first time at night."""
    code, output = preview(str(purpose))
    assert code == 0
    # People outside know no ids.
    assert ("INC-2026-11-23-001" in output) is (purpose is not Purpose.PUBLIC)
    assert output.count("(built in)") == 5


def test_the_policys_templates_are_shown(tmp_path: Path) -> None:
    """Otherwise a preview would show what nobody will be sent."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("templates:\n  escalation:\n    slack: 'UP {{ id }}'\n")
    code, output = preview("escalation", policy=str(policy))
    assert code == 0
    assert "--- slack (the policy's)\nUP INC-2026-11-23-001\n" in output
    assert preview("escalation", "--form", "slack", policy=str(policy)) == (
        0,
        "UP INC-2026-11-23-001\n",
    )


def test_a_notice_of_ones_own_can_be_shown(tmp_path: Path) -> None:
    """Otherwise only an example could be looked at."""
    given = tmp_path / "notice.json"
    given.write_bytes(notice(summary="Everything is on fire").to_wire())
    code, output = preview("initial", "--form", "short", "--notice", str(given))
    assert code == 0
    assert "Everything is on fire" in output
    given.write_text("{}")
    code, output = preview("initial", "--notice", str(given))
    assert code == 1
    assert f"Error: {given} holds no notice: " in output


def test_a_template_that_cannot_work_is_said_with_its_line(tmp_path: Path) -> None:
    """Otherwise the plain message would be the first that anybody hears of it."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("templates:\n  initial:\n    text: '{{ sumary }}'\n  opening: {}\n")
    code, output = preview("initial", policy=str(policy))
    assert code == 1
    assert output == (
        f"Error: {policy} cannot be used:\n"
        "  policy.yaml:3: templates.initial.text: line 1: 'sumary' is no word; did you mean 'summary'?\n"
        "  policy.yaml:4: templates.opening: is no message; there are at_risk, escalation, handover, "
        "initial, public, reminder, resolution, severity, update\n"
    )
