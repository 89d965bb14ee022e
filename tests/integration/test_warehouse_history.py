"""History in a real ClickHouse engine: stored once, kept through a crash, and counted right."""

import asyncio
import itertools
import json
import random
import statistics
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.notices import Outcome, Purpose, ReceiptV1
from streams.errors import Rejected
from streams.cli.migrate import migrate as migrate_command
from streams.cli.report import report as report_command
from streams.gateways.clickhouse import ClickHouse, RowsRefused, WarehouseUnavailable
from streams.gateways.migrations import migrate
from streams.laptop.warehouse.authentication import User
from streams.warehouse.migration import Migration, MigrationRefused, migrations
from streams.warehouse.reports.mttr import Mttr
from streams.warehouse.rows import Row, rows_of
from tests.integration.warehouse import RunningWarehouse, launch, running_warehouse

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


@asynccontextmanager
async def connected(warehouse: RunningWarehouse, **options: Any) -> AsyncIterator[ClickHouse]:
    clickhouse = ClickHouse(SecretStr(warehouse.url()), **options)
    try:
        yield clickhouse
    finally:
        await clickhouse.close()


@pytest.fixture
async def clickhouse(warehouse: RunningWarehouse) -> AsyncIterator[ClickHouse]:
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
    return int((await clickhouse.select(f"SELECT count() AS n FROM {source}"))[0]["n"])


# --- Migrations


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
    broken = Migration(number, f"{number:04}_later.sql", (good, "ALTER TABLE nowhere DELETE WHERE 1"))
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


def test_the_command_says_what_it_applied(clickhouse: ClickHouse, warehouse: RunningWarehouse) -> None:
    """An operator sees what a release changed."""
    run = CliRunner(env={"TOCSIN_WAREHOUSE": warehouse.url()})

    assert run.invoke(migrate_command).output == "nothing to apply\n"
    refused = run.invoke(migrate_command, env={"TOCSIN_WAREHOUSE": warehouse.url(User.READER)})
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: ClickHouse at 127.0.0.1:{warehouse.port} could not")


# --- Effectively once


async def test_a_batch_counts_once_however_often_and_however_cut_it_is_sent(
    clickhouse: ClickHouse,
) -> None:
    """After a crash the same messages come again, in other batches: reports would count them twice."""
    steps = [
        step(incident(number, sequence=sequence, occurred_at=NOON + timedelta(minutes=sequence)))
        for number in range(1, 41)
        for sequence in range(1, 6)
    ]
    rows = [row for it in steps for row in rows_of(it)]
    chance = random.Random(7)

    await store(clickhouse, rows)
    await store(clickhouse, rows)
    chance.shuffle(rows)
    for batch in _cut(rows, 37):
        await store(clickhouse, batch)

    assert await count(clickhouse, "incident_timeline") == 200
    assert await count(clickhouse, "incidents_now") == 40
    latest = await clickhouse.select("SELECT DISTINCT sequence FROM incidents_now")
    assert latest == [{"sequence": 5}]


