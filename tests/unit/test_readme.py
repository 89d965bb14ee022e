"""What the README says of the code is so."""

import re
from pathlib import Path

import click
import pytest

from schemas.topics import DECLARED
from streams.__main__ import main
from streams.broker_access import MECHANISMS, PROTOCOLS
from streams.detection import kinds
from streams.discovery import declared_in
from streams.gateways.connecting import client
from streams.notifications import channels
from streams.policy import read_policy
from streams.settings import Settings, read_settings
from streams.telemetry import formats

README = Path("README.md").read_text(encoding="utf-8")
POLICY = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted(Path("deploy/policy").glob("*.yaml"))
)


def table(head: str) -> list[list[str]]:
    """The rows of the table whose head begins so, cell by cell."""
    lines = README[README.index(f"\n| {head} |") + 1 :].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_every_topic_is_listed_with_its_key_and_retention() -> None:
    """Producers would choose another key, and lose their order."""
    said = [
        (name.strip("`"), key, kept, about)
        for name, key, kept, about in table("topic | key | kept")
    ]
    assert said == [
        (
            topic.name,
            "/".join(topic.key),
            f"{topic.retention.days} days" + (", compacted" if topic.compacted else ""),
            topic.about,
        )
        for topic in DECLARED
    ]


def test_every_setting_is_listed_with_its_default() -> None:
    """An operator would not find it, or rely on another value."""
    said = {name.strip("`"): default.strip("`") for name, default, _ in table("variable")}
    assert list(said) == [f"TOCSIN_{name.upper()}" for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        given = said[f"TOCSIN_{name.upper()}"]
        default = field.default
        shown = default.get_secret_value() if hasattr(default, "get_secret_value") else default
        accepted = {str(shown), str(shown).lower()} if shown is not None else {""}
        if hasattr(shown, "total_seconds"):
            accepted = {f"{shown.total_seconds():g}s", f"{shown.total_seconds():g}"}
        assert given in accepted, name


def test_what_is_exported_for_a_managed_kafka_can_be_used(tmp_path, monkeypatch) -> None:
    """The first thing that somebody types for a cluster of their own would be refused."""
    (block,) = re.findall(
        r"^```sh\n(export TOCSIN_BROKER=.*?)^```", README, re.MULTILINE | re.DOTALL
    )
    exported = dict(re.findall(r"^export (\w+)=(\S+)$", block, re.MULTILINE))
    password = tmp_path / "password"
    password.write_text("secret\n")
    exported["TOCSIN_BROKER_PASSWORD_FILE"] = str(password)
    for name, value in exported.items():
        monkeypatch.setenv(name, value)

    settings = read_settings()

    assert client(settings)["sasl_plain_password"] == "secret"
    assert settings.replication == 3


def test_every_mechanism_and_protocol_is_named() -> None:
    """Somebody would believe that theirs is not known."""
    for name in (*PROTOCOLS, *MECHANISMS, "AWS_MSK_IAM", "OAUTHBEARER"):
        assert f"`{name}`" in README, name


def test_every_command_is_listed() -> None:
    """Somebody would type what is not there."""
    names = [name.strip("`").removeprefix("tocsin ") for name, _ in table("command")]
    assert names == main.list_commands(click.Context(main))


def test_every_rule_kind_and_channel_is_named() -> None:
    """A rule author would not know of it."""
    known = {kind.model_fields["kind"].default for kind in declared_in(kinds)}
    assert {name.strip("`") for name, _ in table("rule kind")} == known
    for channel in declared_in(channels):
        assert f"`{channel.model_fields['kind'].default}`" in README


def test_every_format_is_listed_and_the_example_of_its_settings_can_be_used(tmp_path) -> None:
    """An operator would convert what can be read as it is, or write what cannot be used."""
    known = {kind.model_fields["kind"].default for kind in declared_in(formats)}
    assert {name.strip("`") for name, *_ in table("format")} == known
    reference = Path("streams/telemetry/formats/README.md").read_text(encoding="utf-8")
    assert {name for name in known if f"`{name}`" in reference} == known
    for number, part in enumerate(
        re.findall(r"^formats:\n(?:  .*\n)+", README + reference, re.MULTILINE)
    ):
        (tmp_path / f"{number}.yaml").write_text(part)
        assert read_policy(tmp_path / f"{number}.yaml", {}).formats


def test_every_variable_of_the_example_policy_is_named() -> None:
    """A channel would stay off although its address is set."""
    for name in re.findall(r"\$\{([A-Z_]+)", POLICY):
        assert f"`{name}`" in README, name


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"\]\((?!https?://)([^)#]+)\)", README))), ids=str
)
def test_every_link_leads_somewhere(target: str) -> None:
    """A reader would be sent nowhere."""
    assert Path(target).exists()


def test_every_target_of_make_that_is_named_is_there() -> None:
    """The first command that a newcomer types would fail."""
    makefile = Path("Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
