"""A desk that notes down most of what it passes over: what is in no entry is read again, and answered once."""

from collections.abc import Mapping, Sequence

import pytest
from faust.types import TP

from schemas.contract import Unreadable
from schemas.topics import LOGS, TopicDeclaration
from streams.agents import checkpoints
from streams.agents.checkpoints import Slice
from streams.agents.dead_letters import OFFSET
from streams.agents.outgoing import Outgoing
from streams.agents.transport import Chunk
from streams.detection.ledger import Changes, Keep
from tests.recording import CountingDesk, Event, ListJournal, Record, RecordingEmitter, took
from tests.unit.agents.test_checkpoints import INPUTS, Clock


class NotingDesk(CountingDesk):
    """Notes down what says ``{}`` and hears the rest; it writes down what it noted when it must write everything."""

    def __init__(self) -> None:
        super().__init__()
        self.skimmed: list[int] = []
        self.heard: list[int] = []
        self.stumbles = False
        self.begun: dict[str, int] = {}
        self._written: dict[str, int] = {}

    def hear(self, topic: TopicDeclaration, record: Record) -> list[Outgoing]:
        self.heard.append(record.offset)
        if record.value == b"?":
            message = "value: is not JSON"
            raise Unreadable(message)
        return super().hear(topic, record)

    def begin(self, positions: Mapping[str, int]) -> None:
        self.begun = self._written = dict(positions)

    def skim(self, _: TopicDeclaration, records: Sequence[Record], start: int) -> int:
        if self.stumbles:
            raise ZeroDivisionError
        for place in range(start, len(records)):
            if records[place].value != b"{}":
                return place
            self.skimmed.append(records[place].offset)
        return len(records)

    def write_down(self, positions: Mapping[str, int], keep: Keep) -> Changes:
        if self.stumbles:
            raise ZeroDivisionError
        if keep is Keep.ALL:
            self._written = dict(positions)
        return Changes(dict(self.changes()), self._written)


async def noting(emitter: RecordingEmitter, clock: Clock | None = None) -> tuple[Slice, NotingDesk]:
    desk = NotingDesk()
    clock = clock or Clock()
    piece = Slice("detect", INPUTS, desk, ListJournal(emitter), emitter, clock=clock)  # type: ignore[arg-type]
    await piece.open()
    return piece, desk


def said(*values: str, start: int = 0) -> Chunk:
    """Records of one key that say *values*."""
    return Chunk(
        TP(LOGS.name, 0),
        [Record(LOGS.name, 0, start + n, b"a", value.encode()) for n, value in enumerate(values)],
    )


async def test_what_was_only_noted_down_is_read_again() -> None:
    """What is committed lies behind it: a crash would forget what no entry holds."""
    emitter = RecordingEmitter()
    piece, desk = await noting(emitter)
    event = Event()
    await took(piece, said("{}", "!", "{}", "!", "!"), event)
    assert (desk.skimmed, desk.heard, event.acked) == ([0, 2], [1, 3, 4], True)

    # Nothing of it was ever in an entry: it begins with the first record.
    piece, desk = await noting(emitter)
    assert piece.read_again == {LOGS.name: 0}
    assert piece.gap(said("{}", start=5)) == 0
    await took(piece, said("{}", "!", "{}"), Event())
    assert desk.skimmed == [0, 2]
    await piece.flush(final=True)

    piece, desk = await noting(emitter)
    assert piece.read_again == {LOGS.name: 3}
    assert desk.begun == {LOGS.name: 3}
    await took(piece, said("!", "!", start=3), Event())
    assert piece.read_again == {}


async def test_a_record_that_fails_us_takes_nothing_with_it_that_was_noted_down() -> None:
    """What stands before it is in no entry, and would be read by nobody."""
    emitter = RecordingEmitter()
    piece, _ = await noting(emitter)
    await took(piece, said("{}", "!", "!", "!"), Event())
    with pytest.raises(ZeroDivisionError):
        await took(piece, said("fault", start=4), Event())
    for _ in range(2):
        piece, desk = await noting(emitter)
        assert piece.read_again == {LOGS.name: 0}
    await took(piece, said("{}", "!", "!", "!", "fault", "{}"), Event())
    assert (desk.heard, desk.skimmed) == ([0, 1, 2, 3, 5], [])


async def test_what_was_only_noted_down_is_acknowledged_after_a_while() -> None:
    """Where nothing ever happens everything would be read again after a restart."""
    clock, emitter, event = Clock(), RecordingEmitter(), Event()
    piece, _ = await noting(emitter, clock)
    await took(piece, said("{}", "{}"), event)
    clock.now = checkpoints.POSITIONS_EVERY
    await piece.flush()
    assert event.acked


async def test_what_is_read_again_is_acknowledged_and_put_aside_once() -> None:
    """Every restart would repeat the dead letters of the last minutes."""
    emitter = RecordingEmitter()
    piece, _ = await noting(emitter)
    await took(piece, said("{}", "?", "{}", "{}"), Event())
    assert [letter.topic for letter in emitter.sent] == [LOGS.dead]
    emitter.sent.clear()

    piece, desk = await noting(emitter)
    emitter.sent.clear()  # The last entry's are sent again, under the same ids.
    again = Event()
    await took(piece, said("{}", "?"), again)
    assert (desk.heard, again.acked, emitter.sent) == ([1], True, [])
    await piece.flush(final=True)
    # How far was read is not taken back.
    _, after = piece, await noting(emitter)
    assert (after[0].positions, after[0].read_again) == ({LOGS.name: 2}, {LOGS.name: 2})
    await took(after[0], said("{}", "{}", "?", start=2), Event())
    assert [dict(letter.headers)[OFFSET] for letter in emitter.sent] == [b"4"]


@pytest.mark.parametrize("fails", ["at a glance", "when it is written down"])
async def test_what_fails_us_unheard_is_heard_in_full_by_the_next_worker(fails: str) -> None:
    """Every worker after it would stop at the same place, or a record that is not to blame would be put aside."""
    emitter = RecordingEmitter()
    piece, desk = await noting(emitter)
    if fails == "at a glance":
        desk.stumbles = True
        with pytest.raises(ZeroDivisionError):
            await took(piece, said("{}", "{}", "{}"), Event())
    else:
        await took(piece, said("{}", "{}", "{}"), Event())
        desk.stumbles = True
        with pytest.raises(ZeroDivisionError):
            await piece.flush()
    assert emitter.sent == []

    piece, desk = await noting(emitter)
    with pytest.raises(ZeroDivisionError):
        await took(piece, said("{}", "fault", "{}"), Event())
    (letter,) = emitter.sent
    assert dict(letter.headers)[OFFSET] == b"1"

    # Until that lies behind, whatever is written down in between.
    piece, desk = await noting(emitter)
    await took(piece, said("{}", "fault"), Event())
    await piece.flush(final=True)
    piece, desk = await noting(emitter)
    await took(piece, said("{}", "{}", start=2), Event())
    assert (desk.heard, desk.skimmed) == ([2], [3])
    assert emitter.sent == [letter]


async def test_what_cannot_be_written_down_is_not_taken_for_written_down() -> None:
    """What it was noted for would be forgotten: the second time there is nothing left of it to fail at."""
    emitter = RecordingEmitter()
    piece, desk = await noting(emitter)
    await took(piece, said("{}"), Event())
    desk.stumbles = True
    with pytest.raises(ZeroDivisionError):
        await piece.flush()
    desk.stumbles = False
    await piece.flush(final=True)
    piece, _ = await noting(emitter)
    assert piece.positions == {}
