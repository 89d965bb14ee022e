"""A hop inside Faust: which partitions it has, and from where on it reads them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from schemas.topics import DETECT_JOURNAL, LOGS, TICKS, TopicDeclaration
from streams.agents import hop as under_test
from streams.agents import metrics
from streams.agents.hop import Hop
from streams.agents.outgoing import Outgoing
from streams.errors import SettingsError
from streams.settings import Settings
from tests.recording import ListJournal, Read, Record, RecordingApp, RecordingEmitter

PREFIX = "a."
LOGS_1, TICKS_1 = TP(PREFIX + LOGS.name, 1), TP(PREFIX + TICKS.name, 1)
LOGS_2, TICKS_2 = TP(PREFIX + LOGS.name, 2), TP(PREFIX + TICKS.name, 2)


@dataclass
class ListeningDesk:
    """Remembers the offsets of what it heard, and decides nothing but what it is to say."""

    heard: list[int] = field(default_factory=list)
    changed: dict[str, bytes | None] = field(default_factory=dict)
    #: What follows from each record.
    says: list[Outgoing] = field(default_factory=list)

    def hear(self, topic: TopicDeclaration, record: Any) -> list[Outgoing]:
        assert topic is LOGS
        self.heard.append(record.offset)
        self.changed["last"] = b"%d" % record.offset
        return self.says

    def tick(self, _: Any) -> list[Outgoing]:
        return []

    def changes(self) -> dict[str, bytes | None]:
        changed, self.changed = self.changed, {}
        return changed

    def restore(self, _: Any) -> None:
        pass


def at(place: TP, *offsets: int) -> Read:
    """A chunk of records at *offsets*."""
    return Read(*(Record(*place, offset, b"", b"{}") for offset in offsets))


class App(RecordingApp):
    """One with this hop, and the journals of all its partitions."""

    def __init__(self) -> None:
        super().__init__(Settings(topic_prefix=PREFIX))
        self.journals = {partition: RecordingEmitter() for partition in (1, 2)}
        self.desks: list[ListeningDesk] = []
        self.hop = Hop(
            self,  # type: ignore[arg-type]
            name="a-hop",
            inputs=(LOGS, TICKS),
            journal=DETECT_JOURNAL,
            desk=self._desk,
        )

    def _desk(self) -> Any:
        self.desks.append(ListeningDesk())
        return self.desks[-1]

    def journal(self, partition: int) -> ListJournal:
        return ListJournal(self.journals[partition], partition)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    made = App()
    monkeypatch.setattr(under_test, "Journal", lambda _, partition, *__: made.journal(partition))
    return made


async def test_reading_goes_back_to_what_is_in_no_entry(app: App) -> None:
    """What is committed can be ahead of it: what was only noted down would be forgotten."""
    before = app.journal(1)
    await before.take_over()
    # One topic was an input of an older release.
    await before.append(
        {LOGS.name: 9, TICKS.name: 4, "gone": 7}, {}, [], resume={LOGS.name: 5, TICKS.name: 4}
    )

    await app.assign(LOGS_1, TICKS_1)

    assert app.topics == (LOGS_1.topic, TICKS_1.topic)
    assert app.consumer.sought == [(LOGS_1, 5)]


async def test_what_was_on_its_way_while_reading_went_back_is_not_taken(app: App) -> None:
    """It stands behind what is missing: taken in, it would be all that is ever read there."""
    before = app.journal(1)
    await before.take_over()
    await before.append({LOGS.name: 9}, {}, [], resume={LOGS.name: 5})
    await app.assign(LOGS_1, TICKS_1)

    waiting = [at(LOGS_1, 9, 10), at(LOGS_1, 11, 12), at(LOGS_1, 13)]
    await app.reads(*waiting)

    assert app.desks[0].heard == []
    assert not any(chunk.message.delivery.taken for chunk in waiting)
    assert set(app.consumer.sought) == {(LOGS_1, 5)}
    await app.reads(at(LOGS_1, 5, 6, 7, 8), at(LOGS_1, 9, 10), at(LOGS_1, 11, 12))
    assert app.desks[0].heard == [5, 6, 7, 8, 9, 10, 11, 12]


async def test_missing_records_are_asked_for_until_they_come(app: App) -> None:
    """Faust can throw away what it fetched, and hand out what came after."""
    await app.assign(LOGS_1, TICKS_1)
    await app.reads(at(LOGS_1, 0, 1), at(LOGS_1, 4, 5), at(LOGS_1, 6), at(LOGS_1, 7))
    # One for each that came without those before it: any of them can have been read after reading was moved.
    assert app.consumer.sought == 3 * [(LOGS_1, 2)]
    await app.reads(at(LOGS_1, 2, 3), at(LOGS_1, 4, 5, 6, 7))
    assert app.desks[0].heard == [0, 1, 2, 3, 4, 5, 6, 7]
    assert len(app.consumer.sought) == 3


async def test_records_that_the_broker_deleted_are_not_waited_for(app: App) -> None:
    """The partition would stand still for ever."""
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    await app.reads(at(LOGS_1, 0), at(LOGS_1, 6, 7), at(LOGS_1, 8))
    assert app.consumer.sought == 2 * [(LOGS_1, 1)]
    # The first that is left can stand before what was seen, and after it.
    await app.reads(at(LOGS_1, 5, 6, 7), at(LOGS_1, 8))
    assert app.desks[0].heard == [0, 5, 6, 7, 8]

    await app.reads(at(LOGS_2, 0), at(LOGS_2, 6), at(LOGS_2, 9), at(LOGS_2, 9))
    assert app.consumer.sought[2:] == 2 * [(LOGS_2, 1)]
    assert app.desks[1].heard == [0, 9]
    # The next gap is another one, even where more was seen at the last one.
    await app.reads(at(LOGS_2, 12))
    assert app.consumer.sought[4:] == [(LOGS_2, 10)]
    await app.reads(at(LOGS_2, 90), at(LOGS_2, 10, 11), at(LOGS_2, 14))
    assert app.consumer.sought[5:] == [(LOGS_2, 10), (LOGS_2, 12)]


async def test_what_was_asked_for_is_forgotten_with_the_partition(app: App) -> None:
    """Whoever has it again would take the first gap for records that the broker deleted."""
    await app.assign(LOGS_1, TICKS_1)
    await app.reads(at(LOGS_1, 0), at(LOGS_1, 4))
    await app.on_partitions_revoked.comes({LOGS_1, TICKS_1})
    await app.assign(LOGS_1, TICKS_1)
    await app.reads(at(LOGS_1, 4))
    assert app.consumer.sought == 2 * [(LOGS_1, 1)]
    assert app.desks[1].heard == []


async def test_what_was_taken_keeps_no_records_and_is_acknowledged_later(app: App) -> None:
    """Acknowledged at once it would be lost by a crash, and kept in memory it would fill it."""
    await app.assign(LOGS_1, TICKS_1)
    read = at(LOGS_1, 0, 1)
    await app.reads(read)
    assert (read.message.delivery.taken, len(read.value)) == (True, 0)
    assert not read.acked.is_set()


async def test_a_partition_that_waits_for_the_broker_holds_up_no_other(app: App) -> None:
    """Alerts of many partitions would wait for each other's confirmations, one after the other."""
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    app.desks[0].says = [Outgoing("alerts", b"k", b"{}")]
    answers = app.journals[1].slow = asyncio.Event()
    reading = asyncio.ensure_future(app.reads(at(LOGS_1, 0), at(LOGS_1, 1), at(LOGS_2, 0)))
    async with asyncio.timeout(5):
        while not app.desks[1].heard:  # noqa: ASYNC110 - it says so to nobody
            await asyncio.sleep(0)
    assert (app.emitter.sent, reading.done()) == ([], False)
    answers.set()
    await reading
    assert app.emitter.sent == 2 * app.desks[0].says


