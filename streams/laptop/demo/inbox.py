"""
What people's devices show: receivers that stand for Slack, a mail server, Twilio, PagerDuty and a webhook.

They listen on the loopback interface, answer as the services do, and refuse what the services would refuse.
"""

import asyncio
import base64
import binascii
import email
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email import policy
from typing import Any, Final

from aiohttp import web
from aiosmtpd.smtp import SMTP

from streams.gateways import clock
from streams.laptop.demo.dependencies import LOOPBACK, serving

_SEVERITIES: Final = frozenset({"critical", "error", "warning", "info"})
_SMS_LENGTH: Final = 1600
#: How far a signature's time may be from now: an old message that somebody caught cannot be sent again.
_SIGNED_WITHIN: Final = 300


@dataclass(frozen=True)
class Arrival:
    """One message at a receiver."""

    #: Kind of the channel that it came through.
    kind: str
    at: datetime
    #: What a person would see first.
    line: str
    #: All of it.
    text: str


class Inbox:
    """The receivers while they run."""

    def __init__(self) -> None:
        self.slack_path = f"/services/{secrets.token_hex(8)}"
        self.secrets: Mapping[str, str] = {
            "PAGERDUTY_ROUTING_KEY": secrets.token_hex(16),
            "TWILIO_ACCOUNT_SID": f"AC{secrets.token_hex(16)}",
            "TWILIO_AUTH_TOKEN": secrets.token_hex(16),
            "WEBHOOK_SECRET": secrets.token_urlsafe(24),
        }
        self.web_port = 0
        self.mail_port = 0
        self._arrivals: list[Arrival] = []
        self._problems: list[str] = []

    def arrivals(self) -> Sequence[Arrival]:
        """Return what arrived, in order."""
        return self._arrivals

    def problems(self) -> Sequence[str]:
        """Return what the services that they stand for would have refused."""
        return self._problems

    @property
    def url(self) -> str:
        """Where the HTTP receivers answer."""
        return f"http://{LOOPBACK}:{self.web_port}"

    def addresses(self) -> list[str]:
        """Return where they listen."""
        return [self.url, f"smtp://{LOOPBACK}:{self.mail_port}"]

    def environment(self) -> dict[str, str]:
        """Return the variables by which the policy finds them."""
        return {
            **self.secrets,
            "SLACK_URL": f"{self.url}{self.slack_path}",
            "PAGERDUTY_URL": self.url,
            "TWILIO_URL": self.url,
            "WEBHOOK_URL": f"{self.url}/hook",
            "SMTP_HOST": LOOPBACK,
            "SMTP_PORT": str(self.mail_port),
        }

    def application(self) -> web.Application:
        """Return what answers HTTP."""
        application = web.Application()
        messages = f"/2010-04-01/Accounts/{self.secrets['TWILIO_ACCOUNT_SID']}/Messages.json"
        application.add_routes(
            [
                web.post(self.slack_path, self._slack),
                web.post("/v2/enqueue", self._pagerduty),
                web.post(messages, self._twilio),
                web.post("/hook", self._webhook),
                web.route("*", "/{rest:.*}", self._nowhere),
            ]
        )
        return application

    # -- one for each service -----------------------------------------------------------------------

    async def _slack(self, request: web.Request) -> web.Response:
        body = _document(await request.read())
        text = body.get("text")
        if not (isinstance(text, str) and text) and not body.get("blocks"):
            return self._refuse("slack", web.Response(status=400, text="no_text"))
        self._take("slack", str(text or "(blocks)"), json.dumps(body))
        return web.Response(text="ok")

    async def _pagerduty(self, request: web.Request) -> web.Response:
        body = _document(await request.read())
        payload = body.get("payload")
        action = body.get("event_action")
        complete = isinstance(payload, dict) and (
            all(isinstance(payload.get(field), str) for field in ("summary", "source"))
            and payload.get("severity") in _SEVERITIES
        )
        if (
            body.get("routing_key") != self.secrets["PAGERDUTY_ROUTING_KEY"]
            or action not in {"trigger", "acknowledge", "resolve"}
            or (action == "trigger" and not complete)
            or (action != "trigger" and not body.get("dedup_key"))
        ):
            said = {"status": "invalid event", "message": "Event object is invalid"}
            return self._refuse("pagerduty", web.json_response(said, status=400))
        summary = payload.get("summary", "") if isinstance(payload, dict) else ""
        self._take("pagerduty", f"{action}: {summary}", json.dumps(body))
        key = body.get("dedup_key") or secrets.token_hex(16)
        said = {"status": "success", "message": "Event processed", "dedup_key": str(key)}
        return web.json_response(said, status=202)

    async def _twilio(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not self._is_twilio(request.headers.get("Authorization", "")):
            said: dict[str, Any] = {"code": 20003, "message": "Authenticate", "status": 401}
            return self._refuse("sms", web.json_response(said, status=401))
        sender = form.get("From") or form.get("MessagingServiceSid")
        if not (sender and form.get("To") and 0 < len(form.get("Body", "")) <= _SMS_LENGTH):
            said = {"code": 21602, "message": "Message body is required", "status": 400}
            return self._refuse("sms", web.json_response(said, status=400))
        self._take("sms", form["Body"], json.dumps(form))
        return web.json_response(
            {"sid": f"SM{secrets.token_hex(16)}", "status": "queued"}, status=201
        )

    def _is_twilio(self, authorization: str) -> bool:
        try:
            given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        return given == f"{self.secrets['TWILIO_ACCOUNT_SID']}:{self.secrets['TWILIO_AUTH_TOKEN']}"

    async def _webhook(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if not self._is_signed(request.headers, raw):
            return self._refuse("webhook", web.Response(status=401), "bad signature")
        self._take("webhook", raw.decode(errors="replace")[:120], raw.decode(errors="replace"))
        return web.Response(status=204)

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        # Written from what the documentation says, not with our own function: receivers have nothing else.
        timestamp = headers.get("X-Tocsin-Timestamp", "")
        if not (timestamp.isascii() and timestamp.isdigit()):
            return False
        # Compared as bytes: texts are refused where they hold more than ASCII.
        given = headers.get("X-Tocsin-Signature", "").encode(errors="replace")
        secret = self.secrets["WEBHOOK_SECRET"].encode()
        signed = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        recent = abs(clock.now().timestamp() - float(timestamp)) <= _SIGNED_WITHIN
        return recent and hmac.compare_digest(given, f"sha256={signed}".encode())

    async def _nowhere(self, request: web.Request) -> web.Response:
        return self._refuse(request.path, web.Response(status=404))

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802, ARG002 - aiosmtpd's name
        """Take a mail."""
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        subject = str(message["Subject"] or "")
        if not (subject and message["From"] and message["To"] and message["Message-ID"]):
            self._problems.append("email without a subject, sender, receiver or message id")
            return "550 incomplete"
        self._take("email", subject, envelope.content.decode(errors="replace"))
        return "250 OK"

    def _take(self, kind: str, line: str, text: str) -> None:
        first = line.strip().splitlines()[0] if line.strip() else ""
        self._arrivals.append(Arrival(kind, clock.now(), first, text))

    def _refuse(self, what: str, response: web.Response, why: str = "") -> web.Response:
        said = f"{what} refused with {response.status}"
        self._problems.append(f"{said}: {why}" if why else said)
        return response


@asynccontextmanager
async def inbox() -> AsyncIterator[Inbox]:
    """Run the receivers."""
    receivers = Inbox()
    mail = await asyncio.get_running_loop().create_server(
        lambda: SMTP(receivers, hostname="localhost", loop=asyncio.get_running_loop()), LOOPBACK, 0
    )
    try:
        receivers.mail_port = int(mail.sockets[0].getsockname()[1])
        async with serving(receivers.application()) as receivers.web_port:
            yield receivers
    finally:
        # Connections that a client keeps open are not waited for.
        mail.close()


def _document(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
