"""What the demo must have seen: each expectation holds for what is right and names what is wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.lifecycle import IncidentV1, Status, StepKind, StepV1
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from schemas.telemetry import HealthStatus, HealthV1
from schemas.topics import HEALTH, LIFECYCLE, RECEIPTS
from streams.laptop.demo import expectations, story
from streams.laptop.demo.watching import Seen, summary

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "INC-2026-03-01-001"
INCIDENT = IncidentV1(
    occurred_at=AT,
    incident_id=ID,
    sequence=6,
    status=Status.RESOLVED,
    severity=1,
    severity_first=1,
    severity_peak=1,
    summary="Database is down",
    service="shop",
    group_key="shop/production",
    started_at=AT,
    detected_at=AT + timedelta(seconds=2),
    acknowledged_at=AT + timedelta(seconds=5),
    resolved_at=AT + timedelta(seconds=30),
    time_resolved=timedelta(seconds=4),
)


def steps(*kinds: StepKind) -> list[StepV1]:
    return [
        StepV1(
            occurred_at=AT,
            step_id=f"{ID}.{number}",
            incident_id=ID,
            sequence=number,
            kind=kind,
            author="tocsin",
            source="alert",
            reason="r",
            trigger_id="t",
            incident=INCIDENT,
        )
        for number, kind in enumerate(kinds, 1)
    ]


def notice(channel: str, purpose: Purpose = Purpose.INITIAL) -> NoticeV1:
    return NoticeV1(
        occurred_at=AT,
        notice_id=f"{purpose}-{channel}",
        incident_id=ID,
        step=StepKind.OPENED,
        purpose=purpose,
        channel=channel,
        reason="severity 1",
        incident=INCIDENT,
    )


def receipt(channel: str, outcome: Outcome = Outcome.DELIVERED, attempt: int = 1) -> ReceiptV1:
    return ReceiptV1(
        occurred_at=AT,
        notice_id=f"initial-{channel}",
        incident_id=ID,
        purpose=Purpose.INITIAL,
        channel=channel,
        channel_kind=channel,
        attempt=attempt,
        outcome=outcome,
        reason="ok",
        requested_at=AT,
        took=timedelta(milliseconds=9),
    )


def health(check: str, status: HealthStatus, second: int) -> HealthV1:
    at = AT + timedelta(seconds=second)
    return HealthV1(
        occurred_at=at, service="shop", check=check, status=status, signal_id=f"{check}@{second}"
    )


def test_a_baseline_is_healthy_only_when_all_checks_were_so_lately() -> None:
    """Otherwise the story could begin in the middle of an outage."""
    well = [
        health(check, HealthStatus.HEALTHY, second)
        for second in (1, 2)
        for check in ("API", "Database")
    ]
    assert expectations.all_well(well, ["API", "Database"], times=2) is None
    assert expectations.all_well(well, ["API", "Redis"], times=2) == (
        "Redis healthy 2 times in a row, seen nothing"
    )
    ill = [*well, health("Database", HealthStatus.UNHEALTHY, 3)]
    assert expectations.all_well(ill, ["API", "Database"], times=2) == (
        "Database healthy 2 times in a row, seen healthy, unhealthy"
    )
    assert expectations.all_well(well[:2], ["API"], times=2) is not None


def test_the_story_may_have_other_steps_in_between() -> None:
    """Otherwise a second alert, which joins the incident, would fail the demo."""
    kinds = list(expectations.STORY)
    kinds.insert(2, StepKind.ALERT_ATTACHED)
    assert expectations.story_is_complete(steps(*kinds)) is None


@pytest.mark.parametrize("missing", expectations.STORY)
def test_a_story_without_one_of_its_steps_is_not_complete(missing: StepKind) -> None:
    """Otherwise the demo would pass without having shown it."""
    kinds = [kind for kind in expectations.STORY if kind is not missing]
    said = expectations.story_is_complete(steps(*kinds))
    assert said is not None
    assert said.startswith("steps opened, acknowledged, assigned")


def test_a_story_in_another_order_is_not_the_story() -> None:
    """Otherwise an acknowledgement after the end would count."""
    kinds = [*expectations.STORY[:1], *expectations.STORY[2:], StepKind.ACKNOWLEDGED]
    assert expectations.story_is_complete(steps(*kinds)) is not None


def test_steps_that_are_missing_or_twice_are_seen() -> None:
    """Otherwise a gap in the public stream would go unnoticed."""
    told = steps(*expectations.STORY)
    assert expectations.story_is_complete(told[:2] + told[3:]) == (
        "steps numbered 1 to 5, seen [1, 2, 4, 5, 6]"
    )
    assert expectations.story_is_complete([*told, told[0]]) is not None


def test_a_second_incident_is_seen() -> None:
    """Otherwise alerts of one cause could make several incidents."""
    told = steps(StepKind.OPENED, StepKind.ALERT_ATTACHED)
    assert expectations.one_incident(told) is None
    assert expectations.one_incident([]) == "one incident, seen none"
    other = told[0].model_copy(update={"incident_id": "INC-2026-03-01-002"})
    assert expectations.one_incident([*told, other]) == (
        "one incident, seen INC-2026-03-01-001, INC-2026-03-01-002"
    )


def test_everyone_was_told_needs_a_delivered_notice_of_each_kind() -> None:
    """Otherwise a channel that is configured wrong would go unnoticed."""
    seen = Seen()
    for kind in story.CHANNEL_KINDS:
        seen.notices.append(notice(kind))
        assert story.delivered(seen, ID, Purpose.INITIAL) is None
        seen.receipts.append(receipt(kind, Outcome.RETRYING))
        assert story.delivered(seen, ID, Purpose.INITIAL) is None
        seen.receipts.append(receipt(kind, attempt=2))
    told = story.delivered(seen, ID, Purpose.INITIAL)
    assert told is not None
    assert told[0] == "slack (slack): ok, attempt 2, 0.00 s after the step"
    assert len(told) == 5
    assert story.delivered(seen, ID, Purpose.RESOLUTION) is None
    assert story.delivered(seen, "INC-2026-03-01-002", Purpose.INITIAL) is None
    # A second channel of a kind that was told already is waited for as well.
    seen.notices.append(notice("another-slack"))
    assert story.delivered(seen, ID, Purpose.INITIAL) is None


def test_a_notice_that_was_delivered_twice_is_seen() -> None:
    """Otherwise a repeated page would pass."""
    once = [receipt("slack", Outcome.RETRYING), receipt("slack", attempt=2)]
    assert expectations.nobody_was_told_twice(once, {"slack": 1, "sms": 0}) is None
    assert expectations.nobody_was_told_twice(
        [*once, receipt("slack", attempt=3)], {"slack": 2}
    ) == ("each notice delivered once, seen twice: initial-slack")
    assert expectations.nobody_was_told_twice(once, {"slack": 2}) == (
        "messages as receipts say ({'slack': 1}), receivers got {'slack': 2}"
    )
    assert expectations.nobody_was_told_twice(once, {}) is not None


def test_the_warehouse_must_say_the_same_durations() -> None:
    """Otherwise wrong figures would be shown with confidence."""
    right: dict[str, Any] = {"ttd_seconds": 2.0, "tta_seconds": 3.0, "ttr_seconds": 26.0}
    assert expectations.warehouse_agrees(INCIDENT, right) is None
    assert expectations.warehouse_agrees(INCIDENT, {**right, "ttr_seconds": 26.001}) is None
    assert expectations.warehouse_agrees(INCIDENT, {**right, "ttr_seconds": 26.002}) == (
        "TTR 26.000 s in ClickHouse, seen 26.002"
    )
    assert expectations.warehouse_agrees(INCIDENT, {**right, "tta_seconds": None}) == (
        "TTA 3.000 s in ClickHouse, seen None"
    )


def test_history_has_a_row_for_each_message() -> None:
    """Otherwise rows could be missing or double."""
    assert expectations.history_is_complete({"steps": 6}, {"steps": 6}) is None
    assert expectations.history_is_complete({"steps": 6}, {"steps": 7}) == (
        "rows in ClickHouse {'steps': 6}, seen {'steps': 7}"
    )
    assert expectations.history_is_complete({"steps": 6}, {}) is not None


def test_refused_messages_are_told() -> None:
    """Otherwise a wrong signature would only be a receipt that never comes."""
    assert expectations.everything_was_accepted([]) is None
    refused = ["webhook refused with 401: bad signature", "sms refused with 401"]
    assert expectations.everything_was_accepted(refused) == (
        "messages that their receivers accept, seen "
        "webhook refused with 401: bad signature; sms refused with 401"
    )


def test_dead_letters_are_told() -> None:
    """Otherwise a contract that does not fit would go unnoticed."""
    assert expectations.nothing_was_put_aside([]) is None
    assert expectations.nothing_was_put_aside(["alerts.dead: is not JSON"]) == (
        "no dead letters, seen 1: alerts.dead: is not JSON"
    )


def test_what_was_seen_twice_is_seen_once() -> None:
    """Otherwise redeliveries, which consumers must expect, would look like faults."""
    seen = Seen()
    opened = steps(StepKind.OPENED)[0]
    seen.take(LIFECYCLE, opened.to_wire(), AT)
    seen.take(LIFECYCLE, opened.to_wire(), AT + timedelta(seconds=9))
    seen.take(RECEIPTS, receipt("sms").to_wire(), AT)
    seen.take(HEALTH, health("Database", HealthStatus.HEALTHY, 1).to_wire(), AT)
    seen.take(RECEIPTS, b"nonsense", AT)
    assert seen.steps == [opened]
    assert seen.seen_at(opened) == AT
    assert seen.dead == ["receipts: value: is not JSON"]
    assert summary(seen) == (
        "1 health results (Database healthy); alerts none; steps opened; 0 notices; "
        "receipts sms initial delivered; dead letters receipts: value: is not JSON"
    )
