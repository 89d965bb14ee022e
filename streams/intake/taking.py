"""
One request, from its first header to its answer.

It is looked at in this order, so that what is refused has cost little: is there room, may they post, how is it packed, who signed it, what is
it. It is answered once the broker has confirmed all that it became.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from fastapi import HTTPException, Request, Response, status

from schemas import limits
from schemas.contract import Unreadable
from streams.agents.outgoing import Outgoing
from streams.board.limits import read_body
from streams.errors import Rejected, Unavailable
from streams.intake import metrics
from streams.intake.addresses import BINARY, Address
from streams.intake.admission import Refused, Sender, sender_of, signer_of
from streams.intake.answers import Answers
from streams.intake.room import Full, Room, Share
from streams.intake.sorting import Posted, Sorting, sort
from streams.intake.unpacking import Unsupported, unpacked
from streams.policy import Policy
from streams.telemetry.batch import TooLarge
from streams.telemetry.reading import Formats

log = logging.getLogger(__name__)

#: Bodies that are read at once: they share one processor's time anyway, and each holds what it becomes.
_READERS: Final = 2
_AGAIN: Final = {"Retry-After": "5"}


class Governs(Protocol):
    """Who knows the policy in force."""

    @property
    def policy(self) -> Policy:
        """The policy in force."""


class Publishes(Protocol):
    """What takes records to their topics."""

    async def send_records(self, records: Sequence[Outgoing]) -> None:
        """Return once all are confirmed; raise ``Unavailable``, or ``Rejected`` where one never can be."""


@dataclass
class Intake:
    """Takes what is posted."""

    governs: Governs
    publisher: Publishes
    now: Callable[[], datetime]
    missing: Callable[[], str | None] = lambda: None
    """What is waited for before anything can be taken."""
    open_to_all: bool = True
    """Whether anybody may post where the policy names no token."""
    room: Room = field(default_factory=Room)

    def __post_init__(self) -> None:
        self._readers = ThreadPoolExecutor(_READERS, "reader")
        self._read_by: tuple[Policy, Formats] | None = None

    async def answer(self, request: Request, address: Address) -> Response:
        """Take what *request* brings to *address*, and say what became of it."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        answers = address.answers(media_type)
        try:
            with self.room.share() as share:
                answer = await self._taken(request, address, media_type, share)
        except _REFUSING as reason:
            answer = _refusal(reason, answers)
            log.warning(
                "post refused address=%s status=%s reason=%s",
                address.name,
                answer.status_code,
                reason,
            )
        metrics.REQUESTS.labels(address.name, str(answer.status_code)).inc()
        return answer

    async def _taken(
        self, request: Request, address: Address, media_type: str, share: Share
    ) -> Response:
        missing = self.missing()
        if missing is not None:
            raise Unavailable(missing)
        headers = request.headers
        settings = self.governs.policy.intake
        if not settings.demanding and "origin" in headers:
            # Any page could, in a browser on this machine, without its reader's knowing.
            raise Refused("web pages may not post where no token is asked for")
        sender = sender_of(settings, headers, open_to_all=self.open_to_all)
        encoding = address.encoding(media_type, headers.get("content-encoding", ""))
        body = await read_body(request, limits.POSTED_BYTES, share.take)
        if sender is None:
            sender = signer_of(settings, address.format or "", headers, body)
        told = Posted(
            address.topic, b"", address.said(headers), sender.tenant, media_type in BINARY
        )
        sorting = await asyncio.get_running_loop().run_in_executor(
            self._readers, self._sorted, told, body, encoding, share
        )
        await self.publisher.send_records(sorting.records)
        _count(address, sender, sorting)
        return address.answers(media_type).taken(body, sorting)

    def _sorted(self, told: Posted, body: bytes, encoding: str, share: Share) -> Sorting:
        policy = self.governs.policy
        if self._read_by is None or self._read_by[0] is not policy:
            self._read_by = policy, Formats(policy.formats)
        whole = unpacked(body, encoding, share.take)
        if not whole and told.binary:
            return Sorting()  # In protobuf that is a message, with nothing in it.
        return sort(replace(told, body=whole), self._read_by[1], self.now())


def _count(address: Address, sender: Sender, sorting: Sorting) -> None:
    metrics.SIGNALS.labels(address.name).inc(sorting.accepted)
    if sorting.unread:
        metrics.REJECTED.labels(address.name).inc(len(sorting.unread))
        log.warning(
            "post taken in part address=%s sender=%s accepted=%s rejected=%s reason=%s",
            address.name,
            sender.name,
            sorting.accepted,
            len(sorting.unread),
            sorting.said,
        )


#: What is answered to what, the first that fits, with which headers; None is what means "busy" to who posts.
_REFUSALS: Final[Sequence[tuple[type[Exception], int | None, dict[str, str]]]] = (
    (Full, None, {"Retry-After": "1"}),
    (Unavailable, status.HTTP_503_SERVICE_UNAVAILABLE, _AGAIN),
    (Refused, status.HTTP_401_UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}),
    (Unsupported, status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, {}),
    (TooLarge, status.HTTP_413_CONTENT_TOO_LARGE, {}),
    (Unreadable, status.HTTP_400_BAD_REQUEST, {}),
    (Rejected, status.HTTP_400_BAD_REQUEST, {}),
    (HTTPException, None, _AGAIN),
)
_REFUSING: Final = tuple(kind for kind, _, _ in _REFUSALS)


def _refusal(reason: Exception, answers: Answers) -> Response:
    code, headers = next(
        (code, headers) for kind, code, headers in _REFUSALS if isinstance(reason, kind)
    )
    said = str(reason)
    if isinstance(reason, HTTPException):
        said = reason.detail
        # A body that does not come in time is sent again; one that is too large is not.
        if reason.status_code == status.HTTP_413_CONTENT_TOO_LARGE:
            code, headers = reason.status_code, {}
    return answers.refused(answers.busy if code is None else code, said, headers)
