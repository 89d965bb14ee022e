"""The journal: what was kept is what is read back, whoever wrote in between and whatever was compacted."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.topics import DETECT_JOURNAL
from streams.agents import journal
from streams.agents.journal import Journal, Kept, LostPartition, Replay
from streams.agents.outgoing import Outgoing
from streams.errors import Unavailable
from streams.gateways.topics import LARGE_BYTES
from streams.settings import Settings
from tests.recording import ListJournal, RecordingEmitter

Record = tuple[bytes, bytes | None]


def replayed(records: Iterable[Record]) -> Kept:
    replay = Replay()
    for key, value in records:
        replay.hear(key, value)
    return replay.kept


def compacted(records: list[Record]) -> list[Record]:
    """What a broker keeps: the last record of each key, and no tombstones."""
    last = {key: place for place, (key, _) in enumerate(records)}
    return [
        (key, value)
        for place, (key, value) in enumerate(records)
        if last[key] == place and value is not None
    ]


class Worker:
    """Somebody who owns the partition, or believes so."""

    def __init__(self, log: list[Record]) -> None:
        emitter = RecordingEmitter()
        emitter.appended = log
        self.journal = ListJournal(emitter)

    def take_over(self) -> None:
        asyncio.run(self.journal.take_over())

    def append(self, position: int, name: str, value: int | None) -> None:
        change = None if value is None else str(value).encode()
        decided = [Outgoing("alerts", b"k", str(position).encode(), (("h", b"\xff"),))]
        asyncio.run(self.journal.append({"logs": position}, {name: change}, decided))


entry = st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 99))


@given(
    turns=st.lists(st.lists(entry, max_size=6), min_size=1, max_size=4),
    late=st.lists(entry, max_size=3),
    outdated_bytes=st.sampled_from([1, 600, 10_000_000]),
)
@example(turns=[[("a", None)], [], [("a", None)]], late=[("b", 0)], outdated_bytes=1).via(
    "an owner's mark went before what it voids"
)
def test_a_new_owner_reads_what_the_owners_before_it_kept(
    turns: list[list[tuple[str, int | None]]],
    late: list[tuple[str, int | None]],
    outdated_bytes: int,
) -> None:
    """State would be lost, doubled, or spoilt by a worker that lost the partition and still writes."""
    log: list[Record] = []
    state: dict[str, bytes] = {}
    position = 0
    before: Worker | None = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "OUTDATED_BYTES", outdated_bytes)
        patch.setattr(journal, "CLEANED_BYTES", outdated_bytes)
        for turn in turns:
            worker = Worker(log)
            worker.take_over()
            for name, value in late if before else []:
                with pytest.raises(LostPartition):
                    before.append(10_000, name, value)  # type: ignore[union-attr]
            for name, value in turn:
                position += 1
                worker.append(position, name, value)
                if value is None:
                    state.pop(name, None)
                else:
                    state[name] = str(value).encode()
            before = worker
    for records in (log, compacted(log)):
        kept = replayed(records)
        assert kept.entries == state
        assert kept.positions == ({"logs": position} if position else {})
        expected = [Outgoing("alerts", b"k", str(position).encode(), (("h", b"\xff"),))]
        assert kept.decided == (expected if position else [])


@given(cut=st.integers(1, 5))
def test_an_entry_in_parts_counts_whole_or_not_at_all(cut: int) -> None:
    """A crash between two parts would leave half a state."""
    log: list[Record] = []
    worker = Worker(log)
    worker.take_over()
    worker.append(1, "a", 1)
    length = len(log)
    whole = {f"{place}": b'"' + b"x" * 150_000 + b'"' for place in range(15)}
    asyncio.run(worker.journal.append({"logs": 2}, whole, []))
    assert len(log) == length + 5
    kept = replayed(log[: length + cut])
    assert kept.positions == {"logs": 2 if cut == 5 else 1}
    assert kept.entries == ({"a": b"1", **whole} if cut == 5 else {"a": b"1"})


def test_what_is_outdated_goes_and_a_journal_stays_short() -> None:
    log: list[Record] = []
    worker = Worker(log)
    worker.take_over()
    for position in range(200):
        worker.append(position, "a", position)
    big = b'"' + b"x" * 90_000 + b'"'
    for position in range(200, 400):
        asyncio.run(worker.journal.append({"logs": position}, {"a": big}, []))
    assert len(compacted(log)) < 100
    assert replayed(compacted(log)).entries == {"a": big}


def test_a_part_that_a_producer_repeats_counts_once() -> None:
    """A broker without idempotent producers can hold a part twice: another entry's changes would be taken for its own."""
    log: list[Record] = []
    worker = Worker(log)
    worker.take_over()
    large = {f"name-{number}": b'"' + b"1" * journal.PART_BYTES + b'"' for number in range(2)}
    asyncio.run(worker.journal.append({"logs": 1}, large, []))
    owner, first, second = log
    kept = replayed([owner, first, first, second, second])
    assert (kept.positions, kept.entries) == ({"logs": 1}, large)
    worker.append(2, "another", 3)
    repeated = [owner, first, first, second, second, log[-1]]
    assert replayed(repeated) == replayed(log)
    assert replayed(repeated).positions == {"logs": 2}


