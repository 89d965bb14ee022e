"""Kafka as managed ones are reached: everything works by TLS and passwords or certificates, and what does not is said."""

import asyncio
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schemas.telemetry import MetricV1
from schemas.topics import LIFECYCLE, METRICS
from streams.errors import AccessRefused
from streams.gateways import policies
from streams.gateways.looking import reading
from streams.gateways.producer import Publisher
from streams.gateways.topics import check_group, create_topics, list_topics
from streams.settings import Settings
from tests.brokers import WANTED
from tests.pipeline import (
    Pipeline,
    command,
    ending,
    environment_of,
    eventually,
    publish,
    read_topic,
)
from tests.secured import KEY_PASSWORD, PASSWORD, USER, WITHOUT_RIGHTS, SecuredBroker

pytestmark = [
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.skipif(WANTED != "apache", reason="TLS and passwords are Apache Kafka's"),
    pytest.mark.asyncio(loop_scope="module"),
]

README = Path("README.md").read_text(encoding="utf-8")
RULES = "rules: [{name: load, kind: threshold, metric: load, threshold: 5, severity: 2}]\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SecuredBroker]:
    running = SecuredBroker(tmp_path_factory.mktemp("secured"))
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


def by_password(secured: SecuredBroker, **other: Any) -> dict[str, Any]:
    return {
        "broker": secured.at("SASL_SSL"),
        "broker_security": "SASL_SSL",
        "broker_ca": secured.authority.file,
        "broker_mechanism": "SCRAM-SHA-512",
        "broker_user": USER,
        "broker_password": PASSWORD,
        **other,
    }


def by_certificate(secured: SecuredBroker, **other: Any) -> dict[str, Any]:
    certificate, key = secured.certificate
    return {
        "broker": secured.at("MUTUAL"),
        "broker_security": "SSL",
        "broker_ca": secured.authority.file,
        "broker_certificate": certificate,
        "broker_key": key,
        "broker_key_password": KEY_PASSWORD,
        **other,
    }


