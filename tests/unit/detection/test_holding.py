"""Pending, firing, resolved: on both sides of each boundary."""

from datetime import UTC, datetime, timedelta

from streams.detection.holding import QUIET, Held, Move, Phase, Says, Terms, due, elapse, hold

T0 = datetime(2024, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENT = Terms(wait=MINUTE, keep=MINUTE)


def test_without_waiting_it_fires_and_resolves_at_once():
    firing, move = hold(QUIET, Says.BAD, T0, 2, Terms())
    assert (firing, move) == (Held(Phase.FIRING, since=T0, severity=2), Move.FIRED)
    assert hold(firing, Says.CLEAR, T0 + MINUTE, 2, Terms()) == (QUIET, Move.RESOLVED)


def test_a_finding_is_waited_for_and_then_fires():
    pending, move = hold(QUIET, Says.BAD, T0, 2, PATIENT)
    assert move is None
    assert due(pending, PATIENT) == T0 + MINUTE
    firing, move = elapse(pending, T0 + MINUTE)
    assert (firing.phase, move) == (Phase.FIRING, Move.FIRED)
    assert due(firing, PATIENT) is None


def test_whatever_is_not_bad_ends_the_waiting():
    pending, _ = hold(QUIET, Says.BAD, T0, 2, PATIENT)
    assert hold(pending, Says.CLEAR, T0, 2, PATIENT) == (QUIET, None)
    assert hold(pending, Says.BETWEEN, T0, 2, PATIENT) == (QUIET, None)


def test_waiting_goes_on_from_the_first_bad_finding():
    pending, _ = hold(QUIET, Says.BAD, T0, 2, PATIENT)
    again, _ = hold(pending, Says.BAD, T0 + MINUTE / 2, 2, PATIENT)
    assert due(again, PATIENT) == T0 + MINUTE


def test_it_is_kept_until_it_was_clear_for_long_enough():
    firing = Held(Phase.FIRING, since=T0, severity=2)
    clear, move = hold(firing, Says.CLEAR, T0, 2, PATIENT)
    assert move is None
    later, _ = hold(clear, Says.CLEAR, T0 + MINUTE / 2, 2, PATIENT)
    assert due(later, PATIENT) == T0 + MINUTE
    assert elapse(later, T0 + MINUTE) == (QUIET, Move.RESOLVED)


def test_between_and_bad_start_the_time_it_was_clear_anew():
    clear = Held(Phase.FIRING, since=T0, clear_since=T0, severity=2)
    for says in (Says.BETWEEN, Says.BAD):
        kept, move = hold(clear, says, T0, 2, PATIENT)
        assert move is None
        assert due(kept, PATIENT) is None


def test_between_neither_begins_nor_ends():
    assert hold(QUIET, Says.BETWEEN, T0, 2, Terms()) == (QUIET, None)
    firing = Held(Phase.FIRING, since=T0, severity=2)
    assert hold(firing, Says.BETWEEN, T0, 2, Terms()) == (firing, None)


def test_another_severity_is_a_change_while_it_fires_only():
    firing = Held(Phase.FIRING, since=T0, severity=2)
    assert hold(firing, Says.BAD, T0, 1, Terms())[1] is Move.CHANGED
    assert hold(firing, Says.BAD, T0, 2, Terms()) == (firing, None)
    pending = Held(Phase.PENDING, since=T0, severity=2)
    changed, move = hold(pending, Says.BAD, T0, 1, PATIENT)
    assert (changed.severity, move) == (1, None)
