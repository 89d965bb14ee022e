"""The courier against real servers on this machine that fail in every way that receivers do."""

import asyncio
import logging
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest

from schemas.lifecycle import StepKind
from streams.gateways.courier import ANSWER_BYTES, SIDE_BY_SIDE, Courier
from streams.laptop.ports import free_port
from streams.notifications.channel import Channel, Judgement, Verdict
from streams.notifications.channels.email import Email
from streams.notifications.channels.pagerduty import PagerDuty
from streams.notifications.channels.slack import Slack
from streams.notifications.channels.sms import Sms
from streams.notifications.channels.webhook import Webhook
from streams.notifications.delivery import Attempted
from tests.receivers import (
    DROP,
    HALF,
    HANG,
    Answer,
    HttpReceiver,
    MailReceiver,
    Receivers,
    receiving,
)
from tests.told import notice

pytestmark = pytest.mark.timeout(30)

#: How long an attempt may take where the receiver is meant to be silent.
SOON = "100ms"
JSON = {"Content-Type": "application/json"}


def slack(web: HttpReceiver, **given: Any) -> Slack:
    return Slack(url=f"{web.url}/services/T0/B0/secret", **given)


def webhook(web: HttpReceiver, **given: Any) -> Webhook:
    return Webhook(url=f"{web.url}/hook", secret="a-shared-secret", **given)


def email(port: int, **given: Any) -> Email:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "tocsin@example.org",
        "to": ["on-call@example.org"],
    }
    return Email(**settings | given)


def sms(web: HttpReceiver, **given: Any) -> Sms:
    account = {"account_sid": "AC1", "auth_token": "a-token"}
    numbers = {"sender": "+15005550006", "to": "+15005550009"}
    return Sms(**account, **numbers, url=web.url, **given)


async def attempt(channel: Channel, number: int = 1) -> Attempted:
    """Let a courier of its own try once."""
    async with Courier({"somewhere": channel}) as courier:
        return await courier.attempt(notice(StepKind.OPENED, "somewhere", number))


async def judged(channel: Channel) -> Judgement:
    return (await attempt(channel)).judgement


