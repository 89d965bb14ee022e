"""A slice: whatever fails wherever, no record is lost and none counts twice."""

from datetime import UTC, datetime

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from schemas.ticks import TickV1
from schemas.topics import LOGS, METRICS, TICKS, TopicDeclaration
from streams.agents import checkpoints
from streams.agents.checkpoints import Slice
from streams.agents.dead_letters import HOP, OFFSET, REASON
from streams.agents.outgoing import Outgoing
from streams.agents.transport import Chunk
from tests.recording import (
    CountingDesk,
    Event,
    ListJournal,
    Record,
    RecordingEmitter,
    chunk_of,
    took,
)

INPUTS = {LOGS.name: LOGS, TICKS.name: TICKS}
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def opened(
    emitter: RecordingEmitter, clock: Clock | None = None
) -> tuple[Slice, CountingDesk]:
    desk = CountingDesk()
    piece = Slice(
        "detect",
        INPUTS,
        desk,
        ListJournal(emitter),
        emitter,  # type: ignore[arg-type]
        clock=clock or Clock(),
    )
    await piece.open()
    return piece, desk


def logs(*keys: str, start: int = 0) -> Chunk:
    records = [
        Record(LOGS.name, 0, start + place, key.encode(), b"fault" if key == "!" else b"{}")
        for place, key in enumerate(keys)
    ]
    return Chunk(TP(LOGS.name, 0), records)


def tick(offset: int, **reached: int) -> Chunk:
    said = TickV1(
        occurred_at=NOON,
        partition=0,
        reached={name.replace("_", "."): end for name, end in reached.items()},
    )
    return chunk_of([Record(TICKS.name, 0, offset, b"0", said.to_wire())])


async def test_a_chunk_is_acknowledged_once_the_journal_holds_it() -> None:
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    event = Event()
    await took(piece, logs("a", "a"), event)
    assert not event.acked
    await piece.flush()
    assert event.acked


async def test_what_was_decided_goes_out_after_the_journal_has_it() -> None:
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    event = Event()
    emitter.fail_next = "append"
    with pytest.raises(ConnectionError):
        await took(piece, logs("a", "a", "a"), event)
    assert emitter.sent == []
    assert not event.acked


async def test_what_was_not_sent_before_a_crash_is_sent_after_it() -> None:
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    emitter.fail_next = "send"
    with pytest.raises(ConnectionError):
        await took(piece, logs("a", "a", "a"), Event())
    _, desk = await opened(emitter)
    assert [sent.value for sent in emitter.sent] == [b"a=3"]
    assert desk.counts == {"a": 3}


@given(
    keys=st.lists(st.sampled_from("abc"), max_size=40),
    crashes=st.lists(
        st.tuples(st.sampled_from(["append", "send", "kill"]), st.integers(1, 9)), max_size=5
    ),
    flushes=st.booleans(),
)
async def test_any_crash_at_any_moment_changes_nothing(
    keys: list[str],
    crashes: list[tuple[str, int]],
    flushes: bool,  # noqa: FBT001 - a drawn value
) -> None:
    """Decisions would be missing or differ after a restart."""
    emitter = RecordingEmitter()
    records = logs(*keys)
    for kind, length in [*crashes, ("none", 1_000)]:
        piece, _ = await opened(emitter)
        # The broker delivers from the last commit, which can lie before what the journal holds.
        emitter.fail_next = None if kind in {"kill", "none"} else kind
        try:
            await took(piece, records[: length * 5], Event()) if records else None
            if flushes or kind == "none":
                await piece.flush()
        except ConnectionError:
            # The worker stops, and the broker is there again.
            await piece.flush(final=True)
        emitter.fail_next = None
    _, desk = await opened(emitter)
    counts = {key: keys.count(key) for key in set(keys)}
    assert desk.counts == counts
    decided = {f"{key}={n}" for key, count in counts.items() for n in range(3, count + 1, 3)}
    assert {sent.value.decode() for sent in emitter.sent if sent.value} == decided


async def test_a_redelivered_chunk_counts_once() -> None:
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)
    await took(piece, logs("a", "b"), Event())
    again = Event()
    await took(piece, logs("a", "b", "c"), again)
    await piece.flush()
    assert desk.counts == {"a": 1, "b": 1, "c": 1}
    assert again.acked


