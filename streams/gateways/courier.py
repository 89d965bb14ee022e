"""
The courier: sends what channels compose, and says how it ended.

Each channel has connections of its own, few of them, and a time limit for each attempt: one that hangs holds up only itself. There are threads enough
to look up the names of all hosts at once: a name server that is silent about one keeps its threads longer than the attempts last.
No failure of a receiver is raised; each becomes a judgement, in words that hold no address: an address can be its own password.
"""

import asyncio
import logging
import ssl
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from copy import copy
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from importlib.util import find_spec
from typing import Any, Final, Self
from weakref import WeakValueDictionary

import aiosmtplib
import httpx

from schemas.notices import NoticeV1, Purpose
from streams.gateways.clock import now
from streams.gateways.relay import Relay
from streams.notifications.channel import Channel, Judgement, Verdict
from streams.notifications.delivery import Attempted
from streams.notifications.mailing import Mailing
from streams.notifications.relaying import Relayed
from streams.notifications.rendering import OUR_WORDS, Message, digest, render, standing, together
from streams.notifications.wording import Wording

log = logging.getLogger(__name__)

if find_spec("sniffio") is None:
    # httpcore tries to import it several times a request, and each time Python would look for it in every folder.
    sys.modules["sniffio"] = None  # type: ignore[assignment]

#: Attempts that one channel makes side by side.
SIDE_BY_SIDE: Final = 8
#: Threads that look up names of hosts, at most; they are made when they are needed.
MOST_LOOKUPS: Final = 512
#: Bytes of an answer that are read: no receiver has more to say that concerns us.
ANSWER_BYTES: Final = 64 * 1024
#: Of an answer to an inquiry, which can be a list.
LISTED_BYTES: Final = 8 * 1024 * 1024
#: Messages that are kept for the next channel.
REMEMBERED_WORDS: Final = 256
#: Seconds that bringing a first message up to date may take.
LONGEST_REFRESH: Final = 10.0
#: Seconds for the good-bye to a mail server that has taken the message.
GOOD_BYE_WITHIN: Final = 1.0


