"""
Receivers on this machine that stand for Slack, PagerDuty, Twilio, a webhook and a mail server.

They are real servers on the loopback interface: they answer as the services do, remember what arrived, and can be told to fail as
services do: refuse, ask for patience, hang, drop the connection, or end it in the middle of an answer.
"""

import asyncio
import ssl
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Final, Self

import orjson
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class Posted:
    """One HTTP request that arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    query: str = ""

    def json(self) -> Any:
        """Return the body, which is JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What a receiver says."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)


#: Answers that never come: the receiver takes the request and is silent, ends the connection, or does so after half of a success.
HANG: Final = Answer(status=0, body=b"hang")
DROP: Final = Answer(status=0, body=b"drop")
HALF: Final = Answer(status=0, body=b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf of it")


def _slack(_: Posted) -> Answer:
    return Answer()


def _pagerduty(posted: Posted) -> Answer:
    said = {
        "status": "success",
        "message": "Event processed",
        "dedup_key": posted.json().get("dedup_key"),
    }
    return Answer(202, orjson.dumps(said), {"Content-Type": "application/json"})


def _twilio(_: Posted) -> Answer:
    said = {"sid": "SM00000000000000000000000000000001", "status": "queued", "error_code": None}
    return Answer(201, orjson.dumps(said), {"Content-Type": "application/json"})


def _webhook(_: Posted) -> Answer:
    return Answer(204, b"")


#: How paths begin, and what the service answers that has them.
_SERVICES: Final[Mapping[str, Callable[[Posted], Answer]]] = {
    "/services/": _slack,
    "/v2/enqueue": _pagerduty,
    "/2010-04-01/": _twilio,
}


class HttpReceiver:
    """
    Takes what is posted to any path. ``then`` says how the next requests are answered, before all is well again.

    *service* answers where it is given, instead of the services that are known by their paths.
    """

    def __init__(
        self,
        service: Callable[[Posted], Answer] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._service = service
        self._tls = tls
        self.arrived: list[Posted] = []
        #: Requests that were not answered with success.
        self.refused: list[Posted] = []
        self.port = 0
        self._answers: deque[Answer] = deque()
        self._always: Answer | None = None
        self._news = asyncio.Condition()
        self._ends = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self._tls else 'http'}://{LOOPBACK}:{self.port}"

    def then(self, *answers: Answer) -> None:
        """Answer the next requests so."""
        self._answers.extend(answers)

    def release(self) -> None:
        """End the connections that hang; they get no answer."""
        ends, self._ends = self._ends, asyncio.Event()
        ends.set()

    def always(self, answer: Answer | None) -> None:
        """Answer every request so, until told otherwise; None for what the service answers when all is well."""
        self._always = answer

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until *holds*, which is asked after each request; whoever waits sets the time limit."""
        async with self._news:
            await self._news.wait_for(holds)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=4 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.port, ssl_context=self._tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        posted = Posted(
            request.path,
            dict(request.headers),
            await request.read(),
            request.method,
            request.query_string,
        )
        answer = self._answer(posted)
        answered = 200 <= answer.status < 300  # noqa: PLR2004 - what HTTP calls success
        async with self._news:
            (self.arrived if answered else self.refused).append(posted)
            self._news.notify_all()
        if answer is HANG:
            await self._ends.wait()
        if answer.status == 0:
            if request.transport is not None:
                if answer is HALF:
                    request.transport.write(HALF.body)
                    # What was written still goes out; the rest never comes.
                    request.transport.close()
                else:
                    request.transport.abort()
            return web.Response()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def _answer(self, posted: Posted) -> Answer:
        if self._answers:
            return self._answers.popleft()
        if self._always is not None:
            return self._always
        if self._service is not None:
            return self._service(posted)
        for start, service in _SERVICES.items():
            if posted.path.startswith(start):
                return service(posted)
        return _webhook(posted)


class MailReceiver:
    """
    A mail server that keeps what it takes.

    ``replies`` holds what it answers instead to ``MAIL``, ``RCPT`` or ``DATA``: a reply such as ``451 later``, or ``hang``, ``drop`` or ``half``.
    What *fault* finds something wrong with is refused. With *tls* it offers encryption; *encrypted* ones do not speak without it.
    """

    def __init__(
        self,
        login: tuple[str, str] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        encrypted: bool = False,
        fault: Callable[[bytes], str | None] = lambda _: None,
    ) -> None:
        self._tls = tls
        self._fault = fault
        self._encrypted = encrypted
        self.arrived: list[EmailMessage] = []
        self.replies: dict[str, str] = {}
        #: Receivers that it does not know, each refused on its own.
        self.unknown: set[str] = set()
        #: To whom each mail was addressed, as it came: receivers that a mail does not name are in its envelope only.
        self.envelopes: list[list[str]] = []
        self.port = 0
        self._login = login
        self._ends = asyncio.Event()
        #: The connections there were, as aiosmtpd keeps them.
        self._talks: list[Any] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        tls = self._tls if self._encrypted else None
        self._server = await loop.create_server(self._talk, LOOPBACK, self.port, ssl=tls)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._server.close()
        for talk in self._talks:
            if talk.transport is not None:
                talk.transport.abort()
        await self._server.wait_closed()

    def _talk(self) -> Any:
        with warnings.catch_warnings():
            # It warns of passwords that are sent readable: here they do not leave the machine.
            warnings.simplefilter("ignore", UserWarning)
            talk = SMTP(
                self,
                hostname="localhost",
                loop=asyncio.get_running_loop(),
                tls_context=None if self._encrypted else self._tls,
                auth_require_tls=False,
                auth_required=self._login is not None,
                authenticator=self._authenticate,
            )
        self._talks.append(talk)
        return talk

    def _authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        known = isinstance(given, LoginPassword) and self._login is not None
        matches = known and (given.login.decode(), given.password.decode()) == self._login
        # Not handled: aiosmtpd is to answer, with 535 where they do not match.
        return AuthResult(success=bool(matches), handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take the sender."""
        del session
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        self.envelopes.append(envelope.rcpt_tos)
        return await self._reply("MAIL", server) or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Take a receiver."""
        del session, options
        if address in self.unknown:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return await self._reply("RCPT", server) or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take the mail."""
        del session
        replied = await self._reply("DATA", server)
        wrong = self._fault(envelope.content)
        if wrong is not None:
            return f"550 5.6.0 {wrong}"
        if replied is None:
            mail = message_from_bytes(envelope.content, policy=default)
            self.arrived.append(mail)
        return replied or "250 OK"

    async def _reply(self, stage: str, server: Any) -> str | None:
        reply = self.replies.get(stage)
        if reply == "hang":
            await self._ends.wait()
        if reply == "half":
            server.transport.write(b"25")
            # What was written still goes out; the rest never comes.
            server.transport.close()
            return "421 gone"
        if reply in {"hang", "drop"}:
            server.transport.abort()
            return "421 gone"
        return reply