async def test_missing_records_are_noticed() -> None:
    piece, _ = await opened(RecordingEmitter())
    assert piece.gap(logs("a", start=100)) is None
    await took(piece, logs("a"), Event())
    assert piece.gap(logs("a", start=1)) is None
    assert piece.gap(logs("a", start=5)) == 1


async def test_a_record_that_fails_us_is_put_aside_and_the_worker_stops() -> None:
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    event = Event()
    with pytest.raises(ZeroDivisionError):
        await took(piece, logs("a", "!", "a", "a"), event)
    await piece.flush()
    assert not event.acked
    (letter,) = emitter.sent
    assert letter.topic == "telemetry.logs.dead"
    assert dict(letter.headers)[HOP] == b"detect"
    assert dict(letter.headers)[REASON] == b"fault in detect: ZeroDivisionError"
    emitter.sent.clear()

    next_worker, desk = await opened(emitter)
    emitter.sent.clear()
    await took(next_worker, logs("a", "!", "a", "a"), event)
    assert event.acked
    assert desk.counts == {"a": 3}
    assert [sent.value for sent in emitter.sent] == [b"a=3"]


async def test_time_waits_for_the_records_before_it() -> None:
    piece, desk = await opened(RecordingEmitter())
    await took(piece, tick(0, telemetry_logs=2), Event())
    assert desk.ticks == []
    await took(piece, logs("a"), Event())
    assert desk.ticks == []
    await took(piece, logs("a", start=1), Event())
    assert desk.ticks == [NOON]


async def test_a_held_tick_is_not_lost_by_a_crash() -> None:
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    held = Event()
    await took(piece, tick(0, telemetry_logs=1), held)
    await piece.flush()
    assert not held.acked
    again, desk = await opened(emitter)
    await took(again, tick(0, telemetry_logs=1), held)
    await took(again, logs("a"), Event())
    assert desk.ticks == [NOON]


async def test_a_tick_whose_records_are_gone_passes_in_the_end() -> None:
    clock = Clock()
    piece, desk = await opened(RecordingEmitter(), clock)
    await took(piece, tick(0, telemetry_logs=9), Event())
    clock.now = checkpoints.PATIENCE
    await piece.flush()
    assert desk.ticks == []
    # Other ticks are no news of the records that are waited for.
    await took(piece, tick(1, telemetry_logs=9), Event())
    clock.now = checkpoints.PATIENCE + 0.1
    await piece.flush()
    assert desk.ticks == [NOON, NOON]


async def test_a_tick_waits_anew_whenever_one_of_the_records_before_it_comes() -> None:
    """A slow input would be overtaken by time: what it says would come too late to count."""
    clock = Clock()
    clock.now = 1_000.0
    piece, desk = await opened(RecordingEmitter(), clock)
    await took(piece, tick(0, telemetry_logs=9), Event())
    for offset, waits in enumerate((0.0, checkpoints.PATIENCE)):
        clock.now += waits
        await piece.flush()
        await took(piece, logs("a", start=offset), Event())
        assert desk.ticks == []
    clock.now += checkpoints.PATIENCE
    await piece.flush()
    assert desk.ticks == []
    clock.now += 0.1
    await piece.flush()
    assert desk.ticks == [NOON]


async def test_a_tick_waits_as_long_as_one_of_several_inputs_still_speaks() -> None:
    """One that is slow would be overtaken because another one is silent."""
    clock, emitter, desk = Clock(), RecordingEmitter(), CountingDesk()
    inputs = {**INPUTS, METRICS.name: METRICS}
    piece = Slice("detect", inputs, desk, ListJournal(emitter), emitter, clock=clock)  # type: ignore[arg-type]
    await piece.open()
    await took(piece, tick(0, telemetry_logs=9, telemetry_metrics=9), Event())
    clock.now = checkpoints.PATIENCE
    await took(piece, logs("a"), Event())
    clock.now += checkpoints.PATIENCE
    await piece.flush()
    assert desk.ticks == []
    clock.now += 0.1
    await piece.flush()
    assert desk.ticks == [NOON]


async def test_what_follows_from_a_tick_that_waited_in_vain_goes_out_at_once() -> None:
    """A page would wait for the next record of a partition that has none."""
    clock, emitter = Clock(), RecordingEmitter()
    piece, desk = await opened(emitter, clock)
    desk.at_ticks = [Outgoing("alerts", b"k", b"late")]
    await took(piece, tick(0, telemetry_logs=9), Event())
    clock.now = checkpoints.PATIENCE + 0.1
    await piece.flush()
    assert emitter.sent == desk.at_ticks


