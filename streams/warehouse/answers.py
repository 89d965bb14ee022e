"""What the warehouse answered, in the words of a report."""

import math
from collections.abc import Iterable
from typing import Any

from streams.warehouse.report import Row


def cleaned(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return *rows* with None in place of what is not a number: the mean or percentile of nothing."""
    return [{name: _number(value) for name, value in row.items()} for row in rows]


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
