"""``tocsin demo``: break a real service and watch the whole pipeline do its work."""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console

from streams.cli.brokers import broker_option
from streams.errors import TocsinError

if TYPE_CHECKING:
    from streams.laptop.demo.story import Ending


@click.command("demo")
@broker_option("As for `tocsin up`.")
@click.option("--keep", is_flag=True, help="Stay up afterwards and print the addresses.")
def demo(*, broker: str, keep: bool) -> None:
    """
    Run everything on this machine in a folder that is thrown away, break a service, and check all that follows.

    The last line is `demo: ok …` or `demo: failed …`; the exit code says the same.
    """
    # It needs what only the `laptop` extra installs.
    from streams.laptop.demo.performance import perform  # noqa: PLC0415
    from streams.laptop.demo.telling import Telling  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # What its client says of a broker that comes up or goes away is no news in a demo.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    told: list[Ending] = []

    def tell(ending: "Ending") -> None:
        click.echo(f"demo: ok {ending}")
        told.append(ending)

    try:
        ending = asyncio.run(
            perform(broker, telling=Telling(Console(highlight=False)), keep=tell if keep else None)
        )
    except TocsinError as error:
        reason, *details = str(error).splitlines() or ["more than nothing"]
        for line in details:
            click.echo(line)
        click.echo(f"demo: failed expected {reason}")
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        if told:
            return
        click.echo("demo: failed expected to be played to the end, was interrupted")
        sys.exit(130)
    tell(ending)