async def test_an_unreadable_tick_is_put_aside(caplog: pytest.LogCaptureFixture) -> None:
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)
    garbage = chunk_of([Record(TICKS.name, 0, 0, b"0", b"\xff")])
    event = Event()
    await took(piece, garbage, event)
    assert [letter.topic for letter in emitter.sent] == ["clock.ticks.dead"]
    assert event.acked
    assert desk.ticks == []
    assert "value: is not JSON" in caplog.text


async def test_positions_alone_are_written_now_and_then_and_at_the_end() -> None:
    """An idle installation would write a record a second and partition for nothing."""
    clock = Clock()
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter, clock)
    first, second = Event(), Event()
    await took(piece, tick(0), first)
    before = len(emitter.appended)
    clock.now = checkpoints.POSITIONS_EVERY - 0.1
    await piece.flush()
    assert (len(emitter.appended), first.acked) == (before, False)
    clock.now = checkpoints.POSITIONS_EVERY
    await piece.flush()
    assert (len(emitter.appended), first.acked) == (before + 1, True)
    clock.now *= 3
    await piece.flush()
    assert len(emitter.appended) == before + 1  # There is no news.
    await took(piece, tick(1), second)
    await piece.flush(final=True)
    assert (len(emitter.appended), second.acked) == (before + 2, True)
    await piece.flush(final=True)
    assert len(emitter.appended) == before + 2  # There is no news.


async def test_a_tick_from_the_future_is_put_aside() -> None:
    """Time would stand still until that future has come."""
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)
    (record,) = tick(0)
    written = int(NOON.timestamp() * 1000)
    late = record._replace(timestamp=written - int(checkpoints.TICK_AHEAD * 1000) - 1)
    await took(piece, chunk_of([late, record._replace(offset=1, timestamp=written)]), Event())
    assert desk.ticks == [NOON]
    (letter,) = emitter.sent
    assert (
        dict(letter.headers)[REASON] == b"occurred_at: is 60 s ahead of the record that carries it"
    )


async def test_after_a_clean_end_nothing_is_said_again() -> None:
    """Every deployment would repeat the last pages of every partition."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    await took(piece, logs("a", "a", "a"), Event())
    written = len(emitter.appended)
    await piece.flush()
    assert len(emitter.appended) == written
    await piece.flush(final=True)
    assert len(emitter.appended) == written + 1
    _, desk = await opened(emitter)
    assert [sent.value for sent in emitter.sent] == [b"a=3"]
    assert desk.counts == {"a": 3}


@pytest.mark.parametrize("keys", ["!aa", "a!a"])
async def test_a_fault_is_put_aside_once_however_often_the_worker_starts_again(keys: str) -> None:
    """A supervisor that starts it again would fill the dead letters with one record."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    records = logs(*keys)
    with pytest.raises(ZeroDivisionError):
        await took(piece, records, Event())
    for _ in range(3):
        await opened(emitter)
    assert [letter.topic for letter in emitter.sent] == [LOGS.dead]

    # It is passed over until it lies behind, whatever else is written before.
    piece, _ = await opened(emitter)
    await took(piece, tick(0), Event())
    await piece.flush(final=True)
    piece, desk = await opened(emitter)
    await took(piece, records, Event())
    await piece.flush(final=True)
    assert desk.counts == {"a": 2}
    assert [letter.topic for letter in emitter.sent] == [LOGS.dead]


