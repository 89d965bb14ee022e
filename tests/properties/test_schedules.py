"""Laws of schedules, whatever their layers, zones and overrides."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.incidents.ical import exported, imported
from streams.incidents.schedules import Schedule, gaps, in_layer, on_call, turns
from streams.time_zones import zone

PEOPLE = ("ada", "grace", "lin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
FIRST, LAST = datetime.fromisoformat("2026-03-01"), datetime.fromisoformat("2026-11-15")
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
LOCAL = st.datetimes(FIRST, LAST)
SPANS = st.integers(15, 40 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
ROTATIONS = st.fixed_dictionaries(
    {
        "rotation": st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4),
        "begins": LOCAL,
        "every": st.sampled_from(["90m", "12h", "1d", "36h", "7d"]),
    },
    optional={"hours": st.sampled_from([{"mon-fri": "09:00-17:00"}, {"sat-sun": "20:00-04:00"}])},
)


def shifts(starts: list[tuple[Any, Any, str]]) -> list[dict[str, Any]]:
    return [
        {"person": person, "from": start, "until": start + span} for start, span, person in starts
    ]


OVERRIDES = st.lists(st.tuples(MOMENTS, SPANS, st.sampled_from(PEOPLE)), max_size=3).map(shifts)
SCHEDULES = st.fixed_dictionaries(
    {
        "time_zone": st.sampled_from(ZONES),
        "layers": st.lists(ROTATIONS, min_size=1, max_size=3),
        "overrides": OVERRIDES,
    }
).map(Schedule.model_validate)
#: Days, so that the number of handovers of 90 minutes stays small.
WINDOWS = st.integers(1, 6 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@given(SCHEDULES, MOMENTS, WINDOWS, st.floats(0, 0.999))
def test_turns_say_who_is_on_call_at_every_moment(
    schedule: Schedule, start: datetime, window: timedelta, part: float
) -> None:
    """Otherwise a calendar would show one person, and another would be called."""
    end = start + window
    found = turns(schedule, start, end)
    assert (found[0].start, found[-1].end) == (start, end)
    for before, after in pairwise(found):
        assert before.end == after.start
        assert before.person != after.person
    at = start + window * part
    (now,) = [turn for turn in found if turn.start <= at < turn.end]
    assert now.person == on_call(schedule, at)


@given(SCHEDULES, MOMENTS)
def test_a_layer_has_one_person_or_nobody(schedule: Schedule, at: datetime) -> None:
    """Otherwise two would wait for each other."""
    where = zone(schedule.time_zone)
    in_layers = [in_layer(layer, where, at) for layer in schedule.layers]
    for layer, person in zip(schedule.layers, in_layers, strict=True):
        assert person is None or person in layer.rotation
    overriding = [each.person for each in schedule.overrides if each.holds(at, where)]
    said = [person for person in [*in_layers, *overriding] if person is not None]
    assert on_call(schedule, at) == (said[-1] if said else None)


@given(SCHEDULES, MOMENTS, WINDOWS)
def test_gaps_are_where_nobody_is(schedule: Schedule, start: datetime, window: timedelta) -> None:
    """Otherwise an alert would say that somebody is missing who is there, or be missing itself."""
    end = start + window
    empty = sum((gap.end - gap.start for gap in gaps(schedule, start, end)), timedelta(0))
    covered = [turn for turn in turns(schedule, start, end) if turn.person is not None]
    assert empty + sum((turn.end - turn.start for turn in covered), timedelta(0)) == window


@given(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4), MOMENTS, st.sampled_from(ZONES))
def test_a_rotation_without_hours_never_has_nobody_once_it_began(
    rotation: list[str], at: datetime, where: str
) -> None:
    """Otherwise a switch of clocks could leave a hole."""
    layer = {"rotation": rotation, "begins": FIRST - timedelta(days=2), "every": "12h"}
    schedule = Schedule.model_validate({"time_zone": where, "layers": [layer]})
    assert on_call(schedule, at) is not None


@given(SCHEDULES, MOMENTS.map(lambda at: at.replace(microsecond=0)), WINDOWS)
def test_what_is_exported_is_imported_alike(
    schedule: Schedule, start: datetime, window: timedelta
) -> None:
    """Otherwise a calendar program would show, or give back, other shifts than there are."""
    end = start + window
    # Calendars know whole seconds.
    found = [
        turn
        for turn in turns(schedule, start, end)
        if turn.person is not None and not (turn.start.microsecond or turn.end.microsecond)
    ]
    content = exported("primary", found, start)
    assert imported(content, start, end, zone(schedule.time_zone), PEOPLE) == found