def _cut(rows: list[Any], size: int) -> list[list[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


async def test_a_repeated_attempt_keeps_the_later_outcome(clickhouse: ClickHouse) -> None:
    """A worker that died after sending repeats the attempt: one notice would look like two."""

    def receipt(outcome: Outcome, second: int, attempt: int = 1) -> ReceiptV1:
        return ReceiptV1(
            occurred_at=NOON + timedelta(seconds=second),
            notice_id="n",
            incident_id="INC-2024-03-01-001",
            purpose=Purpose.INITIAL,
            channel="ops",
            channel_kind="slack",
            attempt=attempt,
            outcome=outcome,
            reason="200",
            requested_at=NOON,
            took=timedelta(seconds=1),
        )

    for it in (receipt(Outcome.DELIVERED, 9), receipt(Outcome.RETRYING, 5)):
        await store(clickhouse, rows_of(it))

    assert await clickhouse.select("SELECT outcome FROM receipts FINAL") == [{"outcome": "delivered"}]


async def test_tenants_do_not_share_incidents(clickhouse: ClickHouse) -> None:
    """Numbers count per tenant: the same id is another incident elsewhere."""
    for tenant in ("a", "b"):
        await store(clickhouse, rows_of(step(incident(1, tenant=tenant))))

    assert await count(clickhouse, "incidents_now") == 2


async def test_every_acknowledged_row_survives_a_kill(tmp_path: Path) -> None:
    """The position in the log moves on after an insert: what the warehouse lost then would be gone."""
    folder = tmp_path / "warehouse"
    acknowledged: list[int] = []
    with running_warehouse(folder) as running:
        async with connected(running, answer_timeout=timedelta(seconds=5)) as clickhouse:
            await migrate(clickhouse)

            async def insert_until_it_dies(numbers: Iterator[int]) -> None:
                for number in numbers:
                    rows = [
                        row
                        for sequence in range(1, 21)
                        for row in rows_of(step(incident(number, sequence=sequence)))
                        if row[0] == "incident_steps"
                    ]
                    try:
                        await store(clickhouse, rows)
                    except WarehouseUnavailable:
                        return
                    acknowledged.append(number)
                    if len(acknowledged) == 60:
                        running.process.kill()

            numbers = iter(range(1, 10_000))
            await asyncio.gather(*(insert_until_it_dies(numbers) for _ in range(3)))
            with pytest.raises(WarehouseUnavailable):
                await clickhouse.select("SELECT 1")

    with running_warehouse(folder) as running:
        async with connected(running) as clickhouse:
            found = await clickhouse.select(
                "SELECT incident_id, count() AS n FROM incident_timeline GROUP BY incident_id"
            )
            kept = {row["incident_id"]: row["n"] for row in found}
            assert len(acknowledged) >= 60
            missing = [n for n in acknowledged if kept.get(f"INC-2024-03-01-{n:03}") != 20]
            assert missing == []
            # What was not acknowledged is sent again.
            for number in range(1, max(acknowledged) + 4):
                await store(
                    clickhouse,
                    [
                        row
                        for sequence in range(1, 21)
                        for row in rows_of(step(incident(number, sequence=sequence)))
                        if row[0] == "incident_steps"
                    ],
                )
            assert await count(clickhouse, "incident_timeline") == (max(acknowledged) + 3) * 20


def test_it_stops_cleanly_and_says_when_its_folder_is_open(tmp_path: Path) -> None:
    """Ctrl-C on `tocsin up` must leave a folder that the next one opens."""
    folder = tmp_path / "warehouse"
    with running_warehouse(folder) as running:
        second = launch(folder)
        said, _ = second.communicate(timeout=60)

        assert second.returncode == 1
        assert said == (
            f"warehouse: {folder}: another process has this warehouse open; "
            "stop it or take another folder\n"
        )
        assert running.ask("SELECT 1").text == "1\n"
        assert running.stop() == 0
    with running_warehouse(folder) as running:
        assert running.ask("SELECT 1").text == "1\n"


# --- What a refusal means


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row | {"severity": "high"},
        lambda row: row | {"severity": 700},
        lambda row: row | {"sequence": 2**40},
        lambda row: row | {"occurred_at": "yesterday"},
        lambda row: row | {"tenant": None},
        lambda row: row | {"origins": "nowhere"},
        lambda row: row | {"kind": 3},
    ],
    ids=["text", "large", "larger", "time", "null", "array", "number"],
)
async def test_a_bad_row_is_refused_alone(
    clickhouse: ClickHouse, spoil: Callable[[Row], Row]
) -> None:
    """One bad row would hold up its batch for ever, or take the others along."""
    rows = [
        rows_of(step(incident(1, sequence=sequence)))[0][1] for sequence in range(1, 10)
    ]
    bad = spoil(rows[4])
    rows[4] = bad

    with pytest.raises(RowsRefused):
        await clickhouse.insert("incident_steps", [bad])
    refused = await clickhouse.insert_sparing("incident_steps", rows)

    assert [place for place, _ in refused] == [4]
    assert await count(clickhouse, "incident_timeline") == 8


