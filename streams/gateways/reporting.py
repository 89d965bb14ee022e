"""Asks the warehouse what a report wants to know."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from streams.warehouse.answers import cleaned
from streams.warehouse.report import Account, Report


class Asking(Protocol):
    """What answers questions."""

    async def select(
        self, statement: str, parameters: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows that a SELECT finds."""


async def told(asked: Report, warehouse: Asking) -> Account:
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
