"""Counts of telemetry on their way to the warehouse: what is acknowledged is counted to the end of its block, and stored."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from faust.types import TP

from schemas.contract import Contract
from schemas.telemetry import LogV1, MetricV1
from schemas.topics import LOGS, METRICS
from streams.agents import dead_letters, tallies
from streams.agents import rollups as under_test
from streams.agents.dead_letters import HOP, OFFSET, PARTITION, REASON
from streams.agents.rollups import RollUps
from streams.gateways.clickhouse import WarehouseUnavailable
from streams.settings import Settings
from streams.warehouse import tally
from tests.recording import Read, Record, RecordingApp, Warehouse

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
STAMPED = int(AT.timestamp() * 1000)
PLACE, ANOTHER = TP("a." + METRICS.name, 2), TP("a." + METRICS.name, 3)


class App(RecordingApp):
    """One with this hop."""

    def __init__(self) -> None:
        super().__init__(Settings(topic_prefix="a."))
        self.warehouse = Warehouse()
        self.hop = RollUps(self, self.warehouse)  # type: ignore[arg-type]

    async def write(self) -> None:
        await self.hop._write()

    @property
    def counted(self) -> list[tuple[int, int]]:
        """Block and signals of each row that was written."""
        rows = self.warehouse.stored.get("metric_rollups", [])
        return [(row["block"], row["signals"]) for row in rows]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "BLOCK", 4)


def load(value: float = 1) -> Contract:
    return MetricV1(occurred_at=AT, service="api", name="load", value=value)


def read(start: int, *messages: Contract, place: TP = PLACE) -> Read:
    return Read(
        *(
            Record(*place, start + number, b"k", message.to_wire(), (), STAMPED)
            for number, message in enumerate(messages)
        )
    )


async def test_a_chunk_is_acknowledged_when_its_last_block_is_counted_to_its_end() -> None:
    """A worker that takes over would begin in the middle of a block: the row that counted more would be the wrong one."""
    app = App()
    first, second, third = read(0, load(), load()), read(2, load(), load()), read(4, load())
    await app.reads(first, second)
    await app.write()
    assert app.counted == [(0, 4)]
    assert not any(it.acked.is_set() for it in (first, second))
    await app.reads(third)
    assert not first.acked.is_set()
    await app.write()
    assert [it.acked.is_set() for it in (first, second, third)] == [True, True, False]
    assert app.counted == [(0, 4), (1, 1)]


async def test_what_is_written_is_no_lag_although_it_is_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quiet partition would look as if it were a block behind, for days."""
    made: list[Any] = []
    monkeypatch.setattr(under_test, "Lag", lambda *given: made.append(given))
    app = App()
    ((_, hop, inputs, done),) = made
    assert (hop, inputs[PLACE.topic]) == ("rollups", METRICS)
    await app.reads(read(0, load(), load()))
    assert done(PLACE) is None
    await app.write()
    assert done(PLACE) == 2
    await app.on_partitions_revoked.comes({PLACE})
    assert done(PLACE) is None


async def test_a_chunk_that_reaches_into_the_next_block_waits_for_its_end() -> None:
    app = App()
    across, after = read(2, load(), load(), load()), read(5, load())
    await app.reads(across, after)
    await app.write()
    assert app.counted == [(0, 2), (1, 2)]
    assert not across.acked.is_set()
    await app.reads(read(8, load()))
    await app.write()
    assert (across.acked.is_set(), after.acked.is_set()) == (True, True)


async def test_what_was_taken_keeps_no_records() -> None:
    """It waits for the end of its block, which can take days."""
    app = App()
    taken = read(0, load(), load())
    await app.reads(taken)
    assert (taken.message.delivery.taken, len(taken.value)) == (True, 0)


async def test_nothing_is_acknowledged_before_it_is_stored() -> None:
    app = App()
    chunks = [read(0, load()), read(4, load())]
    await app.reads(*chunks)
    app.warehouse.fails = [OSError("no space left")]
    with pytest.raises(OSError, match="no space"):
        await app.write()
    # The worker stops. What was on its way is in no table, and nothing counts it again before the next one.
    others = [read(8, load()), read(0, load(), place=ANOTHER), read(4, load(), place=ANOTHER)]
    await app.reads(*others)
    await app.on_before_shutdown.comes()
    assert not any(it.acked.is_set() for it in (*chunks, *others))
    assert app.counted == []