@pytest.mark.parametrize(
    "changed",
    [
        {"occurred_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"occurred_at": datetime(1969, 12, 31, 23, 59, tzinfo=UTC)},
        {"occurred_at": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
        {"started_at": datetime(1, 1, 1, tzinfo=UTC), "detected_at": datetime(9999, 1, 1, tzinfo=UTC)},
        {"incident_id": "INC-0001-01-01-001"},
        {"incident_id": "INC-9999-12-31-001"},
        {"sequence": 2**31},
        {"sequence": 2**63},
        {"sequence": 10**30},
        {"reopen_count": 10**9},
        {"time_resolved": timedelta(days=999_999_999)},
        {"summary": "\0\t\n'`\\ \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")},
        {"labels": {f"l{number}": "v" * 256 for number in range(32)}},
    ],
    ids=str,
)
async def test_whatever_a_contract_allows_is_stored_or_refused(
    clickhouse: ClickHouse, changed: dict[str, Any]
) -> None:
    """What is tried again for ever holds up everything behind it."""
    good, odd = step(incident(1)), step(incident(2, **changed))
    try:
        kept = [*rows_of(good), *rows_of(odd)]
    except Rejected:
        kept = rows_of(good)

    for table, rows in by_table(kept).items():
        refused = await clickhouse.insert_sparing(table, rows)
        assert [place for place, _ in refused] in ([], [1])

    assert await count(clickhouse, "incidents_now WHERE incident_id LIKE '%-001'") >= 1
    for view in ("incident_timeline", "mttr_by_month", "mttr_by_severity", "open_incidents"):
        await clickhouse.select(f"SELECT * FROM {view}")


async def test_a_batch_may_reach_many_months(clickhouse: ClickHouse) -> None:
    """A server takes a hundred by itself and would refuse the batch for ever."""
    steps = [
        step(incident(number, occurred_at=NOON - timedelta(days=31 * number)))
        for number in range(1, 251)
    ]
    await store(clickhouse, [row for it in steps for row in rows_of(it)])

    assert await count(clickhouse, "incident_timeline") == 250


async def test_times_keep_their_moment_in_every_zone(clickhouse: ClickHouse) -> None:
    """A producer in another time zone would be hours off."""
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
    await store(clickhouse, rows_of(step(incident(1, occurred_at=there, started_at=there))))

    found = await clickhouse.select("SELECT changed_at, started_at FROM incidents_now")
    assert found == [{"changed_at": NOON, "started_at": NOON}]


async def test_a_row_without_a_column_is_refused(clickhouse: ClickHouse) -> None:
    """It would be stored with an empty value that nobody meant."""
    rows = [rows_of(step(incident(1, sequence=sequence)))[0][1] for sequence in (1, 2)]
    del rows[1]["kind"]

    assert await clickhouse.insert_sparing("incident_steps", rows) == [
        (1, "a row for incident_steps has no column 'kind'")
    ]


async def test_a_missing_table_is_not_the_rows_fault(clickhouse: ClickHouse) -> None:
    """Rows would be put aside because somebody forgot `tocsin migrate`."""
    with pytest.raises(WarehouseUnavailable) as refused:
        await clickhouse.insert("nowhere", [{"a": 1}])

    assert "run `tocsin migrate`" in str(refused.value)


async def test_a_dead_warehouse_is_tried_again(tmp_path: Path) -> None:
    """A restart of the warehouse would cost rows."""
    folder = tmp_path / "warehouse"
    with running_warehouse(folder) as running:
        async with connected(running, answer_timeout=timedelta(seconds=2)) as clickhouse:
            await migrate(clickhouse)
            running.kill()

            with pytest.raises(WarehouseUnavailable) as refused:
                await clickhouse.insert("schema_migrations", [{"number": 1, "name": "x"}])
            assert running.password() not in str(refused.value)
            assert not await clickhouse.ping()


# --- MTTR


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
            life[-1].model_copy(
                update={"occurred_at": at, "sequence": len(life) + 1, **changed}
            )
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
    for batch in _cut(rows, 200):
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
    narrow = Mttr(since=since, until=until, severity=(2,), service="web", tenant="default").question()
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
    assert (gone.exit_code, gone.output) == (1, "Error: ClickHouse at 127.0.0.1:9 does not answer\n")


def test_every_migration_can_be_repeated() -> None:
    """A second migrator would fail at the first statement."""
    for migration in migrations():
        for statement in migration.statements:
            assert statement.startswith(("CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE VIEW"))
    assert len(migrations()) == len(
        [it for it in (files("streams.warehouse") / "migrations").iterdir() if it.name.endswith(".sql")]
    )
