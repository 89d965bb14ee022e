"""
What every channel is: settings, and two translations.

A channel composes a request from a message, and judges the answer. It sends nothing: that is the courier's. Reasons end in receipts,
logs and reports, so no judgement quotes a secret, and what a receiver says is only repeated where the channel asks for it.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from schemas.notices import NoticeV1
from streams.durations import Duration
from streams.notifications.callback import Callback, Heard, Refused
from streams.notifications.pacing import Limit
from streams.notifications.relaying import Relayed
from streams.notifications.rendering import Message

#: Longest wait that a receiver may ask for and be given.
LONGEST_WAIT: Final = timedelta(minutes=15)

#: Characters of what a receiver said that a reason repeats.
SAID_LENGTH: Final = 200

#: The request may have been fine: asked again later it can succeed.
_TRY_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


def _page(text: str) -> str:
    web_address(text)
    return text


class Verdict(StrEnum):
    """What an answer means."""

    DELIVERED = "delivered"
    TRY_AGAIN = "try_again"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reason, in words that hold no secret."""

    verdict: Verdict
    reason: str
    retry_after: timedelta | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Had:
    """What a receiver has of earlier attempts, whose answers may have been lost."""

    first: str | None = None
    """Its own id of the first message about the incident, if it has one."""
    told: bool = False
    """Whether it has this very message."""


class Channel(BaseModel):
    """Settings that all channels have."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    #: What the receiver takes: characters of each text, by its name.
    limits: ClassVar[Mapping[str, int]] = {}
    #: Messages that it takes a minute, where the policy says nothing else.
    usual: ClassVar[int] = 60
    #: Whether several incidents can be told in one message; not where each has an alert of its own over there.
    merges: ClassVar[bool] = True
    #: Whether people of our own read it, so that it can stand in for another channel that fails.
    stands_in: ClassVar[bool] = False
    #: Whether nobody is woken by what it is told: it is read when somebody looks.
    quiet: ClassVar[bool] = False
    #: Whether it reaches people outside, who hear only what is published.
    outward: ClassVar[bool] = False

    kind: str
    """What sort of channel it is."""
    answers_within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=2))] = (
        timedelta(seconds=10)
    )
    """How long one attempt may take."""

    page: Annotated[str, AfterValidator(_page)] = ""
    """Address of an incident's page, linked where the receiver shows links; ``{tenant}`` and ``{incident}`` are replaced."""

    at_most: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Messages that it takes within ``per``; beyond, incidents are told in one digest, or wait. Never severity 1."""
    per: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=1))] = timedelta(
        minutes=1
    )
    """What ``at_most`` is counted in."""
    fallback: str = ""
    """Channel that is told instead, where this one gives up or fails for ``fallback_after``; without it any other, once for each incident."""
    fallback_after: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=1))] = timedelta(
        minutes=5
    )
    """How long this channel may take nothing before another one is told."""

    def pace(self) -> Limit:
        """Return how much is sent at most."""
        if self.at_most is None:
            return Limit(self.usual, timedelta(minutes=1), self.merges)
        return Limit(self.at_most, self.per, self.merges)

    def missing(self) -> str | None:
        """Return which setting is empty that messages cannot do without; None where the channel is set up."""
        return None

    @abstractmethod
    def compose(
        self, notice: NoticeV1, message: Message, at: datetime, first: str | None = None
    ) -> httpx.Request | EmailMessage | Relayed:
        """
        Return what is sent at *at*.

        *first* is the receiver's own id of the first message about the incident, where it gave one.
        """

    def refresh(self, notice: NoticeV1, standing: Message, first: str) -> httpx.Request | None:
        """
        Return what brings the *first* message up to date with *standing*; None where it stays as it was.

        It follows a message that was delivered and can be repeated: it tells nobody anything.
        """
        del notice, standing, first
        return None

    def inquiry(self, notice: NoticeV1, first: str | None) -> httpx.Request | None:
        """
        Return what asks, before *notice* goes out, what the receiver has; None where a repeat does no harm or nobody can be asked.

        *first* is as for ``compose``.
        """
        del notice, first
        return None

    def had(self, notice: NoticeV1, response: httpx.Response) -> Had:
        """
        Return what the receiver has, as it answers an ``inquiry``.

        Raises:
            ValueError: The answer cannot be read.
        """
        del notice, response
        return Had()

    def heard(self, callback: Callback, at: datetime) -> list[Heard]:
        """
        Return what somebody asked for over there, in a *callback* that came at *at*.

        Raises:
            Refused: It is not believed, or this channel is never called back.
        """
        del callback, at
        message = f"a channel of kind {self.kind} is never called back"
        raise Refused(message)

    def reply(self, callback: Callback) -> bytes:
        """Return the JSON that a *callback* is answered with which was believed; nothing where nothing is expected."""
        del callback
        return b""

    def link(self, notice: NoticeV1) -> str:
        """Return the address of the incident's page; empty where the policy names none, and where it is of no incident."""
        if notice.shift is not None:
            return ""
        tenant, incident = quote(notice.tenant, safe=""), quote(notice.incident_id, safe="")
        return self.page.replace("{tenant}", tenant).replace("{incident}", incident)

    def cut(
        self,
        text: str,
        length: int,
        notice: NoticeV1,
        measure: Callable[[str], int] = len,
        mark: str = "…",
    ) -> str:
        """Return *text* in at most *length* of what *measure* counts; where it is cut, the page's link follows."""
        if measure(text) <= length:
            return text
        link = self.link(notice)
        end = f"{mark} {link}" if link and measure(f"{mark} {link}") < length // 2 else mark
        fits, too_long = 0, len(text)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if measure(text[:middle] + end) <= length:
                fits = middle
            else:
                too_long = middle
        return text[:fits] + end

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """Say what *response*, which came at *at*, means."""
        code = response.status_code
        if response.is_success:
            return Judgement(
                Verdict.DELIVERED, f"HTTP {code}", provider_id=self.provider_id(response)
            )
        said = self.explanation(response)
        reason = f"HTTP {code}: {said}" if said else f"HTTP {code}"
        if code in _TRY_AGAIN or response.is_server_error:
            wait = _retry_after(response.headers.get("Retry-After"), at)
            wait = self.patience(response) if wait is None else wait
            return Judgement(Verdict.TRY_AGAIN, reason, retry_after=wait)
        if said:
            return Judgement(Verdict.GIVE_UP, reason)
        if response.has_redirect_location:
            return Judgement(Verdict.GIVE_UP, f"{reason}: redirects are not followed")
        return Judgement(Verdict.GIVE_UP, f"{reason}: the receiver refuses the message")

    def provider_id(self, response: httpx.Response) -> str | None:
        """Return the receiver's own id of the message, if it gives one."""
        del response
        return None

    def patience(self, response: httpx.Response) -> timedelta | None:
        """Return how long the receiver asks to be left alone, where it says so in its own way."""
        del response
        return None

    def explanation(self, response: httpx.Response) -> str | None:
        """Return why the receiver refused, where it says so in words that can be repeated."""
        del response
        return None

    def redacted(self, text: str) -> str:
        """Return one short line of *text* without any of this channel's secrets."""
        for secret in _secrets(self):
            text = text.replace(secret, "***")
        return trimmed("".join(each if each.isprintable() else " " for each in text), SAID_LENGTH)


