"""Discord, Opsgenie, Telegram, ntfy and webhooks call back: what is offered there, what is believed here."""

import contextlib
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.commands import Acknowledge, Resolve
from schemas.lifecycle import StepKind
from streams.board.application import application
from streams.notifications.callback import Callback, Refused
from streams.notifications.channel import Channel
from streams.notifications.channels.discord import Discord
from streams.notifications.channels.ntfy import OFFERED_FOR, Ntfy
from streams.notifications.channels.opsgenie import Opsgenie
from streams.notifications.channels.telegram import Telegram
from streams.notifications.channels.webhook import Webhook
from streams.notifications.rendering import digest, render, standing, together
from tests.providers.discord import KEY, PUBLIC_KEY, interaction
from tests.told import AT, notice

SECRET = "a-secret_7"
ID = "INC-2024-03-01-007"
ADDRESS = "https://tocsin.example.org/callbacks/ntfy"
CHANNELS: dict[str, Channel] = {
    "discord": Discord(url="https://example.org/api/webhooks/7/t", public_key=PUBLIC_KEY),
    "telegram": Telegram(token="7:t", chat_id="-1007", webhook_secret=SECRET),
    "opsgenie": Opsgenie(api_key="k", webhook_secret=SECRET),
    "ntfy": Ntfy(topic="t", reply_url=ADDRESS, reply_secret=SECRET),
    "webhook": Webhook(url="https://example.org/x", secret=SECRET, callbacks=True),
}
Said = tuple[dict[str, str], bytes]


