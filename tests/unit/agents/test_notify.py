"""The end of a worker that notifies: no attempt begins once it was asked to stop, and what takes too long is given back."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.contract import Contract
from schemas.notices import NoticeV1, ReceiptV1
from schemas.ticks import TickV1
from schemas.topics import NOTICES, RECEIPTS, TopicDeclaration
from streams.agents import notify as under_test
from streams.agents.notify import Notifier, NotifyDesk, delivery_rules
from streams.agents.outgoing import Outgoing, outgoing
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.channels.pagerduty import PagerDuty
from streams.notifications.channels.slack import Slack
from streams.notifications.channels.webhook import Webhook
from streams.notifications.delivery import Attempted, Deliveries, Rules
from streams.notifications.fallbacks import Fallback
from streams.policy import Policy
from tests.recording import Record
from tests.told import notice

NOTICE = notice()
RECEIPT = ReceiptV1.from_wire(
    Path("schemas/examples/tocsin.receipt.v1/delivered.json").read_bytes()
)
TOOK = Attempted(Judgement(Verdict.DELIVERED, "HTTP 200"), "webhook", under_test.OWED_AFTER)


class App:
    """What a notifier needs of the app: it hears of the end, and remembers crashes."""

    def __init__(self) -> None:
        self.on_before_shutdown = self
        self.ends: list[Callable[..., Any]] = []
        self.tasks: list[Callable[..., Any]] = []
        self.faults: list[BaseException] = []
        self.crashed = asyncio.Event()

    def connect(self, end: Callable[..., Any]) -> None:
        self.ends.append(end)

    def task(self, what: Callable[..., Any]) -> None:
        self.tasks.append(what)

    async def crash(self, fault: BaseException) -> None:
        self.faults.append(fault)
        self.crashed.set()


class Receiver:
    """Answers when it is allowed to."""

    def __init__(self) -> None:
        self.asked: list[NoticeV1] = []
        self.has_been_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.fault: Exception | None = None
        self.used: list[Policy] = []

    def use(self, policy: Policy) -> None:
        self.used.append(policy)

    async def attempt(self, told: NoticeV1, first: str | None) -> Attempted:
        del first
        self.asked.append(told)
        self.has_been_asked.set()
        await self.may_answer.wait()
        if self.fault is not None:
            raise self.fault
        return TOOK


class Piece:
    """A slice whose journal can be slow, and whose producer is closed at the end."""

    def __init__(self) -> None:
        deliveries = Deliveries()
        assert deliveries.accept(NOTICE)
        self.desk = NotifyDesk(deliveries, lambda: None, lambda _: None)
        self.flushing = asyncio.Event()
        self.may_write = asyncio.Event()
        self.sent: list[Outgoing] = []
        self.closed = False
        self.failed = False

    async def flush(self) -> None:
        self.flushing.set()
        await self.may_write.wait()

    async def decide(self, act: Callable[[], Iterable[Outgoing]]) -> None:
        if self.closed:
            message = "the producer is closed"
            raise ConnectionError(message)
        self.sent.extend(act())


class Worker:
    """A notifier with one partition."""

    def __init__(self) -> None:
        self.app, self.receiver, self.piece = App(), Receiver(), Piece()
        made = Notifier(self.app, self.receiver, Policy())  # type: ignore[arg-type]
        self.notifier = made
        self.slices = {0: self.piece}
        made.hop = SimpleNamespace(slices=self.slices)  # type: ignore[assignment]
        self.delivering = asyncio.create_task(self.app.tasks[0]())
        made.wake()

    async def stop(self) -> None:
        for end in self.app.ends:
            await end(self.app)
        self.piece.closed = True

    async def settled(self) -> None:
        """Let everything run that can."""
        self.piece.may_write.set()
        self.receiver.may_answer.set()
        await self.delivering
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "FINISH_WITHIN", 0.0)


async def test_no_attempt_begins_once_the_worker_stops() -> None:
    """It could end after the producer was closed: who was told would be told again."""
    worker = Worker()
    await worker.piece.flushing.wait()
    await worker.stop()
    await worker.settled()
    assert worker.receiver.asked == []
    assert worker.app.faults == []


async def test_what_is_under_way_is_waited_for() -> None:
    worker = Worker()
    worker.piece.may_write.set()
    await worker.receiver.has_been_asked.wait()
    stopping = asyncio.create_task(worker.stop())
    worker.receiver.may_answer.set()
    await stopping
    assert [each.topic for each in worker.piece.sent] == [RECEIPTS.name]
    await worker.settled()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [None, ConnectionError("closed")])
async def test_what_takes_too_long_is_given_back(fault: Exception | None) -> None:
    """The producer is closed by then, and so is the connection: the end would count as a crash."""
    worker = Worker()
    worker.receiver.fault = fault
    worker.piece.may_write.set()
    await worker.receiver.has_been_asked.wait()
    await worker.stop()
    await worker.settled()
    assert worker.piece.sent == []
    assert worker.app.faults == []


async def test_what_ended_after_its_partition_went_is_dropped() -> None:
    """Whoever has it now tries again and says so: there would be two receipts, one of them from nobody."""
    worker = Worker()
    worker.piece.may_write.set()
    await worker.receiver.has_been_asked.wait()
    worker.slices[0] = Piece()
    worker.receiver.may_answer.set()
    await worker.stop()
    assert worker.piece.sent == []
    worker.slices[0].may_write.set()
    await worker.settled()


async def test_a_notice_is_journaled_before_its_first_attempt() -> None:
    """A crash during the attempt would leave nobody who knows of it."""
    worker = Worker()
    await worker.piece.flushing.wait()
    await asyncio.sleep(0)
    assert worker.receiver.asked == []
    worker.piece.may_write.set()
    await worker.receiver.has_been_asked.wait()
    assert worker.receiver.asked == [NOTICE]
    worker.receiver.may_answer.set()
    await worker.stop()
    await worker.settled()


async def test_where_nothing_can_be_written_down_nobody_is_told() -> None:
    """Whoever takes over knows nothing of it, and tells them again."""
    worker = Worker()
    await worker.piece.flushing.wait()
    worker.piece.failed = True
    worker.piece.may_write.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert worker.receiver.asked == []
    await worker.stop()
    await worker.settled()


async def test_an_outcome_that_cannot_be_written_down_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Worker()
    worker.piece.may_write.set()
    await worker.receiver.has_been_asked.wait()
    worker.piece.failed = True
    worker.receiver.may_answer.set()
    await worker.stop()
    assert worker.piece.sent == []
    assert f"outcome dropped notice={NOTICE.notice_id}" in caplog.text
    await worker.settled()


async def test_attempts_are_made_under_the_policy_in_force() -> None:
    """A new address or secret would be used by nobody until somebody restarts."""
    worker = Worker()
    assert worker.receiver.used == [Policy()]
    new = Policy.model_validate({"channels": {"chat": Slack(url="https://example.org/x")}})
    worker.notifier.use(new)
    assert worker.receiver.used[1:] == [new]
    worker.piece.may_write.set()
    await worker.stop()
    await worker.settled()


class Told:
    """Deliveries that remember what they were told, and say what they are to say."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.new = True

    def accept(self, told: NoticeV1) -> bool:
        self.heard.append(told)
        return self.new

    def receipts(self) -> list[Any]:
        return [RECEIPT]

    def tick(self, at: datetime) -> list[NoticeV1]:
        self.heard.append(at)
        return [NOTICE]

    def changes(self) -> dict[str, bytes | None]:
        return {"a": b"1"}

    def restore(self, entries: Any) -> None:
        self.heard.append(entries)

    def follow(self, rules: Rules) -> None:
        self.heard.append(rules)


