"""What the page shows at one moment, of simulated days: components, incidents, uptime, maintenance."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.lifecycle import IncidentV1, Status
from schemas.silences import SilenceV1
from streams.status_page.html import history, html
from streams.status_page.settings import StatusPage
from streams.status_page.showing import Page, State, page
from streams.status_page.uptime import DAYS, Down, midnight, uptime
from tests import told

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SETTINGS = StatusPage(
    name="Shop",
    url="https://status.example.org",
    components={"Checkout": {"description": "Orders"}, "Search": {}},
)
OF_SERVICES = {"payments": ("Checkout",), "index": ("Search",)}


def incident(number: int = 1, **facts: Any) -> IncidentV1:
    facts.setdefault("public", told.public(said(0)))
    return told.incident(
        incident_id=f"INC-2026-03-02-{number:03}", started_at=NOON - timedelta(hours=1), **facts
    )


def said(minutes: float, status: str = "investigating", **facts: Any) -> Any:
    return told.update(status, published_at=NOON + timedelta(minutes=minutes), **facts)


def window(**facts: Any) -> SilenceV1:
    given: dict[str, Any] = {
        "occurred_at": NOON - timedelta(days=1),
        "silence_id": "upgrade",
        "matchers": ({"label": "service", "operator": "=~", "value": "pay.*"},),
        "starts_at": NOON,
        "ends_at": NOON + timedelta(hours=2),
        "author": "Ada",
        "reason": "internal reason",
        "maintenance": True,
        "title": "Upgrade of our database",
    }
    return SilenceV1(**given | facts)


def shown(
    *incidents: IncidentV1, at: datetime = NOON, silences: tuple[SilenceV1, ...] = ()
) -> Page:
    return page(SETTINGS, State(incidents, silences, OF_SERVICES), at)


def statuses(of: Page) -> dict[str, str]:
    return {each.name: each.status for each in of.components}


def test_nothing_published_is_all_operational() -> None:
    """Otherwise an incident that nobody spoke of outside would be on the page."""
    quiet = shown(incident(public=None))
    assert (quiet.indicator, quiet.description) == ("none", "All Systems Operational")
    assert quiet.incidents == []
    assert statuses(quiet) == {"Checkout": "operational", "Search": "operational"}
    assert [each.uptime.percent for each in quiet.components] == [100, 100]


@pytest.mark.parametrize(
    ("impact", "indicator", "level"),
    [
        ("none", "none", "operational"),
        ("minor", "minor", "degraded_performance"),
        ("major", "major", "partial_outage"),
        ("critical", "critical", "major_outage"),
    ],
)
def test_an_open_incident_is_what_its_components_are(
    impact: str, indicator: str, level: str
) -> None:
    """Otherwise the page would be green while things fail."""
    now = shown(incident(public=told.public(said(0, impact=impact))))
    assert now.indicator == indicator
    assert statuses(now) == {"Checkout": level, "Search": "operational"}
    assert [each.incident_id for each in now.unresolved] == ["INC-2026-03-02-001"]


def test_the_worst_of_several_counts() -> None:
    """Otherwise a small incident would hide a large one."""
    now = shown(
        incident(1, public=told.public(said(0, impact="critical"))),
        incident(2, public=told.public(said(1, impact="minor", components=("Checkout", "Search")))),
    )
    assert now.description == "Major System Outage"
    assert statuses(now) == {"Checkout": "major_outage", "Search": "degraded_performance"}
    assert [each.incident_id[-1] for each in now.incidents] == ["2", "1"]


@pytest.mark.parametrize(
    ("facts", "over"),
    [
        ({"public": told.public(said(30, "resolved"), said(0))}, 30),
        ({"status": Status.CLOSED, "resolved_at": NOON, "closed_at": NOON + timedelta(1)}, 0),
        (
            {
                "status": Status.MERGED,
                "merged_into": "INC-2026-03-02-009",
                "occurred_at": NOON + timedelta(minutes=5),
            },
            5,
        ),
        ({"status": Status.RESOLVED, "resolved_at": NOON}, None),
    ],
    ids=["said", "closed", "merged", "resolved inside only"],
)
def test_when_it_is_over_for_people_outside(facts: dict[str, Any], over: int | None) -> None:
    """Otherwise the page would end what people were told goes on, or keep red what nobody works on."""
    [each] = shown(incident(**facts), at=NOON + timedelta(days=2)).incidents
    assert each.over_at == (None if over is None else NOON + timedelta(minutes=over))


def test_other_tenants_and_exercises_are_not_shown() -> None:
    """Otherwise one customer's page would tell of another one."""
    assert shown(incident(tenant="other"), incident(2, drill=True)).incidents == []