class Broker:
    """Stands for the topic of commands."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, topic: Any, message: Any) -> None:
        del topic
        self.sent.append(message)


@pytest.fixture
def broker() -> Broker:
    return Broker()


async def post(
    broker: Broker,
    channel: str,
    said: Said,
    at: datetime = AT,
    channels: Mapping[str, Channel] = CHANNELS,
) -> httpx.Response:
    app = application(channels, broker, lambda: at)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as client:
        return await client.post(f"/callbacks/{channel}", headers=said[0], content=said[1])


def telegram(
    secret: str = SECRET, action: str = "acknowledge", chat: Any = -1007, **changed: Any
) -> Said:
    pressed = {
        "id": "4382bfdwdsb323b2d9",
        "from": {"id": 7, "is_bot": False, "first_name": "Ada", "username": "ada"},
        "message": {"message_id": 77, "date": 1_709_296_215, "chat": {"id": chat, "type": "group"}},
        "chat_instance": "-7",
        "data": f"{action} default/{ID}",
    } | changed
    body = orjson.dumps({"update_id": 10_000, "callback_query": pressed})
    return {"X-Telegram-Bot-Api-Secret-Token": secret, "Content-Type": "application/json"}, body


def discord(
    key: Ed25519PrivateKey = KEY,
    action: str = "acknowledge",
    at: datetime = AT,
    **changed: Any,
) -> Said:
    pressed = {
        "id": "846462639134605312",
        "type": 3,
        "data": {"component_type": 2, "custom_id": f"{action} default/{ID}"},
        "member": {"user": {"id": "53908232506183680", "username": "ada"}, "roles": []},
        "message": {"id": "1213141516171819", "type": 0},
    } | changed
    headers, body = interaction(at, pressed, key)
    return headers, body


def opsgenie(
    secret: str = SECRET, action: str = "Acknowledge", at: datetime = AT, **changed: Any
) -> Said:
    alert = {
        "alertId": "052652ac-5d1c-464a-812a-7dd18bbfba8c",
        "message": "Database does not answer",
        "alias": f"default:{ID}",
        "username": "ada@example.org",
        "userId": "daed1180-0ce8-438b-8f8e-57e1a5920a2d",
        "updatedAt": int(at.timestamp() * 1_000),
    } | changed
    body = {"action": action, "alert": alert, "source": {"name": "web", "type": "API"}}
    return {"X-Tocsin-Secret": secret, "Content-Type": "application/json"}, orjson.dumps(body)


def webhook(
    secret: str = SECRET, action: str = "acknowledge", at: datetime = AT, **changed: Any
) -> Said:
    body = orjson.dumps({"action": action, "incident": f"default/{ID}", "author": "ada"} | changed)
    stamp = str(int(at.timestamp()))
    signed = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Tocsin-Timestamp": stamp, "X-Tocsin-Signature": f"sha256={signed}"}, body


def offers(channel: Channel, kind: StepKind = StepKind.OPENED) -> dict[str, Any]:
    """What the buttons of a message are, by their labels."""
    told = notice(kind, "ntfy")
    composed = channel.compose(told, render(told), AT)
    assert isinstance(composed, httpx.Request)
    body = orjson.loads(composed.content)
    if isinstance(channel, Discord):
        shown = [each for row in body.get("components", []) for each in row["components"]]
        return {each["label"]: each for each in shown}
    if isinstance(channel, Ntfy):
        return {each["label"]: each for each in body.get("actions", [])}
    rows = body.get("reply_markup", {}).get("inline_keyboard", [])
    return {each["text"]: each for row in rows for each in row}


def ntfy(secret: str = SECRET, label: str = "Acknowledge") -> Said:
    """As the telephone does when somebody presses the button."""
    channel = Ntfy(topic="t", reply_url=ADDRESS, reply_secret=secret)
    button = offers(channel)[label]
    assert (button["method"], button["url"]) == ("POST", ADDRESS)
    return {}, button["body"].encode()


SAYS: dict[str, Callable[..., Said]] = {
    "discord": discord,
    "telegram": telegram,
    "opsgenie": opsgenie,
    "ntfy": ntfy,
    "webhook": webhook,
}


@pytest.mark.parametrize(
    ("channel", "author"),
    [
        *(("discord", "ada"), ("telegram", "ada"), ("opsgenie", "ada@example.org")),
        *(("ntfy", "ntfy"), ("webhook", "ada")),
    ],
)
async def test_an_acknowledgement_over_there_is_one_here(
    broker: Broker, channel: str, author: str
) -> None:
    """Otherwise whoever presses the button would be escalated past."""
    for _ in range(2):
        assert (await post(broker, channel, SAYS[channel]())).status_code == 200
    first, repeat = broker.sent
    assert isinstance(first, Acknowledge)
    assert (first.tenant, first.incident_id, first.author) == ("default", ID, author)
    assert repeat.command_id == first.command_id, "a repeat is the same command"


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("discord", discord(action="resolve")),
        ("telegram", telegram(action="resolve")),
        ("opsgenie", opsgenie(action="Close")),
        ("ntfy", ntfy(label="Resolve")),
        ("webhook", webhook(action="resolve")),
    ],
)
async def test_a_resolution_over_there_is_one_here(
    broker: Broker, channel: str, said: Said
) -> None:
    """Otherwise what is over would go on paging."""
    await post(broker, channel, said)
    (command,) = broker.sent
    assert isinstance(command, Resolve)


@pytest.mark.parametrize("channel", SAYS)
async def test_what_has_no_proof_is_not_believed(
    broker: Broker, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise anybody could silence an outage."""
    headers, body = SAYS[channel]()
    another = {"key": Ed25519PrivateKey.generate()} if channel == "discord" else {"secret": "x"}
    wrong, forged = SAYS[channel](**another)
    with caplog.at_level(logging.WARNING):
        for said in [
            *([({}, body)] if headers else []),
            (wrong, forged),
            (wrong if headers else {}, body if headers else body.replace(b"007", b"008")),
            ({**headers, next(iter(headers), "X"): ""}, b""),
        ]:
            answer = await post(broker, channel, said)
            assert (answer.status_code, answer.content) == (401, b'{"detail":"Unauthorized"}')
    assert broker.sent == []
    assert SECRET not in caplog.text


@pytest.mark.parametrize("channel", ["discord", "opsgenie", "webhook"])
@pytest.mark.parametrize(
    ("away", "status"),
    [(timedelta(minutes=5), 200), (timedelta(minutes=5, seconds=1), 401)],
)
async def test_what_is_old_or_of_a_time_to_come_is_not_believed(
    broker: Broker, channel: str, away: timedelta, status: int
) -> None:
    """Otherwise a callback that somebody kept could be played again in another outage."""
    moment = AT.replace(microsecond=0)
    for at in (moment - away, moment + away):
        said = SAYS[channel](at=at)
        assert (await post(broker, channel, said, moment)).status_code == status


async def test_a_button_is_offered_for_a_while(broker: Broker) -> None:
    """Otherwise last year's notification could take this year's incident."""
    for at, status in ((AT + OFFERED_FOR - timedelta(seconds=1), 200), (AT + OFFERED_FOR, 401)):
        assert (await post(broker, "ntfy", ntfy(), at)).status_code == status


@pytest.mark.parametrize("changed_at", [None, "soon", 0, -1, True, 10**40])
async def test_opsgenie_tells_when(broker: Broker, changed_at: Any) -> None:
    """Otherwise what has no time would be fresh for ever."""
    text = opsgenie()[1].replace(
        str(int(AT.timestamp() * 1_000)).encode(),
        str(changed_at).encode() if isinstance(changed_at, int) else orjson.dumps(changed_at),
    )
    said = ({"X-Tocsin-Secret": SECRET}, text.replace(b"True", b"true"))
    assert (await post(broker, "opsgenie", said)).status_code == 401


