"""Groups, mute times, merging, reminders and fallbacks."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1, TimingV1
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.delivery import Attempted, Deliveries, Rules
from streams.notifications.fallbacks import Fallback
from streams.notifications.times import TimeInterval
from tests.told import AT, notice

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WAIT, INTERVAL, REPEAT = 30 * SECOND, 5 * MINUTE, timedelta(hours=4)
GROUPED = TimingV1(group="g", wait=WAIT, interval=INTERVAL)
#: From 12:00 to 13:00.
NOON = TimeInterval.model_validate(
    {"name": "noon", "time_intervals": [{"times": [{"start_time": "12:00", "end_time": "13:00"}]}]}
)
ONE = datetime(2024, 3, 1, 13, 0, tzinfo=UTC)
KINDS = (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.MITIGATED, StepKind.RESOLVED)


def said(
    kind: StepKind = StepKind.OPENED,
    after: timedelta = timedelta(0),
    timing: TimingV1 | None = GROUPED,
    **changed: Any,
) -> NoticeV1:
    """A notice of the incident's step *kind*, which happened *after* ``AT``."""
    number = KINDS.index(kind) + 1 if kind in KINDS else 9
    made = notice(kind, changed.pop("channel", "chat"), changed.pop("number", number), **changed)
    return made.model_copy(update={"occurred_at": AT + after, "timing": timing})


def sent(
    deliveries: Deliveries, at: datetime, verdict: Verdict = Verdict.DELIVERED
) -> list[NoticeV1]:
    """Try all that is due, and return it."""
    tried = [pending.notice for pending in deliveries.due(at)]
    for each in tried:
        deliveries.started(each.notice_id)
        judged = Judgement(verdict, "HTTP 200")
        deliveries.settle(each.notice_id, Attempted(judged, "slack", SECOND), at, 0.0)
    return tried


def holding(*notices: NoticeV1, **rules: Any) -> Deliveries:
    deliveries = Deliveries(Rules(**rules))
    for each in notices:
        assert deliveries.accept(each)
    return deliveries


def reasons(receipts: list[ReceiptV1]) -> dict[str, str]:
    assert {each.outcome for each in receipts} <= {Outcome.MERGED}
    return {each.notice_id: each.reason for each in receipts}


def restarted(
    deliveries: Deliveries, entries: Mapping[str, bytes | None], **rules: Any
) -> Deliveries:
    fresh = Deliveries(Rules(**rules))
    fresh.restore({name: raw for name, raw in entries.items() if raw is not None})
    return fresh


# -- groups ---------------------------------------------------------------------------------------


def test_a_new_group_waits_for_more_of_it() -> None:
    """Otherwise ten incidents of one cause would be ten calls."""
    other = said(after=10 * SECOND, incident_id="INC-2024-03-01-008")
    deliveries = holding(said(), other)
    assert sent(deliveries, AT + WAIT - SECOND) == []
    assert len(sent(deliveries, AT + WAIT)) == 2


def test_a_group_that_was_told_of_waits_for_its_interval() -> None:
    """Otherwise each change would be a message."""
    deliveries = holding(said())
    assert len(sent(deliveries, AT + WAIT)) == 1
    assert deliveries.accept(said(StepKind.ACKNOWLEDGED, MINUTE))
    assert deliveries.accept(said(after=2 * MINUTE, incident_id="INC-2024-03-01-008"))
    assert sent(deliveries, AT + WAIT + INTERVAL - SECOND) == []
    assert len(sent(deliveries, AT + WAIT + INTERVAL)) == 2


def test_a_group_ends_with_its_last_incident() -> None:
    """Otherwise the next outage of a group would wait for an interval that nobody is in."""
    deliveries = holding(said())
    sent(deliveries, AT + WAIT)
    assert deliveries.accept(said(StepKind.RESOLVED, MINUTE))
    assert len(sent(deliveries, AT + WAIT + INTERVAL)) == 1
    # Not a whole number of intervals after the group was told of.
    late = timedelta(minutes=62)
    assert deliveries.accept(said(after=late, incident_id="INC-2024-03-01-008"))
    assert sent(deliveries, AT + late + WAIT - SECOND) == []
    assert len(sent(deliveries, AT + late + WAIT)) == 1


def test_channels_wait_each_for_itself() -> None:
    """Otherwise one route's wait would hold up another channel."""
    deliveries = holding(said(), said(channel="pager", timing=None))
    assert [each.channel for each in sent(deliveries, AT)] == ["pager"]


