"""deploy/kubernetes runs what docker-compose.yml runs, with what a cluster asks for beside it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.__main__ import main
from streams.agents.app import STOP_WITHIN
from streams.agents.hop import DRAIN_WITHIN
from streams.gateways.connecting import client
from streams.gateways.vital_signs import vital_signs
from streams.policy import read_policy
from streams.releases import texts_of
from streams.settings import Settings, read_settings
from tests.certificates import Authority
from tests.unit.test_compose import OURS, POLICY

FOLDER = Path("deploy/kubernetes")
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
#: What is given as an example, or to be added by who wants it.
OPTIONAL = {"secrets.example.yaml", "network-policy.yaml"}
DOCKERFILE = Path("deploy/Dockerfile").read_text(encoding="utf-8")
KUBECTL = shutil.which("kubectl")
#: The objects, by kind and name.
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (each["kind"], each["metadata"]["name"]): each
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
ROLES = {name: it for (kind, name), it in OBJECTS.items() if kind == "Deployment"}
PODS = {
    name: it["spec"]["template"]
    for (kind, name), it in OBJECTS.items()
    if kind in {"Deployment", "Job"}
}
#: The Secret that is files, not variables.
FILES = "tocsin-broker"
GIVEN = {
    name: it.get("data") or it.get("stringData")
    for (kind, name), it in OBJECTS.items()
    if kind in {"ConfigMap", "Secret"} and name != FILES
}

each_role = pytest.mark.parametrize("role", sorted(ROLES))
each_pod = pytest.mark.parametrize("name", sorted(PODS))


def containers(name: str) -> list[dict[str, Any]]:
    """The containers of a pod, those before it first."""
    spec = PODS[name]["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def environment(container: dict[str, Any]) -> dict[str, str]:
    sources = [ref["name"] for each in container["envFrom"] for ref in each.values()]
    return {name: value for source in sources for name, value in GIVEN[source].items()}


def walk(given: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in *given*."""
    if isinstance(given, dict):
        yield given
    for each in given.values() if isinstance(given, dict) else given:
        if isinstance(each, dict | list):
            yield from walk(each)


def test_every_role_runs_as_it_does_elsewhere() -> None:
    """A hop that nobody starts delivers nothing."""
    ran = {" ".join(it["args"]) for name in PODS for it in containers(name)}
    assert ran == {" ".join(it["command"]) for it in OURS.values()}
    assert {
        " ".join(it["spec"]["template"]["spec"]["containers"][0]["args"]) for it in ROLES.values()
    } == {" ".join(it["command"]) for name, it in OURS.items() if name in ROLES}


@each_pod
def test_its_commands_are_ours(name: str) -> None:
    """The pod would start again for ever."""
    for container in containers(name):
        command, *arguments = container["args"]
        found = main.get_command(click.Context(main), command)
        assert found is not None
        found.make_context(command, arguments)


def test_its_environment_is_read_by_somebody_and_is_all_of_it() -> None:
    """A setting with a typo would be a default in disguise."""
    settings = {f"TOCSIN_{field.upper()}" for field in Settings.model_fields}
    named = {*re.findall(r"\$\{([A-Z_]+):-", POLICY)} - {"TWILIO_URL", "PAGERDUTY_URL"}
    given = [name for values in GIVEN.values() for name in values]
    assert len(given) == len(set(given))
    assert set(given) - settings == named
    assert all(isinstance(value, str) for values in GIVEN.values() for value in values.values())


@each_pod
def test_a_pod_has_what_it_asks_for_and_no_secret_that_it_does_not_need(name: str) -> None:
    """It would not start; or whoever breaks into the board could rewrite history."""
    for container in containers(name):
        command = container["args"]
        given = environment(container)
        assert ("TOCSIN_WAREHOUSE" in given) == (command in (["migrate"], ["worker", "record"]))
        # What reads the policy needs everything that it names.
        mounted = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
        reads = command != ["topics"]
        assert ("policy" in mounted) == reads == ("SLACK_URL" in given)
        if reads:
            assert mounted["policy"] == given["TOCSIN_POLICY"]
            read_policy(Path("deploy/policy"), given)
        Settings(
            **{
                key.removeprefix("TOCSIN_").lower(): value
                for key, value in given.items()
                if key.startswith("TOCSIN_")
            }
        )


