"""Every channel against its provider, as strict as its documentation, over real connections that fail in every way."""

import asyncio
import logging
import shutil
import ssl
import subprocess
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from schemas.lifecycle import StepKind
from schemas.notices import NoticeV1
from streams.discovery import declared_in, example_of, kind_of
from streams.gateways.courier import SIDE_BY_SIDE, Courier
from streams.laptop.receivers import Posted
from streams.notifications import channels
from streams.notifications.channel import Channel, Judgement, Verdict
from streams.notifications.rendering import render
from tests.providers import provider_of
from tests.providers.email import fault as mail_fault
from tests.providers.statuspage import INCIDENT, Page
from tests.receivers import DROP, HALF, HANG, Answer, HttpReceiver, MailReceiver
from tests.told import notice, public, public_notice, update

pytestmark = pytest.mark.timeout(30)

DECLARED = {kind_of(each): each for each in declared_in(channels)}
WEB = sorted(DECLARED.keys() - {"email", "customers", "apprise"})
SOON = "100ms"
UNTRUSTED = "the receiver's certificate is not trusted (see SSL_CERT_FILE)"
#: Credentials that each provider refuses.
WRONG: dict[str, dict[str, Any]] = {
    "alertmanager": {"token": "wrong"},
    "discord": {"url": "/api/webhooks/7/wrong"},
    "ntfy": {"token": "wrong"},
    "opsgenie": {"api_key": "wrong"},
    "pagerduty": {"routing_key": "wrong"},
    "slack": {"token": "wrong", "api": "/api"},
    "sms": {"auth_token": "wrong"},
    "statuspage": {"api_key": "wrong"},
    "teams": {"url": "/wrong"},
    "telegram": {"token": "wrong"},
    "webhook": {"secret": "wrong"},
}


def channel_of(kind: str, web: HttpReceiver, **given: Any) -> Channel:
    """Return a channel of *kind* that finds its provider at *web*."""
    found = {
        name: f"{web.url}{value}" if str(value).startswith("/") else value
        for name, value in (example_of(DECLARED[kind]) | given).items()
    }
    settings = {
        name: value.replace("http://127.0.0.1:9", web.url) if isinstance(value, str) else value
        for name, value in found.items()
    }
    return DECLARED[kind](**settings)


async def judged(channel: Channel, kind: StepKind = StepKind.OPENED) -> Judgement:
    async with Courier({"somewhere": channel}) as courier:
        return (await courier.attempt(about(channel, kind))).judgement


def about(channel: Channel, kind: StepKind = StepKind.OPENED) -> NoticeV1:
    """Return what *channel* may be told of a step of *kind*."""
    return public_notice("somewhere") if channel.outward else notice(kind, "somewhere")


@pytest.mark.parametrize("kind", WEB)
async def test_its_provider_takes_it(kind: str) -> None:
    """Otherwise what was composed would be refused for its form."""
    async with HttpReceiver(provider_of(kind)) as web:
        for step in (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.RESOLVED):
            assert (await judged(channel_of(kind, web), step)).verdict is Verdict.DELIVERED
        assert len([each for each in web.arrived if each.method != "GET"]) == 3


@pytest.mark.parametrize("kind", WEB)
async def test_wrong_credentials_end_the_attempts(kind: str) -> None:
    """Otherwise a wrong key would be tried until the account is locked, and nobody would hear of it."""
    async with HttpReceiver(provider_of(kind)) as web:
        ended = await judged(channel_of(kind, web, **WRONG[kind]))
    assert ended.verdict is Verdict.GIVE_UP
    assert "wrong" not in ended.reason