async def test_opsgenie_tells_nanoseconds_as_well(broker: Broker) -> None:
    """Otherwise half of its callbacks would be refused."""
    said = opsgenie(updatedAt=int(AT.timestamp() * 1_000_000) * 1_000)
    assert (await post(broker, "opsgenie", said)).status_code == 200


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ("discord", discord(type=2)),
        ("discord", discord(data={"custom_id": f"open default/{ID}"})),
        ("discord", discord(data={"custom_id": "acknowledge INC"})),
        ("discord", discord(data=7, member="x")),
        ("telegram", telegram(chat=-1008)),
        ("telegram", telegram(message=None)),
        ("telegram", telegram(data="acknowledge INC")),
        ("telegram", telegram(data=f"open default/{ID}")),
        ("telegram", ({"X-Telegram-Bot-Api-Secret-Token": SECRET}, b'{"message": {"text": "hi"}}')),
        ("opsgenie", opsgenie(action="Create")),
        ("opsgenie", opsgenie(username="Tocsin")),
        ("opsgenie", opsgenie(alias="somebody else's")),
        ("opsgenie", opsgenie(alias=f":{ID}")),
        ("opsgenie", opsgenie(alias=["x"], username=["Tocsin"])),
        ("webhook", webhook(action="open")),
        ("webhook", webhook(action=["acknowledge"])),
        ("webhook", webhook(incident=7)),
    ],
)
async def test_what_is_about_nothing_of_ours_does_nothing(
    broker: Broker, channel: str, said: Said
) -> None:
    """Otherwise our own acknowledgement would come back as somebody's, or a stranger's chat would be heard."""
    assert (await post(broker, channel, said)).status_code == 200
    assert broker.sent == []


async def test_our_own_message_is_no_callback(broker: Broker) -> None:
    """Otherwise whoever reads along could send what we signed back to us."""
    told = notice(channel="webhook")
    sent = CHANNELS["webhook"].compose(told, render(told), AT)
    assert isinstance(sent, httpx.Request)
    assert (await post(broker, "webhook", (dict(sent.headers), sent.content))).status_code == 200
    assert broker.sent == []


async def test_telegrams_button_stops_turning(broker: Broker) -> None:
    """Otherwise people would press it again and again."""
    answer = await post(broker, "telegram", telegram())
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "method": "answerCallbackQuery",
        "callback_query_id": "4382bfdwdsb323b2d9",
    }
    assert (await post(broker, "webhook", webhook())).content == b""


async def test_discord_is_answered_as_it_asks(broker: Broker) -> None:
    """Otherwise it would not take the address, or show an error to whoever pressed a button."""
    for said, kind in ((discord(type=1, data=None), 1), (discord(), 6)):
        answer = await post(broker, "discord", said)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == {"type": kind}
    assert len(broker.sent) == 1
    # It tries now and then whether a wrong signature is refused.
    headers, body = discord(type=1)
    for wrong in ("", "00" * 64, "zz", headers["X-Signature-Ed25519"][2:]):
        said = ({**headers, "X-Signature-Ed25519": wrong}, body)
        assert (await post(broker, "discord", said)).status_code == 401
    later = str(int(headers["X-Signature-Timestamp"]) + 1)
    said = ({**headers, "X-Signature-Timestamp": later}, body)
    assert (await post(broker, "discord", said)).status_code == 401, "the time is signed as well"


async def test_in_a_direct_message_a_user_presses(broker: Broker) -> None:
    """Otherwise nobody would know who took it."""
    said = discord(member=None, user={"id": "53908232506183680"})
    assert (await post(broker, "discord", said)).status_code == 200
    assert broker.sent[0].author == "53908232506183680"


def test_what_was_taken_offers_no_more_at_discord() -> None:
    """An edited message keeps the buttons that it had, unless it is told which it has."""
    channel = CHANNELS["discord"]
    taken = notice(StepKind.RESOLVED, "discord")
    edited = channel.refresh(taken, render(standing(taken)), "1213141516171819")
    assert edited is not None
    assert edited.url.query == b"with_components=true"
    assert orjson.loads(edited.content)["components"] == []


