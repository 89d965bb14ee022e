"""What sources may still tell before a window has too much of what is bad."""

from streams.detection.budget import PART, WHOLE, Budget, Limit
from streams.detection.moments import moment_of
from streams.detection.tally import Tally

SECOND = 1_000_000
SPAN = 60 * SECOND
BUDGET = Budget(((Limit(SPAN, 0.5),),), PART, counters=False, delay=0, reach=SPAN)


def heard(*told: tuple[str, int, float]) -> Tally:
    tally = Tally()
    for name, second, amount in told:
        tally.take(name, second * SECOND, amount, counter=False, part=name.startswith(PART))
        tally.settle(second * SECOND, 0, (SPAN,))
    return tally


def test_it_ends_before_what_is_good_falls_out_and_leaves_too_much_that_is_bad():
    """Otherwise time alone would make a ratio bad that nobody looks at."""
    tally = heard((WHOLE, 100, 30.0), (WHOLE, 110, 10.0), (PART, 155, 8.0))
    calm = BUDGET.calm(tally)
    assert calm is not None
    # The thirty fall out at 161, and eight of ten would be left: a sixteenth of the window is what fits in between.
    assert calm.until == moment_of(155 * SECOND + SPAN // 16)
    assert BUDGET.calm(heard((WHOLE, 100, 30.0), (WHOLE, 110, 10.0), (PART, 160, 8.0))) is None


def test_a_source_that_told_more_than_others_may_tell_more():
    """Otherwise the one host with the errors would be judged each time."""
    tally = heard((WHOLE, 100, 1_000.0), (f"{PART}a", 101, 9.0), (f"{PART}b", 101, 0.0))
    calm = BUDGET.calm(tally)
    assert calm is not None
    shares = [BUDGET.of_source(tally, calm, (f"{PART}{name}",)) for name in "ab"]
    assert shares[0] is not None
    assert shares[1] is not None
    assert shares[0].high > shares[1].high > 0
    assert 8 * (shares[0].high + shares[1].high) <= 0.5 * 1_000 - 9


def test_a_source_that_is_not_known_or_told_too_much_ends_it():
    tally = heard((WHOLE, 100, 1_000.0), (PART, 101, 9.0))
    calm = BUDGET.calm(tally)
    assert calm is not None
    assert BUDGET.of_source(tally, calm, (f"{PART}new",)) is None
    assert BUDGET.renewed(tally, calm) is not None
    tally.take(PART, 102 * SECOND, 400.0, counter=False, part=True)
    assert BUDGET.renewed(tally, calm) is None