async def test_every_kind_arrives_and_says_who_took_it(receivers: Receivers) -> None:
    """Otherwise nobody would be told anything."""
    channels = {
        "slack": slack(receivers.web),
        "pagerduty": PagerDuty(routing_key="a-routing-key", url=receivers.web.url),
        "sms": sms(receivers.web),
        "webhook": webhook(receivers.web),
        "email": email(receivers.mail.port),
    }
    async with Courier(channels) as courier:
        ended = {name: await courier.attempt(notice(channel=name)) for name in channels}
    assert {name: each.judgement.verdict for name, each in ended.items()} == dict.fromkeys(
        channels, Verdict.DELIVERED
    )
    assert {name: each.channel_kind for name, each in ended.items()} == dict(
        zip(channels, channels, strict=True)
    )
    assert all(each.took > timedelta(0) for each in ended.values())
    (mail,) = receivers.mail.arrived
    assert {name: each.judgement.provider_id for name, each in ended.items()} == {
        "slack": None,
        "pagerduty": "default/INC-2024-03-01-007",
        "sms": "SM00000000000000000000000000000001",
        "webhook": None,
        "email": mail["Message-ID"],
    }
    assert [posted.path for posted in receivers.web.arrived] == [
        "/services/T0/B0/secret",
        "/v2/enqueue",
        "/2010-04-01/Accounts/AC1/Messages.json",
        "/hook",
    ]
    assert {posted.headers["User-Agent"] for posted in receivers.web.arrived} == {"tocsin"}
    assert receivers.notice_ids("webhook") == [notice(channel="webhook").notice_id]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HANG, Judgement(Verdict.TRY_AGAIN, "no answer within 0.1 s")),
        (DROP, Judgement(Verdict.TRY_AGAIN, "no complete answer: RemoteProtocolError")),
        (HALF, Judgement(Verdict.TRY_AGAIN, "no complete answer: RemoteProtocolError")),
        (Answer(500, b"oops"), Judgement(Verdict.TRY_AGAIN, "HTTP 500")),
        (Answer(503, b"x" * 10_000_000), Judgement(Verdict.TRY_AGAIN, "HTTP 503")),
        (
            Answer(429, b"", {"Retry-After": "7"}),
            Judgement(Verdict.TRY_AGAIN, "HTTP 429", retry_after=timedelta(seconds=7)),
        ),
        (
            Answer(503, b"", {"Retry-After": "86400"}),
            Judgement(Verdict.TRY_AGAIN, "HTTP 503", retry_after=timedelta(minutes=15)),
        ),
        (
            Answer(401),
            Judgement(Verdict.GIVE_UP, "HTTP 401: the receiver refuses the message"),
        ),
        (
            Answer(403),
            Judgement(Verdict.GIVE_UP, "HTTP 403: the receiver refuses the message"),
        ),
        (
            Answer(307, b"", {"Location": "http://127.0.0.1:9/elsewhere"}),
            Judgement(Verdict.GIVE_UP, "HTTP 307: redirects are not followed"),
        ),
        (Answer(200, b'{"ok": tru', JSON), Judgement(Verdict.DELIVERED, "HTTP 200")),
        (
            Answer(200, b"not gzip", {"Content-Encoding": "gzip"}),
            Judgement(Verdict.DELIVERED, "HTTP 200"),
        ),
        (Answer(204, b""), Judgement(Verdict.DELIVERED, "HTTP 204")),
    ],
    ids=[
        "silence",
        "connection ended",
        "half an answer",
        "fault",
        "endless fault",
        "patience",
        "too much patience",
        "wrong login",
        "forbidden",
        "elsewhere",
        "malformed JSON",
        "malformed encoding",
        "nothing to say",
    ],
)
async def test_answers_of_a_webhook(
    receivers: Receivers, answer: Answer, expected: Judgement
) -> None:
    """Otherwise a passing fault would end the attempts, or a lasting one prolong them."""
    receivers.web.then(answer)
    within = SOON if answer is HANG else "10s"
    assert await judged(webhook(receivers.web, answers_within=within)) == expected
    assert len(receivers.web.arrived + receivers.web.refused) == 1, "it was asked once"


@pytest.mark.parametrize(
    ("channel", "answer", "expected"),
    [
        (slack, Answer(404, b"no_service"), (Verdict.GIVE_UP, "HTTP 404: Slack says no_service")),
        (
            slack,
            Answer(200, b'{"ok": false, "error": "invalid_auth"}', JSON),
            (Verdict.GIVE_UP, "Slack says invalid_auth"),
        ),
        (
            slack,
            Answer(200, b'{"ok": false, "error": "ratelimited"}', JSON),
            (Verdict.TRY_AGAIN, "Slack says ratelimited"),
        ),
        (
            sms,
            Answer(401, b'{"code": 20003, "message": "Authenticate"}', JSON),
            (Verdict.GIVE_UP, "HTTP 401: Twilio error 20003"),
        ),
        (sms, Answer(201, b'{"sid": ["half', JSON), (Verdict.DELIVERED, "HTTP 201")),
    ],
)
async def test_answers_of_services(
    receivers: Receivers, channel: Any, answer: Answer, expected: tuple[Verdict, str]
) -> None:
    """Otherwise what a service says in its own words would not be understood."""
    receivers.web.then(answer)
    ended = await judged(channel(receivers.web))
    assert (ended.verdict, ended.reason) == expected


async def test_a_receiver_that_is_well_again_is_told(receivers: Receivers) -> None:
    """Otherwise a fault would leave a connection behind that fails for ever."""
    faults = [DROP, HALF, Answer(500), HANG]
    receivers.web.then(*faults)
    channel = webhook(receivers.web, answers_within="1s")
    async with Courier({"somewhere": channel}) as courier:
        verdicts = [
            (await courier.attempt(notice(channel="somewhere"))).judgement.verdict
            for _ in [*faults, "well"]
        ]
    assert verdicts == [Verdict.TRY_AGAIN] * len(faults) + [Verdict.DELIVERED]
    repeats = receivers.web.refused + receivers.web.arrived
    keys = {posted.headers["Idempotency-Key"] for posted in repeats}
    assert keys == {notice(channel="somewhere").notice_id}, "a repeat can be told from news"


