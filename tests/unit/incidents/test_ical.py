"""Shifts as iCalendar: what is exported is imported alike, and what other programs write is understood or refused in words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import icalendar
import pytest

from streams.incidents.ical import NoCalendar, exported, imported
from streams.incidents.schedules import Turn

BERLIN = ZoneInfo("Europe/Berlin")
PEOPLE = ("ada", "grace")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


START, END = utc("2026-03-01"), utc("2026-04-30")


def calendar(*events: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//"]
    for number, event in enumerate(events):
        lines += [
            "BEGIN:VEVENT",
            f"UID:{number}",
            "DTSTAMP:20260101T000000Z",
            *event.split("|"),
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def test_an_export_names_each_shift_and_leaves_out_where_nobody_is() -> None:
    turns = [
        Turn(utc("2026-03-02 08:00"), utc("2026-03-09 08:00"), "ada"),
        Turn(utc("2026-03-09 08:00"), utc("2026-03-10 08:00"), None),
    ]
    content = exported("primary", turns, utc("2026-03-01 12:00"))
    assert content.decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tocsin//on-call//EN",
        "X-WR-CALNAME:primary",
        "BEGIN:VEVENT",
        "SUMMARY:ada",
        "DTSTART:20260302T080000Z",
        "DTEND:20260309T080000Z",
        "DTSTAMP:20260301T120000Z",
        "UID:" + str(icalendar.Calendar.from_ical(content).walk("VEVENT")[0]["UID"]),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    again = exported("primary", turns[:1], utc("2026-03-05 12:00"))
    assert content.count(b"UID:") == 1
    assert content.partition(b"UID:")[2] == again.partition(b"UID:")[2]


def test_repeated_events_keep_their_clock_time_when_clocks_are_changed() -> None:
    weekly = calendar(
        "SUMMARY: Ada |DTSTART;TZID=Europe/Berlin:20260323T090000"
        "|DTEND;TZID=Europe/Berlin:20260323T170000|RRULE:FREQ=WEEKLY;COUNT=2"
    )
    assert imported(weekly, START, END, BERLIN, PEOPLE) == [
        Turn(utc("2026-03-23 08:00"), utc("2026-03-23 16:00"), "ada"),
        Turn(utc("2026-03-30 07:00"), utc("2026-03-30 15:00"), "ada"),
    ]


def test_whole_days_and_times_without_a_zone_are_of_the_schedules_zone() -> None:
    loose = calendar(
        "SUMMARY:grace|DTSTART;VALUE=DATE:20260328",
        "SUMMARY:ada|DTSTART;VALUE=DATE:20260329|DTEND;VALUE=DATE:20260330",
        "SUMMARY:grace|DTSTART:20260330T090000|DURATION:PT8H",
    )
    assert imported(loose, START, END, BERLIN, PEOPLE) == [
        Turn(utc("2026-03-27 23:00"), utc("2026-03-28 23:00"), "grace"),
        # The day on which clocks are put forward has 23 hours.
        Turn(utc("2026-03-28 23:00"), utc("2026-03-29 22:00"), "ada"),
        Turn(utc("2026-03-30 07:00"), utc("2026-03-30 15:00"), "grace"),
    ]


def test_shifts_are_cut_to_what_was_asked_for() -> None:
    long = calendar("SUMMARY:ada|DTSTART:20260201T000000Z|DTEND:20260601T000000Z")
    assert imported(long, START, END, BERLIN, PEOPLE) == [Turn(START, END, "ada")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"no calendar",
            "is no iCalendar that can be read (ValueError); such a file begins with BEGIN:VCALENDAR",
        ),
        (
            calendar("SUMMARY:ada|DTSTART:18000302T080000Z|DTEND:20270101T000000Z"),
            "has an event at 1800-03-02 08:00:00+00:00, which is not in the years 1900 to 9000",
        ),
        (
            calendar("SUMMARY:ada|DTSTART:20260302T080000Z|DTEND:99991231T000000Z"),
            "has an event that begins or ends where the calendar does: write nearer times",
        ),
        (
            calendar("SUMMARY:bob|DTSTART:20260302T080000Z|DTEND:20260303T080000Z"),
            "has an event 'bob' at 2026-03-02 08:00 UTC, which is the name of nobody under people; there are ada, grace",
        ),
    ],
)
def test_what_is_no_schedule_is_said(content: bytes, said: str) -> None:
    with pytest.raises(NoCalendar) as refusal:
        imported(content, START, END, BERLIN, PEOPLE)
    assert str(refusal.value) == said