async def typed_as_the_readme_does(settings: Settings) -> str:
    """Type what the README says of a managed Kafka, with this one's values; return what was printed."""
    [block] = re.findall(
        r"^```sh\n(export TOCSIN_BROKER=.*?)^```", README, re.MULTILINE | re.DOTALL
    )
    told = environment_of(settings)
    exported = re.sub(r"(export (\w+)=)\S+", lambda found: found[1] + told[found[2]], block)
    process = await asyncio.create_subprocess_exec(
        *("sh", "-ec", exported),
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # What the README leaves to the machine, and to what others do on this broker.
            **{
                name: told[name]
                for name in ("TOCSIN_BROKER_CA", "TOCSIN_TOPIC_PREFIX", "TOCSIN_PARTITIONS")
            },
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    return said.decode()


async def test_an_installation_works_whatever_lets_its_parts_in(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    """One client that forgets how would wait for ever, on the one cluster that nobody can try it on."""
    (tmp_path / "policy.yaml").write_text(RULES)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    installation = {
        "topic_prefix": f"t{secrets.token_hex(4)}.",
        "policy": tmp_path / "policy.yaml",
        "partitions": 1,
        "state": tmp_path,
    }
    file = {"broker_password": None, "broker_password_file": tmp_path / "password"}
    plainly = Settings(**by_password(secured, broker_mechanism="PLAIN"), **installation)
    scram = Settings(**by_password(secured, **file), **installation)
    mutual = Settings(**by_certificate(secured), **installation)

    said = await typed_as_the_readme_does(scram)
    assert said.partition(" ")[2] == f"topics created on {scram.broker}\n"
    with (
        ending(Pipeline(scram, tmp_path)) as detecting,
        ending(Pipeline(mutual, tmp_path)) as other,
    ):
        detecting.start("detect")
        other.start("incidents")
        await detecting.ready()
        await other.ready()
        failing = MetricV1(occurred_at=datetime.now(UTC), service="shop", name="load", value=9.0)
        await publish(mutual, METRICS, [failing])

        async def opened() -> list[Any]:
            return await read_topic(scram, LIFECYCLE.name)

        steps = await eventually(
            opened, "an incident is opened", lambda: detecting.tails() + other.tails()
        )
        assert b"shop" in steps[0].value
        code, said = await command(plainly, "incident", "list")
        assert code == 0
        assert "shop" in said
        logged = detecting.tails() + other.tails()
    for secret in (PASSWORD, KEY_PASSWORD):
        assert secret not in logged


REFUSED = "refuses the user or the password: TOCSIN_BROKER_USER or TOCSIN_BROKER_PASSWORD is wrong"
ASKED = (
    "asks for a password (PLAIN, SCRAM-SHA-512): set TOCSIN_BROKER_SECURITY to {}, "
    "and TOCSIN_BROKER_MECHANISM, TOCSIN_BROKER_USER and TOCSIN_BROKER_PASSWORD"
)
NO_CERTIFICATE = (
    "asks for a certificate: name one, signed by an authority that it trusts, "
    "by TOCSIN_BROKER_CERTIFICATE and TOCSIN_BROKER_KEY"
)
NO_TLS = (
    "does not speak TLS: name the port that does in TOCSIN_BROKER, "
    "or set TOCSIN_BROKER_SECURITY to PLAINTEXT"
)
#: What is set otherwise than it must be, at which listener, and what is said.
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "another password": (
        "SASL_SSL",
        {"broker_password": "another"},
        REFUSED,
    ),
    "another password, sent itself": (
        "SASL_SSL",
        {"broker_password": "another", "broker_mechanism": "PLAIN"},
        REFUSED,
    ),
    "another user": (
        "SASL_SSL",
        {"broker_user": "nobody"},
        REFUSED,
    ),
    "another mechanism": (
        "SASL_SSL",
        {"broker_mechanism": "SCRAM-SHA-256"},
        "does not offer SCRAM-SHA-256 but PLAIN and SCRAM-SHA-512: set TOCSIN_BROKER_MECHANISM to that",
    ),
    "a password where none is asked for": (
        "SSL",
        {},
        "asks for no password: set TOCSIN_BROKER_SECURITY to SSL",
    ),
    "no password": (
        "SASL_SSL",
        {"broker_security": "SSL"},
        ASKED.format("SASL_SSL"),
    ),
    "no password, in the clear": (
        "SASL_PLAINTEXT",
        {"broker_security": "PLAINTEXT"},
        ASKED.format("SASL_PLAINTEXT"),
    ),
    "no certificate": (
        "MUTUAL",
        {"broker_security": "SSL"},
        NO_CERTIFICATE,
    ),
    "in the clear where TLS is spoken": (
        "SSL",
        {"broker_security": "PLAINTEXT"},
        "speaks TLS: set TOCSIN_BROKER_SECURITY to SSL, or to SASL_SSL where it asks for a password",
    ),
    "TLS where it is not": (
        "SASL_PLAINTEXT",
        {},
        NO_TLS,
    ),
}


@pytest.mark.parametrize(("kind", "otherwise", "said"), WRONG.values(), ids=WRONG.keys())
async def test_what_the_broker_refuses_is_said_by_setting(
    secured: SecuredBroker, kind: str, otherwise: dict[str, Any], said: str
) -> None:
    """The client's own words are that it found no broker."""
    settings = Settings(**{**by_password(secured), "broker": secured.at(kind), **otherwise})

    with pytest.raises(AccessRefused) as refused:
        await list_topics(settings)

    assert str(refused.value) == f"the broker at {settings.broker} {said}"


async def test_a_certificate_that_the_broker_does_not_trust_is_named(
    secured: SecuredBroker,
) -> None:
    """It would look like an outage of the broker."""
    certificate, key = secured.stranger.signs("strangers")
    settings = Settings(**by_certificate(secured, broker_certificate=certificate, broker_key=key))

    with pytest.raises(AccessRefused) as refused:
        await list_topics(settings)

    assert str(refused.value) == (
        f"the broker at {settings.broker} does not accept the certificate of "
        "TOCSIN_BROKER_CERTIFICATE (it says: certificate unknown)"
    )


async def looked_at(settings: Settings) -> None:
    async with reading(settings, ["anything"]):
        pass


async def published(settings: Settings) -> None:
    async with Publisher(settings, source="test"):
        pass


async def put_in_force(settings: Settings) -> None:
    await policies.publish(settings, [])


@pytest.mark.parametrize("used", [create_topics, looked_at, published, put_in_force])
async def test_whoever_connects_says_it(secured: SecuredBroker, used: Any) -> None:
    """What one of them is refused would be an outage to another."""
    settings = Settings(**by_password(secured, broker_password="another"))

    with pytest.raises(AccessRefused) as refused:
        await used(settings)

    assert str(refused.value) == f"the broker at {settings.broker} {REFUSED}"


async def worked_in_a_group(settings: Settings) -> None:
    await check_group(settings, "tocsin-detect")


@pytest.mark.parametrize(
    ("used", "on"),
    [(looked_at, "topics"), (published, "the cluster"), (worked_in_a_group, "groups")],
)
async def test_rights_that_are_missing_are_said(secured: SecuredBroker, used: Any, on: str) -> None:
    """A worker without the right to its group would wait for partitions for ever, and say nothing."""
    settings = Settings(**by_password(secured, broker_user=WITHOUT_RIGHTS))

    with pytest.raises(AccessRefused) as refused:
        await used(settings)

    assert str(refused.value) == (
        f"the broker at {settings.broker} knows us, and refuses rights on {on}: "
        "the README lists under `A managed Kafka` which are needed"
    )


async def test_commands_and_workers_end_with_one_line(
    secured: SecuredBroker, tmp_path: Path
) -> None:
    """A worker would try for a minute, and fill its log with what its libraries say."""
    (tmp_path / "policy.yaml").write_text(RULES)
    installation = {"state": tmp_path, "policy": tmp_path / "policy.yaml"}
    unknown = Settings(**by_password(secured, broker_ca=secured.stranger.file), **installation)
    wrong = Settings(**by_password(secured, broker_password="another"), **installation)

    topics, worker = await asyncio.gather(
        command(unknown, "topics"), command(wrong, "worker", "detect")
    )

    broker = f"Error: the broker at {secured.at('SASL_SSL')}"
    assert topics == (
        1,
        f"{broker} shows a certificate of an authority that the file of TOCSIN_BROKER_CA does not hold: add it there\n",
    )
    assert worker == (1, f"{broker} {REFUSED}\n")
