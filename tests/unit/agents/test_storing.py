"""Rows go in however long it takes, and whoever waits for them can see it."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from streams.agents import storing
from streams.gateways.clickhouse import Row, WarehouseUnavailable


class Away:
    """A warehouse that is away for some attempts."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        self.tables: list[str] = []

    async def insert_sparing(self, table: str, rows: Any) -> list[tuple[int, str]]:
        del rows
        if self.attempts:
            self.attempts -= 1
            message = "connection refused"
            raise WarehouseUnavailable(message)
        self.tables.append(table)
        return []


def failures(table: str) -> float | None:
    return REGISTRY.get_sample_value("tocsin_warehouse_failures_total", {"table": table})


async def test_attempts_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where little happens the lag is small: it alone would not say that nothing goes in."""
    monkeypatch.setattr(storing, "FIRST_WAIT", timedelta(0))
    monkeypatch.setattr(storing, "LAST_WAIT", timedelta(0))
    rows: list[Row] = []
    well, away = Away(0), Away(2)
    assert await storing.stored(well, "well", rows) == []  # type: ignore[arg-type]
    # There from the first attempt on: growth from nothing is no growth to Prometheus.
    assert failures("well") == 0
    assert await storing.stored(away, "away", rows) == []  # type: ignore[arg-type]
    assert (failures("away"), away.tables) == (2, ["away"])
