"""``tocsin migrate``: make the warehouse's tables."""

import asyncio

import click

from streams.errors import TocsinError
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.migrations import migrate as apply
from streams.settings import read_settings
from streams.warehouse.migration import Migration


@click.command("migrate")
def migrate() -> None:
    """Make the warehouse's tables and views, as far as they are missing."""
    try:
        warehouse = ClickHouse(read_settings().warehouse)
        applied = asyncio.run(_migrate(warehouse))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    for migration in applied:
        click.echo(f"applied {migration.name}")
    if not applied:
        click.echo("nothing to apply")


async def _migrate(warehouse: ClickHouse) -> list[Migration]:
    try:
        return await apply(warehouse)
    finally:
        await warehouse.close()