def test_each_update_counts_until_the_next_one() -> None:
    """Otherwise an hour of a full outage would weigh as much as one of slow answers."""
    updates = (
        said(60, "resolved"),
        said(30, "monitoring", impact="minor"),
        said(0, impact="critical", components=("Checkout",)),
    )
    at = NOON + timedelta(hours=12)
    checkout, search = shown(incident(public=told.public(*updates)), at=at).components
    today = checkout.uptime.days[-2]
    # It began an hour before it was told of.
    assert (today.day, today.level, today.major) == (
        date(2026, 3, 2),
        "major_outage",
        timedelta(minutes=90),
    )
    assert today.partial == timedelta(0)
    assert search.uptime.percent == 100


# -- uptime -----------------------------------------------------------------------------------


def test_ninety_days_the_last_of_them_today() -> None:
    """Otherwise the bars would not be the days that they say."""
    days = uptime([], NOON).days
    assert len(days) == DAYS == 90
    assert (days[0].day, days[-1].day) == (date(2025, 12, 3), date(2026, 3, 2))


def test_an_outage_over_midnight_counts_on_both_days() -> None:
    """Otherwise half of it would be lost."""
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    of = uptime(
        [Down(midnight - timedelta(hours=1), midnight + timedelta(hours=2), "major_outage")], NOON
    )
    assert [each.major for each in of.days[-2:]] == [timedelta(hours=1), timedelta(hours=2)]
    known = 89 * 24 + 12
    assert of.percent == pytest.approx(100 * (1 - 3 / known))


def test_weights_are_those_of_statuspage_and_overlaps_count_once() -> None:
    """Otherwise two incidents at once would make more downtime than there is time."""
    hour = timedelta(hours=1)
    of = uptime(
        [
            Down(NOON - 3 * hour, NOON - hour, "partial_outage"),
            Down(NOON - 2 * hour, NOON - hour, "major_outage"),
            Down(NOON - 2 * hour, NOON, "degraded_performance"),
        ],
        NOON,
    )
    assert (of.days[-1].partial, of.days[-1].major) == (hour, hour)
    assert of.percent == pytest.approx(100 * (1 - 1.3 / (89 * 24 + 12)))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        # Where summer time begins and ends.
        ("Europe/Vienna", date(2026, 3, 29), 23),
        ("Europe/Vienna", date(2026, 10, 25), 25),
        ("Europe/Vienna", date(2026, 3, 28), 24),
        # Where midnight is left out, and where it comes twice.
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Asia/Kathmandu", date(2026, 5, 1), 24),
    ],
)
def test_days_are_those_of_the_pages_zone(zone: str, day: date, hours: int) -> None:
    """Otherwise an outage late in the evening would be shown on the next day, and one of a whole day on two."""
    begins = midnight(day, ZoneInfo(zone))
    ends = midnight(day + timedelta(days=1), ZoneInfo(zone))
    at = ends + timedelta(days=3)
    of = uptime([Down(begins, ends, "major_outage")], at, zone=ZoneInfo(zone))
    assert {each.day: each.major for each in of.days if each.major} == {day: timedelta(hours=hours)}
    # A second more on both sides is a second of the days beside it.
    second = timedelta(seconds=1)
    of = uptime([Down(begins - second, ends + second, "major_outage")], at, zone=ZoneInfo(zone))
    assert [each.major for each in of.days if each.major] == [
        second,
        timedelta(hours=hours),
        second,
    ]


def test_maintenance_is_on_its_days_and_counts_as_up() -> None:
    """Otherwise announced work would be shown as an outage, or not at all."""
    at = NOON + timedelta(hours=1)
    outage = incident(public=told.public(said(0, impact="critical", components=("Checkout",))))
    checkout, search = shown(silences=(window(),), at=at).components
    assert (checkout.uptime.days[-1].level, checkout.uptime.percent) == ("under_maintenance", 100)
    assert search.uptime.days[-1].level == "operational"
    # What fails meanwhile is an outage all the same.
    checkout, _ = shown(outage, silences=(window(),), at=at).components
    assert checkout.uptime.days[-1].level == "major_outage"
    assert checkout.uptime.days[-1].major == timedelta(hours=2)


def test_a_component_says_when_it_last_changed() -> None:
    """Otherwise every component would seem to have changed with each incident."""
    at = NOON + timedelta(hours=3)
    one = incident(public=told.public(said(10, components=("Search",))))
    checkout, search = shown(one, silences=(window(),), at=at).components
    assert search.changed_at == NOON + timedelta(minutes=10)
    # Its maintenance has ended.
    assert checkout.changed_at == NOON + timedelta(hours=2)
    [quiet, _] = shown(at=at).components
    assert quiet.changed_at == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(("ends", "level"), [(timedelta(0), "operational"), (timedelta(1), None)])
