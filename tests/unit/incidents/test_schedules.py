"""Schedules: rotations, layers, overrides, handovers, gaps, and both days on which clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from streams.incidents.calendars import BUSINESS
from streams.incidents.local_time import instant
from streams.incidents.schedules import Schedule, Turn, gaps, on_call, turns

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str) -> datetime:
    return instant(datetime.fromisoformat(text), BERLIN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


WEEKLY = {"rotation": ["ada", "grace"], "begins": "2026-01-05 09:00"}


def schedule(*layers: dict[str, object], **settings: object) -> Schedule:
    return Schedule.model_validate(
        {"time_zone": "Europe/Berlin", "layers": layers or [WEEKLY]} | settings
    )


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2026-01-05 08:59:59", None),
        ("2026-01-05 09:00:00", "ada"),
        ("2026-01-12 08:59:59", "ada"),
        ("2026-01-12 09:00:00", "grace"),
        ("2026-01-19 09:00:00", "ada"),
        # Clocks are put forward on 29 March, and back on 25 October: handovers stay at nine.
        ("2026-03-30 08:59:59", "grace"),
        ("2026-03-30 09:00:00", "ada"),
        ("2026-10-26 08:59:59", "grace"),
        ("2026-10-26 09:00:00", "ada"),
    ],
)
def test_turns_are_handed_over_at_the_same_clock_time(at: str, person: str | None) -> None:
    assert on_call(schedule(), berlin(at)) == person


def test_a_handover_that_clocks_leave_out_is_at_the_switch() -> None:
    nightly = schedule({"rotation": ["ada", "grace"], "begins": "2026-03-28 02:30", "every": "1d"})
    switch = utc("2026-03-29 01:00")
    assert on_call(nightly, switch - timedelta(seconds=1)) == "ada"
    assert on_call(nightly, switch) == "grace"
    assert turns(nightly, utc("2026-03-28 02:00"), utc("2026-03-31 00:00")) == [
        Turn(utc("2026-03-28 02:00"), switch, "ada"),
        Turn(switch, utc("2026-03-30 00:30"), "grace"),
        Turn(utc("2026-03-30 00:30"), utc("2026-03-31 00:00"), "ada"),
    ]


def test_an_hour_that_comes_twice_belongs_to_one_turn() -> None:
    nightly = schedule({"rotation": ["ada", "grace"], "begins": "2026-10-24 02:30", "every": "1d"})
    assert turns(nightly, utc("2026-10-24 00:30"), utc("2026-10-26 01:30")) == [
        Turn(utc("2026-10-24 00:30"), utc("2026-10-25 00:30"), "ada"),
        Turn(utc("2026-10-25 00:30"), utc("2026-10-26 01:30"), "grace"),
    ]


def test_a_later_layer_is_laid_over_those_before_it() -> None:
    night = {
        "rotation": ["lin"],
        "begins": "2026-01-05 00:00",
        "hours": {"mon-sun": "22:00-06:00"},
    }
    both = schedule(WEEKLY, night)
    assert on_call(both, berlin("2026-01-06 21:59:59")) == "ada"
    assert on_call(both, berlin("2026-01-06 22:00")) == "lin"
    assert on_call(both, berlin("2026-01-07 05:59:59")) == "lin"
    assert on_call(both, berlin("2026-01-07 06:00")) == "ada"


def test_an_override_counts_before_all_layers_and_a_later_one_before_it() -> None:
    replaced = schedule(
        overrides=[
            {"person": "lin", "from": "2026-01-06 09:00", "until": "2026-01-08 09:00"},
            {"person": "grace", "from": "2026-01-07T12:00:00+00:00", "until": "2026-01-07 15:00"},
        ]
    )
    assert turns(replaced, berlin("2026-01-05 09:00"), berlin("2026-01-09 00:00")) == [
        Turn(berlin("2026-01-05 09:00"), berlin("2026-01-06 09:00"), "ada"),
        Turn(berlin("2026-01-06 09:00"), berlin("2026-01-07 13:00"), "lin"),
        Turn(berlin("2026-01-07 13:00"), berlin("2026-01-07 15:00"), "grace"),
        Turn(berlin("2026-01-07 15:00"), berlin("2026-01-08 09:00"), "lin"),
        Turn(berlin("2026-01-08 09:00"), berlin("2026-01-09 00:00"), "ada"),
    ]


def test_gaps_are_found_where_somebody_must_be_on_call() -> None:
    office = schedule({**WEEKLY, "hours": {"mon-fri": "09:00-12:00"}})
    day = berlin("2026-01-06 00:00"), berlin("2026-01-07 00:00")
    assert gaps(office, *day) == [
        Turn(day[0], berlin("2026-01-06 09:00"), None),
        Turn(berlin("2026-01-06 12:00"), day[1], None),
    ]
    # Business hours are 09:00 to 17:00 UTC.
    assert gaps(office, *day, BUSINESS.opening) == [
        Turn(utc("2026-01-06 11:00"), utc("2026-01-06 17:00"), None)
    ]
    assert gaps(schedule(), *day) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"layers": [{}]}, "must have either rotation or shifts"),
        (
            {"layers": [{"rotation": ["ada"]}]},
            "must have begins: when the first of the rotation begins",
        ),
        (
            {"layers": [{**WEEKLY, "begins": "monday"}]},
            "is no date and time: write 2026-01-05 09:00, or with an offset 2026-01-05T09:00+01:00",
        ),
        (
            {"overrides": [{"person": "ada", "from": "2026-01-06", "until": "9999-12-31 23:59"}]},
            "is not in the years 1900 to 9000",
        ),
        (
            {"overrides": [{"person": "ada", "from": "2026-01-06", "until": "2026-01-06"}]},
            "has a shift of ada that does not end after it begins: 2026-01-06 00:00",
        ),
        (
            {
                "layers": [
                    {
                        "shifts": [
                            {"person": "ada", "from": "2026-01-06", "until": "2026-01-08"},
                            {"person": "grace", "from": "2026-01-07", "until": "2026-01-09"},
                        ]
                    }
                ]
            },
            (
                "has two shifts at 2026-01-07 00:00:00 in one layer, of ada and grace: "
                "put one of them under overrides"
            ),
        ),
    ],
)
def test_a_wrong_schedule_says_what_would_be_right(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Schedule.model_validate({"layers": [WEEKLY]} | settings)
    assert refusal.value.errors()[0]["msg"] == f"Value error, {said}"
