"""Tells the warehouse what the policy says about history: what severities promise, and how long rows are kept."""

from collections.abc import Sequence
from datetime import datetime

from streams.gateways.clickhouse import ClickHouse
from streams.warehouse import levels, retention
from streams.warehouse.levels import Promise
from streams.warehouse.retention import HistorySettings


async def tell_policy(
    warehouse: ClickHouse, promises: Sequence[Promise], settings: HistorySettings, at: datetime
) -> int:
    """
    Bring a migrated warehouse in line with the policy and return how many things were changed.

    Args:
        warehouse: The warehouse.
        promises: What severities promise from *at* on.
        settings: How long rows are kept.
        at: Now.

    Raises:
        WarehouseUnavailable: It could not be done; what was done stays, and the next time goes on there.
    """
    rows = levels.changed(promises, await warehouse.select(levels.LATEST), at)
    await warehouse.insert(levels.TABLE, rows)
    tables = await warehouse.select(retention.AS_THEY_ARE, {"database": warehouse.database})
    told = list(retention.statements(settings, {row["name"]: row["made"] for row in tables}))
    for statement in told:
        await warehouse.command(statement)
    return len(rows) + len(told)
