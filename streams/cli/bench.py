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


@bench.command("notify")
@click.option("--broker", default="auto", show_default=True, metavar="auto|apache|wheel|HOST:PORT")
@click.option("--alerts", type=click.IntRange(10, 10_000), default=50, show_default=True)
@click.option("--burst", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--every", type=click.FloatRange(0, 60), default=0.1, show_default=True)
def notify(broker: str, alerts: int, burst: int, every: float) -> None:
    """From an alert to its receivers, also with one that hangs, answers 429 or 500."""
    from streams.laptop.benches.notify import measure  # noqa: PLC0415 - as above

    try:
        asyncio.run(measure(broker, alerts, burst, every))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