class Courier:
    """Sends notices."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        wordings: Mapping[Purpose, Wording] = OUR_WORDS,
    ) -> None:
        self._channels = channels
        self._wordings = wordings
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._relays: dict[str, Relay] = {}
        #: What was said last, by what it says: the oldest goes first.
        self._said: dict[tuple[object, ...], Message] = {}
        self._refreshing: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = (
            WeakValueDictionary()
        )
        self._open = AsyncExitStack()

    async def start(self) -> None:
        """Make a client for each channel; nothing is connected yet."""
        places = min(max(len(self._channels), 1) * 2 * SIDE_BY_SIDE, MOST_LOOKUPS)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(places, "names"))
        limits = httpx.Limits(max_connections=SIDE_BY_SIDE, max_keepalive_connections=2)
        trusted = httpx.create_ssl_context()
        for name in self._channels:
            client = httpx.AsyncClient(
                limits=limits,
                timeout=None,  # The attempt as a whole has one.  # noqa: S113
                follow_redirects=False,
                verify=trusted,
                # What runs on this machine is not reached through a proxy.
                mounts={"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None},
                headers={"User-Agent": "tocsin", "Accept-Encoding": "identity"},
            )
            self._clients[name] = await self._open.enter_async_context(client)
            self._places[name] = asyncio.Semaphore(SIDE_BY_SIDE)
            self._relays[name] = Relay(SIDE_BY_SIDE)

    async def stop(self) -> None:
        """Close all connections."""
        await self._open.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def attempt(self, notice: NoticeV1, first: str | None = None) -> Attempted:
        """
        Try to deliver *notice* once, and say how it ended.

        *first* is the receiver's own id of the first message about the incident.
        """
        channel = self._channels.get(notice.channel)
        if channel is None:
            reason = "the policy has no channel of this name"
            return Attempted(Judgement(Verdict.GIVE_UP, reason), "unknown", timedelta(0))
        missing = channel.missing()
        if missing is not None:
            reason = f"the channel is not set up: {missing} is empty"
            return Attempted(Judgement(Verdict.GIVE_UP, reason), channel.kind, timedelta(0))
        async with self._places[notice.channel]:
            loop = asyncio.get_running_loop()
            started = loop.time()
            judged = await self._deliver(notice, channel, first)
            return Attempted(judged, channel.kind, timedelta(seconds=loop.time() - started))

    async def attempt_digest(self, notices: Sequence[NoticeV1]) -> Attempted:
        """Try once to tell all of *notices*, which are for one channel, in one message."""
        told = together(notices)
        channel = self._channels.get(told.channel)
        if channel is None or channel.missing() is not None:
            return await self.attempt(told)
        # One incident's page would be the wrong one for all others.
        alone = channel.model_copy(update={"page": ""})
        async with self._places[told.channel]:
            loop = asyncio.get_running_loop()
            started = loop.time()
            judged = await self._deliver(told, alone, None, digest(notices))
            took = timedelta(seconds=loop.time() - started)
        reason = f"{judged.reason}; in a digest of {len(notices)}"
        return Attempted(replace(judged, reason=reason, provider_id=None), channel.kind, took)

    async def refresh(self, notice: NoticeV1, first: str) -> None:
        """
        Bring the *first* message about the incident of a *notice* that was delivered up to date, where the receiver can.

        People are told by now, so a failure is only said in the log. Of one incident one goes after the other: what is older comes first.
        """
        channel = self._channels.get(notice.channel)
        if channel is None:
            return
        line = (notice.tenant, notice.incident_id, notice.channel)
        lock = self._refreshing.setdefault(line, asyncio.Lock())
        try:
            async with lock, asyncio.timeout(LONGEST_REFRESH):
                request = channel.refresh(notice, self._words(standing(notice)), first)
                if request is None:
                    return
                judged = await self._post(notice.channel, channel, request)
                if judged.verdict is Verdict.DELIVERED:
                    return
                why = judged.reason
        except Exception as error:  # noqa: BLE001 - nobody is to be told a second time for this
            why = type(error).__name__
        log.warning("first message not refreshed notice=%s reason=%s", notice.notice_id, why)

    def _words(self, notice: NoticeV1) -> Message:
        """Return what *notice* says; many channels are told the same."""
        about = (
            *(notice.incident.event_id, notice.purpose, notice.step, notice.occurred_at),
            *(notice.update, notice.next_update_at, notice.reason, notice.instead_of),
        )
        known = self._said.pop(about, None) or render(notice, self._wordings)
        self._said[about] = known
        if len(self._said) > REMEMBERED_WORDS:
            del self._said[next(iter(self._said))]
        return known

    async def _deliver(
        self,
        notice: NoticeV1,
        channel: Channel,
        first: str | None,
        message: Message | None = None,
    ) -> Judgement:
        try:
            said = message or self._words(notice)
            composed = channel.compose(notice, said, now(), first)
            asks = channel.inquiry(notice, first)
        except Exception as error:  # noqa: BLE001 - one text that cannot be sent must not hold up the others
            fault = type(error).__name__
            log.error("not composed notice=%s fault=%s", notice.notice_id, fault)  # noqa: TRY400 - the trace would quote secrets
            return Judgement(Verdict.GIVE_UP, f"the message could not be composed: {fault}")
        within = channel.answers_within.total_seconds()
        try:
            if asks is not None:
                async with asyncio.timeout(within):
                    return await self._ask_and_post(notice, channel, said, first, asks)
            return await self._send(notice.channel, channel, composed, within)
        except TimeoutError:
            return Judgement(Verdict.TRY_AGAIN, f"no answer within {within:g} s")
        except (
            httpx.InvalidURL,
            httpx.UnsupportedProtocol,
            httpx.LocalProtocolError,
            UnicodeError,
        ):
            # No address; or a token that was read from a file together with the end of its line.
            return Judgement(Verdict.GIVE_UP, "the channel's settings make no valid request")
        except (httpx.HTTPError, OSError, aiosmtplib.SMTPException) as error:
            # Cut off in the middle it may have been taken; the next attempt has the same idempotency key, or asks.
            return Judgement(Verdict.TRY_AGAIN, f"no complete answer: {_cause(error)}")

    async def _send(
        self,
        name: str,
        channel: Channel,
        composed: httpx.Request | EmailMessage | Relayed,
        within: float,
    ) -> Judgement:
        if isinstance(composed, EmailMessage):
            return await _mail(channel, composed, within)
        if isinstance(composed, Relayed):
            return await self._relays[name].send(composed, within)
        async with asyncio.timeout(within):
            return await self._post(name, channel, composed)

    async def _ask_and_post(
        self,
        notice: NoticeV1,
        channel: Channel,
        message: Message,
        first: str | None,
        asks: httpx.Request,
    ) -> Judgement:
        """Post what the receiver does not have yet."""
        response = await self._exchange(notice.channel, asks, LISTED_BYTES)
        judged = self._judged(notice.channel, channel, response)
        if judged.verdict is not Verdict.DELIVERED:
            return judged
        try:
            had = channel.had(notice, response)
        except (ValueError, RecursionError):
            why = "what the receiver has already could not be read"
            return Judgement(Verdict.TRY_AGAIN, why)
        first = had.first or first
        if had.told:
            why = "an earlier attempt arrived: its answer was lost"
            return Judgement(Verdict.DELIVERED, why, provider_id=first)
        request = channel.compose(notice, message, now(), first)
        if not isinstance(request, httpx.Request):
            fault = f"{channel.kind} asks a server and composes nothing for it"
            raise TypeError(fault)
        return await self._post(notice.channel, channel, request)

    async def _post(self, name: str, channel: Channel, request: httpx.Request) -> Judgement:
        answer = await self._exchange(name, request, ANSWER_BYTES)
        return self._judged(name, channel, answer)

    async def _exchange(self, name: str, request: httpx.Request, most: int) -> httpx.Response:
        """Send *request* and return its answer, of which *most* bytes are read."""
        client = self._clients[name]
        # A request of its own knows nothing of the client's headers.
        request.headers.update(
            {name: client.headers[name] for name in ("User-Agent", "Accept-Encoding")}
        )
        response = await client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) >= most:
                    break
        finally:
            await response.aclose()
        headers = {
            name: response.headers[name]
            for name in ("Retry-After", "Location")
            if name in response.headers
        }
        return httpx.Response(response.status_code, headers=headers, content=bytes(body))

    def _judged(self, name: str, channel: Channel, answer: httpx.Response) -> Judgement:
        try:
            return channel.judge(answer, now())
        except Exception as error:  # noqa: BLE001 - an answer from outside must not stop the worker
            fault = type(error).__name__
            log.error("not judged channel=%s fault=%s", name, fault)  # noqa: TRY400 - the trace would quote the answer
            return Judgement(Verdict.TRY_AGAIN, f"the answer could not be judged: {fault}")


def _cause(error: BaseException) -> str:
    """Return why nothing came back, in words of ours: those of the library can quote an address."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            # It may be renewed at any moment, so this passes; whose authority is of the house names it.
            return "the receiver's certificate is not trusted (see SSL_CERT_FILE)"
        inner = inner.__cause__ or inner.__context__
    return type(error).__name__


