"""`tocsin intake`: whom it listens to where nobody was given a token."""

import pytest
from click.testing import CliRunner

from streams.cli import intake as module
from streams.cli.intake import intake
from streams.errors import SettingsError

TOKENS = "intake: {tokens: [{name: producers, token: '${INTAKE_TOKEN:-}'}]}\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "intake.example.org"])
def test_others_are_not_listened_to_without_a_token(tmp_path, monkeypatch, host):
    """A token that a deployment forgot would let anybody raise alarms."""
    monkeypatch.delenv("INTAKE_TOKEN", raising=False)
    (tmp_path / "a.yaml").write_text(TOKENS)
    result = CliRunner().invoke(intake, ["--host", host, "--policy", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output == (
        f"Error: others can reach {host}, and the policy names no token under intake.tokens that is set: "
        "set one, listen on 127.0.0.1, or say --open to let anybody post\n"
    )


@pytest.mark.parametrize(
    ("arguments", "token"),
    [
        ([], ""),
        (["--host", "127.0.0.1"], ""),
        (["--host", "localhost"], ""),
        (["--host", "::1"], ""),
        (["--host", "0.0.0.0", "--open"], ""),
        (["--host", "0.0.0.0"], "token-of-the-producers"),
    ],
)
def test_it_listens_where_that_is_meant(tmp_path, monkeypatch, arguments, token):
    """Otherwise a newcomer could post nothing, or nobody in a cluster."""
    monkeypatch.setenv("INTAKE_TOKEN", token)
    (tmp_path / "a.yaml").write_text(TOKENS)

    def begins(*_: object, **__: object) -> None:
        message = "it begins"
        raise SettingsError(message)

    monkeypatch.setattr(module, "signs_of", begins)
    result = CliRunner().invoke(intake, [*arguments, "--policy", str(tmp_path)])
    assert result.output == "Error: it begins\n"


def test_a_policy_that_cannot_be_used_is_said(tmp_path):
    """It would listen to nobody, or to everybody."""
    (tmp_path / "a.yaml").write_text(TOKENS.replace("${INTAKE_TOKEN:-}", "short"))
    result = CliRunner().invoke(intake, ["--policy", str(tmp_path)])
    assert result.output == (
        f"Error: {tmp_path} cannot be used:\n"
        "  a.yaml:1: intake.tokens[0].token: must have at least 16 characters of ASCII, and no spaces\n"
    )