async def test_nobody_listens() -> None:
    """Otherwise a receiver that restarts would be given up."""
    async with HttpReceiver() as web:
        gone = webhook(web)
    refused = Judgement(Verdict.TRY_AGAIN, "no complete answer: ConnectError")
    assert await judged(gone) == refused
    assert (await judged(email(free_port()))).reason == "no complete answer: SMTPConnectError"


@pytest.mark.parametrize(
    ("channel", "reason"),
    [
        (
            Slack(url="http://127.0.0.1:9", token="größe"),
            "the message could not be composed: UnicodeEncodeError",
        ),
        (Slack(), "the channel is not set up: url is empty"),
        (Webhook(url="http://127.0.0.1:9"), "the channel is not set up: secret is empty"),
        (email(9, host=""), "the channel is not set up: host is empty"),
    ],
)
async def test_what_can_never_be_sent_is_given_up_at_once(channel: Channel, reason: str) -> None:
    """Otherwise a channel that nobody set up would be tried for hours before anybody hears of it."""
    assert await judged(channel) == Judgement(Verdict.GIVE_UP, reason)


async def test_a_token_with_the_end_of_its_line_is_given_up_at_once(receivers: Receivers) -> None:
    """Otherwise a secret that was read from a file would look like a receiver that does not answer."""
    reason = "the channel's settings make no valid request"
    assert await judged(
        slack(receivers.web, token="a-token\n", api=receivers.web.url)
    ) == Judgement(Verdict.GIVE_UP, reason)


async def test_a_channel_that_the_policy_lost_is_given_up() -> None:
    """Otherwise a notice for a channel that was renamed would stop the worker."""
    async with Courier({}) as courier:
        ended = await courier.attempt(notice(channel="somewhere"))
    gone = Judgement(Verdict.GIVE_UP, "the policy has no channel of this name")
    assert ended == Attempted(gone, "unknown", timedelta(0))


class Unjudging(Webhook):
    """A channel with a mistake in it."""

    def judge(self, response: Any, at: Any) -> Judgement:
        del response, at
        message = "a-shared-secret"
        raise KeyError(message)