async def test_a_record_that_meets_a_bug_is_put_aside_and_the_worker_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every worker after it would stop at the same record, and nothing would be counted any more."""
    right = tallies.Part._read
    calls = iter(range(4))

    def wrong(part: Any, glance: Any, record: Any) -> None:
        if next(calls) == 0:
            raise ZeroDivisionError
        right(part, glance, record)

    monkeypatch.setattr(tallies.Part, "_read", wrong)
    app = App()
    chunks = [read(2, load(5), load(6)), read(4, load(7))]
    await app.reads(*chunks)
    app.emitter.fail_next = "send"
    with pytest.raises(ConnectionError):
        await app.write()
    # Put aside before it is acknowledged: a crash in between would lose it.
    assert not any(it.acked.is_set() for it in chunks)

    app = App()
    calls = iter(range(4))
    chunks = [read(2, load(5), load(6)), read(4, load(7))]
    await app.reads(*chunks)
    await app.write()
    await app.write()
    assert [it.acked.is_set() for it in chunks] == [True, False]
    assert app.counted == [(0, 1), (1, 1)]
    (letter,) = app.emitter.sent
    headers = dict(letter.headers)
    assert (letter.topic, letter.value) == (METRICS.dead, load(5).to_wire())
    assert headers[REASON] == b"fault in rollups: ZeroDivisionError"
    assert (headers[HOP], headers[PARTITION], headers[OFFSET]) == (b"rollups", b"2", b"2")
    assert "fault hop=rollups" in caplog.text
    assert "Traceback" in caplog.text


async def test_much_is_written_at_once_and_the_rest_a_little_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory would fill while the pipeline catches up."""
    monkeypatch.setattr(under_test, "ROWS", 2)
    app = App()
    await app.reads(read(0, load()))
    assert app.counted == []
    third = read(8, load())
    await app.reads(read(4, load()), third)
    assert app.counted == [(0, 1), (1, 1)]
    monkeypatch.setattr(under_test, "ROWS", 1_000)
    monkeypatch.setattr(under_test, "WRITTEN_EVERY", under_test.WRITTEN_EVERY * 0)
    await app.reads(read(12, load()))
    assert not third.acked.is_set()
    writing = asyncio.ensure_future(app.tasks[0]())
    await third.acked.wait()
    await app.on_before_shutdown.comes()
    await writing


async def test_many_records_that_meet_a_bug_do_not_fill_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(under_test, "ROWS", 3)
    monkeypatch.setattr(tallies.Part, "_read", wrong)
    app = App()
    await app.reads(read(0, load(), load()))
    assert app.emitter.sent == []
    await app.reads(read(2, load()))
    assert len(app.emitter.sent) == 3


async def test_many_records_in_a_row_that_meet_a_bug_stop_the_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A release with a bug would put all telemetry aside, a second time."""

    def wrong(*_: Any) -> None:
        raise ZeroDivisionError

    app = App()
    with monkeypatch.context() as patch:
        patch.setattr(dead_letters, "MANY", 3)
        patch.setattr(tallies.Part, "_read", wrong)
        await app.reads(read(0, load(), load()))
        last = read(2, load(), load(), load())
        with pytest.raises(ZeroDivisionError):
            await app.reads(last)
    await app.on_before_shutdown.comes()
    assert len(app.emitter.sent) == 2
    assert not last.acked.is_set()


async def test_what_does_not_end_in_time_is_given_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Acknowledged without being stored it would be lost."""
    monkeypatch.setattr(under_test, "DRAIN_WITHIN", 0.0)
    app = App()
    app.warehouse.fails = [WarehouseUnavailable("is away")]
    chunks = [read(0, load()), read(4, load())]
    await app.reads(*chunks)
    await app.on_before_shutdown.comes()
    assert not any(it.acked.is_set() for it in chunks)
    assert "work in hand given back hop=rollups" in caplog.text
    late = read(8, load())
    await app.reads(late)
    assert not late.message.delivery.taken


async def test_partitions_that_went_are_counted_by_others_from_the_beginning_of_a_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half a block counted here, and the rest after it came back, would be no row of the block."""

    def wrong(*_: Any) -> None:
        raise ZeroDivisionError

    app = App()
    before = [read(0, load(), load()), read(4, load())]
    await app.reads(*before)
    with monkeypatch.context() as patch:
        patch.setattr(tallies.Part, "_read", wrong)
        await app.reads(
            read(
                0,
                *2 * [LogV1(occurred_at=AT, service="api", body="x")],
                place=TP("a." + LOGS.name, 2),
            )
        )
    await app.on_partitions_revoked.comes({PLACE})
    await app.write()
    assert (app.counted, app.emitter.sent) == ([], [])
    await app.reads(read(0, load(), load(), load(), load()), read(4, load()))
    await app.write()
    assert app.counted == [(0, 4), (1, 1)]
    assert not any(it.acked.is_set() for it in before)


async def test_what_is_read_again_is_acknowledged_by_what_is_counted_now() -> None:
    """Faust went back: what was handed out before will not be committed, and counting begins anew with what comes."""
    app = App()
    first = read(0, load(), load(), load())
    await app.reads(first)
    again, last = read(1, load(), load(), load()), read(4, load())
    await app.reads(again, last)
    await app.write()
    assert not first.acked.is_set()
    assert again.acked.is_set()
    assert app.counted == [(0, 3), (1, 1)]


async def test_what_no_hop_can_read_is_left_to_detection() -> None:
    """Each of its dead letters would be there twice."""
    app = App()
    garbage = Record(*PLACE, 1, b"k", b"{", (), STAMPED)
    await app.reads(read(0, load()), Read(garbage), read(2, load()))
    await app.write()
    assert (app.counted, app.emitter.sent) == ([(0, 2)], [])