def test_days_before_the_first_one_are_unknown(ends: timedelta, level: str | None) -> None:
    """Otherwise an installation of yesterday would claim ninety good days."""
    since = date(2026, 3, 2) + ends
    of = uptime([Down(NOON - timedelta(days=30), NOON, "major_outage")][:0], NOON, since)
    assert of.days[-1].level == level
    assert of.days[-2].level is None
    assert of.percent == (100 if level else None)


# -- maintenance ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "status"),
    [
        (NOON - timedelta(seconds=1), "scheduled"),
        (NOON, "in_progress"),
        (NOON + timedelta(hours=2, seconds=-1), "in_progress"),
        (NOON + timedelta(hours=2), "completed"),
    ],
)
def test_maintenance_begins_and_ends_to_the_second(at: datetime, status: str) -> None:
    """Otherwise people would be told of work that is over, or not of what is under way."""
    now = shown(silences=(window(),), at=at)
    [each] = [*now.maintenance, *now.completed]
    assert (each.status, each.components) == (status, ("Checkout",))
    under_way = status == "in_progress"
    assert statuses(now)["Checkout"] == ("under_maintenance" if under_way else "operational")
    assert now.indicator == ("maintenance" if under_way else "none")


def test_windows_that_are_nothing_for_people_outside_are_not_shown() -> None:
    """Otherwise every silence would be announced, with its internal reason."""
    called_off = window(starts_at=NOON - timedelta(milliseconds=1), ends_at=NOON)
    silences = (window(title=""), window(maintenance=False), window(tenant="other"), called_off)
    now = shown(silences=silences)
    assert (now.maintenance, now.completed) == ([], [])


# -- HTML -------------------------------------------------------------------------------------


def test_the_page_tells_all_and_loads_nothing() -> None:
    """Otherwise it would fail together with what it tells of, or not work without scripts."""
    text = html(
        shown(
            incident(public=told.public(said(0), title="Checkout <fails>", impact_text="Cards")),
            incident(2, public=told.public(said(30, "resolved"), said(0), title="Old one")),
            silences=(window(starts_at=NOON + timedelta(hours=1)),),
        )
    )
    for part in ("Checkout &lt;fails&gt;", "Old one", "Upgrade of our database", "Partial Outage"):
        assert part in text
    assert text.count("<i class=") == 2 * DAYS
    for loaded in ("<script", "<img", "src=", "@import", "url("):
        assert loaded not in text
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text
    assert "internal reason" not in text
    assert "Database does not answer" not in text


def test_what_the_bars_show_is_said_in_words() -> None:
    """Otherwise whoever sees no colours, or has no pointer, would learn nothing of the days."""
    settings = SETTINGS.model_copy(update={"since": date(2026, 2, 1), "time_zone": "Asia/Tokyo"})
    over = told.public(said(60, "resolved"), said(0, impact="major"))
    made = page(settings, State((incident(public=over),)), NOON + timedelta(hours=5))
    text = html(made)
    assert 'aria-label="Checkout, the last 90 days: ' in text
    assert "1 day with outages or maintenance" in text
    assert "<li>Mar 2, 2026: 2 h partial outage</li>" in text
    assert 'uptime<span class="long"> in 31 days</span>' in text
    # Summer time or not, it is said whose clock that is.
    assert "Mar 2, 2026, 21:00 JST" in text
    assert "those of Asia/Tokyo" in text


@pytest.mark.parametrize(("away", "said"), [(timedelta(seconds=60), 0), (timedelta(seconds=61), 2)])
def test_what_was_not_heard_of_for_long_is_not_said_to_be_now(away: timedelta, said: int) -> None:
    """Otherwise the page would be green in an outage that took our own broker as well."""
    text = html(page(SETTINGS, State(as_of=NOON - away), NOON))
    assert ("We cannot tell how things are at the moment" in text) == bool(said)
    # Beside that, and at the end.
    assert text.count("Mar 2, 2026, 11:58 UTC") == said


def test_the_history_has_incidents_and_maintenance_by_month() -> None:
    """Otherwise what is older than the page shows would be in feeds alone."""
    old = window(starts_at=NOON - timedelta(days=20), ends_at=NOON - timedelta(days=20, hours=-2))
    over = told.public(said(30, "resolved"), said(0), title="Checkout failed")
    text = history(
        shown(incident(public=over), silences=(old,), at=NOON + timedelta(1)), "../status"
    )
    places = [text.index(part) for part in ("March 2026", "Checkout failed", "February 2026")]
    assert places == sorted(places)
    assert text.index("Upgrade of our database") > places[-1]
    assert "Feb 10, 2026, 12:00 to 14:00 UTC" in text
    assert "internal reason" not in text


def test_a_minute_of_downtime_is_never_rounded_away() -> None:
    """Otherwise the page would claim a hundred percent."""
    begins = NOON - timedelta(minutes=1)
    each = told.incident(started_at=begins, public=told.public(said(0, impact="critical")))
    assert "99.99 % uptime" in html(shown(each))