async def test_a_mistake_in_a_channel_stops_no_other(
    receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise one strange answer would end the worker, again after each restart, and all pages with it."""
    mistaken = Unjudging(url=f"{receivers.web.url}/hook", secret="a-shared-secret")
    with caplog.at_level(logging.ERROR):
        ended = await judged(mistaken)
    reason = "the answer could not be judged: KeyError"
    assert ended == Judgement(Verdict.TRY_AGAIN, reason)
    assert caplog.messages == ["not judged channel=somewhere fault=KeyError"]


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    """Otherwise a receiver could fill our memory, or hold an attempt for ever."""
    written = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                written += 65_536
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        ended = await judged(Webhook(url=f"http://127.0.0.1:{port}", secret="x"))
    assert ended == Judgement(Verdict.DELIVERED, "HTTP 200")
    # Besides what was read, what the system holds for both sides.
    assert ANSWER_BYTES <= written < 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({"MAIL": "451 later"}, (Verdict.TRY_AGAIN, "SMTP 451")),
        ({"RCPT": "450 mailbox busy"}, (Verdict.TRY_AGAIN, "SMTP 450")),
        ({"DATA": "421 going away"}, (Verdict.TRY_AGAIN, "SMTP 421")),
        ({"MAIL": "553 no"}, (Verdict.GIVE_UP, "SMTP 553: the server refuses the message")),
        ({"RCPT": "550 no user"}, (Verdict.GIVE_UP, "SMTP 550: the server refuses the message")),
        ({"DATA": "554 spam"}, (Verdict.GIVE_UP, "SMTP 554: the server refuses the message")),
        ({"MAIL": "hang"}, (Verdict.TRY_AGAIN, "no answer within 0.1 s")),
        ({"DATA": "hang"}, (Verdict.TRY_AGAIN, "no answer within 0.1 s")),
        ({"DATA": "drop"}, (Verdict.TRY_AGAIN, "no complete answer: SMTPServerDisconnected")),
        ({"DATA": "half"}, (Verdict.TRY_AGAIN, "no complete answer: SMTPServerDisconnected")),
    ],
)
async def test_replies_of_a_mail_server(
    receivers: Receivers, replies: Mapping[str, str], expected: tuple[Verdict, str]
) -> None:
    """Otherwise greylisting would end the attempts, or an unknown mailbox prolong them."""
    receivers.mail.replies.update(replies)
    within = SOON if "hang" in replies.values() else "10s"
    ended = await judged(email(receivers.mail.port, answers_within=within))
    assert (ended.verdict, ended.reason) == expected
    assert receivers.mail.arrived == []


async def test_a_mail_server_that_never_greets_is_not_waited_for(receivers: Receivers) -> None:
    """Otherwise a half dead mail server would hold an attempt for ever."""
    # An HTTP server waits for the other side to begin, too.
    ended = await judged(email(receivers.web.port, answers_within=SOON))
    assert ended == Judgement(Verdict.TRY_AGAIN, "no answer within 0.1 s")


async def test_one_receiver_who_is_refused_keeps_no_mail_from_the_others(
    receivers: Receivers,
) -> None:
    """Otherwise one who left would silence the whole team, or be mailed once more by each attempt for the others."""
    receivers.mail.unknown = {"gone@example.org"}
    to = ["gone@example.org", "on-call@example.org"]
    ended = await judged(email(receivers.mail.port, to=to))
    assert (ended.verdict, ended.reason) == (
        Verdict.DELIVERED,
        "SMTP 250; 1 of the receivers were refused",
    )
    assert len(receivers.mail.arrived) == 1


async def test_as_long_as_one_receiver_may_be_taken_later_it_is_tried_again(
    receivers: Receivers,
) -> None:
    """Otherwise one who left would end the attempts for a team whose server is only busy."""
    receivers.mail.unknown = {"gone@example.org"}
    receivers.mail.replies["RCPT"] = "450 busy"
    for to in (
        ["gone@example.org", "on-call@example.org"],
        ["on-call@example.org", "gone@example.org"],
    ):
        ended = await judged(email(receivers.mail.port, to=to))
        assert ended == Judgement(Verdict.TRY_AGAIN, "SMTP 450")


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("right", (Verdict.DELIVERED, "SMTP 250")),
        ("wrong", (Verdict.GIVE_UP, "SMTP 535: the server refuses the message")),
        ("", (Verdict.GIVE_UP, "SMTP 530: the server refuses the message")),
    ],
)
async def test_a_mail_server_that_asks_for_a_password(
    password: str, expected: tuple[Verdict, str]
) -> None:
    """Otherwise a wrong password would be tried until the account is locked."""
    async with MailReceiver(login=("tocsin", "right")) as mail:
        ended = await judged(
            email(mail.port, username="tocsin" if password else "", password=password)
        )
    assert (ended.verdict, ended.reason) == expected


async def test_a_password_is_not_sent_where_encryption_is_asked_for_and_missing() -> None:
    """Otherwise whoever strips the offer of encryption on the way could read it."""
    async with MailReceiver(login=("tocsin", "right")) as mail:
        starttls = email(mail.port, username="tocsin", password="right", security="starttls")
        tls = email(mail.port, username="tocsin", password="right", security="tls")
        assert (await judged(starttls)).reason == "no complete answer: SMTPException"
        assert (await judged(tls)).verdict is Verdict.TRY_AGAIN
        assert mail.arrived == []


async def test_a_channel_that_hangs_delays_no_other() -> None:
    """Otherwise one dead receiver would hold up all pages."""
    async with receiving() as well, HttpReceiver() as dead:
        dead.always(HANG)
        channels = {
            "dead": slack(dead, answers_within="1m"),
            "chat": slack(well.web),
            "hook": webhook(well.web),
            "mail": email(well.mail.port),
        }
        async with Courier(channels) as courier:
            waiting = [
                asyncio.create_task(courier.attempt(notice(channel="dead", number=number)))
                for number in range(1, 3 * SIDE_BY_SIDE)
            ]
            async with asyncio.timeout(10):
                await dead.until(lambda: len(dead.refused) == SIDE_BY_SIDE)
            for name in ("chat", "hook", "mail"):
                ended = await courier.attempt(notice(channel=name))
                assert ended.judgement.verdict is Verdict.DELIVERED
                assert ended.took < timedelta(seconds=10)
            assert len(dead.refused) == SIDE_BY_SIDE, "no more than its share of connections"
            assert not any(task.done() for task in waiting)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def test_waiting_for_a_place_is_no_part_of_the_time_limit(receivers: Receivers) -> None:
    """Otherwise a rush of notices would fail by standing in line."""
    receivers.web.then(*[HANG] * SIDE_BY_SIDE)
    channel = webhook(receivers.web, answers_within="1s")
    async with Courier({"somewhere": channel}) as courier:
        ended = await asyncio.gather(
            *(
                courier.attempt(notice(channel="somewhere", number=number))
                for number in range(1, 2 * SIDE_BY_SIDE + 1)
            )
        )
    verdicts = [each.judgement.verdict for each in ended]
    assert verdicts == [Verdict.TRY_AGAIN] * SIDE_BY_SIDE + [Verdict.DELIVERED] * SIDE_BY_SIDE
    assert all(each.took < timedelta(seconds=1) for each in ended[SIDE_BY_SIDE:])


async def test_no_reason_and_no_log_holds_an_address(
    receivers: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise the address of a webhook, which is its password, would end in receipts and logs."""
    receivers.web.then(DROP, HALF, Answer(404, b"no_service"), Answer(500), Answer(302))
    with caplog.at_level(logging.INFO):
        async with Courier({"chat": slack(receivers.web)}) as courier:
            said = [
                (await courier.attempt(notice(channel="chat"))).judgement.reason for _ in range(6)
            ]
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("streams")]
    for text in said + ours:
        assert "secret" not in text
        assert "127.0.0.1" not in text


