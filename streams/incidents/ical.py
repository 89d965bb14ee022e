"""
Shifts as iCalendar (RFC 5545): what calendar programs show, and what they export.

An event is a shift of the person whom its summary names. Repeated events, exceptions and time zones are the library's to understand.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from streams.incidents.local_time import instant, read_moment
from streams.incidents.schedules import Turn


class NoCalendar(ValueError):
    """A file is no iCalendar, or its events are no shifts; the text says where and what instead."""


def exported(name: str, turns: Iterable[Turn], at: datetime) -> bytes:
    """Return the *turns* of the schedule called *name* as a calendar that was made *at*."""
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//Tocsin//on-call//EN")
    calendar.add("x-wr-calname", name)
    for turn in turns:
        if turn.person is None:
            continue
        event = icalendar.Event()
        # The same shift has the same id, so that a calendar program changes it and adds none.
        whole = f"{name}/{turn.start.isoformat()}/{turn.person}"
        event.add("uid", f"{hashlib.sha256(whole.encode()).hexdigest()[:32]}@tocsin")
        event.add("summary", turn.person)
        event.add("dtstamp", at.astimezone(UTC))
        event.add("dtstart", turn.start.astimezone(UTC))
        event.add("dtend", turn.end.astimezone(UTC))
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def imported(
    content: bytes, start: datetime, end: datetime, where: ZoneInfo, people: Iterable[str]
) -> list[Turn]:
    """
    Return the shifts from *start* to *end* in a calendar; times without a zone are clock times of the zone *where*.

    Raises:
        NoCalendar: It is none, or an event names none of *people*.
    """
    known = {name.casefold(): name for name in people}
    try:
        calendar = icalendar.Calendar.from_ical(content)
        events = recurring_ical_events.of(calendar).between(start, end)
    except (ValueError, KeyError, IndexError) as error:
        message = f"is no iCalendar that can be read ({type(error).__name__}); such a file begins with BEGIN:VCALENDAR"
        raise NoCalendar(message) from None
    except OverflowError:
        message = "has an event that begins or ends where the calendar does: write nearer times"
        raise NoCalendar(message) from None
    turns = []
    for event in events:
        summary = " ".join(str(event.get("SUMMARY", "")).split())
        begins = _instant(event["DTSTART"].dt, where)
        ends = _ends(event, begins, where)
        person = known.get(summary.casefold())
        if person is None:
            message = f"has an event {summary[:80]!r} at {begins:%Y-%m-%d %H:%M} UTC, which is the name of nobody under people; there are {', '.join(sorted(known.values())) or 'none'}"
            raise NoCalendar(message)
        if begins < ends:
            turns.append(Turn(max(begins, start), min(ends, end), person))
    return sorted(
        (turn for turn in turns if turn.start < turn.end), key=lambda turn: (turn.start, turn.end)
    )


def _ends(event: Any, begins: datetime, where: ZoneInfo) -> datetime:
    if "DTEND" in event:
        return _instant(event["DTEND"].dt, where)
    if "DURATION" in event:
        duration: timedelta = event["DURATION"].dt
        return begins + duration
    # RFC 5545, section 3.6.1: a date lasts a day, a time no time.
    first: date = event["DTSTART"].dt
    return begins if isinstance(first, datetime) else _instant(first + timedelta(days=1), where)


def _instant(moment: Any, where: ZoneInfo) -> datetime:
    try:
        return instant(read_moment(moment), where)
    except ValueError as error:
        message = f"has an event at {moment}, which {error}"
        raise NoCalendar(message) from None