@pytest.mark.parametrize(
    ("answer", "reason", "patience"),
    [
        (HANG, "no answer within 0.1 s", None),
        (DROP, "no complete answer: RemoteProtocolError", None),
        (HALF, "no complete answer: RemoteProtocolError", None),
        (Answer(500, b"oops"), "HTTP 500", None),
        (Answer(429, b"", {"Retry-After": "7"}), "HTTP 429", timedelta(seconds=7)),
        (Answer(503, b"<html>"), "HTTP 503", None),
    ],
    ids=["hang", "drop", "half", "500", "429", "503"],
)
@pytest.mark.parametrize("kind", WEB)
async def test_passing_faults_are_tried_again(
    kind: str, answer: Answer, reason: str, patience: timedelta | None
) -> None:
    """Otherwise a receiver that is down for a minute would never hear of an incident."""
    async with HttpReceiver(provider_of(kind)) as web:
        web.then(answer)
        channel = channel_of(kind, web, answers_within=SOON if answer is HANG else "10s")
        async with Courier({"somewhere": channel}) as courier:
            ended = await courier.attempt(about(channel))
            again = await courier.attempt(about(channel))
    # What a service says in its own words may follow.
    assert ended.judgement.reason.startswith(reason)
    assert ended.judgement.verdict is Verdict.TRY_AGAIN
    assert ended.judgement.retry_after == patience
    assert again.judgement.verdict is Verdict.DELIVERED


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "discord",
            b'{"message": "You are being rate limited.", "retry_after": 0.5, "global": false}',
        ),
        ("telegram", b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 0.5}}'),
    ],
)
async def test_patience_is_understood_in_each_providers_words(kind: str, body: bytes) -> None:
    """Otherwise a provider that asks for patience in the body would be asked even more."""
    async with HttpReceiver(provider_of(kind)) as web:
        web.then(Answer(429, body, {"Content-Type": "application/json"}))
        ended = await judged(channel_of(kind, web))
    assert ended.retry_after == timedelta(seconds=0.5)


@pytest.mark.parametrize("kind", WEB)
async def test_nobody_is_told_where_nobody_listens(kind: str) -> None:
    """Otherwise a provider that restarts would be given up."""
    async with HttpReceiver() as web:
        gone = channel_of(kind, web)
    assert await judged(gone) == Judgement(Verdict.TRY_AGAIN, "no complete answer: ConnectError")


