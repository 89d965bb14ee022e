"""Every figure of every report equals another computation, whatever the sink went through."""

import asyncio
import csv
import io
import json
import random
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from schemas.topics import EXTERNAL, LOGS, METRICS, by_name
from streams.agents.tallies import Parts
from streams.cli.report import declared_reports
from streams.cli.report import report as report_command
from streams.gateways.clickhouse import ClickHouse
from streams.gateways.reporting import told
from streams.laptop.warehouse.authentication import User
from streams.warehouse import tally
from streams.warehouse.report import Report
from streams.warehouse.rows import check_row, rows_of
from tests.counting import LEVELS, records_of, recounted
from tests.integration.comparing import differences
from tests.integration.facts import facts
from tests.integration.history import by_table, connected, emptied
from tests.integration.recomputed import RECOMPUTED, ticked
from tests.integration.recomputed import _judged as judged
from tests.integration.truth import BEGIN, DAYS, END, Truth, made_up
from tests.integration.warehouse import RunningWarehouse, running_warehouse

SEED = 20240301
MIDDLE = BEGIN + timedelta(days=DAYS // 2)
REPORTS = {kind.name: kind for kind in declared_reports()}
SPANS: list[dict[str, Any]] = [
    {"since": BEGIN, "until": END},
    {"since": MIDDLE, "until": MIDDLE + timedelta(days=20)},
    {"since": MIDDLE + timedelta(hours=7, microseconds=3), "until": MIDDLE + timedelta(days=3)},
    {"since": MIDDLE, "until": END, "tenant": "acme"},
]
CHOICES: list[dict[str, Any]] = [
    {"since": BEGIN, "until": END, "severity": (1, 2)},
    {"since": BEGIN, "until": END, "service": "web"},
    {"since": BEGIN, "until": END, "team": "payments"},
    {"since": MIDDLE, "until": END, "severity": (3,), "service": "api", "tenant": "default"},
]
CASES: dict[str, list[dict[str, Any]]] = {
    name: [*SPANS, *CHOICES] for name in ("mttr", "sla", "noise", "causes", "rules")
}
CASES["oncall"] = [*SPANS, *CHOICES, {**SPANS[0], "zone": "Asia/Kathmandu"}]
CASES["notifications"] = [*SPANS, CHOICES[0]]
CASES["availability"] = [*SPANS, CHOICES[1], {**SPANS[1], "down": 4, "objective": 95.0}]
CASES["trends"] = [
    {"period": period, "until": until, "compare": compare}
    for period in ("week", "month", "quarter", "year")
    for until, compare in ((END, True), (MIDDLE + timedelta(hours=5), True), (END, False))
] + [{"until": END, "compare": True, "severity": (2,), "service": "api", "tenant": "default"}]


class Crash(Exception):
    """The sink ends here."""


def _maybe_crash(chance: random.Random) -> None:
    if chance.random() < 0.1:
        raise Crash


async def sunk(warehouse: ClickHouse, truth: Truth, chance: random.Random) -> int:
    """
    Write *truth* as the record hop does, in batches, with crashes at random points; return how many there were.

    A crash loses the position: the next sink begins again at the last one that was acknowledged, and cuts otherwise.
    """
    log = [rows_of(it) for it in truth.messages()]
    log += [[check_row(it, 0, offset, 0)] for offset, it in enumerate(truth.checks)]
    chance.shuffle(log)
    acknowledged = crashes = 0
    while acknowledged < len(log):
        place = acknowledged
        try:
            while place < len(log):
                batch = log[place : place + chance.randint(200, 3_000)]
                for table, rows in by_table([row for its in batch for row in its]).items():
                    _maybe_crash(chance)
                    await warehouse.insert(table, rows)
                place += len(batch)
                if chance.random() < 0.6:
                    acknowledged = place
            acknowledged = place
        except Crash:
            crashes += 1
    return crashes


async def counted(warehouse: ClickHouse, truth: Truth, chance: random.Random) -> None:
    """Write the counts of telemetry as the record hop does, with crashes after a part of what was due is stored."""
    with patch.object(tally, "BLOCK", 256):
        await _counted(warehouse, truth, chance)


async def _counted(warehouse: ClickHouse, truth: Truth, chance: random.Random) -> None:
    for name, signals in truth.signals.items():
        records = records_of(signals)
        committed = 0
        while committed < len(records):
            parts, place, taken = Parts(), committed, []
            while place < len(records):
                chunk = records[place : place + chance.randint(100, 800)]
                place += len(chunk)
                part = parts.take(by_name(name), chunk)
                taken.append((place, part.tally.block))
                crashes = chance.random() < 0.2
                for table, rows in parts.due().items():
                    await warehouse.insert(table, rows[: len(rows) // 2] if crashes else rows)
                if crashes:
                    break
                done = [end for end, block in taken if block < part.tally.block]
                committed = max([committed, *done])
            else:
                break


@pytest.fixture(scope="module")
def truth() -> Truth:
    return made_up(900, SEED)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWarehouse]:
    with running_warehouse(tmp_path_factory.mktemp("warehouse")) as it:
        yield it


@pytest.fixture(scope="module")
def written(running: RunningWarehouse, truth: Truth) -> int:
    """The history in the warehouse; the number of crashes on the way."""

    async def write() -> int:
        async with emptied(running) as it:
            await counted(it, truth, random.Random(SEED))
            return await sunk(it, truth, random.Random(SEED))

    return asyncio.run(write())


@pytest.fixture
async def reader(running: RunningWarehouse, written: int) -> AsyncIterator[ClickHouse]:
    async with connected(running, user=User.READER) as it:
        yield it


def _case(case: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in case.items())


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, id=f"{name} {_case(case)}")
        for name in CASES
        for case in CASES[name]
    ],
)
async def test_every_figure_equals_another_computation(
    reader: ClickHouse, truth: Truth, name: str, case: dict[str, Any]
) -> None:
    """A manager would decide by a wrong number."""
    asked: Report = REPORTS[name](**case)

    account = await told(asked, reader)

    assert differences(account, RECOMPUTED[name](asked, truth)) == []


