"""The demo's policy: the example with a few parts of its own."""

from pathlib import Path

import pytest
import yaml

from streams.errors import SettingsError
from streams.laptop.demo import policy
from streams.laptop.demo.inbox import Inbox
from streams.laptop.demo.story import CHANNEL_KINDS, CHECKS
from streams.policy import read_policy


def test_only_the_waits_after_the_end_are_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the demo would not show the example policy."""
    example = tmp_path / "example"
    example.mkdir()
    (example / "routes.yaml").write_text("# why\nroutes: []\n")
    (example / "incidents.yml").write_text(
        "incidents: {auto_resolve_after: 60s, reopen_within: 30m}\nrules: [{kind: health}]\n"
    )
    (example / "rules.yaml").write_text(
        "rules: [{kind: log_pattern, count: 5, within: 30s}, {kind: absence, within: 5m}]\n"
    )
    (example / "notes.txt").write_text("not a part of it")
    monkeypatch.setattr(policy, "EXAMPLE", example)

    folder = policy.write_policy(tmp_path / "demo")

    assert {file.name: yaml.safe_load(file.read_text()) for file in folder.iterdir()} == {
        "routes.yaml": {"routes": []},
        "incidents.yml": {
            "incidents": {"auto_resolve_after": policy.RESOLVED_AFTER, "reopen_within": "30m"},
            "rules": [{"kind": "health"}],
        },
        "rules.yaml": {
            "rules": [
                {"kind": "log_pattern", "count": 5, "within": policy.LOGS_WITHIN},
                {"kind": "absence", "within": "5m"},
            ]
        },
    }
    assert (folder / "routes.yaml").read_text() == "# why\nroutes: []\n"


def test_the_example_can_be_used_with_what_the_demo_gives_it(tmp_path: Path) -> None:
    """Otherwise the demo would end in a policy error, or wait for a check or a channel that is not there."""
    receivers = Inbox()
    receivers.mail_port = 25
    given = {**receivers.environment(), "SHOP_URL": "http://127.0.0.1:1"}
    read = read_policy(policy.write_policy(tmp_path / "demo"), given)

    assert tuple(probe.name for probe in read.probes) == CHECKS
    assert [probe.name for probe in read.probes if probe.critical] == ["API Health", "Database"]
    assert {probe.url.removeprefix("http://127.0.0.1:1") for probe in read.probes} == {
        "/api/health",
        "/api/health/database",
        "/api/health/redis",
        "/api/health/ai",
    }
    told = {name for route in read.routes if 1 in route.severities for name in route.channels}
    assert {read.channels[name].kind for name in told} == set(CHANNEL_KINDS)
    assert [name for name in told if read.channels[name].missing()] == []


def test_without_the_example_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an installed package without its repository would end in a traceback."""
    monkeypatch.setattr(policy, "EXAMPLE", tmp_path / "nowhere")
    with pytest.raises(SettingsError) as raised:
        policy.write_policy(tmp_path / "demo")
    assert str(raised.value) == (
        f"the example policy is not at {tmp_path / 'nowhere'}: "
        "run the demo in a clone of the repository"
    )
