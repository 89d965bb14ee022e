"""Times of the week and the year."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from streams.notifications.times import Interval, TimeInterval

OFFICE = {"times": [{"start_time": "09:00", "end_time": "17:00"}], "weekdays": ["monday:friday"]}


@pytest.mark.parametrize(
    ("interval", "at", "holds"),
    [
        (OFFICE, "2024-03-01T09:00", True),
        (OFFICE, "2024-03-01T08:59:59", False),
        (OFFICE, "2024-03-01T16:59:59", True),
        (OFFICE, "2024-03-01T17:00", False),
        (OFFICE, "2024-03-02T12:00", False),
        ({"times": [{"start_time": "00:00", "end_time": "24:00"}]}, "2024-03-01T23:59:59", True),
        ({"days_of_month": ["-1"]}, "2024-02-29T12:00", True),
        ({"days_of_month": ["-1"]}, "2024-02-28T12:00", False),
        ({"days_of_month": ["1:5", "-3:-1"]}, "2024-04-28T12:00", True),
        ({"days_of_month": ["1:5", "-3:-1"]}, "2024-04-27T12:00", False),
        ({"days_of_month": ["30:31"]}, "2023-02-28T12:00", False),
        ({"months": ["january:march", "12"]}, "2024-03-31T12:00", True),
        ({"months": ["january:march", "12"]}, "2024-12-31T12:00", True),
        ({"months": ["january:march"]}, "2024-04-01T00:00", False),
        ({"years": ["2025:2027", "2023"]}, "2024-03-01T00:00", False),
        ({"years": ["2025:2027", "2023"]}, "2026-03-01T00:00", True),
        ({}, "2024-03-01T00:00", True),
        # Berlin is an hour ahead in winter and two in summer.
        ({**OFFICE, "location": "Europe/Berlin"}, "2024-03-01T08:00", True),
        ({**OFFICE, "location": "Europe/Berlin"}, "2024-07-01T07:00", True),
        ({**OFFICE, "location": "Europe/Berlin"}, "2024-07-01T06:59", False),
    ],
)
def test_an_interval_holds_where_all_it_names_hold(
    interval: dict[str, Any], at: str, *, holds: bool
) -> None:
    """Otherwise people would be woken in their night, or not told by day."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    given = {"name": "some", "time_intervals": [{"years": ["1999"]}, interval]}
    assert TimeInterval.model_validate(given).contains(moment) is holds


@pytest.mark.parametrize(
    ("interval", "fault"),
    [
        (
            {"weekdays": ["mo:fr"]},
            "'mo:fr' is no weekday, and no range of them such as monday:friday",
        ),
        ({"weekdays": ["friday:monday"]}, "'friday:monday' begins after its end"),
        ({"months": ["13"]}, "'13' is no month, and no range of them such as january:march"),
        ({"days_of_month": ["0"]}, "'0' is no day of a month, and no range of them such as 1:5"),
        ({"days_of_month": ["5:1"]}, "'5:1' begins after its end"),
        ({"years": ["soon"]}, "'soon' is no year"),
        ({"times": [{"start_time": 540, "end_time": "10:00"}]}, "'09:00'"),
        ({"times": [{"start_time": "9:00", "end_time": "10:00"}]}, "'9:00' is no time"),
        ({"times": [{"start_time": "09:00", "end_time": "24:01"}]}, "'24:01' is no time"),
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}]}, "a night is two ranges"),
        ({"location": "Berlin"}, "is no time zone; did you mean 'Europe/Berlin'?"),
        ({"weekday": ["monday"]}, "Extra inputs"),
    ],
)
def test_what_is_no_time_is_refused_with_what_would_be(
    interval: dict[str, Any], fault: str
) -> None:
    """Otherwise a typing error would mute for ever, or never."""
    with pytest.raises(ValidationError) as refused:
        Interval.model_validate(interval)
    assert fault.replace("'09:00'", "540 is no time") in str(refused.value)
