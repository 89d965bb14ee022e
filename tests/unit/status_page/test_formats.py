"""The page for programs: feeds by what their formats demand, Statuspage's API by its documented shape."""

from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from xml.etree import ElementTree as ET

import orjson
import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict

from streams.status_page.api import ANSWERS
from streams.status_page.feeds import atom, rss
from streams.status_page.showing import Page
from tests import told
from tests.contracts.test_channels import HOSTILE
from tests.unit.status_page.test_showing import NOON, incident, said, shown, window

ADDRESS = "https://status.example.org"
ATOM = "{http://www.w3.org/2005/Atom}"


class Documented(BaseModel):
    """No field is missing, and none is there that Statuspage does not have."""

    model_config = ConfigDict(extra="forbid", strict=False)


class PageOf(Documented):
    id: str
    name: str
    url: str
    time_zone: str
    updated_at: AwareDatetime


class StatusOf(Documented):
    indicator: Literal["none", "minor", "major", "critical", "maintenance"]
    description: str


class ComponentOf(Documented):
    id: str
    page_id: str
    name: str
    description: str | None
    status: Literal[
        "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
    ]
    position: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    group: bool
    group_id: str | None
    showcase: bool
    start_date: str | None
    only_show_if_degraded: bool


class AffectedOf(Documented):
    code: str
    name: str
    old_status: str
    new_status: str


class UpdateOf(Documented):
    id: str
    incident_id: str
    status: Literal[
        *("investigating", "identified", "monitoring", "resolved"),
        *("scheduled", "in_progress", "completed"),
    ]
    body: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    display_at: AwareDatetime
    affected_components: list[AffectedOf]
    deliver_notifications: bool
    custom_tweet: None
    tweet_id: None


class IncidentOf(Documented):
    id: str
    page_id: str
    name: str
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    impact: Literal["none", "minor", "major", "critical"]
    created_at: AwareDatetime
    started_at: AwareDatetime
    updated_at: AwareDatetime
    monitoring_at: AwareDatetime | None
    resolved_at: AwareDatetime | None
    shortlink: str
    components: list[ComponentOf]
    incident_updates: list[UpdateOf]


class MaintenanceOf(IncidentOf):
    status: Literal["scheduled", "in_progress", "completed"]  # type: ignore[assignment]
    impact: Literal["maintenance"]  # type: ignore[assignment]
    scheduled_for: AwareDatetime
    scheduled_until: AwareDatetime


class Answer(Documented):
    page: PageOf
    status: StatusOf | None = None
    components: list[ComponentOf] | None = None
    incidents: list[IncidentOf] | None = None
    scheduled_maintenances: list[MaintenanceOf] | None = None


@pytest.fixture
def full() -> Page:
    return shown(
        incident(1, public=told.public(said(5, "monitoring"), said(0), title="Checkout fails")),
        incident(2, public=told.public(said(3, "resolved"), said(-60), title=HOSTILE[:200])),
        silences=(
            window(),
            window(silence_id="later", starts_at=NOON + timedelta(hours=1)),
            window(
                silence_id="over", starts_at=NOON - timedelta(1), ends_at=NOON - timedelta(hours=5)
            ),
        ),
    )


@pytest.mark.parametrize("name", ANSWERS)
def test_the_api_is_shaped_as_documented(full: Page, name: str) -> None:
    """Otherwise programs that read Statuspage could not read this."""
    parts = {
        "summary.json": {"status", "components", "incidents", "scheduled_maintenances"},
        "status.json": {"status"},
        "components.json": {"components"},
        "incidents.json": {"incidents"},
        "incidents/unresolved.json": {"incidents"},
    }.get(name, {"scheduled_maintenances"})
    document = orjson.loads(ANSWERS[name](full, ADDRESS).model_dump_json())
    assert document.keys() == {"page", *parts}
    answer = Answer.model_validate(document)
    assert answer.page.url == ADDRESS
    assert answer.page.updated_at == NOON + timedelta(minutes=5)


def asked(full: Page, name: str) -> Any:
    return Answer.model_validate(ANSWERS[name](full, ADDRESS).model_dump(mode="json"))


def test_each_answer_holds_what_its_name_says(full: Page) -> None:
    """Otherwise a monitor would take an incident of last month for one of now."""
    names = {
        name: [each.name for each in asked(full, name).incidents]
        for name in ("summary.json", "incidents/unresolved.json", "incidents.json")
    }
    assert names["summary.json"] == names["incidents/unresolved.json"] == ["Checkout fails"]
    assert len(names["incidents.json"]) == 2
    planned = {
        name: [each.status for each in asked(full, name).scheduled_maintenances]
        for name in ANSWERS
        if name.startswith(("scheduled", "summary"))
    }
    assert planned == {
        "summary.json": ["in_progress", "scheduled"],
        "scheduled-maintenances.json": ["in_progress", "scheduled", "completed"],
        "scheduled-maintenances/upcoming.json": ["scheduled"],
        "scheduled-maintenances/active.json": ["in_progress"],
    }
    [open_] = asked(full, "summary.json").incidents
    assert open_.monitoring_at == NOON + timedelta(minutes=5)
    assert open_.resolved_at is None
    assert open_.started_at == NOON - timedelta(hours=1)
    assert [each.name for each in open_.components] == ["Checkout"]
    assert [each.status for each in open_.incident_updates] == ["monitoring", "investigating"]
    assert open_.shortlink == f"{ADDRESS}#INC-2026-03-02-001"


