"""
``warehouse``: how fast history goes in, how fast reports come out, and what it takes on the disk.

One writer loads a year of incidents with twelve steps each, as the record hop does: batch after batch, one insert for each table,
each stored when it is acknowledged. Then every report is asked as the user who may only read, over HTTP: for the time that
`tocsin report` takes where nothing is said (30 days, and the 30 days before to compare with), and those about incidents for the
whole year too. Reports grow with the incidents in their time, not with the whole history; several sizes one after another tell
how much.
"""

import asyncio
import os
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
from pydantic import SecretStr

from streams.discovery import declared_in
from streams.errors import Unavailable
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.migrations import migrate
from streams.gateways.reporting import told
from streams.laptop.benches.figures import Figures
from streams.laptop.benches.folders import scratch
from streams.laptop.benches.lives import END, STEPS, YEAR, batches, checks
from streams.laptop.benches.processes import cpu_seconds
from streams.laptop.children import die_with_parent
from streams.laptop.warehouse.authentication import Passwords, User, read_passwords, write_passwords
from streams.laptop.warehouse.statements import DATABASE
from streams.warehouse import reports
from streams.warehouse.report import Report

#: Rows a second that go in at least, and seconds that half of a report's runs take at most.
ROWS_TARGET: Final = 100_000.0
REPORT_TARGET: Final = 0.1
_RUNS: Final = 21
_SPAN: Final = timedelta(days=30)
#: Health checks: as many days, of as many services, one every 15 seconds.
_CHECK_DAYS: Final = 30
_CHECK_SERVICES: Final = 20
_SAY_EVERY: Final = 50
_SIZES: Final = """
SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts
FROM system.parts WHERE active AND database = {database:String}
GROUP BY table ORDER BY table
"""
#: What merges by itself within the hour.
_MERGED: Final = (
    *("incidents", "incident_steps", "incident_turns", "alerts", "notices", "receipts"),
    "health_checks",
)


@dataclass(frozen=True)
class Engine:
    """The embedded engine, and the clients that write to it and read from it."""

    pid: int
    writer: ClickHouse
    reader: ClickHouse


async def measure(sizes: Sequence[int], batch: int, folder: Path | None) -> None:
    """
    Load as many incidents as each of *sizes* says into a warehouse of its own, and ask every report; print what it took.

    Raises:
        Unavailable: The engine did not start, or did not do it.
    """
    figures = Figures()
    with scratch() as temporary:
        found = {
            size: await _measured(size, batch, (folder or temporary) / str(size), figures)
            for size in sorted(set(sizes))
        }
    least, most = min(found), max(found)
    if least < most:
        for name, value in found[most].items():
            figures.tell(
                f"growth of {name}",
                value / found[least][name],
                "times",
                incidents=[least, most],
                more_incidents=round(most / least, 1),
            )
    for name, p50 in found[most].items():
        if name.startswith("report "):
            figures.judge(f"{name} p50", p50, at_most=REPORT_TARGET)
    figures.close()


async def _measured(incidents: int, batch: int, folder: Path, figures: Figures) -> dict[str, float]:
    """Return the median of each report, in seconds, and the bytes for each incident."""
    async with _engine(folder) as engine:
        await migrate(engine.writer)
        have = await engine.writer.select("SELECT uniqExact(incident_id) AS n FROM incidents")
        if int(have[0]["n"]) < incidents:
            await _load(engine, incidents, batch, figures)
            await _reports(engine.reader, "before merges", incidents, figures)
            await _merge(engine.writer)
        return {
            "disk for each incident": await _disk(engine.writer, incidents, figures),
            **await _reports(engine.reader, "merged", incidents, figures),
        }


