"""What a session remembers, and for how long."""

from streams.laptop.warehouse.authentication import User
from streams.laptop.warehouse.sessions import LONGEST, REMEMBERED, SESSIONS, Sessions

HOUR = LONGEST.total_seconds()


def test_a_session_belongs_to_its_user() -> None:
    """The owner's settings would reach a reader who guessed the session's name."""
    sessions = Sessions()
    sessions.remember(User.TOCSIN, "s", "SET a = 1", 0)

    assert sessions.recall(User.TOCSIN, "s", 1) == ("SET a = 1",)
    assert sessions.recall(User.READER, "s", 1) == ()
    assert sessions.recall(User.TOCSIN, None, 1) == ()


def test_a_session_ends_an_hour_after_its_last_set() -> None:
    """It would be kept for ever."""
    sessions = Sessions()
    sessions.remember(User.TOCSIN, "s", "SET a = 1", 0)

    assert sessions.recall(User.TOCSIN, "s", HOUR - 1) == ("SET a = 1",)
    assert sessions.recall(User.TOCSIN, "s", HOUR) == ()


def test_sessions_are_bounded() -> None:
    """A client that invents a session for each statement would fill the memory."""
    sessions = Sessions()
    for number in range(SESSIONS + 1):
        sessions.remember(User.TOCSIN, str(number), "SET a = 1", 0)
    for number in range(REMEMBERED + 1):
        sessions.remember(User.TOCSIN, "s", f"SET a = {number}", 0)
    sessions.remember(User.TOCSIN, None, "SET a = 1", 0)

    assert sessions.recall(User.TOCSIN, "0", 1) == ()
    assert len(sessions.recall(User.TOCSIN, "s", 1)) == REMEMBERED
    assert sessions.recall(User.TOCSIN, "s", 1)[-1] == f"SET a = {REMEMBERED}"
