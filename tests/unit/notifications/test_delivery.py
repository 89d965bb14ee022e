"""What is not settled: what is tried when, and what each attempt leaves behind."""

from datetime import timedelta

import pytest

from schemas import limits
from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.delivery import REMEMBERED, Attempted, Deliveries
from tests.told import AT, notice

TOOK = timedelta(milliseconds=80)
SECOND = timedelta(seconds=1)


def attempted(
    verdict: Verdict, reason: str = "HTTP 500", retry_after: timedelta | None = None
) -> Attempted:
    return Attempted(Judgement(verdict, reason, retry_after, "an-id"), "slack", TOOK)


#: The entry of what the receiver calls the first message.
FIRST = '["first","default","INC-2024-03-01-007","chat"]'
TAKEN = attempted(Verdict.DELIVERED, "HTTP 200")
REFUSED = attempted(Verdict.GIVE_UP, "HTTP 403")
FAILED = attempted(Verdict.TRY_AGAIN)

OPENED = notice(StepKind.OPENED, "chat", 1)
UPDATED = notice(StepKind.ACKNOWLEDGED, "chat", 2)
RESOLVED = notice(StepKind.RESOLVED, "chat", 3)


def holding(*notices: NoticeV1) -> Deliveries:
    deliveries = Deliveries()
    for each in notices:
        assert deliveries.accept(each)
    return deliveries


def due(deliveries: Deliveries, at=AT) -> list[str]:
    return [each.notice.notice_id for each in deliveries.due(at)]


def tried(
    deliveries: Deliveries, told: NoticeV1, how: Attempted, at=AT, chance: float = 1.0
) -> ReceiptV1:
    assert told.notice_id in due(deliveries, at)
    deliveries.started(told.notice_id)
    return deliveries.settle(told.notice_id, how, at, chance)


def restarted(*lives: Deliveries) -> Deliveries:
    """Return what begins with all that its earlier *lives* left behind."""
    entries = {name: raw for life in lives for name, raw in life.changes().items()}
    another = Deliveries()
    another.restore({name: raw for name, raw in entries.items() if raw is not None})
    return another


def test_a_notice_is_due_until_it_is_tried() -> None:
    """Otherwise it would be tried twice side by side, or never."""
    deliveries = holding(OPENED)
    assert due(deliveries) == [OPENED.notice_id] == due(deliveries)
    deliveries.started(OPENED.notice_id)
    assert due(deliveries, AT + timedelta(days=1)) == []


def test_delivered_is_the_end_and_its_receipt_says_how() -> None:
    """Otherwise people would be called again, or reports would not know of it."""
    deliveries = holding(OPENED)
    receipt = tried(deliveries, OPENED, TAKEN, AT + SECOND)
    assert receipt == ReceiptV1(
        occurred_at=AT + SECOND,
        notice_id=OPENED.notice_id,
        tenant="default",
        incident_id="INC-2024-03-01-007",
        purpose=Purpose.INITIAL,
        channel="chat",
        channel_kind="slack",
        attempt=1,
        outcome=Outcome.DELIVERED,
        reason="HTTP 200",
        requested_at=AT,
        took=TOOK,
        provider_id="an-id",
    )
    assert due(deliveries, AT + timedelta(days=1)) == []


def test_a_failure_waits_for_its_time_and_says_when() -> None:
    """Otherwise a receiver that just failed would be asked at once, or nobody would know that it will be."""
    deliveries = holding(OPENED)
    receipt = tried(deliveries, OPENED, FAILED)
    assert (receipt.outcome, receipt.attempt, receipt.retry_at) == (
        Outcome.RETRYING,
        1,
        AT + SECOND,
    )
    assert due(deliveries, AT + SECOND - timedelta(microseconds=1)) == []
    assert due(deliveries, AT + SECOND) == [OPENED.notice_id]
    again = tried(deliveries, OPENED, FAILED, AT + SECOND)
    assert (again.attempt, again.retry_at) == (2, AT + 3 * SECOND)
    assert again.event_id == f"{OPENED.notice_id}#2"


def test_patience_that_a_receiver_asks_for_is_given() -> None:
    """Otherwise ``Retry-After`` would be read and forgotten."""
    deliveries = holding(OPENED)
    patient = attempted(Verdict.TRY_AGAIN, "HTTP 429", timedelta(seconds=30))
    assert tried(deliveries, OPENED, patient).retry_at == AT + 30 * SECOND
    assert due(deliveries, AT + 29 * SECOND) == []
    assert due(deliveries, AT + 30 * SECOND) == [OPENED.notice_id]


def test_refused_is_the_end_at_once() -> None:
    """Otherwise what can never succeed would be tried for hours before anybody hears of it."""
    receipt = tried(holding(OPENED), OPENED, REFUSED)
    assert (receipt.outcome, receipt.reason, receipt.retry_at) == (
        Outcome.GIVEN_UP,
        "HTTP 403",
        None,
    )


def test_giving_up_is_a_receipt_too() -> None:
    """Otherwise the end of the attempts would be silence."""
    deliveries = holding(OPENED)
    tried(deliveries, OPENED, FAILED)
    # Severity 2 is tried for four hours from its first attempt.
    late = AT + timedelta(hours=4)
    receipt = tried(deliveries, OPENED, FAILED, late)
    assert (receipt.outcome, receipt.attempt, receipt.retry_at) == (Outcome.GIVEN_UP, 2, None)
    assert receipt.reason == "HTTP 500; given up after attempt 2"
    assert due(deliveries, late + timedelta(days=1)) == []


def test_a_long_reason_is_cut() -> None:
    """Otherwise a talkative receiver would make a receipt that cannot be written."""
    long = attempted(Verdict.GIVE_UP, "x" * (limits.LINE_LENGTH + 1))
    assert len(tried(holding(OPENED), OPENED, long).reason) == limits.LINE_LENGTH


