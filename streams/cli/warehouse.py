"""``tocsin warehouse``: make history anew, take it elsewhere."""

import asyncio
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from streams.cli.choosing import Choice
from streams.cli.moments import when
from streams.errors import TocsinError
from streams.gateways import clock
from streams.gateways.clickhouse import ClickHouse
from streams.settings import Settings, read_settings
from streams.warehouse import dictionary as words
from streams.warehouse.export import FORMATS, SOURCES, Piece, pieces


@click.group("warehouse", cls=Choice)
def warehouse() -> None:
    """Look after the warehouse."""


@warehouse.command("rebuild")
@click.option(
    "--empty", is_flag=True, help="Empty the tables first: what topics no longer have is lost."
)
@click.option("--yes", is_flag=True, help="Do not ask whether to empty them.")
def rebuild(*, empty: bool, yes: bool) -> None:
    """Write again what the topics hold: rows that are there stay, rows that are missing come back."""
    if empty and not yes:
        click.confirm("Empty the warehouse and keep only what the topics still hold?", abort=True)
    try:
        asyncio.run(_rebuild(read_settings(), empty=empty))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


async def _rebuild(settings: Settings, *, empty: bool) -> None:
    # The broker's client takes a second to import: not for every command.
    from streams.agents.history import RECORDED, rows_in  # noqa: PLC0415
    from streams.agents.tallies import Parts  # noqa: PLC0415
    from streams.gateways import rebuilding  # noqa: PLC0415
    from streams.gateways.migrations import migrate  # noqa: PLC0415
    from streams.policy import read_policy  # noqa: PLC0415
    from streams.telemetry.reading import Formats  # noqa: PLC0415

    def hear(done: rebuilding.Rebuilt) -> None:
        percent = 100 * done.records / done.expected if done.expected else 100
        click.echo(
            f"{done.records:,} of {done.expected:,} records ({min(percent, 100):.0f} %)", err=True
        )

    client = ClickHouse(settings.warehouse, settings.warehouse_ca)
    try:
        await migrate(client)
        if empty:
            await rebuilding.forget(client)
        topics = {settings.topic(topic.name): topic for topic in RECORDED}
        policy = read_policy(settings.policy)
        formats = Formats(policy.formats)
        read = partial(rows_in, formats=formats)
        counted = Parts(formats, wanted=policy.history.count_signals)
        sources = rebuilding.Sources(topics, read, counted)
        done = await rebuilding.rebuild(settings, sources, client, hear)
    finally:
        await client.close()
    for table, rows in sorted(done.rows.items()):
        click.echo(f"{table:16} {rows:>12,} rows")
    if done.refused:
        click.echo(f"{done.refused} records are no rows: see the dead letters of the record hop")


@warehouse.command("dictionary")
def dictionary() -> None:
    """Print what every table, view and column means, as Markdown."""
    try:
        click.echo(asyncio.run(_dictionary(read_settings())), nl=False)
    except TocsinError as error:
        raise click.ClickException(str(error)) from None


async def _dictionary(settings: Settings) -> str:
    client = ClickHouse(settings.warehouse, settings.warehouse_ca)
    try:
        where = {"database": client.database}
        tables = await client.select(words.TABLES, where)
        return words.written(tables, await client.select(words.COLUMNS, where))
    finally:
        await client.close()


def _moment(_context: click.Context, option: click.Parameter, text: str) -> datetime:
    found = when(text, clock.now())
    if isinstance(found, datetime):
        return found
    message = f"{text!r} cannot be used: 7d, 12h, or an ISO 8601 time"
    raise click.BadParameter(message, param=option)


@warehouse.command("export")
@click.argument("source", type=click.Choice(sorted(SOURCES)))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--form", type=click.Choice(FORMATS), default="parquet", show_default=True)
@click.option("--since", default="30d", show_default=True, callback=_moment, help="When it begins.")
@click.option("--until", default="0s", show_default=True, callback=_moment, help="When it ends.")
@click.option("--by-day", is_flag=True, help="A file for each day; otherwise one for each month.")
def export(folder: Path, **cut: Any) -> None:
    """Write a view's rows to files that other tools read: one for each month, or day, in UTC."""
    files = list(pieces(**cut))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(_export(read_settings(), files, folder, FORMATS[cut["form"]]))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror}"
        raise click.ClickException(message) from None


async def _export(settings: Settings, files: list[Piece], folder: Path, form: str) -> None:
    client = ClickHouse(settings.warehouse, settings.warehouse_ca)
    try:
        for number, file in enumerate(files, 1):
            asked = file.question
            content = await client.formatted(asked.statement, asked.parameters, form)
            (folder / file.name).write_bytes(content)
            click.echo(f"{number} of {len(files)}: {file.name}, {len(content):,} bytes", err=True)
    finally:
        await client.close()
