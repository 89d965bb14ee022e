"""What the documentation says of the intake is so."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from streams.intake.addresses import FIXED, SIGNALS
from streams.policy import read_policy

README = Path("README.md").read_text(encoding="utf-8")
REFERENCE = Path("streams/intake/README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_every_address_in_a_senders_configuration_is_there() -> None:
    """Whoever copies it would be answered with 404."""
    addresses = re.findall(r"https?://[^\s\"'`<>]+", REFERENCE + README)
    paths = {
        urlsplit(each).path for each in addresses if re.search(r":70[67]\d|tocsin.example", each)
    }
    known = {*FIXED, *(f"/v1/signals/{name}" for name in SIGNALS), "", "/", "/status"}
    assert {path for path in paths if not path.startswith("/callbacks")} <= known
    assert {f"/v1/signals/{name}" for name in ("alertmanager", "grafana", "sentry")} <= paths


def test_every_format_and_topic_is_in_the_table_of_addresses() -> None:
    """A producer would not know where to post."""
    table = README[README.index("| address | takes |") :].partition("\n\n")[0]
    assert {name for name in SIGNALS if f"`{name}`" in table or f"/{name}`" in table} == set(
        SIGNALS
    )
    assert all(f"`{path}`" in table for path in FIXED)


def test_configurations_are_well_formed_and_show_a_token() -> None:
    """Whoever copies one would be told of a mistake that is not theirs."""
    examples = [yaml.safe_load(each) for each in blocks("yaml", REFERENCE)]
    examples += [tomllib.loads(each) for each in blocks("toml", REFERENCE)]
    assert len(examples) == 5
    assert all("TOKEN" in str(each) for each in examples)


def test_the_example_of_the_policy_can_be_used(tmp_path: Path) -> None:
    """An operator would write what is refused."""
    (example,) = (each for each in blocks("yaml", README) if each.startswith("intake:"))
    (tmp_path / "intake.yaml").write_text(example)
    names = set(re.findall(r"\$\{([A-Z_]+)\}", example))
    policy = read_policy(tmp_path, {name: f"a-token-of-{name.lower()}" for name in names})
    assert [each.tenant for each in policy.intake.tokens] == [None, "acme"]
    assert policy.intake.demanding