def test_a_restart_forgets_no_group() -> None:
    """Otherwise each deploy would begin all groups anew."""
    deliveries = holding(said())
    sent(deliveries, AT + WAIT)
    fresh = restarted(deliveries, deliveries.changes())
    assert fresh.accept(said(StepKind.ACKNOWLEDGED, MINUTE))
    assert sent(fresh, AT + WAIT + INTERVAL - SECOND) == []
    assert len(sent(fresh, AT + WAIT + INTERVAL)) == 1


# -- merging --------------------------------------------------------------------------------------


def test_what_waits_is_told_as_it_is_by_then() -> None:
    """Otherwise people would hear of a beginning, and in the same moment of all that followed."""
    opened, taken = said(), said(StepKind.ACKNOWLEDGED, 10 * SECOND)
    deliveries = holding(opened, taken)
    assert reasons(deliveries.receipts()) == {
        taken.notice_id: f"told together with {opened.notice_id}"
    }
    (told,) = sent(deliveries, AT + WAIT)
    assert (told.notice_id, told.purpose) == (opened.notice_id, Purpose.INITIAL)
    assert told.incident.acknowledged_by == "responder"
    assert told.update == "first alert of its group\nacknowledged by responder"
    assert not deliveries.accept(taken), "it was told"
    assert sent(deliveries, AT + timedelta(days=1)) == []


def test_what_is_over_before_anybody_was_told_is_told_to_nobody() -> None:
    """Otherwise people would be called for what is gone, or hear of an end without a beginning."""
    opened, ended = said(), said(StepKind.RESOLVED, 10 * SECOND)
    deliveries = holding(opened, ended)
    over = "it was over before anybody was told"
    assert reasons(deliveries.receipts()) == {opened.notice_id: over, ended.notice_id: over}
    assert sent(deliveries, AT + timedelta(days=1)) == []
    assert not deliveries.accept(opened)


def test_an_end_takes_the_place_of_updates_that_wait() -> None:
    """Otherwise an update would come beside the message that it is over."""
    deliveries = holding(said())
    sent(deliveries, AT + WAIT)
    assert deliveries.accept(said(StepKind.ACKNOWLEDGED, MINUTE))
    assert deliveries.accept(said(StepKind.RESOLVED, 2 * MINUTE))
    (told,) = sent(deliveries, AT + WAIT + INTERVAL)
    assert (told.purpose, told.step) == (Purpose.RESOLUTION, StepKind.RESOLVED)


def test_what_becomes_an_outage_waits_no_longer() -> None:
    """Otherwise the worst would be told with the delay of the harmless."""
    worse = said(StepKind.SEVERITY_CHANGED, 10 * SECOND, None, severity=1, severity_peak=1)
    deliveries = holding(said(), worse)
    (told,) = sent(deliveries, AT + 10 * SECOND)
    assert (told.purpose, told.incident.severity) == (Purpose.INITIAL, 1)


def test_a_call_neither_waits_nor_overtakes_nor_is_merged() -> None:
    """Otherwise an escalation would be a line in somebody's update."""
    call = said(StepKind.STATUS_CHANGED, 10 * SECOND, None, number=2).model_copy(
        update={"purpose": Purpose.ESCALATION}
    )
    deliveries = holding(said(), call)
    assert [each.purpose for each in sent(deliveries, AT + 10 * SECOND)] == [Purpose.INITIAL]
    assert [each.purpose for each in sent(deliveries, AT + 10 * SECOND)] == [Purpose.ESCALATION]


def test_what_was_tried_is_not_changed() -> None:
    """Otherwise a message that arrived, with its answer lost, would be repeated as another."""
    deliveries = holding(said(timing=None))
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    assert deliveries.accept(said(StepKind.RESOLVED, SECOND / 4, None))
    assert deliveries.receipts() == []
    assert [each.purpose for each in sent(deliveries, AT + MINUTE)] == [Purpose.INITIAL]


# -- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "mute"),
    [
        (TimingV1(group="g", mute=("noon",)), True),
        (TimingV1(group="g", active=("noon",)), False),
        (TimingV1(group="g", mute=("gone",), active=("gone",)), False),
        (None, False),
    ],
)
def test_nothing_goes_out_at_mute_times(timing: TimingV1 | None, *, mute: bool) -> None:
    """Otherwise people would be woken at times at which the policy lets them sleep."""
    deliveries = holding(said(timing=timing), intervals=[NOON])
    assert sent(deliveries, AT) == ([] if mute else [said(timing=timing)])
    assert sent(deliveries, ONE - SECOND) == []
    assert len(sent(deliveries, ONE)) == mute


