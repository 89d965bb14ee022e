"""``tocsin demo``: break a real service and watch the whole pipeline do its work."""

import asyncio
import sys

import click

from streams.errors import TocsinError


@click.command("demo")
@click.option(
    "--broker",
    default="auto",
    show_default=True,
    metavar="auto|apache|wheel|HOST:PORT",
    help="As for `tocsin up`.",
)
@click.option("--keep", is_flag=True, help="Stay up afterwards and print the addresses.")
def demo(broker: str, keep: bool) -> None:
    """
    Run everything on this machine in a folder that is thrown away, break a service, and check all that follows.

    The last line is `demo: ok …` or `demo: failed …`; the exit code says the same.
    """
    # It needs what only the `laptop` extra installs.
    from rich.console import Console  # noqa: PLC0415

    from streams.laptop.demo.performance import perform  # noqa: PLC0415
    from streams.laptop.demo.telling import Telling  # noqa: PLC0415

    telling = Telling(Console(highlight=False))
    try:
        ending = asyncio.run(perform(broker, keep=keep, telling=telling))
    except TocsinError as error:
        reason, *details = str(error).splitlines() or ["an unknown reason"]
        for line in details:
            click.echo(line)
        click.echo(f"demo: failed expected {reason}")
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("demo: failed expected to be played to the end, was interrupted")
        sys.exit(130)
    click.echo(f"demo: ok {ending}")