def trimmed(text: str, length: int, mark: str = "…") -> str:
    """Return *text* in at most *length* characters; what was cut is shown by *mark*."""
    return text if len(text) <= length else text[: length - len(mark)] + mark


def document(response: httpx.Response) -> dict[str, Any]:
    """Return the object that a JSON answer is; an empty one where it is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def plain(response: httpx.Response) -> str:
    """Return an answer as text. Its own word on its encoding is not heard: some of Python's codecs make no text."""
    return response.content.decode(errors="replace")


def field_of(response: httpx.Response, name: str) -> str | None:
    """Return a text field of a JSON answer; None where there is none."""
    value = document(response).get(name)
    return value[:255] if isinstance(value, str) else None


def as_header(notice_id: str) -> str:
    """Return *notice_id* as a header can carry it: tenants and channels may be called anything."""
    return quote(notice_id, safe="/:@!$&'()*+,;=-._~#")


def web_address(text: str) -> str:
    """
    Return *text*, which is empty or an address.

    Raises:
        ValueError: It is neither.
    """
    try:
        parts = urlsplit(text)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname)
        reachable = named and (parts.port or 1) > 0 and text.isprintable() and " " not in text
    except ValueError:
        reachable = False
    if text and not reachable:
        # Never with the text: an address can be its own password.
        message = "must be an address that starts with http:// or https://"
        raise ValueError(message)
    return text


def _secret_address(secret: SecretStr) -> SecretStr:
    web_address(secret.get_secret_value())
    return secret


#: An address that anybody may know.
WebAddress = Annotated[str, AfterValidator(web_address)]
#: One that is a password, or holds one.
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address)]


def _secrets(channel: Channel) -> Iterator[str]:
    for name in type(channel).model_fields:
        value = getattr(channel, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            secret = value.get_secret_value()
            yield secret
            # Of an address, what follows the host is what nobody else knows.
            if secret.startswith(("http://", "https://")) and len(urlsplit(secret).path) > 1:
                yield urlsplit(secret).path


def seconds(value: Any) -> timedelta | None:
    """Return a number of seconds that a receiver asks for, within bounds; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return timedelta(seconds=min(float(value), LONGEST_WAIT.total_seconds()))


def utf16_length(text: str) -> int:
    """Return how many UTF-16 code units *text* has: what some receivers call its characters."""
    return len(text.encode("utf-16-le", errors="replace")) // 2


def byte_length(text: str) -> int:
    """Return how many bytes *text* has in UTF-8."""
    return len(text.encode(errors="replace"))


def _retry_after(header: str | None, at: datetime) -> timedelta | None:
    """Read ``Retry-After``, seconds or a date (RFC 9110, section 10.2.3)."""
    if not header:
        return None
    try:
        wait = timedelta(seconds=int(header))
    except OverflowError:
        return LONGEST_WAIT
    except ValueError:
        try:
            wait = parsedate_to_datetime(header) - at
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
