"""``tocsin bench NAME``: measure, on real parts."""

import asyncio

import click

from streams.errors import TocsinError


@click.group("bench")
def bench() -> None:
    """Measure: one JSON object a line, the last one with the targets."""


@bench.command("idle")
@click.option("--broker", default="auto", show_default=True, metavar="auto|apache|wheel|HOST:PORT")
@click.option("--seconds", type=click.FloatRange(5, 3_600), default=60.0, show_default=True)
def idle(broker: str, seconds: float) -> None:
    """CPU that `tocsin up` uses when nothing happens."""
    # Measured parts take a second to import: not for `--help`.
    from streams.laptop.benches.idle import measure  # noqa: PLC0415

    try:
        asyncio.run(measure(broker, seconds))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


@bench.command("incidents")
def incidents() -> None:
    """Storms of alerts through correlation and lifecycle, and what they cost."""
    from streams.laptop.benches.incidents import measure  # noqa: PLC0415 - as above

    measure()
