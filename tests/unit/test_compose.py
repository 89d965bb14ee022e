"""docker-compose.yml and the images start what there is, and open nothing to others."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from schemas.topics import DECLARED
from streams.__main__ import main
from streams.cli.worker import ROLES
from streams.settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: it for name, it in SERVICES.items() if it["image"].startswith("tocsin:")}
DOCKERFILES = sorted(Path("deploy").rglob("Dockerfile"))
POLICY = "\n".join(path.read_text() for path in sorted(Path("deploy/policy").glob("*.yaml")))


def test_every_role_runs() -> None:
    """A hop that nobody starts delivers nothing."""
    commands = [" ".join(it["command"]) for it in OURS.values()]
    assert sorted(commands) == sorted(
        ["topics", "migrate", "probe", *(f"worker {role}" for role in ROLES)]
    )


@pytest.mark.parametrize("name", OURS)
def test_its_command_is_one_of_ours(name: str) -> None:
    """The container would end at once, and be started again for ever."""
    command, *arguments = OURS[name]["command"]
    found = main.get_command(click.Context(main), command)
    assert found is not None
    found.make_context(command, arguments)


@pytest.mark.parametrize("name", OURS)
def test_its_environment_is_read_by_somebody(name: str) -> None:
    """A setting with a typo would be a default in disguise."""
    settings = {f"TOCSIN_{field.upper()}" for field in Settings.model_fields}
    for variable in OURS[name]["environment"]:
        assert variable in settings or f"${{{variable}:-" in POLICY, variable
    for variable in re.findall(r"\$\{([A-Z_]+):-", POLICY):
        optional = variable in {"TWILIO_URL", "PAGERDUTY_URL"}  # Where tests send, not people.
        assert optional or variable in OURS[name]["environment"], variable


def test_every_port_is_open_on_this_machine_only() -> None:
    """Anybody on the network could read and write everything."""
    ports = [port for it in SERVICES.values() for port in it.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_has_a_version() -> None:
    """Tomorrow's installation would be another one."""
    images = [it["image"] for it in SERVICES.values()]
    for dockerfile in DOCKERFILES:
        images += re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)
    for image in images:
        _, _, tag = image.partition(":")
        assert re.match(r"\d", tag), image


def test_every_mounted_path_is_there() -> None:
    """Docker would make an empty folder in its place."""
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert Path(source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=str)
def test_an_image_copies_what_is_there(dockerfile: Path) -> None:
    """It could not be built."""
    ignored = Path(".dockerignore").read_text().splitlines()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(), re.MULTILINE):
        for source in sources.split():
            assert Path(source).exists(), source
            assert f"!{source}" in ignored, source


def test_the_image_has_what_the_tests_ran_with() -> None:
    """What is deployed would not be what was tested."""

    def pinned(path: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==\S+)", Path(path).read_text(), re.MULTILINE))

    deployed = pinned("deploy/requirements.lock")
    assert deployed < pinned("requirements.lock")
    assert not any(name.startswith(("pytest", "chdb", "calfkit")) for name in deployed)


def test_roles_wait_for_topics_and_tables() -> None:
    """A worker that is too early finds other topics than ours."""
    assert DECLARED
    for name, service in OURS.items():
        waits = {each: how["condition"] for each, how in service["depends_on"].items()}
        if name == "topics":
            assert waits == {"kafka": "service_healthy"}
        elif name == "migrate":
            assert waits == {"clickhouse": "service_healthy"}
        else:
            assert set(waits.values()) == {"service_completed_successfully"}
