"""Rows go in however long it takes."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from streams.agents import metrics
from streams.gateways.clickhouse import ClickHouse, Row, WarehouseUnavailable

log = logging.getLogger(__name__)

#: Waits between attempts while ClickHouse does not answer: they double from the first to the last.
FIRST_WAIT: Final = timedelta(seconds=0.5)
LAST_WAIT: Final = timedelta(seconds=15)


async def stored(warehouse: ClickHouse, table: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
    """
    Store *rows* however long it takes, and return place and reason of those that ClickHouse refuses.

    What was stored although the answer was lost is stored again: its key makes it one row.
    """
    wait = FIRST_WAIT
    # There before the first failure: growth from nothing is no growth to Prometheus.
    failures = metrics.WAREHOUSE_FAILURES.labels(table)
    while True:
        try:
            return await warehouse.insert_sparing(table, rows)
        except WarehouseUnavailable as error:
            failures.inc()
            log.warning(
                "warehouse unavailable retry_in=%.1f reason=%s", wait.total_seconds(), error
            )
            await asyncio.sleep(wait.total_seconds())
            wait = min(2 * wait, LAST_WAIT)
