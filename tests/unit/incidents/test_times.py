"""How long an incident took, as the design defines it."""

from datetime import UTC, datetime, timedelta

from streams.incidents.times import times_of
from tests.told import incident

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_each_time_runs_from_one_milestone_to_the_next() -> None:
    times = times_of(
        incident(
            started_at=AT,
            detected_at=AT + MINUTE,
            acknowledged_at=AT + 3 * MINUTE,
            mitigated_at=AT + 10 * MINUTE,
            resolved_at=AT + 30 * MINUTE,
            time_resolved=5 * MINUTE,
        )
    )
    assert times.to_detect == MINUTE
    assert times.to_acknowledge == 2 * MINUTE
    assert times.to_mitigate == 7 * MINUTE
    # While it was resolved it was not down.
    assert times.to_resolve == 25 * MINUTE


def test_what_was_not_reached_took_no_time() -> None:
    times = times_of(incident(started_at=AT, detected_at=AT - MINUTE))
    assert times.to_detect == timedelta(0)
    assert (times.to_acknowledge, times.to_mitigate, times.to_resolve) == (None, None, None)
