"""``tocsin bench NAME``: measure, on real parts."""

import asyncio
from pathlib import Path

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


@bench.command("warehouse")
@click.option("--incidents", type=click.IntRange(100, 5_000_000), default=10_000, show_default=True)
@click.option("--batch", type=click.IntRange(100, 1_000_000), default=10_000, show_default=True)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the warehouse here; another run asks it again without loading.",
)
def warehouse(incidents: int, batch: int, folder: Path | None) -> None:
    """Rows a second into the embedded engine, time of each report, and disk that incidents take."""
    from streams.laptop.benches.warehouse import measure  # noqa: PLC0415 - as above

    try:
        asyncio.run(measure(incidents, batch, folder))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