def test_a_partition_passes_on_what_its_deliveries_say() -> None:
    """A receipt, a reminder or a fallback would never be sent, or a notice wait until the next look."""
    told, woken, used = Told(), [], []
    desk = NotifyDesk(told, lambda: woken.append(True), used.append)  # type: ignore[arg-type]

    assert list(desk.hear(NOTICES, record := _record(NOTICE))) == [_sent(RECEIPTS, RECEIPT)]
    assert (told.heard, len(woken)) == ([NOTICE], 1)
    told.new = False
    assert list(desk.hear(NOTICES, record)) == [_sent(RECEIPTS, RECEIPT)]
    assert len(woken) == 1

    at = NOTICE.occurred_at
    assert list(desk.tick(TickV1(occurred_at=at, partition=0))) == [_sent(NOTICES, NOTICE)]
    assert desk.changes() == {"a": b"1"}
    desk.restore({"b": b"2"})
    assert len(woken) == 2
    desk.use(Policy())
    assert used == [Policy()]
    assert told.heard[2:] == [at, {"b": b"2"}, delivery_rules(Policy())]


def _record(message: Contract) -> Record:
    return Record(NOTICES.name, 0, 0, b"", message.to_wire())


def _sent(topic: TopicDeclaration, message: Contract) -> Outgoing:
    return outgoing(topic, message, source="notify")