def test_updates_say_what_became_of_components(full: Page) -> None:
    """Otherwise a reader of the API could not tell when a component was how."""
    worse = incident(
        public=told.public(
            said(30, "resolved", impact="minor"),
            said(10, "monitoring", impact="minor"),
            said(0, impact="critical"),
        )
    )
    [one] = asked(shown(worse, at=NOON + timedelta(hours=1)), "incidents.json").incidents
    assert [
        (each.affected_components[0].old_status, each.affected_components[0].new_status)
        for each in one.incident_updates
    ] == [
        ("degraded_performance", "operational"),
        ("major_outage", "degraded_performance"),
        ("operational", "major_outage"),
    ]


@pytest.mark.parametrize(
    ("hours", "turns"),
    [
        (-1, ["scheduled"]),
        (0, ["in_progress", "scheduled"]),
        (2, ["completed", "in_progress", "scheduled"]),
    ],
)
def test_maintenance_says_what_became_of_it(hours: int, turns: list[str]) -> None:
    """Otherwise a feed's reader would see that work was announced, and never that it began or ended."""
    now = shown(silences=(window(),), at=NOON + timedelta(hours=hours))
    [one] = asked(now, "scheduled-maintenances.json").scheduled_maintenances
    assert [each.status for each in one.incident_updates] == turns
    moments = [NOON - timedelta(days=1), NOON, NOON + timedelta(hours=2)][: len(turns)]
    assert [each.created_at for each in one.incident_updates] == moments[::-1]
    assert (one.created_at, one.updated_at) == (moments[0], moments[-1])
    root = ET.fromstring(atom(now, ADDRESS))  # noqa: S314 - it is our own
    assert [each.text for each in root.iter(f"{ATOM}updated")] == [moments[-1].isoformat()] * 2


def test_ids_stay_the_same(full: Page) -> None:
    """Otherwise each look would be a new incident to whoever reads it."""
    assert ANSWERS["incidents.json"](full, ADDRESS) == ANSWERS["incidents.json"](full, ADDRESS)
    updates = [
        each.id for one in asked(full, "incidents.json").incidents for each in one.incident_updates
    ]
    assert len(set(updates)) == len(updates) == 4


def text(of: ET.Element, tag: str) -> str:
    found = of.find(tag)
    assert found is not None, tag
    assert found.text, tag
    return found.text


def test_the_rss_feed_has_what_rss_demands(full: Page) -> None:
    """Otherwise readers would refuse it (RSS 2.0: channel and item elements)."""
    root = ET.fromstring(rss(full, ADDRESS))  # noqa: S314 - it is our own
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    channel = root.find("channel")
    assert channel is not None
    assert text(channel, "title") == "Shop Status"
    assert text(channel, "link") == ADDRESS
    assert text(channel, "description")
    assert parsedate_to_datetime(text(channel, "lastBuildDate")) == NOON + timedelta(minutes=5)
    items = channel.findall("item")
    assert len(items) == 5
    for item in items:
        assert text(item, "title")
        assert text(item, "link").startswith(f"{ADDRESS}#")
        assert parsedate_to_datetime(text(item, "pubDate")).tzinfo is not None
        assert text(item, "description").startswith("<p>")
    guids = [text(item, "guid") for item in items]
    assert len(set(guids)) == len(guids)


def test_the_atom_feed_has_what_atom_demands(full: Page) -> None:
    """Otherwise readers would refuse it (RFC 4287, sections 4.1.1 and 4.1.2)."""
    root = ET.fromstring(atom(full, ADDRESS))  # noqa: S314 - it is our own
    assert root.tag == f"{ATOM}feed"
    for tag in ("id", "title", "updated"):
        assert text(root, f"{ATOM}{tag}")
    author = root.find(f"{ATOM}author")
    assert author is not None
    assert text(author, f"{ATOM}name") == "Shop"
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {"alternate": ADDRESS, "self": f"{ADDRESS}/history.atom"}
    entries = root.findall(f"{ATOM}entry")
    assert len(entries) == 5
    moments = []
    for entry in entries:
        for tag in ("id", "title", "published", "updated"):
            assert text(entry, f"{ATOM}{tag}")
        content = entry.find(f"{ATOM}content")
        assert content is not None
        assert content.get("type") == "html"
        moments.append(text(entry, f"{ATOM}updated"))
    # What is new comes first.
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize("make", [rss, atom])
def test_hostile_texts_stay_texts(make: Callable[[Page, str], bytes]) -> None:
    """Otherwise a pasted text could break the feed, or run in a reader."""
    hostile = incident(public=told.public(said(0, message=HOSTILE[:1_000]), title=HOSTILE[:200]))
    written = make(shown(hostile), ADDRESS)
    ET.fromstring(written)  # noqa: S314 - it is our own
    # Twice escaped: the content is HTML within XML.
    assert b"&amp;lt;script" in written
    assert b"<script" not in written
