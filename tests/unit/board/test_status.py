"""The status page over HTTP: what is answered where, and what is said before everything was read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest
from aiokafka.errors import KafkaError, RequestTimedOutError

from schemas.contract import Contract
from schemas.policies import PolicyV1
from schemas.topics import CURRENT, SILENCES, TopicDeclaration
from streams.board.application import application
from streams.board.status import Pages, status_pages
from streams.errors import Unavailable
from streams.gateways import following as under_test
from streams.gateways.following import Following
from streams.policy import Policy
from streams.settings import Settings
from streams.status_page.html import STYLE
from streams.status_page.settings import StatusPage
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


@dataclass
class Governing:
    policy: Policy


def client(
    known: Known,
    clock: Clock | None = None,
    policy: Policy | Governing | None = None,
    base_url: str = "http://board",
) -> httpx.AsyncClient:
    clock = clock or Clock()
    policy = policy or Policy(status_page=SETTINGS)
    governing = policy if isinstance(policy, Governing) else Governing(policy)
    board = application({}, Nowhere(), clock, status_pages(Pages(governing, known, clock)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(board), base_url=base_url)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/status", "text/html; charset=utf-8"),
        ("/status/history", "text/html; charset=utf-8"),
        ("/", "text/html; charset=utf-8"),
        ("/history.rss", "application/rss+xml"),
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
    board = client(Known([incident()], ready=False))
    for path in ("/history.rss", "/status/history.atom", "/api/v2/summary.json"):
        answer = await board.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json() == {"detail": "the incidents are still being read"}


@pytest.mark.parametrize("path", ["/", "/status", "/status/history", "/history", "/status/default"])
async def test_people_read_that_nothing_is_known_yet(path: str) -> None:
    """They would see a line for programs, and stay with it: a board that starts without its broker waits for it."""
    known = Known([incident()], ready=False)
    board = client(known)
    answer = await board.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert STYLE in answer.headers["content-security-policy"]
    assert "We cannot tell how things are at the moment." in answer.text
    assert 'http-equiv="refresh"' in answer.text
    assert SETTINGS.name not in answer.text

    known.ready = True
    assert (await board.get(path)).status_code == 200


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


async def test_who_has_it_is_not_sent_it_again() -> None:
    """Otherwise a crowd that reloads the page would have it sent each time."""
    known, clock = Known([incident()]), Clock()
    board = client(known, clock)
    first = await board.get("/status")
    clock.at += timedelta(seconds=30)
    again = await board.get("/status", headers={"If-None-Match": f'"x", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "content-security-policy"):
        # A browser takes them for those of what it has.
        assert again.headers[name] == first.headers[name]
    known.incidents.append(incident(2, public=told.public(said(0), title="Search fails")))
    clock.at += timedelta(seconds=1)
    news = await board.get("/status", headers={"If-None-Match": first.headers["etag"]})
    assert "Search fails" in news.text


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, br", "gzip"), ("br;q=1, gzip;q=0", None), ("identity", None), ("GZIP;q=0.5", "gzip")],
)
async def test_it_is_compressed_for_who_takes_that(accepted: str, encoding: str | None) -> None:
    """Otherwise ninety days of many components would be slow on a telephone, or unreadable."""
    answer = await client(Known([incident()])).get("/status", headers={"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "Checkout fails" in answer.text


async def test_monitors_may_ask_for_the_headers_alone() -> None:
    """Otherwise they would take the page for broken."""
    board = client(Known())
    for path in ("/status", "/api/v2/status.json", "/openapi.json"):
        answer, whole = await board.head(path), await board.get(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers == whole.headers


@pytest.mark.parametrize("path", ["/status", "/nothing", "/openapi.json", "/callbacks/x"])
async def test_every_answer_says_what_a_browser_may_not_do_with_it(path: str) -> None:
    """Otherwise one part that is added later could be without."""
    answer = await client(Known()).get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/docs", "/redoc"])
async def test_what_operators_ask_is_not_beside_a_public_page(path: str) -> None:
    """Otherwise everybody could read the names of our topics, channels and rules."""
    assert (await client(Known()).get(path)).status_code == 404


@pytest.mark.parametrize("host", ["a b", "<script>", "x/y", "board:http"])
async def test_a_host_that_is_none_is_refused(host: str) -> None:
    """Otherwise it would stand in links of the page."""
    answer = await client(Known()).get("/status", headers={"Host": host})
    assert answer.status_code == 400


# -- several tenants --------------------------------------------------------------------------

ACME = StatusPage(name="Acme", tenant="acme", components={"Mail": {}})
HOSTED = StatusPage(name="Zeta", tenant="zeta", url="https://status.zeta.example")
THREE = Policy(status_page=SETTINGS, status_pages={"acme": ACME, "zeta": HOSTED})
OURS = {
    "Shop": incident(1, public=told.public(said(0), title="Shop fails")),
    "Acme": incident(2, tenant="acme", public=told.public(said(0), title="Acme fails")),
    "Zeta": incident(3, tenant="zeta", public=told.public(said(0), title="Zeta fails")),
}


@pytest.mark.parametrize(
    ("host", "path", "whose"),
    [
        ("board", "/status", "Shop"),
        ("board", "/", "Shop"),
        ("board", "/status/acme", "Acme"),
        ("board", "/status/zeta", "Zeta"),
        ("board", "/status/default", "Shop"),
        ("board", "/status/nobody", None),
        ("status.zeta.example", "/", "Zeta"),
        ("status.zeta.example:443", "/status", "Zeta"),
        ("STATUS.zeta.example", "/status/zeta", "Zeta"),
        ("status.zeta.example", "/status/acme", None),
        ("status.zeta.example", "/status/default", None),
        # The first page's own host.
        ("status.example.org", "/", "Shop"),
        ("status.example.org", "/status/zeta", None),
    ],
)
async def test_each_tenant_has_a_page_and_no_page_has_anothers(
    host: str, path: str, whose: str | None
) -> None:
    """Otherwise one tenant's customers would read of another's incidents."""
    board = client(Known([*OURS.values()]), policy=THREE, base_url=f"http://{host}")
    for below in ("", "/history", "/history.rss", "/history.atom", "/api/v2/incidents.json"):
        answer = await board.get(f"{path.rstrip('/')}{below}" or "/")
        assert answer.status_code == (404 if whose is None else 200)
        shown = [name for name in OURS if name in answer.text]
        assert shown == ([whose] if whose else [])


async def test_links_lead_to_the_same_page() -> None:
    """Otherwise a reader of one tenant's page would subscribe to another one's."""
    board = client(Known(), policy=THREE)
    assert 'href="acme/history.atom"' in (await board.get("/status/acme")).text
    assert 'href="../acme"' in (await board.get("/status/acme/history")).text
    first = (await board.get("/status/history")).text
    assert 'href="https://status.example.org"' in first
    zeta = await board.get("/status/zeta")
    assert 'href="https://status.zeta.example/history.rss"' in zeta.text
    atom = (await board.get("/status/acme/history.atom")).text
    assert "<id>http://board/status/acme</id>" in atom


async def test_maintenance_shows_no_component_of_another_page() -> None:
    """Otherwise one tenant would learn what another one has of a service that both use."""
    policy = Policy(
        status_page=SETTINGS,
        status_pages={"acme": ACME},
        services={"payments": {"components": ["Checkout", "Mail"]}},
    )
    known = Known()
    known.state = lambda: State((), (window(tenant="acme"),))  # type: ignore[method-assign]
    answer = await client(known, policy=policy).get("/status/acme/api/v2/summary.json")
    [planned] = answer.json()["scheduled_maintenances"]
    assert [each["name"] for each in planned["components"]] == ["Mail"]
    assert "Checkout" not in answer.text


async def test_a_policy_without_a_page_has_none() -> None:
    """Otherwise a board for callbacks alone would publish something."""
    answer = await client(Known([incident()]), policy=Policy()).get("/status")
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no status page here")


async def test_another_policy_changes_the_page_at_once() -> None:
    """Otherwise it would show components that are gone until somebody restarts it."""
    governing = Governing(Policy(status_page=SETTINGS))
    board = client(Known(), policy=governing)
    assert "Search" in (await board.get("/status")).text
    governing.policy = Policy(status_page=StatusPage(name="Shop", components={"Returns": {}}))
    page = (await board.get("/status")).text
    assert "Returns" in page
    assert "Search" not in page


# -- what is followed -------------------------------------------------------------------------


class Unheard:
    def hear(self, published: PolicyV1) -> None:
        raise AssertionError

    def settle(self) -> None:
        raise AssertionError


def record(topic: TopicDeclaration, key: bytes, value: bytes | None) -> Record:
    return Record(topic.name, 0, 0, key, value)


def test_what_is_published_is_followed_as_it_changes() -> None:
    """Otherwise the page would show what was, or keep what nobody outside may see."""
    following = Following(Settings(), Unheard())
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
    following = Following(Settings(), Unheard())
    following.take(record(SILENCES, b"upgrade", window().to_wire()))
    following.take(
        record(SILENCES, b"quiet", window(silence_id="quiet", maintenance=False).to_wire())
    )
    assert following.state().silences == (window(),)
    following.take(record(SILENCES, b"upgrade", None))
    assert following.state().silences == ()


class Consumer:
    """Stands for the client, whose broker goes away without a word."""

    def __init__(self) -> None:
        self.asked = 0

    def assignment(self) -> set[int]:
        return set()

    async def end_offsets(self, _: object) -> dict[str, int]:
        self.asked += 1
        if self.asked > 2:
            raise RequestTimedOutError
        return {}


async def test_a_broker_that_is_away_without_a_word_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the page would say that what it shows is of now, for as long as the broker is away."""
    consumer, clock = Consumer(), Clock()

    async def nothing(*_: object, **__: object) -> list[Record]:
        clock.at += timedelta(seconds=4)
        return []

    @asynccontextmanager
    async def reading(*_: object) -> AsyncIterator[Consumer]:
        try:
            yield consumer
        except KafkaError:
            message = "the broker stopped answering"
            raise Unavailable(message) from None

    for name, fake in (("reading", reading), ("read_all", nothing), ("fetched", nothing)):
        monkeypatch.setattr(under_test, name, fake)
    following = Following(Settings(), Unheard(), clock)
    assert following.unready() == "the topics are still being read"
    with pytest.raises(Unavailable):
        await following._follow()
    assert following.unready() is None
    # It answered twice, each time after twelve seconds.
    assert following.state().as_of == NOON + timedelta(seconds=4 + 2 * 12)


async def test_a_board_that_starts_before_its_broker_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would end, and with it the page that says that something is wrong."""
    away = [Unavailable("no broker answers"), Unavailable("it does not answer about topics")]
    said: list[str | None] = []

    @asynccontextmanager
    async def reading(*_: object) -> AsyncIterator[Consumer]:
        if away:
            raise away.pop(0)
        said.append(following.unready())
        yield Consumer()

    async def read(*_: object, **__: object) -> None:
        said.append(following.unready())

    async def forever(*_: object) -> list[Record]:
        followed.set()
        await asyncio.Event().wait()
        return []

    async def wait(_: float) -> None:
        said.append(following.unready())

    followed = asyncio.Event()
    fakes = {"reading": reading, "read_all": read, "fetched": forever}
    for name, fake in fakes.items():
        monkeypatch.setattr(under_test, name, fake)
    monkeypatch.setattr(under_test.asyncio, "sleep", wait)
    following = Following(Settings(), Unheard(), Clock())
    task = asyncio.create_task(following.run())
    await followed.wait()
    assert said == [
        "no broker answers",
        "it does not answer about topics",
        "it does not answer about topics",
        "the topics are still being read",
    ]
    assert (following.ready, following.unready()) == (True, None)
    task.cancel()
