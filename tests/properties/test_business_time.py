"""Laws of business time, whatever the hours, the zone and the switches of its clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from streams.incidents.calendars import OpeningHours
from streams.incidents.local_time import DAYS, instant, read_week

ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
]
CLOCKS = st.integers(0, 23 * 60 + 59).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
PAIRS = st.tuples(CLOCKS, CLOCKS).filter(lambda pair: pair[0] != pair[1])
HOURS = (
    st.dictionaries(
        st.sampled_from(DAYS),
        st.lists(PAIRS.map("-".join), min_size=1, max_size=3).map(", ".join),
        min_size=1,
    )
    .map(lambda hours: hours | {"wed": "08:00-12:00"})
    .map(read_week)
)
OPENING = st.builds(OpeningHours, HOURS, st.sampled_from(ZONES))
FIRST, LAST = datetime.fromisoformat("2026-03-01"), datetime.fromisoformat("2026-11-15")
#: Around both switch days of the northern and the southern half.
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(0), timedelta(days=20))


@given(OPENING, MOMENTS, SPANS, SPANS)
def test_time_adds_up(opening: OpeningHours, at: datetime, first: Any, second: Any) -> None:
    """Otherwise it mattered how often a clock was looked at."""
    assert opening.after(opening.after(at, first), second) == opening.after(at, first + second)
    assert opening.between(at, opening.after(at, first)) == first


@given(OPENING, MOMENTS, SPANS, SPANS)
def test_more_time_never_ends_earlier(
    opening: OpeningHours, at: datetime, first: Any, second: Any
) -> None:
    """Otherwise waiting would turn a clock back."""
    later = at + second
    assert opening.after(at, first) <= opening.after(at, first + second)
    assert opening.after(at, first) <= opening.after(later, first)
    assert timedelta(0) <= opening.between(at, later) <= later - at


@given(OPENING, MOMENTS, SPANS, SPANS)
def test_stretches_that_touch_are_one(
    opening: OpeningHours, at: datetime, first: Any, second: Any
) -> None:
    """Otherwise a reopening would lose or gain time."""
    middle, end = at + first, at + first + second
    assert opening.between(at, middle) + opening.between(middle, end) == opening.between(at, end)


@given(OPENING, MOMENTS)
def test_it_opens_at_the_first_moment_that_is_open(opening: OpeningHours, at: datetime) -> None:
    """Otherwise somebody would be called before the time that he said, or not at all."""
    opens = opening.next_open(at)
    assert opening.is_open(opens)
    assert opening.between(at, opens) == timedelta(0)


@given(
    st.datetimes(FIRST, LAST),
    SPANS,
    st.sampled_from(ZONES),
)
def test_a_later_clock_time_never_stands_for_an_earlier_moment(
    local: datetime, span: timedelta, where: ZoneInfo
) -> None:
    """Otherwise a shift could end before it begins."""
    assert instant(local, where) <= instant(local + span, where)
