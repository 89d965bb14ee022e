"""The status page over HTTP: what is answered where, and what is said before everything was read."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest

from schemas.contract import Contract
from schemas.topics import CURRENT, SILENCES, TopicDeclaration
from streams.board.application import application
from streams.board.status import status_page
from streams.gateways.following import Following
from streams.settings import Settings
from streams.status_page.showing import State
from tests import told
from tests.recording import Record
from tests.unit.status_page.test_showing import NOON, SETTINGS, incident, said, window


@dataclass
class Known:
    incidents: list = field(default_factory=list)
    ready: bool = True
    looks: int = 0

    def state(self) -> State:
        self.looks += 1
        return State(tuple(self.incidents))


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


class Nowhere:
    async def send(self, topic: TopicDeclaration, message: Contract) -> None:
        raise AssertionError


def client(known: Known, clock: Clock | None = None) -> httpx.AsyncClient:
    clock = clock or Clock()
    board = application({}, Nowhere(), clock, status_page(SETTINGS, known, clock))
    return httpx.AsyncClient(transport=httpx.ASGITransport(board), base_url="http://board")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/status", "text/html; charset=utf-8"),
        ("/status/history.rss", "application/rss+xml"),
        ("/status/history.atom", "application/atom+xml"),
        ("/api/v2/summary.json", "application/json"),
        ("/api/v2/incidents/unresolved.json", "application/json"),
    ],
)
async def test_everybody_can_read_it(path: str, kind: str) -> None:
    """Otherwise customers would not see what is published."""
    answer = await client(Known([incident()])).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert "Checkout fails" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if kind.endswith("xml"):
        ET.fromstring(answer.content)  # noqa: S314 - it is our own


async def test_other_sites_may_read_the_api() -> None:
    """Otherwise a page of ours elsewhere could not show the status."""
    answer = await client(Known()).get("/api/v2/status.json")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["status"]["indicator"] == "none"


async def test_what_is_not_there_says_what_is() -> None:
    """Otherwise whoever mistypes an address would have to guess."""
    answer = await client(Known()).get("/api/v2/sumary.json")
    assert answer.status_code == 404
    assert "summary.json" in answer.json()["detail"]


async def test_half_of_what_is_known_is_not_shown() -> None:
    """Otherwise the page would be green after each restart, in the middle of an outage."""
    answer = await client(Known([incident()], ready=False)).get("/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_however_many_ask_it_is_made_once_a_second() -> None:
    """Otherwise a crowd that comes because of an outage would take the page down as well."""
    known, clock = Known(), Clock()
    board = client(known, clock)
    for _ in range(3):
        await board.get("/status")
        await board.get("/api/v2/summary.json")
    assert known.looks == 1
    known.incidents.append(incident())
    clock.at += timedelta(seconds=1)
    assert "Checkout fails" in (await board.get("/status")).text


# -- what is followed -------------------------------------------------------------------------


def record(topic: TopicDeclaration, key: bytes, value: bytes | None) -> Record:
    return Record(topic.name, 0, 0, key, value)


def test_what_is_published_is_followed_as_it_changes() -> None:
    """Otherwise the page would show what was, or keep what nobody outside may see."""
    following = Following(Settings(), {})
    key = b"default/INC-2026-03-02-001"
    following.take(record(CURRENT, key, incident(public=None).to_wire()))
    assert following.state().incidents == ()
    following.take(record(CURRENT, key, incident().to_wire()))
    over = incident(public=told.public(said(1, "resolved"), said(0)))
    following.take(record(CURRENT, key, over.to_wire()))
    assert following.state().incidents == (over,)
    following.take(record(CURRENT, key, b"of another release"))
    assert following.state().incidents == (over,)
    following.take(record(CURRENT, key, None))
    assert following.state().incidents == ()


def test_windows_are_followed_until_they_are_gone() -> None:
    """Otherwise maintenance that was called off would stay announced."""
    following = Following(Settings(), {})
    following.take(record(SILENCES, b"upgrade", window().to_wire()))
    following.take(
        record(SILENCES, b"quiet", window(silence_id="quiet", maintenance=False).to_wire())
    )
    assert following.state().silences == (window(),)
    following.take(record(SILENCES, b"upgrade", None))
    assert following.state().silences == ()
