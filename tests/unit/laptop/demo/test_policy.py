"""The demo's policy: the example with a few parts of its own."""

from pathlib import Path

import pytest
import yaml

from streams.errors import SettingsError
from streams.gateways.probes import Probe
from streams.incidents.settings import IncidentSettings
from streams.laptop.demo import policy
from streams.laptop.demo.story import CHECKS


def test_its_own_parts_are_valid_and_are_the_four_endpoints_of_the_story() -> None:
    """Otherwise the demo would end in a policy error, or wait for a check that nobody asks."""
    parts = policy.overrides("http://127.0.0.1:1")
    probes = [Probe.model_validate(each) for each in parts["probes"]]
    assert tuple(probe.name for probe in probes) == CHECKS
    assert [probe.name for probe in probes if probe.critical] == ["API Health", "Database"]
    IncidentSettings.model_validate(parts["incidents"])


def test_the_rest_is_the_example_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a part would be defined twice, or the demo would not show the example policy."""
    example = tmp_path / "example"
    example.mkdir()
    (example / "routes.yaml").write_text("# why\nroutes: []\n")
    (example / "probes.yml").write_text("probes: [{name: other}]\n")
    (example / "incidents.yaml").write_text("incidents: {auto_resolve_after: 60s}\nrules: []\n")
    (example / "notes.txt").write_text("not a part of it")
    monkeypatch.setattr(policy, "EXAMPLE", example)

    folder = policy.write_policy(tmp_path / "demo", service_url="http://127.0.0.1:1")

    written = {file.name: yaml.safe_load(file.read_text()) for file in folder.iterdir()}
    assert written.pop("demo.yaml") == policy.overrides("http://127.0.0.1:1")
    assert written == {
        "routes.yaml": {"routes": []},
        "probes.yml": {},
        "incidents.yaml": {"rules": []},
    }
    assert (folder / "routes.yaml").read_text() == "# why\nroutes: []\n"


def test_without_the_example_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an installed package without its repository would end in a traceback."""
    monkeypatch.setattr(policy, "EXAMPLE", tmp_path / "nowhere")
    with pytest.raises(SettingsError) as raised:
        policy.write_policy(tmp_path / "demo", service_url="http://127.0.0.1:1")
    assert str(raised.value) == (
        f"the example policy is not at {tmp_path / 'nowhere'}: "
        "run the demo in a clone of the repository"
    )
