"""What analysts are handed: a dictionary, queries to begin with, files for other tools."""

import asyncio
import csv
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.warehouse import warehouse as warehouse_command
from streams.gateways.clickhouse import ClickHouse
from streams.laptop.warehouse.authentication import User
from streams.warehouse.dictionary import COLUMNS, TABLES, meanings
from streams.warehouse.export import FORMATS, SOURCES
from tests.integration.history import connected, emptied
from tests.integration.test_warehouse_reports import counted, sunk
from tests.integration.truth import BEGIN, END, Truth, made_up
from tests.integration.warehouse import RunningWarehouse, running_warehouse

QUERIES = sorted(Path("deploy/clickhouse/queries").glob("*.sql"))
DICTIONARY = Path("streams/warehouse/DICTIONARY.md")
WHERE = {"database": "tocsin"}


@pytest.fixture(scope="module")
def truth() -> Truth:
    return made_up(150, 11)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, truth: Truth) -> Iterator[RunningWarehouse]:
    async def write(it: RunningWarehouse) -> None:
        async with emptied(it) as clickhouse:
            await sunk(clickhouse, truth, random.Random(11))
            await counted(clickhouse, truth, random.Random(11))

    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as it:
        asyncio.run(write(it))
        yield it


@pytest.fixture
async def reader(running: RunningWarehouse) -> AsyncIterator[ClickHouse]:
    async with connected(running, user=User.READER) as it:
        yield it


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: path.stem)
async def test_every_query_is_answered(reader: ClickHouse, query: Path) -> None:
    """An analyst's first copy would fail."""
    text = await asyncio.to_thread(query.read_text, encoding="utf-8")
    assert re.match(r"-- .*\?", text), "it says which question it answers"
    statement = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip().removesuffix(";")
    parameters = {"now": END} if "{now:" in statement else {}

    rows = await reader.select(statement, parameters)

    assert rows
    assert any(value for row in rows for value in row.values())


async def test_every_column_of_every_view_has_a_meaning(reader: ClickHouse) -> None:
    """A figure without a meaning is read as another one."""
    tables = await reader.select(TABLES, WHERE)
    columns = await reader.select(COLUMNS, WHERE)

    assert [row["name"] for row in tables if not row["comment"]] == []
    assert [place for place, meaning in meanings(tables, columns).items() if not meaning] == []


def test_the_dictionary_is_current(running: RunningWarehouse) -> None:
    """A page that is behind sends people the wrong way; `tocsin warehouse dictionary` writes it anew."""
    run = CliRunner(env={"TOCSIN_WAREHOUSE": running.url(User.READER)})
    written = run.invoke(warehouse_command, ["dictionary"])

    assert written.exit_code == 0, written.output
    assert written.output == DICTIONARY.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMATS)
def test_a_view_goes_to_files(
    running: RunningWarehouse, truth: Truth, tmp_path: Path, form: str
) -> None:
    """Notebooks and spreadsheets read files; a month that is in none, or in two, is lost or doubled."""
    run = CliRunner(env={"TOCSIN_WAREHOUSE": running.url(User.READER)})
    since = f"{BEGIN:%Y-%m-%dT%H:%M}"
    asked = ["export", "incident_timeline", str(tmp_path / "out"), "--form", form]

    done = run.invoke(warehouse_command, [*asked, "--since", since, "--until", END.isoformat()])

    assert done.exit_code == 0, done.output
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [
        f"incident_timeline-2024-{month}.{form}" for month in ("01", "02", "03")
    ]
    if form == "parquet":
        assert all(file.read_bytes()[:4] == b"PAR1" for file in files)
        return
    rows = 0
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            rows += sum(1 for _ in (csv.DictReader(lines) if form == "csv" else lines))
    assert rows == sum(BEGIN <= step.occurred_at < END for life in truth.lives for step in life)


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_can_be_taken_elsewhere(
    running: RunningWarehouse, tmp_path: Path, source: str
) -> None:
    """A list that is longer than what works."""
    run = CliRunner(env={"TOCSIN_WAREHOUSE": running.url(User.READER)})
    asked = ["export", source, str(tmp_path), "--by-day", "--form", "json"]

    done = run.invoke(
        warehouse_command, [*asked, "--since", "2024-01-10", "--until", "2024-01-12T06:00"]
    )

    assert done.exit_code == 0, done.output
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        f"{source}-2024-01-{day}.json" for day in (10, 11, 12)
    ]


def test_a_wrong_time_is_named(running: RunningWarehouse, tmp_path: Path) -> None:
    """Nobody would know which option it was."""
    done = CliRunner().invoke(
        warehouse_command, ["export", "deadlines", str(tmp_path), "--since", "blue"]
    )
    assert done.exit_code == 2
    assert done.output.endswith(
        "Invalid value for '--since': 'blue' cannot be used: 7d, 12h, or an ISO 8601 time\n"
    )
