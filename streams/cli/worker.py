"""``tocsin worker ROLE``: run one hop. ``tocsin topics``: create what the hops read and write."""

import asyncio
import logging
import logging.config

import click

from streams.cli.asking import run
from streams.errors import AccessRefused, TocsinError, Unavailable
from streams.settings import Settings, read_settings

#: Seconds that a broker which is still starting is waited for.
BROKER_WITHIN = 60.0

ROLES = ("detect", "incidents", "notify", "record")


@click.command("worker")
@click.argument("role", type=click.Choice(ROLES))
def worker(role: str) -> None:
    """Run one hop until SIGTERM: it then finishes the work in hand and commits within 5 seconds."""
    # The hops and what they need take a second to import: not for every command.
    from streams.agents.app import logging_config  # noqa: PLC0415
    from streams.pipeline import build  # noqa: PLC0415

    try:
        settings = read_settings()
        logging.config.dictConfig(logging_config(settings.log_level))
        app = build(role, settings)
        # What the client says of a broker that is away we say ourselves; Faust sets levels anew.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        asyncio.run(_broker_answers(settings, app.conf.id))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    app.Worker(loglevel=settings.log_level).execute_from_commandline()


@click.command("topics")
def topics() -> None:
    """Create the installation's topics where they are missing."""
    from streams.gateways.topics import create_topics  # noqa: PLC0415 - as above

    async def create(settings: Settings) -> str:
        return f"{len(await create_topics(settings))} topics created on {settings.broker}"

    click.echo(run(create))


async def _broker_answers(settings: Settings, group: str) -> None:
    from streams.gateways.producer import Publisher  # noqa: PLC0415 - as above
    from streams.gateways.topics import check_group, list_topics  # noqa: PLC0415 - as above

    loop = asyncio.get_running_loop()
    until = loop.time() + BROKER_WITHIN
    while True:
        try:
            await list_topics(settings)
            # What Faust would say by a traceback, or not at all.
            await check_group(settings, group)
            async with Publisher(settings, source="worker"):
                pass
        except AccessRefused:
            # No broker that starts: a person has to do something.
            raise
        except Unavailable as error:
            if loop.time() > until:
                raise
            logging.getLogger(__name__).warning("waiting for the broker reason=%s", error)
            await asyncio.sleep(1.0)
        else:
            return
