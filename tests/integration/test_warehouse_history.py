"""History in a real ClickHouse engine: stored once, and kept through a crash."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from schemas import limits
from schemas.notices import Outcome, Purpose, ReceiptV1
from streams.agents import storing
from streams.errors import Rejected
from streams.gateways.clickhouse import ClickHouse, RowsRefused, WarehouseUnavailable
from streams.gateways.migrations import migrate
from streams.laptop.warehouse.authentication import User
from streams.warehouse.rows import Row, rows_of
from tests.integration.history import (
    NOON,
    by_table,
    connected,
    count,
    cut,
    emptied,
    incident,
    step,
    store,
)
from tests.integration.troubles import Trouble, troubled
from tests.integration.warehouse import RunningWarehouse, launch, running_warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as running:
        yield running


@pytest.fixture
async def clickhouse(warehouse: RunningWarehouse) -> AsyncIterator[ClickHouse]:
    async with emptied(warehouse) as it:
        yield it


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
    for batch in cut(rows, 37):
        await store(clickhouse, batch)

    assert await count(clickhouse, "incident_timeline") == 200
    assert await count(clickhouse, "incidents_now") == 40
    latest = await clickhouse.select("SELECT DISTINCT sequence FROM incidents_now")
    assert latest == [{"sequence": 5}]


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

    assert await clickhouse.select("SELECT outcome FROM receipts FINAL") == [
        {"outcome": "delivered"}
    ]


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


def test_a_long_statement_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    """`tocsin up` would be killed, and a person would wait for it."""
    endless = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"
    with running_warehouse(tmp_path / "warehouse") as running, ThreadPoolExecutor() as pool:
        asked = pool.submit(running.ask, endless)
        running.until_busy()

        assert running.stop() == 0
        assert isinstance(asked.exception(), httpx.HTTPError) or asked.result().status_code >= 400


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can do that")
def test_a_killed_bench_leaves_no_engine_behind(tmp_path: Path) -> None:
    """It would go on loading its folder, which nobody else can open meanwhile."""
    command = [sys.executable, "-m", "streams", "bench", "warehouse", "--batch", "100"]
    with subprocess.Popen(
        [*command, "--incidents", "1000000", "--folder", str(tmp_path)], stderr=subprocess.PIPE
    ) as bench:
        assert bench.stderr is not None
        assert b"loaded" in bench.stderr.readline()
        [engine] = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()
        bench.kill()
        try:
            # The engine holds it open, too.
            bench.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.kill(int(engine), signal.SIGKILL)
            pytest.fail("the engine runs on")


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
    rows = [rows_of(step(incident(1, sequence=sequence)))[0][1] for sequence in range(1, 10)]
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
        {"occurred_at": limits.EARLIEST},
        {"occurred_at": limits.LATEST - timedelta(microseconds=1)},
        {
            "started_at": limits.EARLIEST,
            "detected_at": limits.LATEST - timedelta(microseconds=1),
        },
        {"incident_id": "INC-0001-01-01-001"},
        {"incident_id": "INC-9999-12-31-001"},
        {"sequence": 2**31},
        {"sequence": 2**53 - 1},
        {"reopen_count": 2**53 - 1},
        {"time_resolved": timedelta(days=36_525)},
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
        await clickhouse.select(f"SELECT * FROM {view}")  # noqa: S608 - names of tests


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


async def test_a_warehouse_with_troubles_loses_and_doubles_nothing(
    clickhouse: ClickHouse, warehouse: RunningWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down, slow, full, read-only, cut off in the middle of an answer: each is met in production one day."""
    monkeypatch.setattr(storing, "FIRST_WAIT", timedelta(milliseconds=1))
    monkeypatch.setattr(storing, "LAST_WAIT", timedelta(milliseconds=4))
    chance = random.Random(3)
    steps = [step(incident(number, sequence=it)) for number in range(1, 31) for it in (1, 2, 3)]
    rows = [row for it in steps for row in rows_of(it)]
    troubles = [*Trouble, *chance.choices(sorted(set(Trouble) - {Trouble.SLOW}), k=40)]
    chance.shuffle(troubles)

    async with asyncio.timeout(60), troubled(warehouse.port, troubles) as port:
        url = warehouse.url().replace(f":{warehouse.port}/", f":{port}/")
        meddled = ClickHouse(SecretStr(url), answer_timeout=timedelta(seconds=1))
        for batch in cut(rows, 12):
            for table, its in by_table(batch).items():
                assert await storing.stored(meddled, table, its) == []
        await meddled.close()

    assert troubles == [], "every trouble was met"
    assert await count(clickhouse, "incident_timeline") == 90
    assert await count(clickhouse, "incidents_now") == 30


async def test_who_may_only_read_is_told_to_try_again(
    clickhouse: ClickHouse, warehouse: RunningWarehouse
) -> None:
    """Rows would be put aside because of a wrong user, or a table that is read-only for a while."""
    async with connected(warehouse, user=User.READER) as reader:
        with pytest.raises(WarehouseUnavailable) as refused:
            await store(reader, rows_of(step(incident(1))))

    assert refused.value.code is not None
    assert await count(clickhouse, "incidents_now") == 0