def test_what_is_over_by_the_end_of_a_mute_time_is_told_to_nobody() -> None:
    """Otherwise people would begin their day with what the night has mended."""
    timing = TimingV1(group="g", mute=("noon",))
    deliveries = holding(said(timing=timing), intervals=[NOON])
    assert sent(deliveries, AT) == []
    assert deliveries.accept(said(StepKind.RESOLVED, SECOND, timing))
    assert sent(deliveries, ONE) == []
    assert len(deliveries.receipts()) == 2


# -- reminders ------------------------------------------------------------------------------------

REMINDED = TimingV1(group="g", repeat=REPEAT)


def test_people_are_reminded_until_it_is_over() -> None:
    """Otherwise an incident that nobody works on would be forgotten."""
    deliveries = holding(said(timing=REMINDED))
    assert list(deliveries.tick(AT + timedelta(days=1))) == [], "nobody was told yet"
    sent(deliveries, AT)
    assert list(deliveries.tick(AT + REPEAT - SECOND)) == []
    (reminder,) = deliveries.tick(AT + REPEAT)
    assert reminder.purpose is Purpose.REMINDER
    assert reminder.notice_id == said().notice_id + "~1"
    assert reminder.update == "still open: nothing new was said for 4h"
    assert reminder.next_update_at == AT + 2 * REPEAT
    assert list(deliveries.tick(AT + REPEAT)) == [], "once"
    assert deliveries.accept(reminder)
    assert list(deliveries.tick(AT + 3 * REPEAT)) == [], "not while one is on its way"
    sent(deliveries, AT + 3 * REPEAT)
    (again,) = deliveries.tick(AT + 4 * REPEAT)
    assert again.notice_id.startswith(said().notice_id + "~")
    assert again.notice_id != reminder.notice_id
    assert deliveries.accept(said(StepKind.RESOLVED, 4 * REPEAT, REMINDED))
    assert list(deliveries.tick(AT + timedelta(days=9))) == []


def test_news_put_off_the_reminder() -> None:
    """Otherwise people would be reminded of what they were told a minute ago."""
    deliveries = holding(said(timing=REMINDED))
    sent(deliveries, AT)
    assert deliveries.accept(said(StepKind.ACKNOWLEDGED, 3 * MINUTE, REMINDED))
    sent(deliveries, AT + 3 * MINUTE)
    assert list(deliveries.tick(AT + REPEAT)) == []
    assert len(list(deliveries.tick(AT + REPEAT + 3 * MINUTE))) == 1


def test_a_restart_forgets_no_reminder_and_repeats_none() -> None:
    """Otherwise each deploy would remind everybody, or nobody any more."""
    deliveries = holding(said(timing=REMINDED))
    sent(deliveries, AT)
    entries = dict(deliveries.changes())
    assert list(restarted(deliveries, entries).tick(AT + REPEAT)) == list(
        deliveries.tick(AT + REPEAT)
    )
    entries.update(deliveries.changes())
    assert list(restarted(deliveries, entries).tick(AT + REPEAT)) == []


# -- fallbacks ------------------------------------------------------------------------------------

FALLBACKS = {"chat": Fallback("mail", 2 * MINUTE), "mail": Fallback("chat", 2 * MINUTE)}


def test_what_is_given_up_goes_to_the_fallback() -> None:
    """Otherwise a channel with a wrong password would be silence."""
    deliveries = holding(said(timing=None), fallbacks=FALLBACKS)
    sent(deliveries, AT, Verdict.GIVE_UP)
    (instead,) = deliveries.follow_ups()
    assert instead.channel == "mail"
    assert instead.notice_id == said().notice_id + ">mail"
    assert instead.reason == "chat gave up: HTTP 200; routes[0]: severity 2"
    assert instead.instead_of == ("chat",)
    assert deliveries.follow_ups() == []
    assert deliveries.accept(instead)
    sent(deliveries, AT, Verdict.GIVE_UP)
    assert deliveries.follow_ups() == [], "it was tried before: round and round helps nobody"


def test_what_is_not_delivered_for_a_while_goes_to_the_fallback_once() -> None:
    """Otherwise an outage of the chat would be silence for as long as it is tried."""
    deliveries = holding(said(timing=None), fallbacks=FALLBACKS)
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    behind = said(after=MINUTE, timing=None, incident_id="INC-2024-03-01-008")
    assert deliveries.accept(behind)
    assert list(deliveries.tick(AT + 2 * MINUTE - SECOND)) == []
    told = list(deliveries.tick(AT + 2 * MINUTE))
    assert {each.notice_id for each in told} == {
        said().notice_id + ">mail",
        behind.notice_id + ">mail",
    }
    assert {each.reason for each in told} == {
        "chat has taken nothing for 2m; routes[0]: severity 2"
    }
    assert list(deliveries.tick(AT + 3 * MINUTE)) == []
    entries = deliveries.changes()
    assert list(restarted(deliveries, entries, fallbacks=FALLBACKS).tick(AT + 4 * MINUTE)) == []
    sent(deliveries, AT + 3 * MINUTE, Verdict.GIVE_UP)
    assert deliveries.follow_ups() == []