@pytest.mark.parametrize("end", [TAKEN, REFUSED])
def test_what_is_known_is_not_taken_in_again(end: Attempted) -> None:
    """Otherwise a redelivered record would call people a second time."""
    deliveries = holding(OPENED)
    assert not deliveries.accept(OPENED)
    tried(deliveries, OPENED, end)
    assert not deliveries.accept(OPENED)
    assert not restarted(deliveries).accept(OPENED)
    assert due(deliveries) == []


def test_an_update_never_overtakes_what_it_updates() -> None:
    """Otherwise people would read of the end before the beginning, and a late beginning would page for what is over."""
    deliveries = holding(OPENED, UPDATED, RESOLVED)
    assert due(deliveries) == [OPENED.notice_id]
    tried(deliveries, OPENED, FAILED)
    assert due(deliveries) == []
    assert due(deliveries, AT + SECOND) == [OPENED.notice_id]
    tried(deliveries, OPENED, TAKEN, AT + SECOND)
    assert due(deliveries, AT + SECOND) == [UPDATED.notice_id]
    tried(deliveries, UPDATED, REFUSED, AT + SECOND)
    assert due(deliveries, AT + SECOND) == [RESOLVED.notice_id]


def test_lines_do_not_wait_for_each_other() -> None:
    """Otherwise a dead channel, or one incident that cannot be told, would silence the others."""
    elsewhere = [
        notice(StepKind.OPENED, "mail", 1),
        notice(StepKind.OPENED, "chat", 1, incident_id="INC-2024-03-01-008"),
        notice(StepKind.OPENED, "chat", 1, tenant="acme"),
    ]
    deliveries = holding(OPENED, UPDATED, *elsewhere)
    tried(deliveries, OPENED, FAILED)
    assert due(deliveries) == [each.notice_id for each in elsewhere]


def test_an_attempt_under_way_is_made_again_after_a_crash() -> None:
    """Otherwise a crash in the middle of an attempt would lose a page."""
    deliveries = holding(OPENED)
    deliveries.started(OPENED.notice_id)
    assert due(restarted(deliveries)) == [OPENED.notice_id]


def test_a_restart_forgets_no_wait_and_no_attempt() -> None:
    """Otherwise restarts would ask a failing receiver without end, or number two attempts the same."""
    deliveries = holding(OPENED, UPDATED)
    tried(deliveries, OPENED, FAILED)
    again = restarted(deliveries)
    assert due(again) == []
    assert due(again, AT + SECOND) == [OPENED.notice_id]
    assert tried(again, OPENED, FAILED, AT + SECOND).attempt == 2
    late = AT + timedelta(hours=4, seconds=-1)
    assert tried(restarted(again), OPENED, FAILED, late, chance=0.0).outcome is Outcome.GIVEN_UP


def test_a_restart_keeps_each_line_in_order() -> None:
    """Otherwise the end could be told before the beginning, because entries come back in any order."""
    deliveries = holding(OPENED, UPDATED, RESOLVED)
    entries = deliveries.changes()
    another = Deliveries()
    another.restore({name: entries[name] for name in sorted(entries, reverse=True)})
    for each in (OPENED, UPDATED, RESOLVED):
        assert due(another) == [each.notice_id]
        tried(another, each, TAKEN)


def test_each_change_is_said_once() -> None:
    """Otherwise the journal would grow without anything happening, or a restart would miss something."""
    deliveries = holding(OPENED)
    assert list(deliveries.changes()) == [OPENED.notice_id]
    assert deliveries.changes() == {}
    deliveries.started(OPENED.notice_id)
    assert deliveries.changes() == {}
    deliveries.settle(OPENED.notice_id, TAKEN, AT, 0.0)
    assert deliveries.changes() == {
        OPENED.notice_id: b'{"settled_at":"2024-03-01T12:30:15.250000+00:00"}',
        FIRST: (
            b'{"first":"an-id","line":["default","INC-2024-03-01-007","chat"],'
            b'"at":"2024-03-01T12:30:15.250000+00:00"}'
        ),
    }


def test_what_was_settled_is_forgotten_after_a_while() -> None:
    """Otherwise the state would grow for ever; or shrink so soon that a replay calls everybody again."""
    deliveries = holding(OPENED, notice(StepKind.OPENED, "mail", 1))
    tried(deliveries, OPENED, TAKEN)
    deliveries.changes()
    assert list(deliveries.tick(AT + REMEMBERED - timedelta(days=1))) == []
    assert deliveries.changes() == {}
    assert list(deliveries.tick(AT + REMEMBERED)) == []
    assert deliveries.changes() == {}, "exactly as old as what is remembered"
    assert list(deliveries.tick(AT + REMEMBERED + timedelta(hours=1))) == []
    assert deliveries.changes() == {}, "once a day is enough"
    assert list(deliveries.tick(AT + REMEMBERED + timedelta(days=1))) == []
    assert deliveries.changes() == {OPENED.notice_id: None, FIRST: None}
    assert deliveries.accept(OPENED)


def test_the_first_message_of_a_thread_outlives_a_restart() -> None:
    """Otherwise updates after a restart would begin a thread of their own."""
    deliveries = holding(OPENED)
    tried(deliveries, OPENED, TAKEN)
    entries = {name: raw for name, raw in deliveries.changes().items() if raw is not None}
    restarted = Deliveries()
    restarted.restore(entries)
    update = notice(StepKind.ACKNOWLEDGED, OPENED.channel, 2)
    assert restarted.first(update) == deliveries.first(update) == "an-id"
    assert restarted.first(notice(StepKind.ACKNOWLEDGED, "elsewhere", 2)) is None