async def test_what_arrives_is_what_was_composed(receivers: Receivers) -> None:
    """Otherwise a signature would be over another text than the one that arrives."""
    channel = webhook(receivers.web)
    await attempt(channel)
    (posted,) = receivers.web.arrived
    body = orjson.loads(posted.body)
    assert body["id"] == notice(channel="somewhere").notice_id
    assert posted.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert int(posted.headers["Content-Length"]) == len(posted.body)


async def test_a_name_that_nobody_answers_for_holds_up_no_other_channel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looking names up takes threads that all channels share: one silent name server would have them all."""
    lookup, answered = socket.getaddrinfo, threading.Event()

    def slow(host: Any, *args: Any, **given: Any) -> Any:
        if "silent" in str(host):
            answered.wait(20)
        return lookup("127.0.0.1", *args, **given)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    async with HttpReceiver() as web:
        silent = Webhook(url="http://silent.test:9/hook", secret="a-shared-secret")
        named = Webhook(url=f"http://named.test:{web.port}/hook", secret="a-shared-secret")
        async with Courier({"silent": silent, "named": named}) as courier:
            hanging = [
                asyncio.create_task(courier.attempt(notice(channel="silent", number=number)))
                for number in range(1, SIDE_BY_SIDE + 1)
            ]
            await asyncio.sleep(0)
            async with asyncio.timeout(5):
                told = await courier.attempt(notice(channel="named"))
            answered.set()
            ended = await asyncio.gather(*hanging)
    assert told.judgement.verdict is Verdict.DELIVERED
    assert {each.judgement.verdict for each in ended} == {Verdict.TRY_AGAIN}
