"""Steps to write into a running warehouse, and what is in it then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.migrations import migrate
from streams.laptop.warehouse.authentication import User
from streams.warehouse.rows import Row
from tests.integration.warehouse import RunningWarehouse

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@asynccontextmanager
async def connected(
    warehouse: RunningWarehouse, user: User = User.TOCSIN, **options: Any
) -> AsyncIterator[ClickHouse]:
    clickhouse = ClickHouse(SecretStr(warehouse.url(user)), **options)
    try:
        yield clickhouse
    finally:
        await clickhouse.close()


@asynccontextmanager
async def emptied(warehouse: RunningWarehouse) -> AsyncIterator[ClickHouse]:
    """A migrated, empty warehouse."""
    async with connected(warehouse) as it:
        tables = await it.select("SELECT name, engine FROM system.tables WHERE database = 'tocsin'")
        for table in tables:
            sort = "VIEW" if table["engine"] == "View" else "TABLE"
            await it.command(f"DROP {sort} IF EXISTS {table['name']} SYNC")
        await migrate(it)
        yield it


def incident(number: int, **changed: Any) -> IncidentV1:
    return IncidentV1.model_validate(
        {
            "occurred_at": NOON,
            "incident_id": f"INC-2024-03-01-{number:03}",
            "sequence": 1,
            "status": Status.INVESTIGATING,
            "severity": 1,
            "severity_first": 1,
            "severity_peak": 1,
            "summary": "it's down",
            "service": "api",
            "services": ("api", "web"),
            "labels": {"region": "eu"},
            "group_key": "api",
            "started_at": NOON,
            "detected_at": NOON,
        }
        | changed
    )


def step(after: IncidentV1, kind: StepKind = StepKind.NOTED) -> StepV1:
    return StepV1(
        occurred_at=after.occurred_at,
        step_id=f"{after.incident_id}.{after.sequence}",
        incident_id=after.incident_id,
        tenant=after.tenant,
        sequence=after.sequence,
        kind=kind,
        author="tocsin",
        source="alert",
        reason="a test",
        trigger_id="t",
        incident=after,
    )


def by_table(rows: list[tuple[str, Row]]) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    for table, row in rows:
        tables.setdefault(table, []).append(row)
    return tables


async def store(clickhouse: ClickHouse, rows: list[tuple[str, Row]]) -> None:
    for table, its in by_table(rows).items():
        await clickhouse.insert(table, its)


async def count(clickhouse: ClickHouse, source: str) -> int:
    return int((await clickhouse.select(f"SELECT count() AS n FROM {source}"))[0]["n"])  # noqa: S608 - names of tests


def cut(rows: list[Any], size: int) -> list[list[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
