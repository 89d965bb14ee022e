"""docker-compose.yml and the images start what there is, and open nothing to others."""

import json
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from schemas.topics import DECLARED
from streams.__main__ import main
from streams.cli.worker import ROLES
from streams.durations import read_duration
from streams.gateways.connecting import client
from streams.laptop.brokers.jars import KAFKA
from streams.settings import Settings, read_settings
from tests.brokers import IMAGE
from tests.certificates import Authority
from tests.exposed import exposed

TEXT = Path("docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: it for name, it in SERVICES.items() if it["image"].startswith("tocsin:")}
ONCE = {"topics", "migrate"}
BOARD = "board --host 0.0.0.0 --port 6070"
INTAKE = "intake --host 0.0.0.0 --port 6071"
ROLE_NAMES = sorted(OURS.keys() - ONCE)
DOCKERFILES = sorted(Path("deploy").rglob("Dockerfile"))
POLICY = "\n".join(path.read_text() for path in sorted(Path("deploy/policy").glob("*.yaml")))


def test_every_role_runs() -> None:
    """A hop that nobody starts delivers nothing."""
    commands = [" ".join(it["command"]) for it in OURS.values()]
    assert sorted(commands) == sorted(
        ["topics", "migrate", "probe", BOARD, INTAKE, *(f"worker {role}" for role in ROLES)]
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


@pytest.mark.parametrize("name", ROLE_NAMES)
def test_a_role_is_ready_when_it_says_so(name: str) -> None:
    """A container that runs and does nothing would look well."""
    service = OURS[name]
    port = service["environment"]["TOCSIN_WEB_PORT"]
    assert f"http://127.0.0.1:{port}/readyz" in service["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", ROLE_NAMES)
def test_a_role_has_time_to_commit(name: str) -> None:
    """It would be killed with work in hand at every stop."""
    assert read_duration(OURS[name]["stop_grace_period"]) > timedelta(seconds=5)


@pytest.mark.parametrize("name", SERVICES)
def test_what_ends_is_started_again_unless_it_has_done_its_work(name: str) -> None:
    """A role that died would stay dead, or the tables would be made for ever."""
    service = SERVICES[name]
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert (service["healthcheck"] == {"disable": True}) == (name in ONCE)


def test_a_variable_has_one_default() -> None:
    """ClickHouse would refuse the password that the roles send."""
    defaults: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT):
        defaults.setdefault(name, set()).add(default)
    assert {name: several for name, several in defaults.items() if len(several) > 1} == {}


@pytest.mark.parametrize(
    ("service", "reads"),
    [("clickhouse", r'from_env="(\w+)"'), ("grafana", r"\$([A-Z_]+)")],
)
def test_what_a_mounted_file_reads_is_in_its_environment(service: str, reads: str) -> None:
    """A user without a password would let everybody in, or nobody."""
    mounted = [
        path
        for volume in SERVICES[service]["volumes"]
        if volume.startswith("./")
        for place in [Path(volume.split(":")[0])]
        for path in ([place] if place.is_file() else sorted(place.rglob("*.yaml")))
    ]
    wanted = {name for path in mounted for name in re.findall(reads, path.read_text())}
    assert wanted
    assert wanted <= SERVICES[service]["environment"].keys()


SOURCES = {
    it["uid"]: it
    for it in yaml.safe_load(
        Path("deploy/grafana/provisioning/datasources/tocsin.yaml").read_text()
    )["datasources"]
}
PANELS: list[dict[str, Any]] = [
    panel
    for dashboard in sorted(Path("deploy/grafana/dashboards").glob("*.json"))
    for panel in json.loads(dashboard.read_text())["panels"]
]


def test_panels_ask_a_source_that_is_provided() -> None:
    """A panel would say that its data source is not found."""
    for panel in PANELS:
        wanted = panel["datasource"]
        assert wanted["type"] == SOURCES[wanted["uid"]]["type"], panel["title"]
        assert all(it["datasource"] == wanted for it in panel["targets"]), panel["title"]
        language = "expr" if wanted["type"] == "prometheus" else "rawSql"
        assert all(it[language] for it in panel["targets"]), panel["title"]
    plugin = SOURCES["tocsin"]["type"]
    assert f"plugins install {plugin} " in Path("deploy/grafana/Dockerfile").read_text()
    address = urlsplit(SOURCES["tocsin-prometheus"]["url"])
    assert f":{address.port}" in SERVICES[str(address.hostname)]["ports"][0]


def test_panels_name_metrics_that_workers_have() -> None:
    """A panel would be empty for ever, and an empty panel looks as if all were well."""
    labels = {name: by for it in exposed() for name, by in it.samples.items()}
    asked = {}
    for panel in PANELS:
        for expression in (it.get("expr", "") for it in panel["targets"]):
            for by, rest in re.findall(r"by \(([\w, ]+)\) (.*)", expression):
                [name] = re.findall(r"\btocsin_\w+|\bup\b", rest)
                asked[name] = set(by.split(", "))
    # Every target has a role.
    assert asked.pop("up") == asked["tocsin_ready"] == {"role"}
    labels["tocsin_ready"].add("role")
    assert asked.keys() <= labels.keys()
    assert {name: by - labels[name] for name, by in asked.items() if by - labels[name]} == {}
    assert asked["tocsin_lag_records"] == {"hop", "topic"}
    # And what workers tell is looked at.
    assert asked.keys() == {
        f"{it.name}_bucket" if it.kind == "histogram" else it.name
        for it in exposed()
        if not it.name.startswith(("tocsin_probe_", "tocsin_digests_"))
    }


def test_every_role_is_asked_for_its_metrics() -> None:
    """Nobody would see the lag of the one that is left out."""
    asked = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())
    [job] = asked["scrape_configs"]
    [found] = job["dns_sd_configs"]

    assert job["job_name"] == "tocsin"
    assert sorted(found["names"]) == ROLE_NAMES
    ports = {OURS[name]["environment"]["TOCSIN_WEB_PORT"] for name in ROLE_NAMES}
    assert {str(found["port"])} == ports