async def test_a_public_chat_is_known_by_its_name(broker: Broker) -> None:
    """Otherwise the buttons of such a chat would do nothing."""
    channels = {"telegram": Telegram(token="7:t", chat_id="@ours", webhook_secret=SECRET)}
    said = telegram(message={"chat": {"id": -7, "username": "ours"}})
    assert (await post(broker, "telegram", said, channels=channels)).status_code == 200
    assert len(broker.sent) == 1


@pytest.mark.parametrize("channel", SAYS)
async def test_without_its_secret_a_channel_is_closed(broker: Broker, channel: str) -> None:
    """Otherwise an empty secret would be one that everybody knows."""
    bare: dict[str, Channel] = {
        "discord": Discord(url="https://example.org/api/webhooks/7/t"),
        "telegram": Telegram(token="7:t", chat_id="-1007"),
        "opsgenie": Opsgenie(api_key="k"),
        "ntfy": Ntfy(topic="t"),
        "webhook": Webhook(url="https://example.org/x", secret=SECRET),
    }
    said = SAYS[channel](secret="") if channel in {"telegram", "opsgenie"} else SAYS[channel]()
    assert (await post(broker, channel, said, channels=bare)).status_code == 401


@pytest.mark.parametrize("channel", ["discord", "telegram", "ntfy"])
def test_what_is_offered_follows_the_incident(channel: str) -> None:
    """Otherwise buttons would ask for what was done, or for what is over."""
    given = CHANNELS[channel]
    assert [*offers(given)] == ["Acknowledge", "Resolve"]
    assert [*offers(given, StepKind.ACKNOWLEDGED)] == ["Resolve"]
    assert offers(given, StepKind.RESOLVED) == {}
    several = [notice(incident_id=f"INC-2024-03-01-{number:03}") for number in (1, 2)]
    composed = given.compose(together(several), digest(several), AT)
    assert isinstance(composed, httpx.Request)
    assert b"acknowledge " not in composed.content
    assert b"actions" not in composed.content


def test_without_callbacks_nothing_is_offered() -> None:
    """Otherwise people would press buttons that nobody hears."""
    assert offers(Ntfy(topic="t")) == {}
    assert offers(Telegram(token="7:t", chat_id="-1007")) == {}
    assert offers(Discord(url="https://example.org/api/webhooks/7/t")) == {}
    long = notice(tenant="t" * 60)
    telegrams = CHANNELS["telegram"].compose(long, render(long), AT)
    assert isinstance(telegrams, httpx.Request)
    assert "reply_markup" not in orjson.loads(telegrams.content)


@pytest.mark.parametrize(
    ("kind", "settings_given", "said"),
    [
        (Ntfy, {"reply_url": ADDRESS}, "reply_url needs reply_secret"),
        (Telegram, {"webhook_secret": "has a space"}, "has characters that Telegram does not take"),
        (Discord, {"public_key": "ab" * 31}, "must be the application's public key as Discord"),
    ],
)
def test_settings_that_would_leave_the_door_open_are_refused(
    kind: type[Channel], settings_given: dict[str, str], said: str
) -> None:
    """Otherwise it would be found out when somebody comes in."""
    with pytest.raises(ValidationError, match=said):
        kind(**settings_given)


NAMES = st.sampled_from(
    [
        *("callback_query", "message", "chat", "id", "data", "from", "alert", "name", "username"),
        *("member", "user", "type", "custom_id"),
        *("action", "incident", "until", "signature", "author", "updatedAt", "source", "alias"),
    ]
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
INNER = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(NAMES, LEAVES, max_size=5)
json_values = INNER | st.dictionaries(
    NAMES, INNER | st.dictionaries(NAMES, INNER, max_size=5), max_size=5
)


@given(payload=json_values)
@settings(max_examples=60, deadline=None)
def test_no_payload_is_too_strange(payload: Any) -> None:
    """Otherwise a provider's new kind of message would be answered with a fault, and sent again and again."""
    body = json.dumps(payload).encode()
    signed = hmac.new(SECRET.encode(), b"1709296215." + body, hashlib.sha256).hexdigest()
    headers = {
        "x-telegram-bot-api-secret-token": SECRET,
        "x-tocsin-secret": SECRET,
        "x-tocsin-timestamp": "1709296215",
        "x-tocsin-signature": f"sha256={signed}",
        "x-signature-timestamp": "1709296215",
        "x-signature-ed25519": KEY.sign(b"1709296215" + body).hex(),
    }
    now = datetime.fromtimestamp(1_709_296_215, UTC)
    for channel in CHANNELS.values():
        callback = Callback(headers, body)
        with contextlib.suppress(Refused):
            assert len(channel.heard(callback, now)) <= 1
            assert isinstance(channel.reply(callback), bytes)
