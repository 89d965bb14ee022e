"""``tocsin up``: run everything on this machine."""

import asyncio
import sys
from pathlib import Path

import click

from streams.cli.brokers import broker_option
from streams.errors import TocsinError
from streams.settings import Settings


@click.command("up")
@broker_option("Which broker: auto takes Apache Kafka where Java and its jars are there.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Settings.default_state(),
    envvar="TOCSIN_STATE",
    show_default=True,
    help="Folder of everything that is kept.",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path, exists=True),
    default=Path("deploy/policy"),
    envvar="TOCSIN_POLICY",
    show_default=True,
    help="Folder of the policy.",
)
@click.option(
    "--port-base",
    type=click.IntRange(0, 65_000),
    default=7060,
    envvar="TOCSIN_PORT_BASE",
    show_default=True,
    help="First of eleven ports on 127.0.0.1; 0 takes free ones.",
)
def up(broker: str, state: Path, policy: Path, port_base: int) -> None:
    """Run a broker, the warehouse and every role on this machine, until Ctrl-C."""
    # What runs everything takes a second to import: not for `--help`.
    from streams.laptop.up import run  # noqa: PLC0415

    try:
        code = asyncio.run(
            run(broker=broker, state=state, policy=policy, port_base=port_base, say=_say)
        )
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(code)


def _say(line: str) -> None:
    click.echo(line)
    sys.stdout.flush()
