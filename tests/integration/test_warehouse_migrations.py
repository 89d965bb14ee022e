"""Migrations on a real ClickHouse engine."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from schemas.alerts import AlertState, AlertV1
from schemas.lifecycle import Status
from streams.cli.migrate import migrate as migrate_command
from streams.gateways.clickhouse import ClickHouse, WarehouseUnavailable
from streams.gateways.history import tell_policy
from streams.gateways.migrations import migrate
from streams.laptop.warehouse.authentication import User
from streams.warehouse.levels import Promise
from streams.warehouse.migration import Migration, MigrationRefused, migrations
from streams.warehouse.retention import HistorySettings
from streams.warehouse.rows import rows_of
from tests.integration.history import (
    NOON,
    connected,
    count,
    emptied,
    incident,
    step,
    store,
)
from tests.integration.warehouse import RunningWarehouse, running_warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


@pytest.fixture
async def clickhouse(warehouse: RunningWarehouse) -> AsyncIterator[ClickHouse]:
    async with emptied(warehouse) as it:
        yield it


async def test_migrations_are_applied_once(clickhouse: ClickHouse) -> None:
    """Each start of a worker would run them all again."""
    applied = await clickhouse.select("SELECT name FROM schema_migrations FINAL ORDER BY number")

    assert [row["name"] for row in applied] == [it.name for it in migrations()[1:]]
    assert await migrate(clickhouse) == []


async def test_two_migrators_at_once_do_no_harm(
    clickhouse: ClickHouse, warehouse: RunningWarehouse
) -> None:
    """Two workers that start together would fail or leave half a table."""
    for view in ("mttr_by_severity", "incidents_now"):
        await clickhouse.command(f"DROP VIEW {view}")
    for table in ("schema_migrations", "incidents", "alerts"):
        await clickhouse.command(f"DROP TABLE {table} SYNC")
    async with connected(warehouse) as other:
        await asyncio.gather(migrate(clickhouse), migrate(other))

    assert await migrate(clickhouse) == []
    assert await count(clickhouse, "mttr_by_severity") == 0
    assert await count(clickhouse, "schema_migrations FINAL") == len(migrations()) - 1


async def test_an_edited_migration_is_refused_by_name(clickhouse: ClickHouse) -> None:
    """Two installations of one release would have different tables."""
    first, second, *others = migrations()
    edited = Migration(second.number, second.name, (*second.statements, "SELECT 1"))

    with pytest.raises(MigrationRefused) as refused:
        await migrate(clickhouse, [first, edited, *others])

    assert str(refused.value) == (
        "0001_incident_steps.sql: was edited after it was applied (as 0001_incident_steps.sql); "
        "put it back and write a new migration"
    )


async def test_a_migration_that_failed_goes_on_where_it_stopped(clickhouse: ClickHouse) -> None:
    """A half-applied migration would have to be mended by hand."""
    number = len(migrations())
    good = "CREATE TABLE IF NOT EXISTS later (a UInt8) ENGINE = MergeTree ORDER BY a"
    broken = Migration(
        number, f"{number:04}_later.sql", (good, "ALTER TABLE nowhere DELETE WHERE 1")
    )
    mended = Migration(number, f"{number:04}_later.sql", (good,))

    with pytest.raises(WarehouseUnavailable):
        await migrate(clickhouse, [*migrations(), broken])

    assert await migrate(clickhouse, [*migrations(), mended]) == [mended]


async def test_every_table_and_column_says_what_it_is(clickhouse: ClickHouse) -> None:
    """Analysts read the warehouse without this repository."""
    silent = await clickhouse.select(
        "SELECT name FROM system.tables WHERE database = 'tocsin' AND comment = ''"
    )
    columns = await clickhouse.select(
        "SELECT table, c.name AS name FROM system.columns AS c"
        " JOIN system.tables AS t ON t.database = c.database AND t.name = c.table"
        " WHERE c.database = 'tocsin' AND t.engine != 'View' AND c.comment = ''"
    )

    assert silent == []
    assert columns == []


def test_the_command_says_what_it_applied(
    clickhouse: ClickHouse, warehouse: RunningWarehouse
) -> None:
    """An operator sees what a release changed."""
    run = CliRunner(env={"TOCSIN_WAREHOUSE": warehouse.url()})

    told = run.invoke(migrate_command).output.splitlines()
    assert (told[0], told[1].split(" ", 1)[1]) == (
        "nothing to apply",
        "settings of the policy told",
    )
    assert run.invoke(migrate_command).output == "nothing to apply\n"
    refused = run.invoke(migrate_command, env={"TOCSIN_WAREHOUSE": warehouse.url(User.READER)})
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: ClickHouse at 127.0.0.1:{warehouse.port} could not")


PROMISES = [
    Promise(1, "critical", timedelta(minutes=15), timedelta(hours=1)),
    Promise(2, "high", timedelta(minutes=30), timedelta(hours=4)),
    Promise(3, "medium", timedelta(hours=2), timedelta(hours=24)),
    Promise(4, "low", timedelta(days=1), timedelta(weeks=1), "next business day"),
]


async def test_a_promise_that_changes_judges_nothing_before(clickhouse: ClickHouse) -> None:
    """A stricter policy would make last year's figures worse."""
    later = NOON + timedelta(hours=1)
    stricter = [replace(PROMISES[0], resolve_within=timedelta(minutes=30)), *PROMISES[1:]]
    assert await tell_policy(clickhouse, PROMISES, HistorySettings(), NOON) > 0
    assert await tell_policy(clickhouse, stricter, HistorySettings(), later) == 1
    for number, detected in ((1, later - timedelta(microseconds=1)), (2, later)):
        ended = detected + timedelta(minutes=45)
        resolved = incident(
            number, sequence=2, status=Status.RESOLVED, detected_at=detected, resolved_at=ended
        )
        await store(clickhouse, rows_of(step(resolved)))

    found = await clickhouse.select(
        "SELECT resolve_seconds, resolution FROM deadlines ORDER BY incident_id"
    )
    assert found == [
        {"resolve_seconds": 3600.0, "resolution": "met"},
        {"resolve_seconds": 1800.0, "resolution": "missed"},
    ]