async def test_a_fault_of_ours_ends_the_worker() -> None:
    worker = Worker()
    worker.receiver.fault = ZeroDivisionError()
    worker.piece.may_write.set()
    worker.receiver.may_answer.set()
    await worker.app.crashed.wait()
    assert isinstance(worker.app.faults[0], ZeroDivisionError)
    await worker.stop()
    await worker.settled()


def shown(metric: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"tocsin_{metric}", labels)


async def test_what_became_of_attempts_is_counted_by_channel() -> None:
    """A notice that was given up is owed no longer: nobody would see that nobody was told."""
    worker = Worker()
    worker.notifier.use(Policy.model_validate({"channels": {NOTICE.channel: Slack()}}))
    # There before the first one: growth from nothing is no growth to Prometheus.
    assert shown("attempts_total", channel=NOTICE.channel, outcome="given_up") is not None
    before = shown("attempts_total", channel=NOTICE.channel, outcome="delivered")
    assert before is not None
    worker.piece.may_write.set()
    worker.receiver.may_answer.set()
    await worker.receiver.has_been_asked.wait()
    await worker.stop()
    await worker.settled()
    assert shown("attempts_total", channel=NOTICE.channel, outcome="delivered") == before + 1


async def test_figures_of_channels_that_are_gone_go() -> None:
    """A channel that nobody has any more would owe notices for ever."""
    worker = Worker()
    worker.notifier.use(Policy.model_validate({"channels": {"old": Slack()}}))
    worker.piece.may_write.set()
    worker.receiver.may_answer.set()
    await worker.receiver.has_been_asked.wait()
    await worker.stop()
    await worker.settled()
    assert shown("notices_owed", channel="old") == 0
    worker.notifier.use(Policy.model_validate({"channels": {"new": Slack()}}))
    assert shown("notices_owed", channel="old") is None
    assert shown("attempts_total", channel="old", outcome="delivered") is None
    assert shown("attempts_total", channel="new", outcome="delivered") == 0


def test_who_stands_in_follows_from_the_policy() -> None:
    """Otherwise a channel that is off would call somebody, or customers would read what is meant for us."""
    rules = delivery_rules(
        Policy.model_validate(
            {
                "channels": {
                    "chat": Slack(url="https://example.org/x"),
                    "off": Slack(),
                    "named": Slack(fallback="chat", fallback_after="1m"),
                    "pager": PagerDuty(routing_key="R"),
                    "program": Webhook(url="https://example.org/x", secret="s"),
                    "ends": PagerDuty(routing_key="R"),
                    "private": PagerDuty(routing_key="R"),
                },
                "routes": [
                    {"channels": ["off", "program"], "routes": [{"channels": ["pager"]}]},
                    {"channels": ["ends"], "purposes": ["resolution"]},
                    {"channels": ["chat", "pager"]},
                ],
            }
        )
    )
    assert rules.substitutes == ["pager", "chat"]
    assert rules.fallbacks["named"] == Fallback("chat", timedelta(minutes=1))
    assert rules.fallbacks["chat"] == Fallback("", timedelta(minutes=5))
    assert "off" not in rules.fallbacks