@asynccontextmanager
async def _engine(folder: Path) -> AsyncIterator[Engine]:
    """Run the embedded engine as `tocsin up` does."""
    known = _passwords(folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.laptop.warehouse", "--path", str(folder / "warehouse")),
        *("--port", "0", "--password-file", str(folder / "passwords")),
        stdout=asyncio.subprocess.PIPE,
        env=dict(os.environ),
        preexec_fn=die_with_parent(),
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        ready = re.search(rb"http://(\S+)", await process.stdout.readline())
        if ready is None:
            message = "the embedded engine did not start"
            raise Unavailable(message)
        address = ready[1].decode()
        clients = [
            ClickHouse(
                SecretStr(f"http://{user}:{known[user].get_secret_value()}@{address}/{DATABASE}"),
                answer_timeout=timedelta(minutes=5),
            )
            for user in (User.TOCSIN, User.READER)
        ]
        try:
            yield Engine(process.pid, *clients)
        finally:
            for client in clients:
                await client.close()
    finally:
        process.terminate()
        await process.wait()


def _passwords(folder: Path) -> Passwords:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "passwords"
    return read_passwords(path) if path.exists() else write_passwords(path)


async def _load(engine: Engine, incidents: int, batch: int, figures: Figures) -> None:
    rows: dict[str, int] = {}
    inserting = ours = engines = 0.0
    began = time.monotonic()
    for number, tables in enumerate(batches(incidents, batch)):
        before = time.monotonic(), time.process_time(), cpu_seconds(engine.pid)
        # Side by side, as the record hop does.
        await asyncio.gather(*(engine.writer.insert(table, its) for table, its in tables.items()))
        inserting += time.monotonic() - before[0]
        ours += time.process_time() - before[1]
        engines += cpu_seconds(engine.pid) - before[2]
        for table, its in tables.items():
            rows[table] = rows.get(table, 0) + len(its)
        if number % _SAY_EVERY == 0:
            done = rows["incident_steps"] / STEPS
            click.echo(f"loaded {done:,.0f} of {incidents:,} incidents", err=True)
    took = time.monotonic() - began
    for its in checks(_CHECK_DAYS, _CHECK_SERVICES):
        await engine.writer.insert("health_checks", its)
    total = sum(rows.values())
    figures.tell(
        "insert",
        total / inserting,
        "rows/s",
        rows=total,
        batch=batch,
        by_table=rows,
        load=_load_of_machine(),
    )
    figures.tell("insert by CPU of the writer", total / ours, "rows/CPU s")
    figures.tell(
        "insert by CPU of the engine", total / max(engines, 0.01), "rows/CPU s", merging=True
    )
    figures.tell("load with making the rows", total / took, "rows/s", seconds=round(took, 1))
    figures.judge(f"insert of {incidents:,} incidents", total / inserting, at_least=ROWS_TARGET)


def _load_of_machine() -> str:
    """Say how busy the machine is: a figure of a busy one is too low."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


async def _merge(writer: ClickHouse) -> None:
    """Do what ClickHouse does by itself in the hour after."""
    for table in _MERGED:
        click.echo(f"merging {table}", err=True)
        parts = await writer.select(
            "SELECT DISTINCT partition_id AS id FROM system.parts"
            " WHERE active AND database = currentDatabase() AND table = {table:String} ORDER BY id",
            {"table": table},
        )
        for part in parts:
            await writer.command(f"OPTIMIZE TABLE {table} PARTITION ID '{part['id']}' FINAL")


async def _disk(writer: ClickHouse, incidents: int, figures: Figures) -> float:
    sizes = await writer.select(_SIZES, {"database": writer.database})
    of_incidents = [row for row in sizes if row["table"] != "health_checks"]
    for row in sizes:
        figures.tell(
            f"disk {row['table']}", row["bytes"], "bytes", rows=row["rows"], parts=row["parts"]
        )
    whole = sum(int(row["bytes"]) for row in of_incidents)
    figures.tell("disk for each incident", whole / incidents, "bytes", incidents=incidents)
    return whole / incidents


async def _reports(
    reader: ClickHouse, state: str, incidents: int, figures: Figures
) -> dict[str, float]:
    """Ask every report and return the median of each, in seconds."""
    medians = {}
    for name, asked in _asked():
        runs = []
        for _ in range(_RUNS):
            before = time.perf_counter()
            await told(asked, reader)
            runs.append(time.perf_counter() - before)
        medians[f"report {name}"] = median = statistics.median(runs)
        p95 = statistics.quantiles(runs, n=20, method="inclusive")[18]
        figures.tell(
            f"report {name}",
            1000 * median,
            "ms",
            p95=round(1000 * p95, 1),
            state=state,
            incidents=incidents,
            load=_load_of_machine(),
        )
    return medians


def _asked() -> list[tuple[str, Report]]:
    asked = []
    for kind in declared_in(reports):
        if not issubclass(kind, Report):
            continue
        fields = kind.model_fields
        usual: dict[str, Any] = {"until": END}
        whole = dict(usual)
        if "since" in fields:
            usual["since"], whole["since"] = END - _SPAN, END - YEAR
        if "period" in fields:
            usual |= {"period": "month", "compare": True}
            whole |= {"period": "year", "compare": True}
        asked.append((kind.name, kind(**usual)))
        if kind.name in {"mttr", "sla", "trends"}:
            asked.append((f"{kind.name} of the year", kind(**whole)))
    return asked