async def test_what_follows_from_all_that_waits_is_written_down_at_once(app: App) -> None:
    """A burst of alerts would wait for the broker once for each chunk, and fall behind."""
    await app.assign(LOGS_1, TICKS_1)
    app.desks[0].says = [Outgoing("alerts", b"k", b"{}")]
    before = len(app.journals[1].appended)
    chunks = [at(LOGS_1, offset) for offset in range(20)]
    await app.reads(*chunks)
    assert len(app.journals[1].appended) == before + 1
    assert app.emitter.sent == 20 * app.desks[0].says
    assert all(chunk.acked.is_set() for chunk in chunks)


async def test_chunks_without_end_are_written_down_every_now_and_then(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alerts of a backlog would wait for its end."""
    monkeypatch.setattr(under_test, "TOGETHER", 0.0)
    await app.assign(LOGS_1, TICKS_1)
    app.desks[0].says = [Outgoing("alerts", b"k", b"{}")]
    before = len(app.journals[1].appended)
    await app.reads(*[at(LOGS_1, offset) for offset in range(20)])
    assert len(app.journals[1].appended) == before + 20


async def test_partitions_with_much_to_take_take_turns(app: App) -> None:
    """An alert of a quiet partition would wait for the backlog of a busy one."""
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    app.desks[1].heard = app.desks[0].heard
    await app.reads(at(LOGS_1, 0), at(LOGS_1, 1), at(LOGS_1, 2), at(LOGS_2, 70, 71))
    assert app.desks[0].heard.index(70) < app.desks[0].heard.index(2)


async def test_what_was_decided_before_a_gap_does_not_wait_for_what_is_missing(app: App) -> None:
    """Its alert would come when the records are there, or with the next flush."""
    await app.assign(LOGS_1, TICKS_1)
    app.desks[0].says = [Outgoing("alerts", b"k", b"{}")]
    await app.reads(at(LOGS_1, 0), at(LOGS_1, 5))
    assert app.emitter.sent == app.desks[0].says
    assert app.consumer.sought == [(LOGS_1, 1)]


async def test_a_fault_in_one_partition_ends_the_agent_with_that_fault(app: App) -> None:
    """Faust would start a worker again that lost its partition, or tell of a group of faults."""
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    app.desks[0].says = [Outgoing("alerts", b"k", b"{}")]
    app.journals[1].fail_next = "append"
    with pytest.raises(ConnectionError, match="append"):
        await app.reads(at(LOGS_1, 0), at(LOGS_2, 0))


async def test_a_fault_in_one_partition_leaves_no_other_half_way(app: App) -> None:
    """Whoever takes it over would send again what it had sent."""
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    for desk in app.desks:
        desk.says = [Outgoing("alerts", b"k", b"{}")]
    answers = app.journals[2].slow = asyncio.Event()
    app.journals[1].fail_next = "append"
    with pytest.raises(ConnectionError):
        await app.reads(at(LOGS_2, 0), at(LOGS_1, 0))
    answers.set()
    await app.on_before_shutdown.comes()
    assert app.emitter.sent == app.desks[1].says
    after = app.journal(2)
    await after.take_over()
    assert (after.kept.positions, after.kept.decided) == ({LOGS.name: 1}, [])


async def test_a_partition_is_opened_once_and_only_while_it_is_ours(app: App) -> None:
    """Opening it voids what its new owner writes."""
    assert app.missing() == "partitions of a-hop are being assigned"
    await app.reads(at(LOGS_1, 0))
    assert app.journals[1].appended == []

    await app.on_partitions_assigned.comes({LOGS_1, TICKS_1, LOGS_2, TICKS_2})
    assert app.missing() == "2 partitions of a-hop are being opened"
    await asyncio.gather(app.reads(at(LOGS_1, 0)), *app.futures)
    assert app.missing() is None
    assert [len(app.journals[partition].appended) for partition in (1, 2)] == [1, 1]
    assert {number: each.partition for number, each in app.hop.slices.items()} == {1: 1, 2: 2}

    await app.on_partitions_revoked.comes({LOGS_2, TICKS_2, TP("another", 1)})
    written = len(app.journals[2].appended)
    late = at(LOGS_2, 0)
    await app.reads(late)
    assert not late.message.delivery.taken
    assert len(app.journals[2].appended) == written
    assert list(app.hop.slices) == [1]
    assert app.missing() is None


async def test_a_partition_that_goes_is_written_down_to_the_end(app: App) -> None:
    """Its new owner would read again, and say again, what was said."""
    await app.assign(LOGS_1, TICKS_1)
    read = at(LOGS_1, 0, 1)
    await app.reads(read)
    await app.on_partitions_revoked.comes({LOGS_1, TICKS_1})
    assert read.acked.is_set()
    after = app.journal(1)
    await after.take_over()
    assert (after.kept.positions, after.kept.entries) == ({LOGS.name: 2}, {"last": b"1"})


async def test_nothing_is_shown_of_a_partition_that_goes(app: App) -> None:
    """It would look as if it stood still, beside what its new owner says."""
    gauges = ("tocsin_reached_timestamp_seconds", "tocsin_opened_seconds")
    of = {"hop": "a-hop", "partition": "1"}
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    metrics.REACHED.labels("a-hop", 1).set(1)
    assert None not in [REGISTRY.get_sample_value(name, of) for name in gauges]
    await app.on_partitions_revoked.comes({LOGS_1, TICKS_1})
    assert [REGISTRY.get_sample_value(name, of) for name in gauges] == [None, None]
    others = of | {"partition": "2"}
    assert REGISTRY.get_sample_value("tocsin_opened_seconds", others) is not None


async def test_a_partition_that_goes_while_it_is_opened_is_opened_by_nobody_here(app: App) -> None:
    await app.on_partitions_assigned.comes({LOGS_1, TICKS_1})
    await app.on_partitions_revoked.comes({LOGS_1, TICKS_1})
    await asyncio.gather(*app.futures)
    assert app.hop.slices == {}
    assert app.journals[1].appended == []


async def test_a_worker_that_stops_writes_everything_down_and_takes_nothing_more(app: App) -> None:
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    first, second, late = at(LOGS_1, 0), at(LOGS_2, 0), at(LOGS_1, 1)
    await app.reads(first, second)
    await app.on_before_shutdown.comes()
    await app.reads(late)
    assert (first.acked.is_set(), second.acked.is_set()) == (True, True)
    assert app.desks[0].heard == [0]
    assert not late.message.delivery.taken


async def test_a_worker_that_stops_does_not_wait_for_a_broker_for_ever(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be killed, and with it what other partitions could have written."""
    await app.assign(LOGS_1, TICKS_1)
    read = at(LOGS_1, 0)
    await app.reads(read)
    monkeypatch.setattr(under_test, "DRAIN_WITHIN", 0.0)
    await app.on_before_shutdown.comes()
    assert not read.acked.is_set()
    assert "work in hand given back hop=a-hop" in caplog.text


async def test_what_no_message_follows_from_is_written_down_every_now_and_then(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would be acknowledged before something is decided; a restart would read days again."""
    monkeypatch.setattr(under_test, "FLUSH_EVERY", 0.0)
    keep_flushing, _ = app.tasks
    flushing = asyncio.ensure_future(keep_flushing())
    await app.assign(LOGS_1, TICKS_1, LOGS_2, TICKS_2)
    first, second = at(LOGS_1, 0), at(LOGS_2, 0, 1)
    await app.reads(first, second)
    await first.acked.wait()
    await second.acked.wait()
    await app.on_before_shutdown.comes()
    await flushing

    assert REGISTRY.get_sample_value("tocsin_partitions", {"hop": "a-hop"}) == 2


async def test_inputs_with_other_partitions_than_each_other_are_refused(app: App) -> None:
    """Some partitions would be read without their ticks: nothing in them would ever be late."""
    with pytest.raises(SettingsError) as refused:
        await app.assign(LOGS_1, LOGS_2, TICKS_1, TP("another", 7))
    assert str(refused.value) == (
        "the inputs of a-hop were not assigned alike (a.telemetry.logs: [1, 2], a.clock.ticks: [1]): "
        "every topic must have TOCSIN_PARTITIONS=4 partitions"
    )