async def _mail(channel: Any, mail: EmailMessage, within: float) -> Judgement:
    if not isinstance(channel, Mailing):
        message = f"{channel.kind} composes mails and has no mail server"
        raise TypeError(message)
    server = aiosmtplib.SMTP(
        hostname=channel.host,
        port=channel.port,
        username=channel.username or None,
        password=channel.password.get_secret_value() or None,
        use_tls=channel.security == "tls",
        start_tls=channel.security == "starttls",
        timeout=within,
    )
    try:
        async with asyncio.timeout(within):
            await server.connect()
            refused, _ = await server.sendmail(*_posted(mail))
        # It has the message: whatever becomes of the good-bye, sending it again would be a repeat.
        with suppress(TimeoutError, OSError, aiosmtplib.SMTPException):
            async with asyncio.timeout(GOOD_BYE_WITHIN):
                await server.quit()
    except aiosmtplib.SMTPRecipientsRefused as error:
        # As long as one of them may be taken later, it is worth another attempt.
        return channel.judge_reply(min(each.code for each in error.recipients))
    except aiosmtplib.SMTPResponseException as error:
        return channel.judge_reply(error.code)
    finally:
        server.close()
    reason = f"SMTP 250; {len(refused)} of the receivers were refused" if refused else "SMTP 250"
    return Judgement(Verdict.DELIVERED, reason, provider_id=str(mail["Message-ID"]))


def _posted(mail: EmailMessage) -> tuple[str, list[str], bytes]:
    """
    Return sender, receivers and what goes out.

    It goes in the mail's own form, which the library would replace, for servers that know ASCII alone, and names nobody who is to see nobody.
    """
    receivers = [
        each.addr_spec
        for name in ("To", "Cc", "Bcc")
        for header in mail.get_all(name, [])
        for each in header.addresses
    ]
    shown = copy(mail)
    del shown["Bcc"]
    form = mail.policy.clone(linesep="\r\n", cte_type="7bit")
    return mail["From"].addresses[0].addr_spec, receivers, shown.as_bytes(policy=form)


async def post(channel: Mailing, mail: EmailMessage) -> Judgement:
    """Hand a mail that is no notice to the channel's server, once."""
    try:
        return await _mail(channel, mail, channel.answers_within.total_seconds())
    except (TimeoutError, OSError, aiosmtplib.SMTPException) as error:
        return Judgement(Verdict.TRY_AGAIN, f"no complete answer: {_cause(error)}")