@pytest.mark.parametrize(
    ("kind", "given", "first", "second"),
    [
        ("discord", {}, "POST", "PATCH"),
        ("telegram", {}, "/bot7:a-bot-token/sendMessage", "/bot7:a-bot-token/editMessageText"),
        (
            "slack",
            {"token": "xoxb-a-token", "api": "/api"},
            "/api/chat.postMessage",
            "/api/chat.update",
        ),
    ],
)
async def test_the_first_message_stays_up_to_date(
    kind: str,
    given: dict[str, Any],
    first: str,
    second: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise whoever scrolls past would take a resolved incident for an open one."""
    async with HttpReceiver(provider_of(kind)) as web:
        channel = channel_of(kind, web, **given)
        async with Courier({"somewhere": channel}) as courier:
            opened = await courier.attempt(notice(channel="somewhere"))
            known = opened.judgement.provider_id
            assert known
            resolved = notice(StepKind.RESOLVED, "somewhere", 2)
            ended = await courier.attempt(resolved, known)
            assert ended.judgement.verdict is Verdict.DELIVERED
            await courier.refresh(resolved, known)
            web.then(Answer(500, b""))
            with caplog.at_level(logging.WARNING):
                await courier.refresh(resolved, known)
    said = [posted.path if first.startswith("/") else posted.method for posted in web.arrived]
    assert said == [first, first, second]
    assert b"Resolved" in web.arrived[2].body
    assert caplog.messages == [
        f"first message not refreshed notice={resolved.notice_id} reason=HTTP 500"
    ]


async def test_a_channel_that_shows_no_state_is_not_refreshed() -> None:
    """Otherwise a resolution would page a second time."""
    async with HttpReceiver(provider_of("pagerduty")) as web:
        channel = channel_of("pagerduty", web)
        async with Courier({"somewhere": channel}) as courier:
            await courier.refresh(notice(channel="somewhere"), "known")
            await courier.refresh(notice(channel="gone"), "known")
        assert web.arrived == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for this machine that nobody trusts, and its file."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ),
            *("-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context, made


@pytest.mark.parametrize("kind", WEB)
async def test_a_server_that_nobody_trusts_is_told_nothing(
    kind: str, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    """Otherwise whoever stands in between would read the message and its credentials."""
    context, _ = certificate
    async with HttpReceiver(provider_of(kind), tls=context) as web:
        ended = await judged(channel_of(kind, web))
        assert ended == Judgement(Verdict.TRY_AGAIN, f"no complete answer: {UNTRUSTED}")
        assert web.arrived + web.refused == []


async def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(
    certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody could run a receiver with a certificate of the house."""
    context, made = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    async with HttpReceiver(provider_of("ntfy"), tls=context) as web:
        assert (await judged(channel_of("ntfy", web))).verdict is Verdict.DELIVERED


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_out_encrypted_to_whom_is_trusted_only(
    security: str, certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the password of the mail account could be read on the way."""
    context, made = certificate
    login = ("tocsin", "a-password")
    async with MailReceiver(login, tls=context, encrypted=security == "tls") as mail:
        settings = example_of(DECLARED["email"]) | {"port": mail.port, "security": security}
        channel = DECLARED["email"](**settings)
        untold = Judgement(Verdict.TRY_AGAIN, f"no complete answer: {UNTRUSTED}")
        assert await judged(channel) == untold
        assert mail.arrived == []
        monkeypatch.setenv("SSL_CERT_FILE", str(made))
        assert await judged(channel) == Judgement(
            Verdict.DELIVERED, "SMTP 250", provider_id=mail.arrived[0]["Message-ID"]
        )


async def test_customers_get_one_mail_and_do_not_see_each_other() -> None:
    """Otherwise all customers would learn who the others are, or hear what is for people inside."""
    async with MailReceiver(("tocsin", "a-password")) as mail:
        channel = DECLARED["customers"](**example_of(DECLARED["customers"]) | {"port": mail.port})
        assert (await judged(channel)).verdict is Verdict.DELIVERED
        async with Courier({"somewhere": channel}) as courier:
            refused = await courier.attempt(notice(channel="somewhere"))
        (arrived,) = mail.arrived
    assert arrived["Bcc"] is None
    assert b"example.com" not in arrived.as_bytes()
    assert mail.envelopes == [["first@example.com", "second@example.net"]]
    assert refused.judgement == Judgement(
        Verdict.GIVE_UP, "the message could not be composed: ValueError"
    )


@pytest.mark.parametrize("lost", [HALF, DROP, HANG], ids=["half", "drop", "hang"])
async def test_an_answer_that_was_lost_makes_no_second_incident(lost: Answer) -> None:
    """Otherwise customers would read of two outages, and its subscribers be told each update twice."""
    page, faults = Page("kctbh9vrtdww"), [lost]

    def taken(posted: Posted) -> Answer:
        answer = page.answer(posted)
        return faults.pop() if posted.method != "GET" and faults else answer

    opened = public_notice("somewhere")
    mended = public_notice("somewhere", 2, public=public(update("resolved"), update()))
    async with HttpReceiver(taken) as web:
        channel = channel_of("statuspage", web, answers_within=SOON if lost is HANG else "10s")
        async with Courier({"somewhere": channel}) as courier:
            for told, first in ((opened, None), (mended, INCIDENT[:-3] + "001")):
                faults[:] = [lost]
                ended = await courier.attempt(told, first)
                assert ended.judgement.verdict is Verdict.TRY_AGAIN
                again = (await courier.attempt(told, first)).judgement
                assert again.verdict is Verdict.DELIVERED
                assert again.reason == "an earlier attempt arrived: its answer was lost"
                assert again.provider_id == page.incidents[0]["id"]
            # Another one is another incident.
            other = public_notice("somewhere", 3, incident_id="INC-2024-03-01-008")
            assert (await courier.attempt(other)).judgement.reason == "HTTP 201"
    assert [len(each["updates"]) for each in page.incidents] == [1, 2, 0]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[7, null]", b'[{"metadata": {"tocsin": 7}}]'])
async def test_a_list_that_cannot_be_read_is_asked_for_again(body: bytes) -> None:
    """Otherwise half a list would be one without our incident."""
    page = Page()
    async with HttpReceiver(page.answer) as web:
        web.then(Answer(200, body))
        ended = await judged(channel_of("statuspage", web))
    strange = body.startswith(b"[")
    assert ended.verdict is (Verdict.DELIVERED if strange else Verdict.TRY_AGAIN)
    assert len(page.incidents) == strange


async def test_a_digest_is_one_message() -> None:
    """Otherwise a storm would be as many messages as it has incidents."""
    notices = [
        notice(channel="somewhere", incident_id=f"INC-2024-03-01-{number:03}")
        for number in range(1, 8)
    ]
    async with HttpReceiver(provider_of("slack")) as web:
        async with Courier({"somewhere": channel_of("slack", web)}) as courier:
            ended = await courier.attempt_digest(notices)
        (posted,) = web.arrived
    assert ended.judgement == Judgement(Verdict.DELIVERED, "HTTP 200; in a digest of 7")
    said = posted.json()["blocks"][0]["text"]["text"]
    assert all(each.incident_id in said for each in notices)
    async with Courier({}) as courier:
        ended = await courier.attempt_digest(notices)
    assert ended.judgement.verdict is Verdict.GIVE_UP


# -- the library ----------------------------------------------------------------------------------


def relayed(web: HttpReceiver, **given: Any) -> Channel:
    return DECLARED["apprise"](url=f"json://user:a-password@127.0.0.1:{web.port}/hook", **given)


async def test_its_service_takes_what_apprise_sends() -> None:
    """Otherwise what the library makes of a message would be refused for its form."""
    async with HttpReceiver(provider_of("apprise")) as web:
        for step in (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.RESOLVED):
            ended = await judged(relayed(web), step)
            assert ended == Judgement(Verdict.DELIVERED, "sent by apprise"), web.refused
    assert [posted.json()["type"] for posted in web.arrived] == ["failure", "failure", "success"]


@pytest.mark.parametrize(
    "answer",
    [DROP, HALF, Answer(500), Answer(429, b"", {"Retry-After": "7"}), Answer(401)],
    ids=["drop", "half", "500", "429", "401"],
)
async def test_what_fails_in_apprise_is_tried_again(answer: Answer) -> None:
    """Otherwise a service that is down for a minute would never hear of an incident."""
    async with HttpReceiver(provider_of("apprise")) as web:
        web.then(answer)
        async with Courier({"somewhere": relayed(web)}) as courier:
            ended = [(await courier.attempt(notice(channel="somewhere"))).judgement for _ in "12"]
    assert ended == [
        Judgement(Verdict.TRY_AGAIN, "apprise could not send it"),
        Judgement(Verdict.DELIVERED, "sent by apprise"),
    ]


async def test_apprise_tells_nobody_whom_nobody_trusts_or_who_is_not_there(
    certificate: tuple[ssl.SSLContext, Path],
) -> None:
    """Otherwise whoever stands in between would read the message and its credentials."""
    context, _ = certificate
    failed = Judgement(Verdict.TRY_AGAIN, "apprise could not send it")
    async with HttpReceiver(provider_of("apprise"), tls=context) as web:
        address = f"jsons://user:a-password@127.0.0.1:{web.port}/hook"
        assert await judged(DECLARED["apprise"](url=address)) == failed
        assert web.arrived + web.refused == []
        known = relayed(web)
    assert await judged(known) == failed


# -- mail -----------------------------------------------------------------------------------------


async def test_a_strict_mail_server_takes_every_message_of_a_thread() -> None:
    """Otherwise a mail would be refused for its form, or an incident be as many threads as it has messages."""
    async with MailReceiver(fault=mail_fault) as mail:
        channel = DECLARED["email"](
            host="127.0.0.1",
            port=mail.port,
            security="none",
            sender="tocsin@example.org",
            to=["a@example.org", "b@example.org"],
            page="https://tocsin.example.org/{tenant}/{incident}",
        )
        async with Courier({"somewhere": channel}) as courier:
            for number, kind in enumerate(
                (StepKind.OPENED, StepKind.ACKNOWLEDGED, StepKind.RESOLVED), start=1
            ):
                told = notice(kind, "somewhere", number, summary="Überall ⚠ <b>&" * 60)
                ended = (await courier.attempt(told)).judgement
                assert ended.verdict is Verdict.DELIVERED, ended
    first, *others = mail.arrived
    assert [each["References"] for each in others] == [first["Message-ID"]] * 2
    assert first["References"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((b"Message-ID: <", b"Message-ID: "), "Message-ID is none"),
        ((b"\r\nDate:", b"\r\nX-Date:"), "Date is missing"),
        ((b"In-Reply-To:", b"X-Reply-To:"), "a reply has In-Reply-To"),
        ((b"Auto-Submitted: auto-generated", b"Auto-Submitted: no"), "that a program wrote it"),
        ((b"text/plain", b"text/html"), "not a text and a page"),
        ((b"Subject: ", b"Subject: a\nBcc: b"), "does not end with CR LF"),
        ((b"From: ", b"From: a@b.c\r\nFrom: "), "From stands more than once"),
        ((b"Subject: ", b"Subject: " + b"x" * 990), "more than 998 bytes"),
        ((b"Subject: ", "Subject: ü".encode()), "bytes beyond ASCII"),
    ],
)
def test_the_strict_mail_server_is_strict(change: tuple[bytes, bytes], said: str) -> None:
    """Otherwise a mail that programs show wrongly would pass all tests."""
    told = notice(StepKind.ACKNOWLEDGED, "somewhere", 2)
    channel = DECLARED["email"](**example_of(DECLARED["email"]))
    mail = channel.compose(told, render(told), told.occurred_at)
    assert isinstance(mail, EmailMessage)
    assert mail_fault(mail.as_bytes()) is None
    assert said in str(mail_fault(mail.as_bytes().replace(*change, 1)))


async def test_apprise_sends_and_says_no_more_than_whether() -> None:
    """Otherwise the services that only the library knows would hear nothing, or a fault would pass for success."""
    async with HttpReceiver() as web:
        web.then(Answer(200), Answer(500))
        async with Courier({"somewhere": relayed(web)}) as courier:
            ended = [(await courier.attempt(notice(channel="somewhere"))).judgement for _ in "12"]
    assert ended == [
        Judgement(Verdict.DELIVERED, "sent by apprise"),
        Judgement(Verdict.TRY_AGAIN, "apprise could not send it"),
    ]
    assert web.arrived[0].json()["title"].startswith("INCIDENT DETECTED")


async def test_an_address_that_apprise_does_not_know_is_given_up() -> None:
    """Otherwise a typing error would be tried for hours."""
    channel = DECLARED["apprise"](url="nosuchservice://secret")
    reason = "apprise knows no service for the channel's address"
    assert await judged(channel) == Judgement(Verdict.GIVE_UP, reason)


async def test_a_service_that_hangs_in_apprise_takes_its_share_and_no_more() -> None:
    """Otherwise messages that nobody answers would pile up as threads until the worker falls."""
    async with HttpReceiver() as web:
        web.always(HANG)
        channel = relayed(web, answers_within=SOON)
        async with Courier({"somewhere": channel}) as courier:
            ended = await asyncio.gather(
                *(
                    courier.attempt(notice(channel="somewhere", number=number))
                    for number in range(1, SIDE_BY_SIDE + 2)
                )
            )
        reasons = sorted(each.judgement.reason for each in ended)
    assert reasons == [
        "earlier messages still hang in apprise",
        *["no answer within 0.1 s"] * SIDE_BY_SIDE,
    ]