def test_what_compaction_takes_early_does_not_come_back() -> None:
    """An entry whose end was compacted away while its beginning was being read would come back to life."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "OUTDATED_BYTES", 1)
        log: list[Record] = []
        worker = Worker(log)
        worker.take_over()
        worker.append(1, "over", 1)
        worker.append(2, "over", None)
        for position in range(3, 9):
            worker.append(position, "kept", position)
    without_its_end = [record for record in log if b'"over":null' not in (record[1] or b"")]
    assert len(without_its_end) == len(log) - 1
    assert replayed(without_its_end).entries == {"kept": b"8"}


def test_what_an_owner_wrote_holds_as_long_as_it_is_needed() -> None:
    """The mark of an owner would go before its entries, and a state of days would be void."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "OUTDATED_BYTES", 1)
        patch.setattr(journal, "CLEANED_BYTES", 1)
        log: list[Record] = []
        first = Worker(log)
        first.take_over()
        for number in range(30):
            first.append(number, f"old-{number}", number)
        second = Worker(log)
        second.take_over()
        for number in range(200):
            second.append(100 + number, "new", number)
            kept = replayed(compacted(log)).entries
            assert kept == {
                **{f"old-{each}": b"%d" % each for each in range(30)},
                "new": b"%d" % number,
            }
    assert sum(b"." not in key for key, _ in compacted(log)) == 1


def test_what_was_decided_is_spread_over_records_that_a_broker_takes() -> None:
    """The largest incidents, told to many channels, would stop the hop for ever."""
    log: list[Record] = []
    worker = Worker(log)
    worker.take_over()
    decided = [
        Outgoing("notices", b"k", bytes([number]) * 900_000, (("h", b"x" * 10),))
        for number in range(6)
    ]
    asyncio.run(worker.journal.append({"alerts": 1}, {"a": b"1"}, decided))

    assert len(log) == 1 + len(decided)
    assert max(len(value or b"") for _, value in log) < LARGE_BYTES / 2
    kept = replayed(log)
    assert kept.decided == decided
    assert (kept.positions, kept.entries) == ({"alerts": 1}, {"a": b"1"})
    # Without its last record there is no such entry.
    assert replayed(log[:-1]) == Kept()


def test_half_an_entry_is_no_part_of_the_next_one() -> None:
    """Positions of one would stand beside the state of the other."""
    log: list[Record] = []
    worker = Worker(log)
    worker.take_over()
    large = {f"name-{number}": b'"' + b"1" * journal.PART_BYTES + b'"' for number in range(2)}
    asyncio.run(worker.journal.append({"logs": 1}, large, []))
    first, _ = log[1:]
    asyncio.run(worker.journal.append({"logs": 2}, {**large, "name-0": b'"2"'}, []))
    kept = replayed([log[0], first, *log[3:]])
    assert (kept.positions, kept.entries["name-0"]) == ({"logs": 2}, b'"2"')
    assert kept.entries.keys() == large.keys()


