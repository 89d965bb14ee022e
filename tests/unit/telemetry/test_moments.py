"""Times as other systems write them."""

from datetime import UTC, datetime

import pytest

from schemas.contract import Unreadable
from streams.telemetry.moments import from_any_unit, from_nanoseconds, from_text

AT = datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)


def test_nanoseconds_are_cut_never_rounded_up():
    assert from_nanoseconds(1_700_000_000_123_456_999, "x") == AT


@pytest.mark.parametrize(
    "written",
    [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, 1_700_000_000_000_000_000],
)
def test_the_size_of_a_number_tells_its_unit(written):
    assert from_any_unit(written, "x") == AT.replace(microsecond=0)
    assert from_any_unit(written + 0.0, "x") == AT.replace(microsecond=0)


@pytest.mark.parametrize(
    "written",
    [
        "2023-11-14T22:13:20.123456Z",
        "2023-11-14T22:13:20.123456789Z",
        "2023-11-14T23:13:20.123456+01:00",
        "2023-11-14T22:13:20.123456+0000",
    ],
)
def test_texts_are_read_with_any_zone_and_fraction(written):
    assert from_text(written, "x") == AT
    assert from_text(written, "x").tzinfo is UTC


def test_the_year_one_stands_for_no_time():
    assert from_text("0001-01-01T00:00:00Z", "x") is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("yesterday", "at: is no RFC 3339 time"),
        ("", "at: is no RFC 3339 time"),
        ("2023-11-14T22:13:20", "at: has no time zone"),
        ("1969-12-31T23:59:59Z", "at: must be between 1970 and 2200"),
        ("2200-01-01T00:00:00Z", "at: must be between 1970 and 2200"),
    ],
)
def test_what_is_no_time_is_refused_by_name(written, said):
    with pytest.raises(Unreadable) as refusal:
        from_text(written, "at")
    assert str(refusal.value) == said


@pytest.mark.parametrize("count", [-1, 2**63, -(2**63), 7_258_118_400 * 10**9])
def test_counts_beyond_all_years_are_refused_by_name(count):
    with pytest.raises(Unreadable, match=r"^at: must be between 1970 and 2200$"):
        from_nanoseconds(count, "at")


@pytest.mark.parametrize("count", [-1, 1e300, float("nan"), float("inf"), 10**30])
def test_numbers_of_no_unit_are_refused_by_name(count):
    with pytest.raises(Unreadable, match=r"^at: must be between 1970 and 2200$"):
        from_any_unit(count, "at")
