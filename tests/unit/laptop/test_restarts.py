"""What follows when a part ends: literal moments, literal answers."""

from datetime import timedelta

import pytest

from streams.laptop.restarts import GiveUp, Restart, after_exit


def seconds(*moments):
    return [timedelta(seconds=moment) for moment in moments]


@pytest.mark.parametrize(
    ("ends", "wait"),
    [([100], 1), ([100, 110], 2), ([100, 110, 120], 4)],
)
def test_each_end_in_a_row_is_waited_for_longer(ends, wait):
    """A part whose broker is away would otherwise be started over and over."""
    assert after_exit(seconds(*ends), restartable=True) == Restart(timedelta(seconds=wait))


def test_the_fourth_end_within_five_minutes_is_the_last():
    follows = after_exit(seconds(0, 100, 200, 300), restartable=True)

    assert follows == GiveUp("it ended 4 times in 5 minutes")


def test_an_end_more_than_five_minutes_ago_does_not_count():
    """A part that ends once a day is started again each time."""
    follows = after_exit(seconds(0, 100, 200, 301), restartable=True)

    assert follows == Restart(timedelta(seconds=4))


def test_an_end_long_after_the_others_is_a_first_one():
    follows = after_exit(seconds(0, 1, 2, 100_000), restartable=True)

    assert follows == Restart(timedelta(seconds=1))


def test_nothing_goes_on_without_what_the_others_stand_on():
    """A broker that began anew would leave every worker with positions that mean nothing."""
    assert after_exit(seconds(5), restartable=False) == GiveUp("nothing works without it")
