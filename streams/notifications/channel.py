"""
What every channel is: settings, and two translations.

A channel composes a request from a message, and judges the answer. It sends nothing: that is the courier's.
"""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field

from schemas.notices import NoticeV1
from streams.durations import Duration
from streams.notifications.rendering import Message

#: Longest wait that a receiver may ask for and be given.
LONGEST_WAIT: Final = timedelta(minutes=15)

#: The request may have been fine: asked again later it can succeed.
_TRY_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


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


class Channel(BaseModel):
    """Settings that all channels have."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: str
    """What sort of channel it is."""
    answers_within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=2))] = (
        timedelta(seconds=10)
    )
    """How long one attempt may take."""

    def missing(self) -> str | None:
        """Return which setting is empty that messages cannot do without; None where the channel is set up."""
        return None

    @abstractmethod
    def compose(
        self, notice: NoticeV1, message: Message, at: datetime
    ) -> httpx.Request | EmailMessage:
        """Return what is sent at *at*."""

    def judge(self, response: httpx.Response, at: datetime) -> Judgement:
        """Say what *response*, which came at *at*, means."""
        code = response.status_code
        if response.is_success:
            return Judgement(
                Verdict.DELIVERED, f"HTTP {code}", provider_id=self.provider_id(response)
            )
        if code in _TRY_AGAIN or response.is_server_error:
            wait = _retry_after(response.headers.get("Retry-After"), at)
            return Judgement(Verdict.TRY_AGAIN, f"HTTP {code}", retry_after=wait)
        return Judgement(Verdict.GIVE_UP, f"HTTP {code}: the receiver refuses the message")

    def provider_id(self, response: httpx.Response) -> str | None:
        """Return the receiver's own id of the message, if it gives one."""
        del response
        return None


def trimmed(text: str, length: int) -> str:
    """Return *text* in at most *length* characters; what was cut is shown by an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def field_of(response: httpx.Response, name: str) -> str | None:
    """Return a text field of a JSON answer; None where there is none."""
    try:
        body = response.json()
    except ValueError:
        return None
    value = body.get(name) if isinstance(body, dict) else None
    return value[:255] if isinstance(value, str) else None


def _retry_after(header: str | None, at: datetime) -> timedelta | None:
    """Read ``Retry-After``, seconds or a date (RFC 9110, section 10.2.3)."""
    if not header:
        return None
    try:
        wait = timedelta(seconds=int(header))
    except ValueError:
        try:
            wait = parsedate_to_datetime(header) - at
        except (ValueError, TypeError):
            return None
    except OverflowError:
        return LONGEST_WAIT
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
