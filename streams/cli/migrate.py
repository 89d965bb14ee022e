"""``tocsin migrate``: make the warehouse's tables, and tell it what the policy says about history."""

import asyncio

import click

from streams.errors import TocsinError
from streams.gateways import clock
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.history import tell_policy
from streams.gateways.migrations import migrate as apply
from streams.policy import Policy, read_policy
from streams.settings import read_settings
from streams.warehouse.migration import Migration


@click.command("migrate")
def migrate() -> None:
    """Make the warehouse's tables and views, and tell it what the policy says about history."""
    try:
        settings = read_settings()
        policy = read_policy(settings.policy)
        applied, told = asyncio.run(
            _migrate(ClickHouse(settings.warehouse, settings.warehouse_ca), policy)
        )
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    for migration in applied:
        click.echo(f"applied {migration.name}")
    if not applied:
        click.echo("nothing to apply")
    if told:
        click.echo(f"{told} settings of the policy told")


async def _migrate(warehouse: ClickHouse, policy: Policy) -> tuple[list[Migration], int]:
    try:
        applied = await apply(warehouse)
        told = await tell_policy(warehouse, policy.promises(), policy.history, clock.now())
    finally:
        await warehouse.close()
    return applied, told
