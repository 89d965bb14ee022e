"""Business time: hours, holidays, zones and both days on which clocks are changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from streams.incidents.calendars import Calendar, OpeningHours
from streams.incidents.local_time import instant, read_week

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Calendar(time_zone="Europe/Berlin", hours={"mon-fri": "09:00-17:00"}, holidays="DE-BE")


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-03-02 08:59:59", False),
        ("2026-03-02 09:00:00", True),
        ("2026-03-02 16:59:59", True),
        ("2026-03-02 17:00:00", False),
        ("2026-03-01 12:00:00", False),  # a Sunday
        ("2026-05-01 12:00:00", False),  # Labour Day
        ("2026-03-08 12:00:00", False),  # a Sunday, and International Women's Day in Berlin
        ("2027-03-08 12:00:00", False),  # a Monday, free in Berlin alone
    ],
)
def test_it_is_open_from_the_first_moment_and_not_at_the_last(at: str, *, is_open: bool) -> None:
    assert OFFICE.opening.is_open(berlin(at)) is is_open


def test_holidays_of_a_subdivision_are_free_there_alone() -> None:
    all_germany = Calendar(
        time_zone="Europe/Berlin", hours={"mon-fri": "09:00-17:00"}, holidays=["DE"]
    )
    assert all_germany.opening.is_open(berlin("2027-03-08 12:00"))


def test_days_can_be_closed_by_hand() -> None:
    closed = Calendar(hours={"mon-fri": "09:00-17:00"}, closed=[date(2026, 12, 24)])
    assert not closed.opening.is_open(utc("2026-12-24 12:00"))
    assert closed.opening.is_open(utc("2026-12-23 12:00"))


def test_time_goes_on_where_it_stopped_after_a_night_a_weekend_and_a_holiday() -> None:
    # Thursday 16:00; Friday 1 May is free, so the second hour begins on Monday.
    assert OFFICE.opening.after(berlin("2026-04-30 16:00"), timedelta(hours=2)) == berlin(
        "2026-05-04 10:00"
    )
    # An hour that ends with the day ends on that day.
    assert OFFICE.opening.after(berlin("2026-04-30 16:00"), timedelta(hours=1)) == berlin(
        "2026-04-30 17:00"
    )
    assert OFFICE.opening.after(berlin("2026-04-30 16:00"), timedelta(0)) == berlin(
        "2026-04-30 16:00"
    )
    assert OFFICE.opening.between(
        berlin("2026-04-30 16:00"), berlin("2026-05-04 10:00")
    ) == timedelta(hours=2)


def test_the_next_business_day_is_over_when_it_closes() -> None:
    friday, thursday = berlin("2026-03-06 00:00"), berlin("2026-03-05 23:59:59")
    assert OFFICE.opening.end_of_next_business_day(thursday) == berlin("2026-03-06 17:00")
    assert OFFICE.opening.end_of_next_business_day(friday) == berlin("2026-03-09 17:00")
    # Before a long weekend.
    assert OFFICE.opening.end_of_next_business_day(berlin("2026-04-30 10:00")) == berlin(
        "2026-05-04 17:00"
    )


NIGHT = OpeningHours(read_week({"sat": "22:00-24:00", "sun": "00:00-08:00"}), BERLIN)


def test_the_night_on_which_clocks_are_put_forward_is_an_hour_shorter() -> None:
    start, end = berlin("2026-03-28 22:00"), berlin("2026-03-29 08:00")
    assert NIGHT.between(start, end) == timedelta(hours=9)
    assert NIGHT.after(start, timedelta(hours=9)) == end
    assert NIGHT.after(start, timedelta(hours=4)) == berlin("2026-03-29 03:00")
    assert NIGHT.after(start, timedelta(hours=4) - SECOND) == berlin("2026-03-29 01:59:59")


def test_the_night_on_which_clocks_are_put_back_is_an_hour_longer() -> None:
    start, end = berlin("2026-10-24 22:00"), berlin("2026-10-25 08:00")
    assert NIGHT.between(start, end) == timedelta(hours=11)
    assert NIGHT.after(start, timedelta(hours=5)) == utc("2026-10-25 01:00")
    assert NIGHT.after(start, timedelta(hours=11)) == end


def test_a_time_that_clocks_leave_out_stands_for_the_switch() -> None:
    switch = utc("2026-03-29 01:00")
    for text in ("02:00", "02:30", "02:59:59"):
        assert instant(datetime.fromisoformat(f"2026-03-29 {text}"), BERLIN) == switch
    assert instant(datetime.fromisoformat("2026-03-29 03:00"), BERLIN) == switch
    assert instant(datetime.fromisoformat("2026-03-29 01:59:59"), BERLIN) == switch - SECOND
    # Lord Howe Island moves its clocks by half an hour.
    howe = ZoneInfo("Australia/Lord_Howe")
    assert instant(datetime.fromisoformat("2026-10-04 02:10"), howe) == utc("2026-10-03 15:30")


def test_a_time_that_clocks_show_twice_stands_for_its_first_time() -> None:
    twice = datetime.fromisoformat("2026-10-25 02:30")
    assert instant(twice, BERLIN) == utc("2026-10-25 00:30")


def test_hours_that_a_switch_leaves_out_are_no_time() -> None:
    left_out = OpeningHours(read_week({"sun": "02:00-03:00"}), BERLIN)
    assert left_out.spans(date(2026, 3, 29)) == []
    assert left_out.between(berlin("2026-03-29 00:00"), berlin("2026-03-30 00:00")) == timedelta(0)


def test_hours_are_read_as_people_write_them() -> None:
    assert read_week({"mon": "09:00-12:00, 13:00-17:30", "sat-sun": "10:00-12:00"}) == (
        ((540, 720), (780, 1050)),
        *[()] * 4,
        ((600, 720),),
        ((600, 720),),
    )
    # Past midnight, and past the end of the week.
    assert read_week({"sun": "22:00-06:00"}) == (((0, 360),), *[()] * 5, ((1320, 1440),))
    assert read_week({"fri-mon": "00:00-24:00"})[0] == ((0, 1440),)
    # What overlaps counts once.
    assert read_week({"mon-fri": "09:00-12:00", "mon": "11:00-13:00"})[0] == ((540, 780),)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hours": {"mon-fry": "09:00-17:00"}}, "names the day 'fry', which there is not; did you mean 'fri'?"),
        ({"hours": {"mon": "9-17"}}, "has the hours '9-17': write them as 09:00-17:00"),
        ({"hours": {"mon": "09:00-24:30"}}, "has the hours '09:00-24:30': write them as 09:00-17:00"),
        ({"hours": {"mon": "09:60-17:00"}}, "has the hours '09:60-17:00': write them as 09:00-17:00"),
        ({"hours": {"mon": "09:00-09:00"}}, "has the hours '09:00-09:00': write them as 09:00-17:00"),
        ({"hours": {}}, "must be a map of days to hours, such as mon-fri: 09:00-17:00"),
        (
            {"hours": {"mon": "09:00-17:00"}, "time_zone": "Europe/Berln"},
            "is no time zone; did you mean 'Europe/Berlin'?",
        ),
        (
            {"hours": {"mon": "09:00-17:00"}, "time_zone": "../etc/passwd"},
            "is no time zone; write one such as Europe/Berlin",
        ),
        (
            {"hours": {"mon": "09:00-17:00"}, "holidays": ["2026-12-24"]},
            "is a day, and no country whose holidays are free: write it under closed",
        ),
        (
            {"hours": {"mon": "09:00-17:00"}, "holidays": "DE-XX"},
            "is none whose holidays are known: write a country of ISO 3166 such as DE, or with its subdivision DE-BE",
        ),
    ],
)  # fmt: skip
def test_a_wrong_calendar_says_what_would_be_right(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Calendar(**settings)
    assert [each["msg"] for each in refusal.value.errors()] == [f"Value error, {said}"]