def test_every_report_is_recomputed() -> None:
    """A new report would be right by assumption."""
    assert set(RECOMPUTED) == set(REPORTS) == set(CASES)


def test_the_history_has_what_makes_figures_wrong(truth: Truth, written: int) -> None:
    """A history without reopenings, merges and crashes would prove nothing."""
    last = [life[-1].incident for life in truth.lives]
    assert sum(it.reopen_count > 0 for it in last) > 100
    assert sum(it.reopen_count > 1 for it in last) > 20
    assert sum(it.status == "merged" for it in last) > 20
    assert sum(it.severity != it.severity_peak for it in last) > 50
    assert sum(it.acknowledged_at is None for it in last) > 100
    assert sum(it.resolved_at is None for it in last) > 50
    assert written > 10


async def test_every_row_is_there_once(reader: ClickHouse, truth: Truth) -> None:
    """Crashes would lose or double what happened."""
    counts = {
        "incident_timeline": sum(map(len, truth.lives)),
        "incidents_now": len(truth.lives),
        "alert_transitions": len(truth.alerts),
        "notice_outcomes": len(truth.notices),
        "receipts FINAL": len(truth.receipts),
        "changes_made": len(truth.changes),
        "health_checks FINAL": len(truth.checks),
    }
    for source, count in counts.items():
        found = await reader.select(f"SELECT count() AS n FROM {source}")  # noqa: S608 - names of tests
        assert found[0]["n"] == count, source


async def test_every_count_of_telemetry_equals_another_computation(
    reader: ClickHouse, truth: Truth
) -> None:
    """Crashes would lose or double signals, or a minute would be another's."""
    expected = recounted(
        (by_name(name), it.to_wire()) for name, its in truth.signals.items() for it in its
    )
    assert len(expected) > 400
    metrics = await reader.select("SELECT * FROM metric_minutes")
    found: dict[Any, Any] = {
        ("metric_rollups", *whose.values()): (signals, lowest, highest, round(mean, 9), last)
        for row in metrics
        for *_, signals, lowest, highest, mean, last in [row.values()]
        for whose in [dict(list(row.items())[:6])]
    }
    for row in await reader.select("SELECT * FROM log_minutes"):
        whose = (row["tenant"], row["service"], row["environment"])
        levels = ("traces", "debugs", "infos", "warnings", "errors", "fatals")
        assert row["signals"] == sum(row[level] for level in levels)
        for level, name in zip(levels, LEVELS.values(), strict=True):
            if row[level]:
                found["log_rollups", *whose, name, row["minute"]] = (row[level],)
    assert found == {key: it for key, it in expected.items() if key[0] != "external_rollups"}

    others = await reader.select("SELECT * FROM external_minutes")
    said = truth.signals[EXTERNAL.name]
    assert sum(row["firing"] for row in others) == sum(it.state == "firing" for it in said)
    for row in others:
        its = [
            it
            for it in said
            if (it.tenant, it.service, it.source) == (row["tenant"], row["service"], row["source"])
            and it.occurred_at.replace(second=0, microsecond=0) == row["minute"]
        ]
        assert (row["signals"], row["resolved"]) == (
            len(its),
            sum(it.state == "resolved" for it in its),
        )
        assert row["worst_severity"] == min((it.severity for it in its if it.severity), default=0)

    totals = await reader.select(
        "SELECT kind, sum(signals) AS signals, sum(bad) AS bad FROM signal_minutes GROUP BY kind"
    )
    logs = truth.signals[LOGS.name]
    assert {row["kind"]: (row["signals"], row["bad"]) for row in totals} == {
        "health": (len(truth.checks), sum(it.status == "unhealthy" for it in truth.checks)),
        "metrics": (len(truth.signals[METRICS.name]), 0),
        "logs": (len(logs), sum(it.severity_number > 16 for it in logs)),
        "external": (len(said), sum(it.state == "firing" for it in said)),
    }


