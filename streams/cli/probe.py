"""``tocsin probe``: ask the policy's health endpoints and publish what they say."""

import asyncio
import logging
import signal

import click

from streams.errors import TocsinError
from streams.gateways.polling import Polling
from streams.gateways.vital_signs import vital_signs
from streams.policy import read_policy
from streams.settings import Settings, read_settings

log = logging.getLogger(__name__)


@click.command("probe")
def probe() -> None:
    """Ask the health endpoints of the policy, each at its own pace, until SIGTERM."""
    try:
        settings = read_settings()
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        # One line a request, and the broker's absence once a connection: we say both ourselves.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        asyncio.run(_until_told(settings))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


async def _until_told(settings: Settings) -> None:
    listed = read_policy(settings.policy).probes
    probes = [probe for probe in listed if probe.url]
    if not probes:
        # Waiting is better than ending: a supervisor would start it again for ever.
        log.warning("nothing to probe listed=%s reason=no probe has an address", len(listed))
    stop = asyncio.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(told, stop.set)
    polling = Polling(probes, settings)
    async with vital_signs(
        settings.web_host, settings.web_port, unready=polling.unready, registry=polling.registry
    ) as port:
        log.info("probing probes=%s web_port=%s broker=%s", len(probes), port, settings.broker)
        await polling.run(stop)
    log.info("probing ended")
