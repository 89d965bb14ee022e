"""``tocsin silence``, ``tocsin change`` and ``tocsin explain``: what is sent and said. The broker is not there; a recorder is."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.changes import ChangeV1
from schemas.notices import ReceiptV1
from schemas.origin import Origin
from schemas.silences import SilenceV1
from schemas.topics import SILENCES, TopicDeclaration
from streams.backtest.nearness import Near
from streams.cli.change import change
from streams.cli.explain import explain, why, why_not
from streams.cli.silence import silence
from streams.gateways import changes, clock, explaining, near_misses, silences
from streams.gateways.explaining import Told, Untold
from streams.gateways.producer import partition_of
from streams.gateways.silences import Ending, ended
from streams.policy import Policy
from streams.settings import Settings
from tests.life import NOON, Life, alert, policy
from tests.life import silence as a_silence


@dataclass
class Broker:
    """Remembers what was published; has what it was given."""

    published: list[tuple[TopicDeclaration, Any]] = field(default_factory=list)
    known: list[SilenceV1] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def send(self, topic: TopicDeclaration, message: Any) -> None:
        self.published.append((topic, message))

    async def send_all(self, topic: TopicDeclaration, messages: Any) -> None:
        self.published += [(topic, message) for message in messages]

    async def current(self, *_: Any, **__: Any) -> list[SilenceV1]:
        return self.known


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()
    for module in (silences, changes):
        monkeypatch.setattr(module, "Publisher", lambda *_, **__: made)
    monkeypatch.setattr(silences, "current", made.current)
    monkeypatch.setattr(clock, "now", lambda: NOON)
    monkeypatch.setenv("COLUMNS", "200")
    return made


def run(command: Any, *arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(command, list(arguments), input=said)


def test_a_silence_is_what_was_typed(broker: Broker) -> None:
    result = run(
        silence, "add", "service=shop", 'rule=~"slow-.*"', "--for", "2h30m", "--reason", "upgrade",
        "--id", "night", "--author", "Ada", "--maintenance", "--title", "Work", "--starts", "2026-03-02T20:00:00Z",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout == "night: mutes until 2026-03-02 22:30:00 UTC\n"
    ((topic, sent),) = broker.published
    assert topic is SILENCES
    begins = datetime(2026, 3, 2, 20, tzinfo=UTC)
    assert (sent.starts_at, sent.ends_at) == (begins, begins + timedelta(hours=2, minutes=30))
    assert [(each.label, each.operator, each.value) for each in sent.matchers] == [
        ("service", "=", "shop"),
        ("rule", "=~", "slow-.*"),
    ]
    assert (sent.author, sent.reason, sent.maintenance, sent.title) == (
        "Ada",
        "upgrade",
        True,
        "Work",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["service", "--for", "1h"], "'service' is no comparison: write label=value"),
        (["a=~(", "--for", "1h"], "'(' is no RE2 expression"),
        (["a=b", "--for", "soon"], "'soon' is not a duration: write a number and a unit"),
        (["a=b", "--for", "1h", "--title", "x"], "--title is for --maintenance"),
        (["a=b", "--for", "0s"], "ends_at must be later than starts_at"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(
    broker: Broker, arguments: list[str], said: str
) -> None:
    """Otherwise it would mute nothing, and nobody would know."""
    result = run(silence, "add", *arguments, "--reason", "x")
    assert result.exit_code == 2
    assert said in result.stderr
    assert broker.published == []


def test_a_silence_goes_where_its_tenants_alerts_are_decided() -> None:
    """Another worker would hear it, and mute nothing."""
    assert SILENCES.place_of(a_silence(tenant="acme")) == b"acme"
    # Kafka's own test vectors: murmur2 is -973932308 and -790332482.
    assert partition_of(b"21", 4) == (-973932308 & 0x7FFFFFFF) % 4
    assert partition_of(b"foobar", 4) == (-790332482 & 0x7FFFFFFF) % 4


def test_silences_are_listed_with_what_is_left(broker: Broker) -> None:
    broker.known = [a_silence(ends_at=NOON + timedelta(minutes=90))]
    result = run(silence, "list")
    for part in ("upgrade", "service=database", "1h30m", "Ada", "Upgrade"):
        assert part in result.stdout
    assert orjson.loads(run(silence, "list", "--json").stdout)[0]["silence_id"] == "upgrade"
    broker.known = []
    assert run(silence, "list").stdout == "nothing is silenced\n"


def test_a_time_without_an_offset_is_of_utc(broker: Broker) -> None:
    """Otherwise maintenance that is planned as the manual has it would be refused."""
    run(
        *(silence, "add", "service=shop", "--for", "1h", "--reason", "x"),
        *("--starts", "2026-03-02 20:00"),
    )
    ((_, sent),) = broker.published
    assert sent.starts_at == datetime(2026, 3, 2, 20, tzinfo=UTC)


def test_a_silence_is_ended_by_name(broker: Broker) -> None:
    broker.known = [a_silence(starts_at=NOON - timedelta(hours=1))]
    result = run(silence, "end", "upgrade", "--author", "Grace", "--reason", "done")
    assert result.stdout == "upgrade: ended, it mutes nothing any more\n"
    ((_, sent),) = broker.published
    assert (sent.ends_at, sent.reason) == (NOON, "Upgrade (ended by Grace: done)")
    missing = run(silence, "end", "upgrad")
    assert missing.exit_code == 1
    assert "no silence 'upgrad' of tenant default is in force or to come; there are upgrade" in (
        missing.stderr
    )


def test_a_silence_that_has_not_begun_can_be_ended() -> None:
    early = ended(
        a_silence(starts_at=NOON + timedelta(hours=1), ends_at=NOON + timedelta(hours=2)),
        Ending("Ada", NOON),
    )
    assert early.starts_at < early.ends_at == NOON
    assert SilenceV1.from_wire(early.to_wire()) == early


def test_a_change_is_told_by_flags(broker: Broker) -> None:
    result = run(
        change, "publish", "--service", "shop", "--summary", "Deploy 2.14.0", "--version", "2.14.0",
        "--author", "Ada", "--label", "region=eu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout == "deployment-shop-2.14.0: deployment of shop, Deploy 2.14.0\n"
    ((_, sent),) = broker.published
    assert isinstance(sent, ChangeV1)
    assert (sent.author, sent.occurred_at, sent.labels) == ("Ada", NOON, {"region": "eu"})


def test_a_change_is_read_from_what_a_system_says(broker: Broker) -> None:
    payload = {
        "object_kind": "feature_flag",
        "project": {"path_with_namespace": "example/shop"},
        "object_attributes": {"id": 6, "name": "checkout-v2", "active": False},
    }
    said = orjson.dumps(payload).decode()
    result = run(change, "publish", "--from", "gitlab", "--service", "checkout", said=said)
    assert result.exit_code == 0, result.output
    ((_, sent),) = broker.published
    assert (sent.service, sent.summary, sent.kind) == (
        "checkout",
        "checkout-v2 off",
        "feature_flag",
    )
    nothing = run(change, "publish", "--from", "github", said="{}")
    assert nothing.stdout == "nothing that github says is a change\n"


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["--service", "x"], "a change needs --summary; or name a system by --from", 2),
        (["--from", "argocd"], "what argocd says cannot be read: value: is not JSON", 1),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    broker: Broker, arguments: list[str], said: str, code: int
) -> None:
    result = run(change, "publish", *arguments, said="no")
    assert (result.exit_code, broker.published) == (code, [])
    assert said in result.stderr


# -- explain ----------------------------------------------------------------------------------


@pytest.fixture
def life() -> Life:
    made = Life(
        policy(
            services={"api": {"depends_on": ["database"]}, "database": {}},
            routes=[{"severities": [1, 2], "channels": ["pager"]}],
        )
    )
    made.hear(a_silence(matchers=({"label": "rule", "value": "muted"},)))
    made.happen(alert("a"), alert("b", service="api"), alert("c", rule="muted"))
    made.happen(alert("d"))
    return made


def test_an_explanation_has_reasons_scores_places_and_who_was_told(life: Life) -> None:
    """Why was I paged?"""
    (incident,) = life.open
    text = "\n".join(why(Told(incident, life.steps, life.notices)))
    for part in (
        "INC-2026-03-02-001: Database does not answer",
        "probable cause database, score 1.00: 1 of the other 1 failing services depend on",
        "#1 2026-03-02 12:00:01 UTC opened by tocsin (alert): 2 alerts, the first of them",
        "down of api: topology 0.90, api depends on database, which fails at the same time",
        "from alerts-0-3",
        "told pager (initial): routes[0]: severity 2, initial message",
    ):
        assert part in text, text


def test_an_explanation_has_what_became_of_each_attempt(life: Life) -> None:
    """Otherwise nobody could prove that somebody was told, or see that nobody was."""
    notice = life.notices[0]
    about = {
        "notice_id": notice.notice_id,
        "incident_id": notice.incident_id,
        "purpose": notice.purpose,
        "channel": notice.channel,
        "channel_kind": "webhook",
        "requested_at": notice.occurred_at,
        "took": timedelta(milliseconds=120),
    }

    def ended(attempt: int, outcome: str, reason: str, **known: Any) -> ReceiptV1:
        at = notice.occurred_at + timedelta(seconds=attempt)
        return ReceiptV1(
            occurred_at=at, attempt=attempt, outcome=outcome, reason=reason, **about, **known
        )

    failed = ended(1, "retrying", "HTTP 500")
    (incident,) = life.open
    for last, lines in {
        ended(2, "delivered", "HTTP 200", provider_id="M\x1b7"): [
            "     told pager (initial): routes[0]: severity 2, initial message",
            "       attempt 1 retrying after 1.00 s, took 0.12 s: HTTP 500",
            "       attempt 2 delivered after 2.00 s, took 0.12 s: HTTP 200, their id M 7",
        ],
        ended(2, "given_up", "HTTP 404"): [
            "     could not tell pager (initial): routes[0]: severity 2, initial message",
            "       attempt 1 retrying after 1.00 s, took 0.12 s: HTTP 500",
            "       attempt 2 given up after 2.00 s, took 0.12 s: HTTP 404",
        ],
    }.items():
        said = [*why(Told(incident, life.steps, life.notices, [failed, last]))]
        begin = said.index(lines[0])
        assert said[begin : begin + 3] == lines
    merged = ended(1, "merged", "told together with another")
    said = [*why(Told(incident, life.steps, life.notices, [merged]))]
    assert "     did not tell pager (initial): routes[0]: severity 2, initial message" in said
    assert "       merged after 1.00 s: told together with another" in said


def test_why_not_has_what_was_muted_and_what_was_grouped_away(life: Life) -> None:
    """Why was nobody paged?"""
    grouped = [step for step in life.steps if step.kind == "alert_attached"]
    text = "\n".join(why_not(Untold(life.withheld, grouped)))
    assert (
        "silenced by Ada: muted of database (000000000000000c, firing): "
        "silence upgrade until 2026-03-02 13:00:00 UTC: Upgrade\n     from alerts-0-4"
    ) in text
    assert "grouped into INC-2026-03-02-001: unhealthy 2 of 2 times; INC-2026-03-02-001 has" in text
    assert list(why_not(Untold([], []))) == [
        "nothing was muted, grouped away or too few",
        "signals below a threshold: name a --service or a --rule",
    ]


def test_why_not_has_what_came_near_to_a_rule() -> None:
    """A threshold that is a little too high would look like a pipeline that is down."""
    origin = Origin(topic="telemetry.metrics", partition=0, offset=17)
    near = Near("busy", "shop", "production", {"zone": "a"}, 240, NOON, origin, 4.5, "4.5 is not")
    assert list(why_not(Untold([], []), [near]))[1:] == [
        "2026-03-02 12:00:00 UTC below busy: shop/production zone=a: 4.5 is not",
        "     from telemetry.metrics-0-17, the nearest of 240 signals",
    ]
    assert list(why_not(Untold([], []), []))[1:] == [
        "no signal came near to a rule and told nothing"
    ]


def test_explain_asks_for_what_it_is_asked(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def told(_: Settings, *what: Any) -> Told:
        asked.append(what)
        return Told(life.open[0], life.steps, life.notices)

    async def untold(_: Settings, since: datetime, **what: Any) -> Untold:
        asked.append((since, what))
        return Untold(life.withheld, [])

    monkeypatch.setattr(explaining, "told", told)
    monkeypatch.setattr(explaining, "untold", untold)
    monkeypatch.setattr(clock, "now", lambda: NOON)
    assert run(explain, "inc-2026-03-02-001").exit_code == 0
    assert asked.pop() == ("default", "INC-2026-03-02-001")
    document = orjson.loads(run(explain, "INC-2026-03-02-001", "--json").stdout)
    assert [each["kind"] for each in document["timeline"]] == ["opened", "alert_attached"]

    async def below(_: Settings, policy: Policy, *when: Any, **what: Any) -> list[Near]:
        asked.append((when, what))
        return []

    monkeypatch.setattr(near_misses, "below", below)
    shown = run(explain, "--not", "--since", "2h", "--rule", "muted").stdout
    assert asked.pop() == (
        (NOON - timedelta(hours=2), NOON),
        {"tenant": "default", "service": None, "rule": "muted"},
    )
    assert "silenced by Ada" in shown
    assert asked.pop() == (
        NOON - timedelta(hours=2),
        {"tenant": "default", "incident_id": None},
    )
    assert "nothing was muted" in run(explain, "--not", "--service", "other").stdout
    assert "name an incident, or ask with --not" in run(explain).stderr