async def test_every_deadline_equals_another_computation(reader: ClickHouse, truth: Truth) -> None:
    """A team would be told that it missed what it met."""
    now = datetime.now(UTC)
    expected = {
        (it.tenant, it.incident_id, promise): (state, over.total_seconds() if ended else None)
        for it in facts(truth)
        for (state, over), promise, ended in zip(
            judged(it, now).values(),
            ("response", "resolution"),
            (it.acknowledged or it.resolved, it.resolved),
            strict=True,
        )
    }

    rows = await reader.select("SELECT * FROM deadline_outcomes")

    found = {
        (it["tenant"], it["incident_id"], it["promise"]): (it["outcome"], it["seconds_over"])
        for it in rows
    }
    assert len(found) == len(rows)
    assert {key: outcome for key, (outcome, _) in found.items()} == {
        key: outcome for key, (outcome, _) in expected.items()
    }
    for key, (_, over) in expected.items():
        # A sum of seconds resolved is rounded to the microsecond.
        assert found[key][1] == (over if over is None else pytest.approx(over, abs=5e-6)), key
    assert {it["outcome"] for it in rows} == {"met", "missed"}


async def test_every_item_of_a_checklist_equals_another_computation(
    reader: ClickHouse, truth: Truth
) -> None:
    """A team would be told that it left undone what it did."""
    now = datetime.now(UTC)
    expected = {
        (it.tenant, it.incident_id, name): ticked(it, due, done, now)
        for it in facts(truth)
        for name, (due, done) in it.tasks.items()
    }

    rows = await reader.select("SELECT * FROM checklist_outcomes")

    assert {(it["tenant"], it["incident_id"], it["item"]): it["outcome"] for it in rows} == expected
    assert len(rows) == len(expected)
    assert set(expected.values()) == {"in time", "late", "never", "spared", "waiting"}


def _asked(running: RunningWarehouse, *options: str) -> str:
    run = CliRunner(env={"TOCSIN_WAREHOUSE": running.url(User.READER)})
    result = run.invoke(report_command, options)
    assert result.exit_code == 0, result.output
    return result.output


def _window(name: str) -> list[str]:
    until = ["--until", END.isoformat()]
    return until if name == "trends" else [*until, "--since", BEGIN.isoformat()]


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_comes_in_every_form(
    running: RunningWarehouse, written: int, name: str
) -> None:
    """A form that nobody tried would fail on the day it is needed."""
    window = _window(name)

    table = _asked(running, name, *window)
    said = json.loads(_asked(running, name, *window, "--json"))
    rows = list(csv.DictReader(io.StringIO(_asked(running, name, *window, "--csv"))))
    page = _asked(running, name, *window, "--html")

    assert REPORTS[name].title in table
    assert said["report"] == name
    assert len(said["rows"]) == len(rows) > 0
    assert list(rows[0]) == list(said["rows"][0])
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    # Nothing of it is somewhere else.
    assert not re.search(r"(src|href)=|@import|url\(|<script", page)


@pytest.mark.parametrize("name", REPORTS)
def test_a_time_without_incidents_is_told_as_such(
    running: RunningWarehouse, written: int, name: str
) -> None:
    """A new installation's first report would be a traceback."""
    window = ["--until", "1999-01-01T00:00Z"]
    for form in ([], ["--json"], ["--csv"], ["--html"]):
        _asked(running, name, *window, *form)


def test_a_report_goes_to_a_file(running: RunningWarehouse, written: int, tmp_path: Any) -> None:
    """A page on the screen is of no use."""
    page = tmp_path / "sla.html"
    assert _asked(running, "sla", *_window("sla"), "--html", "--output", str(page)) == ""
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")

    table = _asked(running, "sla", *_window("sla"), "--csv", "--table", "missed")
    assert table.splitlines()[0].startswith("incident_id,tenant,severity_peak")
