"""
The courier: sends what channels compose, and says how it ended.

Each channel has connections of its own, few of them, and a time limit for each attempt: one that hangs holds up only itself.
No failure of a receiver is raised; each becomes a judgement.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Final

import aiosmtplib
import httpx

from schemas.notices import NoticeV1
from streams.gateways.clock import now
from streams.notifications.channel import Channel, Judgement, Verdict
from streams.notifications.channels.email import Email
from streams.notifications.delivery import Attempted
from streams.notifications.rendering import render

#: Attempts that one channel makes side by side.
SIDE_BY_SIDE: Final = 8
#: Seconds: longer than any channel may wait, so that it never decides.
_CLIENT_TIMEOUT: Final = 180.0

log = logging.getLogger(__name__)


class Courier:
    """Sends notices."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._places: dict[str, asyncio.Semaphore] = {}
        self._open = AsyncExitStack()

    async def start(self) -> None:
        """Make a client for each channel; nothing is connected yet."""
        limits = httpx.Limits(max_connections=SIDE_BY_SIDE, max_keepalive_connections=2)
        for name in self._channels:
            # The whole attempt is timed, by the channel's own limit.
            client = httpx.AsyncClient(limits=limits, timeout=_CLIENT_TIMEOUT)
            self._clients[name] = await self._open.enter_async_context(client)
            self._places[name] = asyncio.Semaphore(SIDE_BY_SIDE)

    async def stop(self) -> None:
        """Close all connections."""
        await self._open.aclose()

    async def attempt(self, notice: NoticeV1) -> Attempted:
        """Try to deliver *notice* once, and say how it ended."""
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
            judged = await self._send(notice, channel)
            return Attempted(judged, channel.kind, timedelta(seconds=loop.time() - started))

    async def _send(self, notice: NoticeV1, channel: Channel) -> Judgement:
        within = channel.answers_within.total_seconds()
        try:
            composed = channel.compose(notice, render(notice), now())
        except Exception as error:
            # Ours, and the same next time: one message is given up, with a receipt, and the others go on.
            log.exception("message not composed notice=%s", notice.notice_id)
            reason = f"the message could not be composed: {type(error).__name__}"
            return Judgement(Verdict.GIVE_UP, reason)
        try:
            async with asyncio.timeout(within):
                if isinstance(composed, EmailMessage):
                    return await _mail(channel, composed)
                response = await self._clients[notice.channel].send(composed)
                return channel.judge(response, now())
        except TimeoutError:
            return Judgement(Verdict.TRY_AGAIN, f"no answer within {within:g} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            return Judgement(Verdict.GIVE_UP, "the channel's address is no address")
        except (httpx.HTTPError, OSError) as error:
            # The name of the failure, not its text: that can hold the address, and the address a password.
            return Judgement(Verdict.TRY_AGAIN, f"not reached: {type(error).__name__}")


async def _mail(channel: Any, mail: EmailMessage) -> Judgement:
    if not isinstance(channel, Email):
        message = f"{channel.kind} composes mails and is no mail channel"
        raise TypeError(message)
    try:
        refused, _ = await aiosmtplib.send(
            mail,
            hostname=channel.host,
            port=channel.port,
            username=channel.username or None,
            password=channel.password.get_secret_value() or None,
            use_tls=channel.security == "tls",
            start_tls=channel.security == "starttls",
            timeout=channel.answers_within.total_seconds(),
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        return channel.judge_reply(max(each.code for each in error.recipients), "")
    except aiosmtplib.SMTPResponseException as error:
        return channel.judge_reply(error.code, error.message)
    except (aiosmtplib.SMTPException, ssl.SSLError) as error:
        return Judgement(Verdict.TRY_AGAIN, f"not reached: {type(error).__name__}")
    told = f"SMTP 250, {len(refused)} of {len(channel.to)} refused" if refused else "SMTP 250"
    return Judgement(Verdict.DELIVERED, told, provider_id=mail["Message-ID"])
