"""The record hop: what is acknowledged is stored or put aside, once, whatever is met in between."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from schemas.topics import CHANGES, HEALTH, LIFECYCLE, TopicDeclaration
from streams.agents import dead_letters, history, storing
from streams.agents import record as under_test
from streams.agents.dead_letters import HOP, OFFSET, PARTITION, REASON
from streams.agents.record import Recorder
from streams.errors import Fault
from streams.gateways.clickhouse import WarehouseUnavailable
from streams.settings import Settings
from tests.recording import Read, Record, RecordingApp, Warehouse

EXAMPLES = Path("schemas/examples")
CHANGE = (EXAMPLES / "tocsin.change.v1/deployment.json").read_bytes()
STEP = (EXAMPLES / "tocsin.incident.step.v1/noted.json").read_bytes()
CHECK = (EXAMPLES / "tocsin.telemetry.health.v1/cache-is-slow.json").read_bytes()


class App(RecordingApp):
    """One with this hop."""

    def __init__(self) -> None:
        super().__init__(Settings(topic_prefix="a."))
        self.warehouse = Warehouse()
        Recorder(self, self.warehouse)  # type: ignore[arg-type]

    async def stop(self) -> None:
        await self.on_before_shutdown.comes()

    @property
    def letters(self) -> list[tuple[str, bytes | None, bytes | None]]:
        """Where each dead letter is, what it holds, and why."""
        return [(it.topic, it.value, dict(it.headers)[REASON]) for it in self.emitter.sent]


def records(topic: TopicDeclaration, *values: bytes, start: int = 0) -> Read:
    return Read(
        *(Record("a." + topic.name, 2, start + n, b"k", text) for n, text in enumerate(values))
    )


def faulty(monkeypatch: pytest.MonkeyPatch, function: str, when: Callable[..., bool]) -> None:
    """Let a function of history have a bug."""
    right = getattr(history, function)

    def wrong(*given: Any, **others: Any) -> Any:
        if when(*given):
            raise ZeroDivisionError
        return right(*given, **others)

    monkeypatch.setattr(history, function, wrong)


async def test_a_chunk_is_acknowledged_when_its_rows_are_stored() -> None:
    app = App()
    read = records(LIFECYCLE, STEP, STEP)
    await app.reads(read)
    assert (app.warehouse.stored, read.acked.is_set()) == ({}, False)
    await app.stop()
    assert {table: len(rows) for table, rows in app.warehouse.stored.items()} == {
        "incident_steps": 2,
        "incidents": 2,
    }
    assert read.acked.is_set()
    assert app.letters == []

    late = records(LIFECYCLE, STEP, start=2)
    await app.reads(late)
    await app.stop()
    assert not late.acked.is_set()


async def test_what_is_refused_is_put_aside_before_it_is_acknowledged() -> None:
    """A crash in between would lose it: it is in no table then, and nobody reads it again."""
    app = App()
    app.warehouse.refuses = {"changes": {1: "ClickHouse refuses a row: TYPE_MISMATCH"}}
    read = records(CHANGES, CHANGE, CHANGE, b"{")
    await app.reads(read)
    app.emitter.fail_next = "send"
    with pytest.raises(ConnectionError):
        await app.stop()
    assert not read.acked.is_set()

    app = App()
    app.warehouse.refuses = {"changes": {1: "ClickHouse refuses a row: TYPE_MISMATCH"}}
    await app.reads(read := records(CHANGES, CHANGE, CHANGE, b"{"))
    await app.stop()
    assert read.acked.is_set()
    assert [letter[0] for letter in app.letters] == 2 * [CHANGES.dead]
    assert app.letters[0][1:] == (b"{", b"value: is not JSON: it ends too soon")
    assert app.letters[1][1:] == (CHANGE, b"ClickHouse refuses a row: TYPE_MISMATCH")
    headers = dict(app.emitter.sent[1].headers)
    assert (headers[HOP], headers[PARTITION], headers[OFFSET]) == (b"record", b"2", b"1")
    assert len(app.warehouse.stored["changes"]) == 1


async def test_what_another_hop_puts_aside_is_left_to_it() -> None:
    """Each of its dead letters would be there twice."""
    app = App()
    await app.reads(read := records(HEALTH, b"{", CHECK))
    await app.stop()
    assert app.letters == []
    assert read.acked.is_set()
    assert len(app.warehouse.stored["health_checks"]) == 1


@pytest.mark.parametrize(
    ("topic", "function", "value", "table"),
    [(CHANGES, "rows_of", CHANGE, "changes"), (HEALTH, "read_signals", CHECK, "health_checks")],
    ids=["history", "telemetry"],
)
async def test_a_record_that_meets_a_bug_is_put_aside_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    topic: TopicDeclaration,
    function: str,
    value: bytes,
    table: str,
) -> None:
    """Every worker after it would stop at the same record, and nothing would become history any more."""
    app = App()
    calls = iter(range(3))
    faulty(monkeypatch, function, lambda *_: next(calls) == 1)
    await app.reads(read := records(topic, value, value, value))
    await app.stop()
    assert read.acked.is_set()
    assert app.letters == [(topic.dead, value, b"fault in record: ZeroDivisionError")]
    assert dict(app.emitter.sent[0].headers)[OFFSET] == b"1"
    assert len(app.warehouse.stored[table]) == 2
    assert "fault hop=record" in caplog.text
    assert "Traceback" in caplog.text


async def test_many_records_in_a_row_that_meet_a_bug_stop_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release with a bug would put all of history aside."""
    monkeypatch.setattr(dead_letters, "MANY", 3)
    app = App()
    cursed = [True, True, False, True, True]
    faulty(monkeypatch, "rows_of", lambda *_: cursed.pop(0) if cursed else True)
    put_aside = records(CHANGES, CHANGE, CHANGE), records(CHANGES, CHANGE, CHANGE, start=2)
    await app.reads(*put_aside)
    await app.reads(more := records(CHANGES, CHANGE, start=4))
    # What other topics say tells nothing of this one.
    await app.reads(records(HEALTH, CHECK))
    last = records(CHANGES, CHANGE, CHANGE, start=5)
    with pytest.raises(Fault, match="fault in record: ZeroDivisionError"):
        await app.reads(last)
    await app.stop()
    assert len(app.letters) == 4
    assert [it.acked.is_set() for it in (*put_aside, more, last)] == [True, True, True, False]