def test_alerts_are_there_for_whoever_asks() -> None:
    """They would be a file that nobody reads."""
    [pattern] = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())["rule_files"]
    [mounted] = [it for it in SERVICES["prometheus"]["volumes"] if it.startswith("./deploy/alerts")]
    source, target, mode = mounted.split(":")
    assert (pattern, mode) == (f"{target}/*.yaml", "ro")
    assert [path.name for path in Path(source).glob("*.yaml")] == ["tocsin.yaml"]


def test_its_broker_is_the_one_that_tests_run_on() -> None:
    """What is deployed would not be what was tested."""
    assert SERVICES["kafka"]["image"] == IMAGE == f"apache/kafka:{KAFKA}"


def test_an_image_of_ours_is_built_once() -> None:
    """Each role would wait for a build of its own, or for an image that nobody has."""
    built = [it["image"] for it in SERVICES.values() if "build" in it]
    assert sorted(built) == sorted(
        {it["image"] for it in SERVICES.values() if it["image"].startswith("tocsin")}
    )


class _Merged(yaml.SafeLoader):
    """Reads what Compose takes away from the file before as nothing."""


_Merged.add_constructor("!reset", lambda *_: None)


def test_a_broker_elsewhere_is_told_to_every_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them would wait for the broker that is not started."""
    text = Path("deploy/managed-kafka.yaml").read_text(encoding="utf-8")
    # Read by a loader of SafeLoader's kind.
    managed = yaml.load(text, _Merged)  # noqa: S506
    services = managed["services"]
    assert services.pop("kafka") is None
    assert services.keys() == OURS.keys()
    assert {name for name, it in services.items() if "depends_on" in it} == {
        name for name, it in OURS.items() if "kafka" in it["depends_on"]
    }
    password = tmp_path / "broker-password"
    password.write_text("secret\n")
    authority = Authority(tmp_path).file
    for service in services.values():
        assert service["secrets"] == list(managed["secrets"]) == ["broker-password"]
        assert service["volumes"][0].split(":")[-2] == "/etc/tocsin/broker-ca.pem"
        given = dict(service["environment"])
        assert given["TOCSIN_BROKER_PASSWORD_FILE"] == "/run/secrets/broker-password"
        assert "${TOCSIN_BROKER_CA:+/etc/tocsin/broker-ca.pem}" in given["TOCSIN_BROKER_CA"]
        given |= {
            "TOCSIN_BROKER": "broker.example.org:9096",
            "TOCSIN_BROKER_USER": "tocsin",
            "TOCSIN_BROKER_PASSWORD_FILE": str(password),
            "TOCSIN_BROKER_CA": str(authority),
        }
        for name, value in given.items():
            [default] = re.findall(r"^\$\{\w+:-(.*)\}$", value) or [value]
            monkeypatch.setenv(name, default)
        assert client(read_settings())["sasl_plain_password"] == "secret"


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
        assert re.match(r"v?\d+\.\d+", tag), image


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
    project = tomllib.loads(Path("pyproject.toml").read_text())
    [build_tool] = project["build-system"]["requires"]

    def pinned(path: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==\S+)", Path(path).read_text(), re.MULTILINE))

    deployed = pinned("deploy/requirements.lock")
    assert deployed < pinned("requirements.lock")
    assert not any(name.startswith(("pytest", "chdb", "calfkit")) for name in deployed)
    assert f" {build_tool}\n" in Path("deploy/Dockerfile").read_text()


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
