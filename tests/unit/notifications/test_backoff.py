"""When a message is tried again, and when no more."""

from datetime import timedelta

import pytest

from streams.notifications.backoff import FIRST, LONGEST, TRIED_FOR, wait
from streams.notifications.channel import LONGEST_WAIT

NOTHING = timedelta(0)
SECOND = timedelta(seconds=1)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("attempt", "earliest", "latest"),
    [
        (1, SECOND / 2, SECOND),
        (2, SECOND, 2 * SECOND),
        (3, 2 * SECOND, 4 * SECOND),
        (7, 32 * SECOND, 64 * SECOND),
        (8, 60 * SECOND, 120 * SECOND),
        (9, 60 * SECOND, 120 * SECOND),
        (1_000_000, 60 * SECOND, 120 * SECOND),
    ],
)
def test_the_interval_doubles_and_chance_draws_its_second_half(
    attempt: int, earliest: timedelta, latest: timedelta
) -> None:
    """Otherwise messages that failed together would come back together, or at once."""
    assert wait(attempt, NOTHING, 1, None, 0.0) == earliest
    assert wait(attempt, NOTHING, 1, None, 0.5) == (earliest + latest) / 2
    assert wait(attempt, NOTHING, 1, None, 1.0) == latest


def test_its_bounds_are_the_declared_ones() -> None:
    """Otherwise the documentation would describe another backoff."""
    assert wait(1, NOTHING, 1, None, 1.0) == FIRST
    assert wait(99, NOTHING, 1, None, 1.0) == LONGEST


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        (None, 4 * SECOND),
        (NOTHING, 4 * SECOND),
        (3 * SECOND, 4 * SECOND),
        (5 * SECOND, 5 * SECOND),
        (LONGEST_WAIT, timedelta(minutes=15)),
    ],
)
def test_a_receiver_that_asks_for_patience_is_asked_no_earlier(
    asked: timedelta | None, waits: timedelta
) -> None:
    """Otherwise a receiver under load would throttle us for longer."""
    assert wait(3, NOTHING, 1, asked, 1.0) == waits


@pytest.mark.parametrize(
    ("severity", "end"),
    [
        (1, timedelta(hours=1)),
        (2, timedelta(hours=4)),
        (3, timedelta(hours=8)),
        (4, timedelta(hours=8)),
    ],
)
def test_it_ends(severity: int, end: timedelta) -> None:
    """Otherwise a dead channel would be asked for ever, and nobody would hear that it is dead."""
    assert TRIED_FOR[severity] == end
    assert wait(20, end - LONGEST, severity, None, 1.0) == LONGEST
    assert wait(20, end - LONGEST + MOMENT, severity, None, 1.0) is None
    assert wait(20, end + MOMENT, severity, None, 0.0) is None


def test_patience_beyond_the_end_is_the_end() -> None:
    """Otherwise a receiver could keep a page of a critical incident until nobody needs it."""
    late = TRIED_FOR[1] - timedelta(minutes=10)
    assert wait(9, late, 1, timedelta(minutes=10), 0.0) == timedelta(minutes=10)
    assert wait(9, late, 1, timedelta(minutes=10) + MOMENT, 0.0) is None