async def test_an_incident_is_judged_by_the_deadlines_it_recorded(clickhouse: ClickHouse) -> None:
    """What had until the next business day would be late the same evening; what comes at the deadline comes too late."""
    monday = NOON + timedelta(days=3)
    ends = (monday - timedelta(microseconds=1), monday)
    for number, ended in enumerate(ends, 1):
        resolved = incident(
            number,
            sequence=2,
            status=Status.RESOLVED,
            respond_by=monday,
            resolve_by=monday,
            resolved_at=ended,
        )
        await store(clickhouse, rows_of(step(resolved)))

    found = await clickhouse.select(
        "SELECT response, resolution FROM deadlines ORDER BY incident_id"
    )
    assert found == [
        {"response": "met", "resolution": "met"},
        {"response": "missed", "resolution": "missed"},
    ]


async def test_only_a_recorded_deadline_is_on_the_next_business_day(clickhouse: ClickHouse) -> None:
    """The report would say that a day is granted where it is until somebody's office closes, or the other way round."""
    await tell_policy(clickhouse, PROMISES, HistorySettings(), NOON - timedelta(hours=1))
    for number, recorded in enumerate((NOON + timedelta(days=3), None), 1):
        low = incident(number, severity_peak=4, respond_by=recorded, detected_at=NOON)
        await store(clickhouse, rows_of(step(low)))

    found = await clickhouse.select(
        "SELECT respond_counted, resolve_counted FROM deadlines ORDER BY incident_id"
    )
    assert [tuple(row.values()) for row in found] == [("next business day", ""), ("", "")]


async def test_what_is_old_enough_goes_and_the_rest_stays(clickhouse: ClickHouse) -> None:
    """A disk would fill, or history would be lost; a time beyond the year 2106 would look like an old one."""
    short = HistorySettings(alerts=timedelta(days=30))
    await tell_policy(clickhouse, PROMISES, short, NOON)
    now = datetime.now(UTC)
    far = datetime(2199, 6, 1, tzinfo=UTC)
    ages = [now - timedelta(days=91), now - timedelta(days=1), far]
    for number, at in enumerate(ages, 1):
        alert = AlertV1(
            occurred_at=at,
            fingerprint="00112233aabbccdd",
            sequence=number,
            state=AlertState.FIRING,
            rule="r",
            severity=1,
            service="api",
            group_key="api",
            summary="down",
            reason="a test",
            started_at=at,
        )
        await store(clickhouse, rows_of(alert))
    await clickhouse.command("OPTIMIZE TABLE alerts FINAL")

    kept = await clickhouse.select("SELECT sequence FROM alerts FINAL ORDER BY sequence")
    assert [row["sequence"] for row in kept] == [2, 3]
    assert await tell_policy(clickhouse, PROMISES, short, NOON) == 0
