"""Figures of a real ClickHouse engine equal another computation."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner

from schemas.lifecycle import Status
from streams.cli.report import report as report_command
from streams.gateways.clickhouse import ClickHouse
from streams.laptop.warehouse.authentication import User
from streams.warehouse.rows import rows_of
from tests.integration.history import (
    NOON,
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


async def test_an_incident_that_came_back_is_not_resolved(clickhouse: ClickHouse) -> None:
    """A latest-value function that skips NULL would show the first resolution for ever."""
    at = NOON + timedelta(hours=1)
    resolved = incident(1, sequence=2, status=Status.RESOLVED, resolved_at=at)
    reopened = incident(1, sequence=3, status=Status.INVESTIGATING, reopen_count=1)
    for it in (reopened, resolved):
        await store(clickhouse, rows_of(step(it)))

    found = await clickhouse.select("SELECT status, resolved_at, ttr_seconds FROM incidents_now")
    assert found == [{"status": "investigating", "resolved_at": None, "ttr_seconds": None}]


def test_the_report_speaks_to_people(clickhouse: ClickHouse, warehouse: RunningWarehouse) -> None:
    """An empty table or a traceback helps nobody."""
    run = CliRunner(env={"TOCSIN_WAREHOUSE": warehouse.url(User.READER)})
    unreachable = {"TOCSIN_WAREHOUSE": "http://reader:a-secret-password@127.0.0.1:9/tocsin"}

    nothing = run.invoke(report_command, ["mttr", "--since", "7d"])
    assert nothing.exit_code == 0
    assert "nothing" in nothing.output
    gone = run.invoke(report_command, ["mttr"], env=unreachable)
    assert (gone.exit_code, gone.output) == (
        1,
        (
            "Error: ClickHouse at 127.0.0.1:9 does not answer: "
            "start one with `tocsin up` in this folder, or name another by TOCSIN_WAREHOUSE\n"
        ),
    )