class Consumer:
    """A broker's end of one partition: it says where it was read from."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.calls: list[tuple[Any, ...]] = []
        self.stopped = asyncio.Event()

    async def start(self) -> None:
        self.stopped.clear()
        self.calls.append(("start",))

    async def stop(self) -> None:
        self.calls.append(("stop",))
        self.stopped.set()

    def assign(self, places: list[TopicPartition]) -> None:
        self.calls.append(("assign", *places))

    async def seek_to_beginning(self, place: TopicPartition) -> None:
        self.calls.append(("beginning", place))

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.calls.append(("seek", place, offset))

    async def getone(self) -> Any:
        if not self.records:
            await asyncio.Event().wait()
        key, value = self.records.pop(0)
        return SimpleNamespace(key=key, value=value)


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    made = Consumer([])
    monkeypatch.setattr(journal, "AIOKafkaConsumer", lambda **_: made)
    return made


def on_broker(emitter: RecordingEmitter) -> Journal:
    return Journal(DETECT_JOURNAL, 2, Settings(topic_prefix="a."), emitter)  # type: ignore[arg-type]


PLACE = TopicPartition("a." + DETECT_JOURNAL.name, 2)


async def test_taking_over_reads_everything_up_to_the_own_mark(consumer: Consumer) -> None:
    """State would be missing, or that of a worker that lost the partition."""
    emitter = RecordingEmitter()
    mine = on_broker(emitter)
    before = ListJournal(log := RecordingEmitter())
    await before.take_over()
    await before.append({"logs": 7}, {"a": b"1"}, [])
    late = (b"late.e1.0", log.appended[1][1])
    consumer.records = [*log.appended, (mine._owner, b"{}"), late]
    await mine.take_over()
    assert (mine.kept.positions, mine.kept.entries) == ({"logs": 7}, {"a": b"1"})
    assert emitter.appended == [(mine._owner, b"{}")]
    assert consumer.records == [late]
    await consumer.stopped.wait()
    assert consumer.calls == [("start",), ("assign", PLACE), ("beginning", PLACE), ("stop",)]


async def test_what_others_wrote_in_between_is_read_from_the_own_last_record_on(
    consumer: Consumer,
) -> None:
    """A worker that lost its partition would go on, and so would the one that has it."""
    emitter = RecordingEmitter()
    mine = on_broker(emitter)
    consumer.records = [(mine._owner, b"{}")]
    await mine.take_over()
    await mine.append({"logs": 1}, {}, [])
    await consumer.stopped.wait()
    consumer.calls.clear()

    # A producer can repeat a record: nobody took over.
    emitter.appended.append(emitter.appended[-1])
    consumer.records = [emitter.appended[-1], (mine._owner + b".e2.0", b"")]
    await mine.append({"logs": 2}, {}, [])
    await consumer.stopped.wait()
    assert consumer.calls == [("start",), ("assign", PLACE), ("seek", PLACE, 2), ("stop",)]

    emitter.appended.append((b"another", b"{}"))
    consumer.records = [emitter.appended[-1], (mine._owner + b".e3.0", b"")]
    with pytest.raises(LostPartition, match=r"/2 was taken over by another worker$"):
        await mine.append({"logs": 3}, {"a": b"1"}, [])
    assert mine.kept.positions == {"logs": 2}
    await consumer.stopped.wait()
    assert consumer.calls[-2:] == [("seek", PLACE, 4), ("stop",)]


async def test_a_broker_that_does_not_answer_is_said_and_left(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition would wait for ever, and its worker would look as if it worked."""
    monkeypatch.setattr(journal, "PATIENCE", 0.0)
    with pytest.raises(Unavailable) as refusal:
        await on_broker(RecordingEmitter()).take_over()
    assert str(refusal.value) == f"{PLACE.topic}/2 could not be read: no answer in 0 s"
    assert consumer.calls[-1] == ("stop",)