async def test_much_is_written_at_once_and_the_rest_a_little_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory would fill while the pipeline catches up."""
    monkeypatch.setattr(under_test, "BATCH", 3)
    app = App()
    first, second, third = (records(CHANGES, CHANGE, CHANGE, start=2 * n) for n in range(3))
    await app.reads(first, second, third)
    assert [it.acked.is_set() for it in (first, second, third)] == [True, True, False]
    monkeypatch.setattr(under_test, "BATCH_EVERY", under_test.BATCH_EVERY * 0)
    writing = asyncio.ensure_future(app.tasks[0]())
    await third.acked.wait()
    await app.stop()
    await writing
    assert len(app.warehouse.stored["changes"]) == 6
    assert app.warehouse.inserts == 2


async def test_rows_wait_for_a_warehouse_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for wait in ("FIRST_WAIT", "LAST_WAIT"):
        monkeypatch.setattr(storing, wait, storing.FIRST_WAIT * 0)
    app = App()
    app.warehouse.fails = [WarehouseUnavailable("is away"), WarehouseUnavailable("is away")]
    await app.reads(read := records(CHANGES, CHANGE))
    await app.stop()
    assert read.acked.is_set()
    assert len(app.warehouse.stored["changes"]) == 1


async def test_what_does_not_end_in_time_is_given_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Acknowledged without being stored it would be lost."""
    monkeypatch.setattr(under_test, "DRAIN_WITHIN", 0.0)
    app = App()
    app.warehouse.fails = [WarehouseUnavailable("is away")]
    await app.reads(read := records(CHANGES, CHANGE))
    await app.stop()
    assert not read.acked.is_set()
    assert "work in hand given back hop=record" in caplog.text
    late = records(CHANGES, CHANGE, start=1)
    await app.reads(late)
    await app.stop()
    assert not late.acked.is_set()


async def test_what_is_not_stored_is_somebody_elses_with_its_partition() -> None:
    """It would be acknowledged for a partition that another worker reads."""
    app = App()
    await app.reads(read := records(CHANGES, CHANGE))
    await app.on_partitions_revoked.comes({TP("a." + CHANGES.name, 2)})
    await app.stop()
    assert (read.acked.is_set(), app.warehouse.stored) == (False, {})