async def test_a_record_without_key_and_value_is_a_dead_letter_that_can_be_sent() -> None:
    """Producers refuse it: the worker would fail at it for ever."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    (record,) = tick(0)
    odd = record._replace(key=None, value=None, headers=(("ce_id", None),))
    await took(piece, chunk_of([odd]), Event())
    (letter,) = emitter.sent
    assert (letter.key, letter.value, letter.headers[0]) == (b"", None, ("ce_id", None))
    # It is read back from the journal as it was.
    await opened(emitter)
    assert emitter.sent == [letter, letter]


async def test_a_tick_for_another_hop_tells_no_time() -> None:
    """Its positions say nothing of what this hop reads: time would run ahead of the records before it."""
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)
    for offset, hop in enumerate(["incidents", "detect", None]):
        said = TickV1(occurred_at=NOON.replace(second=offset), partition=0, hop=hop)
        await took(piece, chunk_of([Record(TICKS.name, 0, offset, b"0", said.to_wire())]), Event())
    assert desk.ticks == [NOON.replace(second=1), NOON.replace(second=2)]
    assert piece.positions[TICKS.name] == 3
    assert emitter.sent == []


async def test_a_tick_that_fails_us_is_put_aside_and_the_worker_stops() -> None:
    """Every worker after it would stop at the same moment, and no deadline would pass any more."""
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)
    desk.fault = ZeroDivisionError()
    event = Event()
    with pytest.raises(ZeroDivisionError):
        await took(piece, tick(0), event)
    assert not event.acked
    (letter,) = emitter.sent
    assert (letter.topic, dict(letter.headers)[OFFSET]) == (TICKS.dead, b"0")

    piece, desk = await opened(emitter)
    desk.fault = ZeroDivisionError()
    await took(piece, tick(0), event)
    desk.fault = None
    await took(piece, tick(1), Event())
    await piece.flush(final=True)
    assert (desk.ticks, event.acked) == ([NOON], True)
    assert emitter.sent == [letter]


async def test_a_worker_that_failed_writes_nothing_more() -> None:
    """Its state is half-changed: written down, it would be what the next one believes."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    assert not piece.failed
    with pytest.raises(ZeroDivisionError):
        await took(piece, logs("a", "!"), Event())
    written, sent = list(emitter.appended), list(emitter.sent)
    late = Event()
    await took(piece, logs("a", "a", "a", start=2), late)
    await piece.flush(final=True)
    await piece.decide(lambda: [Outgoing("alerts", b"k", b"v")])
    assert (emitter.appended, emitter.sent, late.acked) == (written, sent, False)
    assert piece.failed


@pytest.mark.parametrize("call", ["append", "send"])
async def test_what_could_not_be_told_is_told_by_the_next_worker(call: str) -> None:
    """A broker that is away for a moment ends the worker: its last words would say that a page went out that never did."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    emitter.fail_next = call
    event = Event()
    with pytest.raises(ConnectionError):
        await took(piece, logs("a", "a", "a"), event)
    await piece.flush(final=True)
    assert not event.acked

    piece, desk = await opened(emitter)
    await took(piece, logs("a", "a", "a"), event)
    assert [sent.value for sent in emitter.sent] == [b"a=3"]
    assert (desk.counts, event.acked) == ({"a": 3}, True)


async def test_a_decision_that_fails_half_way_is_not_written_down() -> None:
    """An outcome would be settled without a receipt."""
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)

    def half_way() -> list[Outgoing]:
        desk.changed["a"] = b"1"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await piece.decide(half_way)
    await piece.flush(final=True)
    assert (await opened(emitter))[1].counts == {}


async def test_what_is_decided_for_another_reason_than_a_record_is_journaled_first() -> None:
    """A receipt would be sent twice, or never."""
    emitter = RecordingEmitter()
    piece, _ = await opened(emitter)
    taken = Event()
    await took(piece, logs("a"), taken)
    written = len(emitter.appended)
    await piece.decide(list)
    assert (len(emitter.appended), taken.acked) == (written, False)

    receipt = Outgoing("receipts", b"k", b"v")
    emitter.fail_next = "send"
    with pytest.raises(ConnectionError):
        await piece.decide(lambda: [receipt])
    _, desk = await opened(emitter)
    assert (emitter.sent, desk.counts) == ([receipt], {"a": 1})


@pytest.mark.parametrize("topic", [LOGS, TICKS])
async def test_much_that_is_decided_at_once_is_written_down_in_between(
    monkeypatch: pytest.MonkeyPatch, topic: TopicDeclaration
) -> None:
    """One record of the journal must hold it: a storm would stop the hop for ever."""
    monkeypatch.setattr(checkpoints, "DECIDED_BYTES", 8)
    emitter = RecordingEmitter()
    piece, desk = await opened(emitter)
    desk.says = [Outgoing("alerts", b"k", b"1234")]
    sent: list[int] = []
    send = emitter.send

    async def counted(records: list[Outgoing]) -> None:
        sent.append(len(records))
        await send(records)

    emitter.send = counted  # type: ignore[method-assign,assignment]
    if topic is LOGS:
        await took(piece, logs("a", "b", "c", "d", "e"), Event())
    else:
        for offset in range(5):
            await took(piece, tick(offset, telemetry_logs=1), Event())
        sent.clear()
        desk.says, said = [], desk.says
        desk.at_ticks = said
        await took(piece, logs("a"), Event())
    # Each is 5 bytes: two of them are more than 8.
    assert sent == [2, 2, 1]
