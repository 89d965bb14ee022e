"""Asks the warehouse what a report wants to know."""

import asyncio

from streams.gateways.clickhouse import ClickHouse
from streams.warehouse.answers import cleaned
from streams.warehouse.report import Account, Report


async def told(asked: Report, warehouse: ClickHouse) -> Account:
    """
    Ask *warehouse*, all questions side by side, and return what the answers amount to.

    Raises:
        WarehouseUnavailable: It could not be asked.
    """
    questions = asked.questions()
    answers = await asyncio.gather(
        *(warehouse.select(it.statement, it.parameters) for it in questions.values())
    )
    return asked.tell(dict(zip(questions, map(cleaned, answers), strict=True)))
