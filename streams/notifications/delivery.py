"""
What is not settled: the notices of one partition, from the first sight to the last receipt.

A notice that was delivered or given up is remembered for a while, so that a repeat is not sent again. Notices of one incident to
one channel go in order: an update never overtakes the message that it updates. Everything else waits for nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from schemas.notices import NoticeV1, Outcome, ReceiptV1
from streams.notifications.backoff import wait
from streams.notifications.channel import Judgement, Verdict

#: How long a settled notice is remembered. Repeats come within seconds of a crash; a week outlasts any outage of ours.
REMEMBERED: Final = timedelta(days=7)


@dataclass(slots=True)
class Pending:
    """A notice that is not settled."""

    notice: NoticeV1
    attempts: int = 0
    first_at: datetime | None = None
    #: When it may be tried; None as soon as possible.
    retry_at: datetime | None = None
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class Attempted:
    """How one attempt ended."""

    judgement: Judgement
    channel_kind: str
    took: timedelta


class Deliveries:
    """The notices of one partition."""

    def __init__(self) -> None:
        #: In the order in which they came.
        self._pending: dict[str, Pending] = {}
        self._settled: dict[str, datetime] = {}
        self._changed: dict[str, bytes | None] = {}
        self._forgotten_at: datetime | None = None

    def accept(self, notice: NoticeV1) -> bool:
        """Take in a notice; False where it is known."""
        if notice.notice_id in self._pending or notice.notice_id in self._settled:
            return False
        self._pending[notice.notice_id] = Pending(notice)
        self._keep(notice.notice_id)
        return True

    def due(self, at: datetime) -> list[Pending]:
        """Return what may be tried at *at*: the first of each line, unless it waits or is under way."""
        first: dict[tuple[str, str, str], Pending] = {}
        for pending in self._pending.values():
            notice = pending.notice
            first.setdefault((notice.tenant, notice.incident_id, notice.channel), pending)
        return [
            pending
            for pending in first.values()
            if not pending.under_way and (pending.retry_at is None or pending.retry_at <= at)
        ]

    def started(self, notice_id: str) -> None:
        """Note that an attempt is under way; a crash forgets it, and the notice is tried again."""
        self._pending[notice_id].under_way = True

    def settle(
        self, notice_id: str, attempted: Attempted, at: datetime, chance: float
    ) -> ReceiptV1:
        """
        Take in how an attempt ended at *at*, and return its receipt.

        *chance*, from 0 to 1, spreads the retries.
        """
        pending = self._pending[notice_id]
        notice, judged = pending.notice, attempted.judgement
        pending.under_way = False
        pending.attempts += 1
        pending.first_at = pending.first_at or at
        outcome, reason, retry_at = Outcome.DELIVERED, judged.reason, None
        if judged.verdict is not Verdict.DELIVERED:
            pause = None
            if judged.verdict is Verdict.TRY_AGAIN:
                pause = wait(
                    pending.attempts,
                    at - pending.first_at,
                    notice.incident.severity,
                    judged.retry_after,
                    chance,
                )
                if pause is None:
                    reason = f"{reason}; no more attempts after {pending.attempts}"
            outcome = Outcome.GIVEN_UP if pause is None else Outcome.RETRYING
            retry_at = None if pause is None else at + pause
        if outcome is Outcome.RETRYING:
            pending.retry_at = retry_at
        else:
            del self._pending[notice_id]
            self._settled[notice_id] = at
        self._keep(notice_id)
        return ReceiptV1(
            occurred_at=at,
            notice_id=notice_id,
            tenant=notice.tenant,
            incident_id=notice.incident_id,
            purpose=notice.purpose,
            channel=notice.channel,
            channel_kind=attempted.channel_kind,
            attempt=pending.attempts,
            outcome=outcome,
            reason=reason[:1_000],
            requested_at=notice.occurred_at,
            took=attempted.took,
            retry_at=retry_at,
            provider_id=judged.provider_id,
        )

    def forget(self, at: datetime) -> None:
        """Forget what was settled long before *at*; looked at once a day."""
        if self._forgotten_at is not None and at.date() == self._forgotten_at.date():
            return
        self._forgotten_at = at
        before = at - REMEMBERED
        for notice_id in [each for each, when in self._settled.items() if when < before]:
            del self._settled[notice_id]
            self._changed[notice_id] = None

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` returned, accumulated."""
        kept = []
        for notice_id, raw in entries.items():
            said = orjson.loads(raw)
            if "settled_at" in said:
                self._settled[notice_id] = datetime.fromisoformat(said["settled_at"])
                continue
            pending = Pending(
                NoticeV1.model_validate(said["notice"]),
                said["attempts"],
                _moment(said["first_at"]),
                _moment(said["retry_at"]),
            )
            kept.append(pending)
        # Entries come back in any order; steps of an incident are numbered.
        for pending in sorted(kept, key=lambda each: each.notice.incident.sequence):
            self._pending[pending.notice.notice_id] = pending
        self._changed = {}

    def _keep(self, notice_id: str) -> None:
        pending = self._pending.get(notice_id)
        if pending is None:
            settled = self._settled[notice_id].isoformat()
            self._changed[notice_id] = orjson.dumps({"settled_at": settled})
            return
        self._changed[notice_id] = orjson.dumps(
            {
                "notice": orjson.Fragment(pending.notice.to_wire()),
                "attempts": pending.attempts,
                "first_at": pending.first_at,
                "retry_at": pending.retry_at,
            }
        )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
