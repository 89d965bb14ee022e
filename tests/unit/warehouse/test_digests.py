"""Scheduled reports: each moment once, the last of those that were missed, and the same report however late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from streams.discovery import example_of
from streams.warehouse.digests import Digest, Due, ReportSettings, asked, due

VIENNA = {"every": "monday 08:00", "time_zone": "Europe/Vienna", "to": "managers"}
#: A Monday, 8:00 in Vienna in winter.
MONDAY = datetime(2024, 3, 4, 7, tzinfo=UTC)


def digest(**settings: Any) -> Digest:
    return Digest.model_validate(VIENNA | settings)


@pytest.mark.parametrize("model", [Digest, ReportSettings])
def test_the_example_is_valid(model: Any) -> None:
    """An author copies it."""
    assert model(**example_of(model))


@pytest.mark.parametrize(
    ("every", "at", "moment"),
    [
        ("monday 08:00", MONDAY - timedelta(seconds=1), MONDAY - timedelta(days=7)),
        ("monday 08:00", MONDAY, MONDAY),
        ("monday 08:00", MONDAY + timedelta(days=6, hours=23), MONDAY),
        # Summer time began on 31 March: 8:00 is an hour earlier in UTC.
        ("monday 08:00", datetime(2024, 4, 1, 6, tzinfo=UTC), datetime(2024, 4, 1, 6, tzinfo=UTC)),
        ("day 08:00", MONDAY - timedelta(seconds=1), MONDAY - timedelta(days=1)),
        # Just after midnight there, still the day before in UTC.
        (
            "day 00:10",
            datetime(2024, 3, 4, 23, 15, tzinfo=UTC),
            datetime(2024, 3, 4, 23, 10, tzinfo=UTC),
        ),
        ("month 08:00", MONDAY, datetime(2024, 3, 1, 7, tzinfo=UTC)),
        (
            "month 08:00",
            datetime(2024, 3, 1, 6, 59, tzinfo=UTC),
            datetime(2024, 2, 1, 7, tzinfo=UTC),
        ),
        # 2:30 does not exist on that day: the clock was put forward from 2:00 to 3:00.
        (
            "day 02:30",
            datetime(2024, 3, 31, 12, tzinfo=UTC),
            datetime(2024, 3, 31, 1, 30, tzinfo=UTC),
        ),
    ],
)
def test_the_moment_is_that_of_the_place(every: str, at: datetime, moment: datetime) -> None:
    """A mail for Monday's meeting that comes at nine is too late."""
    given = digest(every=every)
    assert given.every.latest(given.zone, at) == moment


def test_a_new_schedule_begins_with_its_next_moment() -> None:
    """Whoever writes one on a Wednesday wants no mail about last Monday."""
    wednesday = MONDAY + timedelta(days=2)
    assert due(digest(), None, wednesday) == Due(MONDAY, begins=True)
    assert due(digest(), MONDAY, wednesday) is None


def test_a_moment_that_is_done_with_is_not_due_again() -> None:
    """A restart would mail everybody a second time."""
    assert due(digest(), MONDAY, MONDAY) is None
    assert due(digest(), MONDAY, MONDAY + timedelta(days=7, seconds=-1)) is None
    assert due(digest(), MONDAY, MONDAY + timedelta(days=7)) == Due(
        MONDAY + timedelta(days=7), begins=False
    )


def test_of_the_moments_that_were_missed_the_last_is_due() -> None:
    """After a month's outage four mails in a row would be read by nobody."""
    found = due(digest(), MONDAY - timedelta(days=28), MONDAY + timedelta(days=1))
    assert found == Due(MONDAY, begins=False)


def test_an_earlier_hour_repeats_nothing() -> None:
    """A schedule that is moved from eight to seven would mail Monday's report twice."""
    assert due(digest(every="monday 07:00"), MONDAY, MONDAY + timedelta(hours=1)) is None


def test_it_tells_of_whole_days_before_it() -> None:
    """Half of the Monday would look like a quiet week."""
    trends, sla = asked(digest(reports=["trends", "sla"]), MONDAY)
    sunday = datetime(2024, 3, 3, 23, tzinfo=UTC)

    assert sla.window == (sunday - timedelta(days=7), sunday)
    assert trends.window == (
        datetime(2024, 2, 26, tzinfo=UTC),
        datetime(2024, 3, 4, tzinfo=UTC),
    )
    assert trends.model_dump()["compare"]


@pytest.mark.parametrize("period", ["week", "month", "quarter", "year"])
def test_every_report_can_be_mailed_for_every_period(period: str) -> None:
    """A name that is no setting of a report would stop all digests on the day they are due."""
    names = ["availability", "causes", "mttr", "noise", "notifications", "oncall", "rules", "sla"]
    told = asked(digest(reports=[*names, "trends"], period=period), MONDAY)
    assert [it.name for it in told] == [*names, "trends"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"every": "mondays at 8"},
            "is no moment that comes again: write day, a day of the week or month (its first day), and a time, such as monday 08:00",
        ),
        ({"every": "monday 25:00"}, "such as monday 08:00"),
        ({"time_zone": "Vienna"}, "is no time zone; did you mean 'Europe/Vienna'?"),
        ({"reports": ["trend"]}, "must be one of availability, causes, mttr"),
        ({"reports": []}, "at least 1 item"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], said: str) -> None:
    """A digest that never comes is noticed by nobody."""
    with pytest.raises(ValidationError) as refused:
        digest(**settings)
    assert said in str(refused.value)
