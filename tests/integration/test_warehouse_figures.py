"""Figures of a real ClickHouse engine equal another computation."""

import asyncio
import itertools
import json
import random
import statistics
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from schemas.lifecycle import IncidentV1, Status
from streams.cli.report import report as report_command
from streams.gateways.clickhouse import ClickHouse
from streams.laptop.warehouse.authentication import User
from streams.warehouse.reports.mttr import Mttr
from streams.warehouse.rows import rows_of
from tests.integration.history import (
    NOON,
    cut,
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


def _life(number: int, chance: random.Random) -> list[IncidentV1]:
    """One incident's snapshots: acknowledged or not, resolved or not, reopened up to twice."""

    def later(moment: datetime, minutes: float) -> datetime:
        return moment + timedelta(microseconds=chance.randint(0, int(minutes * 60e6)))

    started = later(datetime(2024, 1, 1, tzinfo=UTC), 60 * 24 * 60)
    detected = later(started, 20)
    now = incident(
        number,
        incident_id=f"INC-{detected:%Y-%m-%d}-{number:03}",
        severity=chance.choice([1, 2, 3, 4]),
        started_at=started,
        detected_at=detected,
        occurred_at=detected,
        drill=chance.random() < 0.05,
        services=(chance.choice(["api", "web"]),),
    )
    life = [now]

    def happens(at: datetime, **changed: Any) -> None:
        life.append(
            life[-1].model_copy(update={"occurred_at": at, "sequence": len(life) + 1, **changed})
        )

    at = detected
    if chance.random() < 0.8:
        at = later(at, 30)
        happens(at, acknowledged_at=at)
        if chance.random() < 0.7:
            at = later(at, 120)
            happens(at, mitigated_at=at)
    if chance.random() < 0.05:
        happens(at, status=Status.MERGED, merged_into="INC-2024-01-01-001")
        return life
    while chance.random() < 0.85:
        at = later(at, 300)
        happens(at, status=Status.RESOLVED, resolved_at=at)
        if chance.random() < 0.7:
            break
        since = at
        at = later(at, 600)
        happens(
            at,
            status=Status.INVESTIGATING,
            resolved_at=None,
            reopen_count=life[-1].reopen_count + 1,
            time_resolved=life[-1].time_resolved + (at - since),
        )
    return life


def _expected(lives: list[list[IncidentV1]]) -> dict[tuple[int, str], tuple[int, int, Any]]:
    """The report's figures by another way: from the steps, adding up the intervals in which it was open."""
    seconds: dict[tuple[int, str], list[float]] = {}
    incidents: dict[int, int] = {}
    for life in lives:
        last = life[-1]
        if last.drill or last.status is Status.MERGED:
            continue
        incidents[last.severity] = incidents.get(last.severity, 0) + 1
        acknowledged = next((it.occurred_at for it in life if it.acknowledged_at), None)
        mitigated = next((it.occurred_at for it in life if it.mitigated_at), None)
        down, opened = timedelta(0), life[0].started_at
        for before, after in itertools.pairwise(life):
            if after.status is Status.RESOLVED and before.status is not Status.RESOLVED:
                down += after.occurred_at - opened
            elif before.status is Status.RESOLVED and after.status is not Status.RESOLVED:
                opened = after.occurred_at
        measures = {
            "TTD": life[0].occurred_at - life[0].started_at,
            "TTA": acknowledged and acknowledged - life[0].occurred_at,
            "TTM": mitigated and acknowledged and mitigated - acknowledged,
            "TTR": down if last.status is Status.RESOLVED else None,
        }
        for measure, value in measures.items():
            its = seconds.setdefault((last.severity, measure), [])
            if value is not None:
                its.append(value.total_seconds())
    return {
        (severity, measure): (
            incidents[severity],
            len(values),
            (
                statistics.fmean(values),
                statistics.median(values),
                statistics.quantiles(values, n=10, method="inclusive")[8],
            ),
        )
        for (severity, measure), values in seconds.items()
    }


async def test_the_figures_equal_another_computation(
    clickhouse: ClickHouse, warehouse: RunningWarehouse
) -> None:
    """Reopened, open, merged or never acknowledged incidents would bend every mean."""
    chance = random.Random(20240301)
    lives = [_life(number, chance) for number in range(1, 501)]
    rows = [row for life in lives for it in life for row in rows_of(step(it))]
    chance.shuffle(rows)
    for batch in cut(rows, 200):
        await store(clickhouse, batch)
    await store(clickhouse, chance.sample(rows, 500))

    question = Mttr().question()
    found = await clickhouse.select(question.statement, question.parameters)

    expected = _expected(lives)
    assert {(row["severity"], row["measure"]) for row in found} == set(expected)
    assert sum(life[-1].reopen_count > 0 for life in lives) > 50
    for row in found:
        incidents, counted, figures = expected[row["severity"], row["measure"]]
        assert (row["incidents"], row["counted"]) == (incidents, counted)
        assert (row["mean_seconds"], row["p50_seconds"], row["p90_seconds"]) == pytest.approx(
            figures, rel=1e-9
        )

    since, until = NOON - timedelta(days=40), NOON - timedelta(days=20)
    chosen = [
        life
        for life in lives
        if since <= life[0].detected_at < until
        and life[0].severity == 2
        and "web" in life[0].services
    ]
    narrow = Mttr(
        since=since, until=until, severity=(2,), service="web", tenant="default"
    ).question()
    some = await clickhouse.select(narrow.statement, narrow.parameters)
    assert {
        (row["severity"], row["measure"]): (row["incidents"], row["counted"]) for row in some
    } == {key: value[:2] for key, value in _expected(chosen).items()}

    reader = CliRunner(env={"TOCSIN_WAREHOUSE": warehouse.url(User.READER)})
    reported = await asyncio.to_thread(reader.invoke, report_command, ["mttr", "--json"])
    assert reported.exit_code == 0, reported.output
    assert [row["counted"] for row in json.loads(reported.output)["rows"]] == [
        row["counted"] for row in found
    ]


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
    assert (nothing.exit_code, nothing.output) == (0, "no incidents match: nothing to report\n")
    gone = run.invoke(report_command, ["mttr"], env=unreachable)
    assert (gone.exit_code, gone.output) == (
        1,
        (
            "Error: ClickHouse at 127.0.0.1:9 does not answer: "
            "start one with `tocsin up` in this folder, or name another by TOCSIN_WAREHOUSE\n"
        ),
    )