def test_a_channel_that_takes_something_is_not_failing() -> None:
    """Otherwise one bad message would send all others twice."""
    deliveries = holding(said(timing=None), fallbacks=FALLBACKS)
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    assert deliveries.accept(said(timing=None, incident_id="INC-2024-03-01-008"))
    sent(deliveries, AT + SECOND / 4)
    assert list(deliveries.tick(AT + timedelta(hours=1))) == []


def test_what_may_not_go_out_yet_is_not_late() -> None:
    """Otherwise the fallback would be told what the route holds back."""
    deliveries = holding(said(timing=None), fallbacks=FALLBACKS)
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    waits = TimingV1(group="h", wait=timedelta(hours=1))
    assert deliveries.accept(said(timing=waits, incident_id="INC-2024-03-01-008"))
    assert [each.incident_id for each in deliveries.tick(AT + 5 * MINUTE)] == [said().incident_id]


#: A channel without a fallback of its own.
OPEN = {
    "fallbacks": {"chat": Fallback("", 2 * MINUTE), "mail": Fallback("", 2 * MINUTE)},
    "substitutes": ["chat", "mail", "pager"],
}


def test_what_has_no_fallback_is_told_through_another_channel_once_for_each_incident() -> None:
    """Otherwise a channel that fails would be silence that nobody hears of; or every update would be told twice."""
    deliveries = holding(said(timing=None), **OPEN)
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    assert list(deliveries.tick(AT + 2 * MINUTE - SECOND)) == []
    (told,) = deliveries.tick(AT + 2 * MINUTE)
    assert (told.channel, told.instead_of, told.timing) == ("mail", ("chat",), None)
    assert told.reason == "chat has taken nothing for 2m; routes[0]: severity 2"
    assert deliveries.accept(said(StepKind.ACKNOWLEDGED, 3 * MINUTE, timing=None))
    assert list(deliveries.tick(AT + 4 * MINUTE)) == []
    entries = dict(deliveries.changes())
    again = restarted(deliveries, entries, **OPEN)
    assert list(again.tick(AT + 5 * MINUTE)) == []
    assert again.accept(said(after=5 * MINUTE, timing=None, incident_id="INC-2024-03-01-008"))
    assert [each.incident_id for each in again.tick(AT + 8 * MINUTE)] == ["INC-2024-03-01-008"]
    # Known for a week, and forgotten after it.
    list(again.tick(AT + timedelta(days=9)))
    assert [name for name, raw in again.changes().items() if raw is None and "instead" in name]


def test_the_first_that_works_stands_in() -> None:
    """Otherwise what one failing channel owes would be given to another one."""
    deliveries = holding(
        said(channel="mail", timing=None, incident_id="INC-2024-03-01-009"), **OPEN
    )
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    assert deliveries.accept(said(timing=None))
    sent(deliveries, AT, Verdict.GIVE_UP)
    (instead,) = deliveries.follow_ups()
    assert (instead.channel, instead.reason) == (
        "pager",
        "chat gave up: HTTP 200; routes[0]: severity 2",
    )


@pytest.mark.parametrize(
    ("kind", "rules"),
    [
        # Its end wakes nobody.
        (StepKind.RESOLVED, OPEN),
        # It is not set up: its author knows.
        (StepKind.OPENED, OPEN | {"fallbacks": {}}),
        (StepKind.OPENED, OPEN | {"substitutes": ["chat"]}),
    ],
)
def test_nobody_is_told_without_need(kind: StepKind, rules: dict[str, Any]) -> None:
    """Otherwise a channel that is off would call somebody for each message."""
    deliveries = holding(said(kind, timing=None), **rules)
    sent(deliveries, AT, Verdict.GIVE_UP)
    assert deliveries.follow_ups() == []


def test_what_is_owed_is_counted() -> None:
    """Otherwise nobody could alert on a channel without a fallback."""
    deliveries = holding(said(timing=None), said(channel="mail", timing=None))
    sent(deliveries, AT, Verdict.TRY_AGAIN)
    assert deliveries.overdue(AT + MINUTE, 2 * MINUTE) == {}
    assert deliveries.overdue(AT + 2 * MINUTE, 2 * MINUTE) == {"chat": 1, "mail": 1}
