"""What providers call back, signed as they sign it, and what is not believed."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.commands import Acknowledge, Command, CommandSource, Resolve
from schemas.topics import COMMANDS
from streams.board.application import application
from streams.board.limits import BODY_BYTES
from streams.discovery import declared_in, example_of, kind_of
from streams.errors import Unavailable
from streams.notifications import channels as package
from streams.notifications.channel import Channel
from streams.notifications.channels.pagerduty import PagerDuty
from streams.notifications.channels.slack import Slack
from streams.notifications.channels.sms import Sms
from streams.notifications.rendering import render
from tests.told import notice

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECRET = "a-signing-secret"
REPLY_URL = "https://tocsin.example.org/callbacks/sms"
ID = "INC-2026-11-24-001"
CHANNELS: dict[str, Channel] = {
    **{kind_of(each): each(**example_of(each)) for each in declared_in(package)},
    "slack": Slack(url="https://example.org/x", signing_secret=SECRET),
    "sms": Sms(
        account_sid="AC1",
        auth_token=SECRET,
        sender="+15005550006",
        to="+15005550009",
        replies=True,
        reply_url=REPLY_URL,
    ),
    "pagerduty": PagerDuty(routing_key="R", webhook_secret=SECRET),
}


class Broker:
    """Stands for the topic of commands."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.away = False

    async def send(self, topic: Any, message: Any) -> None:
        assert topic is COMMANDS
        if self.away:
            raise Unavailable("no broker answers")
        self.sent.append(message)


@pytest.fixture
def broker() -> Broker:
    return Broker()


async def post(broker: Broker, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
    app = application(CHANNELS, broker, lambda: AT)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
        return await client.post(path, headers=headers, content=body)


Signed = tuple[dict[str, str], bytes]


def slack(payload: Any = None, at: datetime = AT, secret: str = SECRET) -> Signed:
    """As Slack signs: v0=HMAC-SHA256 of v0:TIMESTAMP:BODY."""
    payload = payload or {
        "type": "block_actions",
        "user": {"id": "U7", "username": "ada"},
        "actions": [{"action_id": "acknowledge", "value": f"default/{ID}", "action_ts": "1764.5"}],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256)
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": "v0=" + signature.hexdigest(),
        "Content-Type": "application/x-www-form-urlencoded",
    }, body


def sms(text: str = f"Ack {ID}", sender: str = "+15005550009", secret: str = SECRET) -> Signed:
    """As Twilio signs: Base64 of HMAC-SHA1 of the address and the sorted parameters."""
    fields = {"MessageSid": "SM7", "From": sender, "To": "+15005550006", "Body": text}
    body = urlencode(fields).encode()
    fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    signed = REPLY_URL + "".join(name + fields[name] for name in sorted(fields))
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()
    return {
        "X-Twilio-Signature": base64.b64encode(signature).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }, body


def pagerduty(
    kind: str = "incident.acknowledged", at: datetime = AT, secret: str = SECRET, **changed: Any
) -> Signed:
    """As PagerDuty signs: v1=HMAC-SHA256 of the body; there can be several."""
    event = {
        "id": "01EVENT",
        "event_type": kind,
        "resource_type": "incident",
        "occurred_at": at.isoformat().replace("+00:00", "Z"),
        "agent": {"id": "PUSER", "type": "user_reference", "summary": "Ada"},
        "data": {"id": "PINC", "type": "incident", "incident_key": f"default/{ID}"},
    } | changed
    body = json.dumps({"event": event}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-PagerDuty-Signature": f"v1={'0' * 64},v1={signature}",
        "Content-Type": "application/json",
    }, body


SIGNED: dict[str, Callable[..., Signed]] = {"slack": slack, "sms": sms, "pagerduty": pagerduty}


@pytest.mark.parametrize(
    ("channel", "author"), [("slack", "ada"), ("sms", "+15005550009"), ("pagerduty", "Ada")]
)
async def test_an_acknowledgement_over_there_is_one_here(
    broker: Broker, channel: str, author: str
) -> None:
    """Otherwise whoever presses the button would be escalated past."""
    for _ in range(2):
        answer = await post(broker, f"/callbacks/{channel}", *SIGNED[channel]())
        assert (answer.status_code, answer.content) == (200, b"")
    first, repeat = broker.sent
    assert isinstance(first, Acknowledge)
    assert (first.tenant, first.incident_id, first.author) == ("default", ID, author)
    assert first.source is CommandSource.CHAT
    assert repeat.command_id == first.command_id, "a repeat is the same command"


@pytest.mark.parametrize("channel", ["slack", "pagerduty"])
async def test_a_resolution_over_there_is_one_here(broker: Broker, channel: str) -> None:
    """Otherwise what is over would go on paging."""
    resolve = {"action_id": "resolve", "value": f"acme/{ID}"}
    said = slack({"actions": [resolve]}) if channel == "slack" else pagerduty("incident.resolved")
    await post(broker, f"/callbacks/{channel}", *said)
    (command,) = broker.sent
    assert isinstance(command, Resolve)


@pytest.mark.parametrize("tenant", ["default", "acme [eu/x", "a]%5B", "\U0001f525" * 128])
@pytest.mark.parametrize("summary", ["no disk", f"as in INC-2026-11-23-001 and {ID}", "x" * 1_000])
async def test_pagerduty_tells_by_its_title_where_an_incident_has_no_key(
    broker: Broker, tenant: str, summary: str
) -> None:
    """Otherwise nothing would be acknowledged here, where a service groups alerts into incidents."""
    told = notice(channel="pagerduty", tenant=tenant, incident_id=ID, summary=summary)
    sent = CHANNELS["pagerduty"].compose(told, render(told), AT)
    assert isinstance(sent, httpx.Request)
    title = json.loads(sent.content)["payload"]["summary"]
    assert len(title) <= 1_024
    for key in (None, "baf7cf21b1da41b4b0221008339ff357"):
        data = {"id": "PINC", "incident_key": key, "title": title}
        await post(broker, "/callbacks/pagerduty", *pagerduty(data=data))
    assert [(each.tenant, each.incident_id) for each in broker.sent] == [(tenant, ID)] * 2


