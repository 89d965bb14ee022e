"""Deadlines: the seed's table, business hours, reopenings, and both sides of each moment."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from streams.incidents.calendars import BUSINESS
from streams.incidents.deadlines import Deadline, Promise, Running, deadline
from streams.incidents.severities import SEVERITIES, SeverityLevel

#: A Monday.
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def of(severity: int, promise: Promise, *running: Running) -> Deadline | None:
    stretches = running or (Running(NOON),)
    return deadline(promise, SEVERITIES[severity], BUSINESS.opening, stretches)


@pytest.mark.parametrize(
    ("severity", "respond_by", "resolve_by"),
    [
        (1, NOON + 15 * MINUTE, NOON + HOUR),
        (2, NOON + 30 * MINUTE, NOON + 4 * HOUR),
        (3, NOON + 2 * HOUR, NOON + 24 * HOUR),
        (4, datetime(2026, 3, 3, 17, 0, tzinfo=UTC), NOON + 7 * 24 * HOUR),
    ],
)
def test_the_table_holds_where_a_policy_says_nothing(
    severity: int, respond_by: datetime, resolve_by: datetime
) -> None:
    response, resolution = (of(severity, promise) for promise in Promise)
    assert response is not None
    assert resolution is not None
    assert (response.due_at, resolution.due_at) == (respond_by, resolve_by)


def test_a_deadline_is_at_risk_when_four_fifths_are_over() -> None:
    response = of(1, Promise.RESPONSE)
    assert response is not None
    assert response.at_risk_at == NOON + 12 * MINUTE
    assert response.rule == "critical: 15m"
    # Monday 12:00 until Tuesday 17:00 are 13 business hours; 10.4 of them end on Tuesday at 14:24.
    low = of(4, Promise.RESPONSE)
    assert low is not None
    assert low.at_risk_at == datetime(2026, 3, 3, 14, 24, tzinfo=UTC)
    assert low.rule == "low: next business day"


def test_durations_can_be_counted_in_business_hours() -> None:
    level = SeverityLevel(
        name="medium",
        meaning="x",
        respond_within="2h",
        resolve_within="16h",
        counted_in="business_hours",
    )
    friday = Running(datetime(2026, 3, 6, 16, 0, tzinfo=UTC))
    response = deadline(Promise.RESPONSE, level, BUSINESS.opening, [friday])
    assert response is not None
    assert response.due_at == datetime(2026, 3, 9, 10, 0, tzinfo=UTC)
    assert response.rule == "medium: 2h of business hours"
    resolution = deadline(Promise.RESOLUTION, level, BUSINESS.opening, [friday])
    assert resolution is not None
    assert resolution.due_at == datetime(2026, 3, 10, 16, 0, tzinfo=UTC)


def test_the_time_between_a_resolution_and_a_reopening_is_not_counted() -> None:
    reopened = (Running(NOON, NOON + 20 * MINUTE), Running(NOON + 3 * HOUR))
    resolution = of(1, Promise.RESOLUTION, *reopened)
    assert resolution is not None
    assert resolution.due_at == NOON + 3 * HOUR + 40 * MINUTE
    assert resolution.at_risk_at == NOON + 3 * HOUR + 28 * MINUTE


@pytest.mark.parametrize(
    ("seconds_before", "in_time"), [(1, True), (0, False)], ids=["a second before", "at it"]
)
def test_a_clock_that_stops_at_its_deadline_stops_too_late(
    seconds_before: int, *, in_time: bool
) -> None:
    stopped = NOON + 15 * MINUTE - timedelta(seconds=seconds_before)
    late = of(1, Promise.RESPONSE, Running(NOON, stopped))
    assert (late is None) is in_time


def test_a_wrong_time_says_what_would_be_right() -> None:
    with pytest.raises(ValidationError) as refusal:
        SeverityLevel(name="x", meaning="x", respond_within="tomorrow", resolve_within="1h")
    assert [each["msg"] for each in refusal.value.errors()] == [
        "Value error, is not a duration: write a number and a unit, such as 30s, 5m, 1h or 7d, or next business day"
    ]
