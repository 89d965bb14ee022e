"""``tocsin intake``: telemetry over HTTP."""

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import click

from streams.agents.governed import Folder
from streams.board.in_force import InForce
from streams.cli.serving import serve, signs_of
from streams.errors import SettingsError, TocsinError
from streams.gateways.clock import now
from streams.gateways.following import Following
from streams.gateways.producer import LatePublisher, Publisher
from streams.intake.application import application
from streams.intake.sorting import SOURCE
from streams.intake.taking import Intake
from streams.policy import read_policy
from streams.releases import digest, texts_of
from streams.settings import Settings, read_settings

log = logging.getLogger(__name__)

_UNGUARDED: Final = (
    "others can reach {host}, and the policy names no token under intake.tokens that is set: "
    "set one, listen on 127.0.0.1, or say --open to let anybody post"
)


@click.command("intake")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=6_071,
    show_default=True,
    help="4318 is where OpenTelemetry looks by itself.",
)
@click.option(
    "--open", "open_to_all", is_flag=True, help="Let anybody post where the policy names no token."
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="Folder or file; without it the one that the other commands would use.",
)
def intake(host: str, port: int, open_to_all: bool, policy: Path | None) -> None:  # noqa: FBT001 - as click hands it over
    """
    Take telemetry over HTTP and write it to the telemetry topics.

    OpenTelemetry's /v1/metrics and /v1/logs, Prometheus' /api/v1/write, and /v1/signals/NAME for health, metrics, logs, external and every format by its name. A published policy takes effect while it runs. Behind a proxy that ends TLS; OpenAPI stands under /openapi.json. /livez, /readyz and /metrics stand elsewhere: at TOCSIN_WEB_HOST and TOCSIN_WEB_PORT.
    """
    try:
        settings = read_settings()
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        asyncio.run(
            _serve(settings, policy or settings.policy, host, port, open_to_all=open_to_all)
        )
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


async def _serve(
    settings: Settings, path: Path, host: str, port: int, *, open_to_all: bool
) -> None:
    policy, sha256 = read_policy(path), digest(texts_of(path))
    open_to_all = open_to_all or _only_here(host)
    if not policy.intake.demanding:
        if not open_to_all:
            raise SettingsError(_UNGUARDED.format(host=host))
        log.warning("no token is asked for host=%s port=%s", host, port)
    in_force = InForce(Folder(str(path), sha256, os.environ), sha256, policy, SOURCE)
    following = Following(settings, in_force, besides=())
    async with (
        signs_of(settings, following, in_force),
        AsyncExitStack() as held,
    ):
        publisher = LatePublisher(
            # One that failed to connect cannot be used again.
            lambda: held.enter_async_context(Publisher(settings, source=SOURCE))
        )
        app = application(
            Intake(in_force, publisher, now, following.unready, open_to_all=open_to_all)
        )
        await serve(app, settings, following, host=host, port=port)


def _only_here(host: str) -> bool:
    """Whether nobody but this machine reaches *host*."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
