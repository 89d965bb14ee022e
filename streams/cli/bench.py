"""``tocsin bench NAME``: measure, on real parts."""

import asyncio
from pathlib import Path

import click

from streams.cli.brokers import broker_option
from streams.cli.choosing import Choice
from streams.errors import TocsinError


@click.group("bench", cls=Choice)
def bench() -> None:
    """Measure: one JSON object a line, the last one with the targets."""


@bench.command("idle")
@broker_option()
@click.option("--seconds", type=click.FloatRange(5, 3_600), default=60.0, show_default=True)
def idle(broker: str, seconds: float) -> None:
    """CPU that `tocsin up` uses when nothing happens."""
    # Measured parts take a second to import: not for `--help`.
    from streams.laptop.benches.idle import measure  # noqa: PLC0415

    try:
        asyncio.run(measure(broker, seconds))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


@bench.command("notify")
@broker_option()
@click.option("--alerts", type=click.IntRange(10, 10_000), default=50, show_default=True)
@click.option("--burst", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--every", type=click.FloatRange(0, 60), default=0.25, show_default=True)
def notify(broker: str, alerts: int, burst: int, every: float) -> None:
    """From an alert to its receivers, also with one that hangs, answers 429 or 500."""
    from streams.laptop.benches.notify import measure  # noqa: PLC0415 - as above

    try:
        asyncio.run(measure(broker, alerts, burst, every))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


@bench.command("detect")
@broker_option()
@click.option(
    "--signals", type=click.IntRange(50_000, 20_000_000), default=1_000_000, show_default=True
)
@click.option(
    "--series",
    type=click.IntRange(1_000, 10_000_000),
    help="Measure what so many series cost in memory and to recover, and nothing else.",
)
@click.option(
    "--sets",
    type=click.IntRange(100, 1_000_000),
    default=10_000,
    show_default=True,
    help="Sets of labels that the signals are of.",
)
@click.option("--partitions", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option(
    "--sweep/--no-sweep",
    default=True,
    show_default=True,
    help="Also with other numbers of rules, series and partitions, and with rules of one kind.",
)
def detect(  # noqa: PLR0913, PLR0917 - an option each
    broker: str,
    signals: int,
    series: int | None,
    sets: int,
    partitions: int,
    sweep: bool,  # noqa: FBT001 - click's
) -> None:
    """How fast rules are applied, how soon an alert is there, what a series costs."""
    from streams.laptop.benches import detect as measure  # noqa: PLC0415 - as above
    from streams.laptop.benches.figures import Figures  # noqa: PLC0415 - as above

    async def run() -> None:
        figures = Figures()
        if series is not None:
            await measure.of_series(figures, broker, series=series, partitions=partitions)
        else:
            await measure.throughput(
                figures, broker, signals=signals, series=sets, partitions=partitions
            )
            await measure.latency(figures, broker, series=sets, partitions=partitions)
            if sweep:
                await measure.sweeps(figures, broker, signals=signals // 4, partitions=partitions)
        figures.close()

    try:
        asyncio.run(run())
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


@bench.command("incidents")
def incidents() -> None:
    """Storms of alerts through correlation and lifecycle, and what they cost."""
    from streams.laptop.benches.incidents import measure  # noqa: PLC0415 - as above

    measure()


@bench.command("warehouse")
@click.option(
    "--incidents",
    type=click.IntRange(100, 5_000_000),
    multiple=True,
    default=(10_000,),
    show_default=True,
    help="How many; can be repeated, and tells how figures grow.",
)
@click.option("--batch", type=click.IntRange(100, 1_000_000), default=10_000, show_default=True)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the warehouses here; another run asks them again without loading.",
)
def warehouse(incidents: tuple[int, ...], batch: int, folder: Path | None) -> None:
    """Rows a second into the embedded engine, time of each report, and disk that incidents take."""
    from streams.laptop.benches.warehouse import measure  # noqa: PLC0415 - as above

    try:
        asyncio.run(measure(incidents, batch, folder))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
