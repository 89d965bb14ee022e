"""The demo's receivers over HTTP and SMTP: they take what the services take, and refuse what those would refuse."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from schemas.lifecycle import StepKind
from streams.gateways import clock
from streams.gateways.courier import Courier
from streams.laptop.demo.inbox import Inbox, inbox
from streams.laptop.demo.story import CHANNEL_KINDS
from streams.notifications.channel import Channel, Verdict
from streams.notifications.channels.email import Email
from streams.notifications.channels.pagerduty import PagerDuty
from streams.notifications.channels.slack import Slack
from streams.notifications.channels.sms import Sms
from streams.notifications.channels.webhook import SIGNATURE, TIMESTAMP, Webhook
from streams.notifications.rendering import render
from tests.told import notice

pytestmark = pytest.mark.timeout(30)


@pytest_asyncio.fixture
async def devices() -> AsyncIterator[Inbox]:
    async with inbox() as running:
        yield running


def channels(given: Mapping[str, str]) -> dict[str, Channel]:
    """Return a channel of each kind, set up as the example policy does."""
    return {
        "slack": Slack(url=given["SLACK_URL"]),
        "email": Email(
            host=given["SMTP_HOST"],
            port=int(given["SMTP_PORT"]),
            security="none",
            sender="tocsin@example.org",
            to=("on-call@example.org",),
        ),
        "sms": Sms(
            account_sid=given["TWILIO_ACCOUNT_SID"],
            auth_token=given["TWILIO_AUTH_TOKEN"],
            sender="+15005550006",
            to="+15005550009",
            url=given["TWILIO_URL"],
        ),
        "pagerduty": PagerDuty(
            routing_key=given["PAGERDUTY_ROUTING_KEY"], url=given["PAGERDUTY_URL"]
        ),
        "webhook": Webhook(url=given["WEBHOOK_URL"], secret=given["WEBHOOK_SECRET"]),
    }


async def verdicts(set_up: Mapping[str, Channel]) -> dict[str, str]:
    async with Courier(set_up) as courier:
        ended = {name: await courier.attempt(notice(channel=name)) for name in set_up}
    return {
        name: "" if each.judgement.verdict is Verdict.DELIVERED else each.judgement.reason
        for name, each in ended.items()
    }


@pytest.mark.parametrize("kind", [StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.RESOLVED])
async def test_all_that_we_send_is_taken(devices: Inbox, kind: StepKind) -> None:
    """Otherwise the demo would fail for its own receivers' fault."""
    set_up = channels(devices.environment())
    assert set(set_up) == set(CHANNEL_KINDS)
    async with Courier(set_up) as courier:
        for name in set_up:
            ended = await courier.attempt(notice(kind, name))
            assert ended.judgement.verdict is Verdict.DELIVERED
    assert devices.problems() == []
    assert [each.kind for each in devices.arrivals()] == list(set_up)


async def test_what_is_not_for_them_is_refused_and_remembered(devices: Inbox) -> None:
    """Otherwise the demo would not see that a secret, an address or a signature is wrong."""
    others = {name: f"{value}x" for name, value in devices.secrets.items()}
    given = devices.environment() | others | {"SLACK_URL": f"{devices.url}/services/another"}
    set_up = channels(given)
    del set_up["email"]
    assert await verdicts(set_up) == {
        "slack": "HTTP 404: the receiver refuses the message",
        "sms": "HTTP 404: the receiver refuses the message",
        "pagerduty": "HTTP 400: the receiver refuses the message",
        "webhook": "HTTP 401: the receiver refuses the message",
    }
    assert devices.arrivals() == []
    account = others["TWILIO_ACCOUNT_SID"]
    assert devices.problems() == [
        "/services/another refused with 404",
        f"/2010-04-01/Accounts/{account}/Messages.json refused with 404",
        "pagerduty refused with 400",
        "webhook refused with 401: bad signature",
    ]


async def test_a_wrong_token_is_refused(devices: Inbox) -> None:
    """Otherwise anybody could send text messages at our expense, and the demo would not see that we do."""
    given = devices.environment() | {"TWILIO_AUTH_TOKEN": "another"}
    assert await verdicts({"sms": channels(given)["sms"]}) == {
        "sms": "HTTP 401: Twilio error 20003"
    }
    assert devices.problems() == ["sms refused with 401"]


def signed(devices: Inbox, at: Any) -> httpx.Request:
    told = notice(channel="webhook")
    request = channels(devices.environment())["webhook"].compose(told, render(told), at)
    assert isinstance(request, httpx.Request)
    return request


async def posted(request: httpx.Request, changed: Mapping[str, str], content: bytes) -> int:
    """Send *request* with other headers and text, and return the status of the answer."""
    headers = {**request.headers, **changed}
    del headers["content-length"]
    async with httpx.AsyncClient() as client:
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = await client.post(request.url, headers=encoded, content=content)
    return answer.status_code


@pytest.mark.parametrize(
    "changed",
    [
        {SIGNATURE: ""},
        {SIGNATURE: "sha256="},
        {SIGNATURE: "sha256=größe"},
        {TIMESTAMP: ""},
        {TIMESTAMP: "1709296215"},
        {TIMESTAMP: "9" * 400},
        {TIMESTAMP: "now"},
        {TIMESTAMP: "-1"},
    ],
)
async def test_a_wrong_signature_is_refused(devices: Inbox, changed: Mapping[str, str]) -> None:
    """Otherwise the demo would take a message that a careful receiver refuses."""
    request = signed(devices, clock.now())
    lowered = {name.lower(): value for name, value in changed.items()}
    assert await posted(request, lowered, request.content) == 401
    assert devices.problems() == ["webhook refused with 401: bad signature"]


async def test_a_signature_is_over_text_and_time(devices: Inbox) -> None:
    """Otherwise either could be sent again with another of the other."""
    request = signed(devices, clock.now())
    later = str(int(request.headers[TIMESTAMP]) + 1)
    assert await posted(request, {}, request.content) == 204
    assert await posted(request, {}, request.content + b" ") == 401
    assert await posted(request, {TIMESTAMP.lower(): later}, request.content) == 401


@pytest.mark.parametrize(
    ("age", "status"),
    [
        (timedelta(0), 204),
        (timedelta(minutes=4, seconds=50), 204),
        (timedelta(minutes=5, seconds=2), 401),
        (timedelta(minutes=-6), 401),
    ],
)
async def test_an_old_signature_is_refused(devices: Inbox, age: timedelta, status: int) -> None:
    """Otherwise whoever caught a message could send it again a year later."""
    async with httpx.AsyncClient() as client:
        answer = await client.send(signed(devices, clock.now() - age))
    assert answer.status_code == status
