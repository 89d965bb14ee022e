"""Applying migrations: the one place where tables come to be."""

from streams.gateways.clickhouse import ClickHouse
from streams.warehouse.migration import (
    APPLIED,
    BOOTSTRAP,
    REMEMBER,
    Migration,
    migrations,
    pending,
)


async def migrate(warehouse: ClickHouse, known: list[Migration] | None = None) -> list[Migration]:
    """
    Apply what is not applied yet, and return it.

    Two of these at once do no harm: each statement may be repeated, and so may the row that remembers it.

    Raises:
        MigrationRefused: A migration was edited after it was applied, or is unknown to this release.
        WarehouseUnavailable: ClickHouse could not do it; what was applied stays and the next run goes on there.
    """
    known = known or migrations()
    await warehouse.create_database()
    for statement in known[BOOTSTRAP].statements:
        await warehouse.command(statement)
    waiting = pending(known, await warehouse.select(APPLIED))
    for migration in waiting:
        for statement in migration.statements:
            await warehouse.command(statement)
        await warehouse.command(
            REMEMBER,
            {
                "number": migration.number,
                "name": migration.name,
                "checksum": migration.checksum,
            },
        )
    return waiting