@pytest.mark.parametrize("channel", SIGNED)
async def test_what_is_not_signed_is_not_believed(
    broker: Broker, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise anybody could silence an outage."""
    headers, body = SIGNED[channel]()
    without = {name: value for name, value in headers.items() if "Signature" not in name}
    wrong, _ = SIGNED[channel](secret="another")
    with caplog.at_level(logging.WARNING):
        for given_headers, given_body in [
            (without, body),
            (wrong, body),
            (headers, body.replace(b"001", b"002")),
            (headers, b""),
        ]:
            answer = await post(broker, f"/callbacks/{channel}", given_headers, given_body)
            assert answer.status_code == 401
            assert SECRET not in answer.text
    assert broker.sent == []
    assert SECRET not in caplog.text


@pytest.mark.parametrize("channel", ["slack", "pagerduty"])
@pytest.mark.parametrize(
    ("away", "status"),
    [
        (timedelta(minutes=5), 200),
        (-timedelta(minutes=5), 200),
        (timedelta(minutes=5, seconds=1), 401),
        (-timedelta(minutes=5, seconds=1), 401),
    ],
)
async def test_what_is_old_is_not_believed(
    broker: Broker, channel: str, away: timedelta, status: int
) -> None:
    """Otherwise a callback that somebody kept could be played again in another outage."""
    answer = await post(broker, f"/callbacks/{channel}", *SIGNED[channel](at=AT + away))
    assert answer.status_code == status


@pytest.mark.parametrize("channel", [*sorted({*CHANNELS} - {*SIGNED}), "nothing"])
async def test_who_is_never_called_back_is_closed(broker: Broker, channel: str) -> None:
    """Otherwise a channel without a secret would be an open door."""
    for headers, body in (slack(), sms(), pagerduty()):
        assert (await post(broker, f"/callbacks/{channel}", headers, body)).status_code == 401
    assert broker.sent == []


@pytest.mark.parametrize("channel", SIGNED)
async def test_without_a_secret_a_channel_is_closed(broker: Broker, channel: str) -> None:
    """Otherwise an empty secret would be one that everybody knows."""
    bare = {name: each for name, each in CHANNELS.items() if name not in SIGNED}
    kind = type(CHANNELS[channel])
    bare[channel] = kind(**{**example_of(kind), **({"auth_token": ""} if channel == "sms" else {})})
    transport = httpx.ASGITransport(app=application(bare, broker, lambda: AT))
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
        headers, body = SIGNED[channel](secret="")
        answer = await client.post(f"/callbacks/{channel}", headers=headers, content=body)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("slack", slack({"actions": [{"action_id": "open", "value": f"default/{ID}"}]})),
        ("slack", slack({"actions": [{"action_id": "acknowledge", "value": "INC"}, 7]})),
        ("slack", slack({"actions": [{"action_id": ["acknowledge"], "value": f"default/{ID}"}]})),
        ("slack", slack({"actions": [{"action_id": "acknowledge", "value": f"\x01/{ID}"}]})),
        ("slack", slack({"actions": [{"action_id": "acknowledge", "value": f" /{ID}"}]})),
        ("pagerduty", pagerduty(data={"incident_key": f"default/{ID}{'1' * 20}"})),
        ("sms", sms("what is it?")),
        ("sms", sms(sender="+15005550001")),
        ("pagerduty", pagerduty("incident.annotated")),
        ("pagerduty", pagerduty(agent={"type": "inbound_integration_reference"})),
        ("pagerduty", pagerduty(agent=None)),
        ("pagerduty", pagerduty(data={"incident_key": "somebody else's"})),
        ("pagerduty", pagerduty(data={"title": f"{ID} is like INC-2026-11-23-001"})),
        ("pagerduty", pagerduty(data={"title": "disk is full [x]"})),
    ],
)
async def test_what_is_about_nothing_of_ours_does_nothing(
    broker: Broker, channel: str, said: Signed
) -> None:
    """Otherwise our own acknowledgement would come back as somebody's."""
    assert (await post(broker, f"/callbacks/{channel}", *said)).status_code == 200
    assert broker.sent == []


async def test_a_broker_that_is_away_makes_the_provider_come_again(broker: Broker) -> None:
    """Otherwise an acknowledgement would be lost, and its sender be paged on."""
    broker.away = True
    assert (await post(broker, "/callbacks/slack", *slack())).status_code == 503


async def test_no_more_is_read_than_a_provider_sends(broker: Broker) -> None:
    """Otherwise anybody could fill our memory."""
    answer = await post(broker, "/callbacks/slack", {}, b"x" * (BODY_BYTES + 1))
    assert answer.status_code == 413


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "user",
                    "actions",
                    "action_id",
                    "value",
                    "username",
                    "event",
                    "agent",
                    "data",
                    "type",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(payload=json_values)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_signed_payload_is_too_strange(broker: Broker, payload: Any) -> None:
    """Otherwise a provider's new kind of message would be answered with a fault, and sent again and again."""
    said = slack(payload or {"x": 1})
    assert (await post(broker, "/callbacks/slack", *said)).status_code == 200
    said = pagerduty(data=payload, agent=payload)
    assert (await post(broker, "/callbacks/pagerduty", *said)).status_code == 200