@each_pod
def test_whoever_asks_kafka_is_let_in_by_what_the_secret_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod without the password would start again for ever, and only where Kafka asks for one."""
    [volume] = [it for it in PODS[name]["spec"]["volumes"] if it["name"] == "broker"]
    assert volume["secret"] == {"secretName": FILES, "optional": True}
    authority = Authority(tmp_path)
    certificate, key = authority.signs("client")
    held = {"password": tmp_path / "password", "ca.pem": authority.file}
    held |= {"certificate.pem": certificate, "key.pem": key}
    held["password"].write_text("secret\n")
    assert OBJECTS["Secret", FILES]["stringData"].keys() == held.keys()
    for container in containers(name):
        [mount] = [it for it in container["volumeMounts"] if it["name"] == "broker"]
        assert (mount["mountPath"], mount["readOnly"]) == ("/etc/tocsin/broker", True)
        # Each place is there to be filled.
        filled = environment(container) | {
            "TOCSIN_BROKER_SECURITY": "SASL_SSL",
            "TOCSIN_BROKER_MECHANISM": "SCRAM-SHA-512",
            "TOCSIN_BROKER_USER": "tocsin",
            "TOCSIN_BROKER_PASSWORD_FILE": str(held["password"]),
            "TOCSIN_BROKER_CA": str(held["ca.pem"]),
            "TOCSIN_BROKER_CERTIFICATE": str(held["certificate.pem"]),
            "TOCSIN_BROKER_KEY": str(held["key.pem"]),
        }
        assert filled.keys() == environment(container).keys()
        for each, value in filled.items():
            monkeypatch.setenv(each, value)
        assert client(read_settings())["sasl_plain_password"] == "secret"


@each_pod
def test_a_pod_can_do_no_more_than_it_must(name: str) -> None:
    """A fault in what reads text from outside would be a fault of the whole node."""
    template = PODS[name]["spec"]
    user = template["securityContext"]
    assert user["runAsNonRoot"] is True
    assert f"USER {user['runAsUser']}\n" in DOCKERFILE
    assert f"useradd --uid {user['runAsUser']} " in DOCKERFILE
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert template["automountServiceAccountToken"] is False
    # Kubernetes would put variables there that begin like settings.
    assert template["enableServiceLinks"] is False
    for container in containers(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = [it["mountPath"] for it in container["volumeMounts"] if not it.get("readOnly")]
        assert writable == ["/tmp"]  # noqa: S108 - a folder of its own
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}
    assert "WORKDIR /tmp\n" in DOCKERFILE


def test_the_image_is_the_one_of_docker_compose() -> None:
    """What is deployed would be another release."""
    images = {it["image"] for name in PODS for it in containers(name)}
    assert images == {it["image"] for it in OURS.values()}
    [image] = images
    [told] = KUSTOMIZATION["images"]
    assert f"{told['name']}:{told['newTag']}" == image


@each_role
async def test_a_role_is_asked_where_it_answers(role: str) -> None:
    """It would be ended as dead while it works, or get visitors before it can answer."""
    [container] = ROLES[role]["spec"]["template"]["spec"]["containers"]
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    settings = environment(container)
    assert ports["metrics"] == int(settings["TOCSIN_WEB_PORT"])
    assert settings["TOCSIN_WEB_HOST"] == "0.0.0.0"
    if "http" in ports:
        assert container["args"][-2:] == ["--port", str(ports["http"])]
    paths = {}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == "metrics"
        paths[probe] = asked["path"]
    async with (
        vital_signs(
            "127.0.0.1", 0, unready=lambda: "not yet", registry=CollectorRegistry()
        ) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        answers = {}
        for probe, path in paths.items():
            async with session.get(path) as answer:
                answers[probe] = answer.status
    # One that waits for Kafka is alive.
    assert answers == {"startupProbe": 200, "livenessProbe": 200, "readinessProbe": 503}


@each_role
def test_a_role_has_time_to_write_down_what_it_did(role: str) -> None:
    """It would be killed with work in hand at every stop."""
    spec = ROLES[role]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    waits = container.get("lifecycle", {}).get("preStop", {}).get("exec", {"command": ["", "0"]})
    needed = timedelta(seconds=STOP_WITHIN + DRAIN_WITHIN + float(waits["command"][-1]))
    assert timedelta(seconds=spec["terminationGracePeriodSeconds"]) > needed


@each_role
def test_a_role_is_found_by_its_labels(role: str) -> None:
    """A Deployment would start pods without end, a Service lead nowhere, a node take all workers with it."""
    spec = ROLES[role]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": "tocsin", "app.kubernetes.io/component": role}
    assert spec["selector"]["matchLabels"] == labels == ROLES[role]["metadata"]["labels"]
    budget = OBJECTS["PodDisruptionBudget", role]["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert {it["topologyKey"].rpartition("/")[2] for it in spread} == {"zone", "hostname"}
    assert all(it["labelSelector"]["matchLabels"] == labels for it in spread)


def test_services_and_policies_lead_to_pods() -> None:
    """A visitor would be told that nobody is there."""
    pods = [it["spec"]["template"] for it in ROLES.values()]
    found = []
    for (kind, name), it in OBJECTS.items():
        if kind not in {"Service", "NetworkPolicy"}:
            continue
        spec = it["spec"]
        selector = spec["selector"] if kind == "Service" else spec["podSelector"]["matchLabels"]
        ports = [
            port.get("targetPort", port["port"])
            for part in walk(spec)
            for port in part.get("ports", ())
        ]
        chosen = [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]
        assert chosen, name
        for pod in chosen:
            [container] = pod["spec"]["containers"]
            assert set(ports) <= {port["name"] for port in container["ports"]}, name
        found.append((kind, name, len(chosen)))
    assert sorted(found) == [
        ("NetworkPolicy", "board", 1),
        ("NetworkPolicy", "intake", 1),
        ("NetworkPolicy", "tocsin", len(ROLES)),
        ("Service", "board", 1),
        ("Service", "intake", 1),
        ("Service", "metrics", len(ROLES)),
    ]


def test_the_probe_runs_once_and_no_role_has_idle_workers() -> None:
    """Every endpoint would be asked twice; or more workers would run than have something to do."""
    partitions = int(GIVEN["tocsin-settings"]["TOCSIN_PARTITIONS"])
    replicas = {role: it["spec"]["replicas"] for role, it in ROLES.items()}
    assert replicas.pop("probe") == 1
    assert ROLES["probe"]["spec"]["strategy"] == {"type": "Recreate"}
    # The next release starts before the last one ends.
    assert all(1 < count < partitions for count in replicas.values())


def test_everything_is_applied() -> None:
    """A file that nobody names is not there."""
    named = {name for name in KUSTOMIZATION["resources"] if not name.startswith("../")}
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert named == there - OPTIONAL
    assert OBJECTS["Namespace", KUSTOMIZATION["namespace"]]
    policy = yaml.safe_load(Path("deploy/policy/Kustomization").read_text(encoding="utf-8"))
    [made] = policy["configMapGenerator"]
    assert made["files"] == sorted(path.name for path in Path("deploy/policy").glob("*.yaml"))
    mounted = {
        it["configMap"]["name"]
        for pod in PODS.values()
        for it in pod["spec"]["volumes"]
        if "configMap" in it
    }
    assert mounted == {made["name"]}


def test_a_policy_is_read_as_kubernetes_mounts_it(tmp_path: Path) -> None:
    """Each file would count twice: it stands in a folder with the time as its name, and is linked to from two places."""
    version, mounted = tmp_path / "..2026_12_01_00_00_00.123456789", tmp_path / "..data"
    shutil.copytree("deploy/policy", version)
    mounted.symlink_to(version.name)
    for path in version.glob("*.yaml"):
        (tmp_path / path.name).symlink_to(Path(mounted.name) / path.name)
    assert texts_of(tmp_path) == texts_of(Path("deploy/policy"))
    assert read_policy(tmp_path, {}).rules


def test_prometheus_finds_every_role() -> None:
    """Alerts about a role that is not asked say that it is gone."""
    [job] = yaml.safe_load(Path("deploy/prometheus/kubernetes.yml").read_text())["scrape_configs"]
    elsewhere = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())
    assert job["job_name"] == elsewhere["scrape_configs"][0]["job_name"] == "tocsin"
    [found] = job["kubernetes_sd_configs"]
    assert found["namespaces"]["names"] == [KUSTOMIZATION["namespace"]]
    rules = {it["source_labels"][0]: it for it in job["relabel_configs"]}
    assert rules["__meta_kubernetes_pod_container_port_name"]["regex"] == "metrics"
    assert (
        rules["__meta_kubernetes_pod_label_app_kubernetes_io_component"]["target_label"] == "role"
    )


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not there")
def test_kustomize_puts_it_together() -> None:
    """`kubectl apply -k` would refuse it."""
    made = subprocess.run(
        [str(KUBECTL), "kustomize", str(FOLDER)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    objects = list(yaml.safe_load_all(made.stdout))
    [policy] = [it for it in objects if it["metadata"]["name"].startswith("tocsin-policy-")]
    assert policy["data"].keys() == {path.name for path in Path("deploy/policy").glob("*.yaml")}
    mounted = {
        it["name"] for part in objects for it in (m.get("configMap") for m in walk(part)) if it
    }
    assert mounted == {policy["metadata"]["name"]}
