"""A slice that is busy: others have a turn, and people see how far it has come."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from schemas.topics import LOGS
from streams.agents import checkpoints, metrics
from tests.recording import Event, RecordingEmitter, took
from tests.unit.agents.test_checkpoints import NOON, Clock, logs, opened, tick


def reached() -> float | None:
    return REGISTRY.get_sample_value(
        "tocsin_reached_timestamp_seconds", {"hop": "detect", "partition": "0"}
    )


async def test_how_far_a_partition_has_come_is_told_until_it_is_given_away() -> None:
    """Nobody would see that deadlines do not run, or somebody else's partition would look as if it stood still."""
    metrics.forget_partitions("detect", {0})
    piece, _ = await opened(RecordingEmitter())
    await took(piece, tick(0, telemetry_logs=1), Event())
    assert reached() is None
    await took(piece, logs("a"), Event())
    assert reached() == NOON.timestamp()
    metrics.forget_partitions("detect", {0})
    assert reached() is None


async def test_records_that_take_long_let_others_have_a_turn() -> None:
    """While a costly rule is evaluated Prometheus would get no answer, and nobody could see which rule it is."""

    class Passing(Clock):
        def __call__(self) -> float:
            self.now += checkpoints.HOLDS
            return self.now

    piece, desk = await opened(RecordingEmitter(), Passing())
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(sum(desk.counts.values()))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await took(piece, logs("a", "a", "b", "b"), Event())
    looking.cancel()
    assert seen[:3] == [1, 2, 3]


async def test_what_comes_after_a_partition_was_given_away_is_its_new_owners() -> None:
    """Both would decide about it, and only one of them may say so."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    await took(piece, logs("a"), Event())
    await piece.flush(final=True)
    before, late = len(emitter.appended), Event()
    await piece.flush()  # It was its turn.
    await took(piece, logs("a", "a", start=1), late)
    await piece.flush()
    assert (len(emitter.appended), late.acked, piece.positions) == (before, False, {LOGS.name: 1})


async def test_a_worker_that_is_stopped_while_the_broker_takes_its_time_writes_nothing_more() -> (
    None
):
    """Nobody knows what the journal holds: written on, it would leave out what was decided, or say it twice."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    emitter.slow, event = asyncio.Event(), Event()
    taking = asyncio.create_task(took(piece, logs("a", "a", "a"), event))
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    emitter.slow, written = None, len(emitter.appended)
    assert piece.failed
    await piece.flush(final=True)
    assert (len(emitter.appended), emitter.sent, event.acked) == (written, [], False)


async def test_what_was_decided_before_a_fault_is_left_to_the_next_worker() -> None:
    """Written down with the record that failed half-way, it would be said of a state that nobody knows."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    await piece.take(logs("a", "a", "a"), Event())
    with pytest.raises(ZeroDivisionError):
        await piece.take(logs("!", start=3), Event())
    written = len(emitter.appended)
    await piece.settle()
    assert len(emitter.appended) == written
    assert [sent.topic for sent in emitter.sent] == ["telemetry.logs.dead"]
    next_worker, _ = await opened(emitter)
    await took(next_worker, logs("a", "a", "a", "!"), Event())
    assert emitter.sent[-1].value == b"a=3"
