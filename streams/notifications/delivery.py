"""
What is not settled: the notices of one partition, from the first sight to the last receipt.

A notice that was delivered or given up is remembered for a while, so that a repeat is not sent again. Notices of one incident to
one channel stand in one line and go in order: an update never overtakes the message that it updates. Lines do not wait for each other.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from schemas import limits
from schemas.notices import NoticeV1, Outcome, ReceiptV1
from streams.notifications.backoff import wait
from streams.notifications.channel import Judgement, Verdict

#: How long a settled notice is remembered. Repeats come within seconds of a crash; a week outlasts any outage of ours, and is what a
#: person who replays a topic by hand can still do without calling anybody a second time.
REMEMBERED: Final = timedelta(days=7)

#: Tenant, incident and channel.
_Line = tuple[str, str, str]


@dataclass(slots=True)
class Pending:
    """A notice that is not settled."""

    notice: NoticeV1
    attempts: int = 0
    #: When the first attempt had ended.
    first_at: datetime | None = None
    #: When it may be tried; None as soon as possible.
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """How one attempt ended."""

    judgement: Judgement
    channel_kind: str
    took: timedelta


class Deliveries:
    """The notices of one partition."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}
        #: Each line's notices, in order; a line without any is not here.
        self._lines: dict[_Line, dict[str, None]] = {}
        #: Lines whose first notice may be tried. Those of which one is under way are in neither.
        self._ready: dict[_Line, None] = {}
        self._waiting: list[tuple[datetime, _Line]] = []
        self._settled: dict[str, datetime] = {}
        #: By what id each receiver knows the first message about an incident, and when it last took one.
        self._firsts: dict[_Line, tuple[str, datetime]] = {}
        self._changed: dict[str, bytes | None] = {}
        self._forgotten_at: datetime | None = None

    def accept(self, notice: NoticeV1) -> bool:
        """Take in a notice; False where it is known."""
        if notice.notice_id in self._pending or notice.notice_id in self._settled:
            return False
        self._stand(Pending(notice))
        self._keep(notice.notice_id)
        return True

    def due(self, at: datetime) -> list[Pending]:
        """Return what may be tried at *at*: the first of each line, unless it waits or is under way."""
        while self._waiting and self._waiting[0][0] <= at:
            self._ready[heapq.heappop(self._waiting)[1]] = None
        return [self._first(line) for line in self._ready]

    def first(self, notice: NoticeV1) -> str | None:
        """Return the receiver's own id of the first message about the incident; None where it gave none."""
        found = self._firsts.get(_line(notice))
        return found[0] if found else None

    def started(self, notice_id: str) -> None:
        """Note that an attempt is under way; a crash forgets it, and the notice is tried again."""
        del self._ready[_line(self._pending[notice_id].notice)]

    def settle(
        self, notice_id: str, attempted: Attempted, at: datetime, chance: float
    ) -> ReceiptV1:
        """
        Take in how an attempt that was ``started`` ended at *at*, and return its receipt.

        *chance*, from 0 to 1, spreads the retries.
        """
        pending = self._pending[notice_id]
        notice, judged = pending.notice, attempted.judgement
        pending.attempts += 1
        pending.first_at = pending.first_at or at
        outcome, reason, retry_at = _outcome(pending, judged, at, chance)
        if outcome is Outcome.RETRYING and retry_at:
            pending.retry_at = retry_at
            heapq.heappush(self._waiting, (retry_at, _line(notice)))
        else:
            self._leave(pending)
            self._settled[notice_id] = at
            if outcome is Outcome.DELIVERED:
                self._note_first(_line(notice), judged.provider_id, at)
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
            reason=reason[: limits.LINE_LENGTH],
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
        for line in [each for each, (_, when) in self._firsts.items() if when < before]:
            del self._firsts[line]
            self._changed[_first_name(line)] = None

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` returned, accumulated."""
        kept = []
        for notice_id, raw in entries.items():
            said = orjson.loads(raw)
            if "first" in said:
                tenant, incident_id, channel = said["line"]
                at = datetime.fromisoformat(said["at"])
                self._firsts[tenant, incident_id, channel] = (said["first"], at)
                continue
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
            self._stand(pending)

    def _stand(self, pending: Pending) -> None:
        """Put a notice at the end of its line."""
        notice = pending.notice
        line = _line(notice)
        self._pending[notice.notice_id] = pending
        notices = self._lines.setdefault(line, {})
        notices[notice.notice_id] = None
        if len(notices) > 1:
            return
        if pending.retry_at is None:
            self._ready[line] = None
        else:
            heapq.heappush(self._waiting, (pending.retry_at, line))

    def _leave(self, pending: Pending) -> None:
        """Take a notice, the first, out of its line; the next one may go."""
        notice_id, line = pending.notice.notice_id, _line(pending.notice)
        del self._pending[notice_id]
        del self._lines[line][notice_id]
        if self._lines[line]:
            self._ready[line] = None
        else:
            del self._lines[line]

    def _note_first(self, line: _Line, provider_id: str | None, at: datetime) -> None:
        known = self._firsts.get(line)
        first = known[0] if known else provider_id
        if first is not None:
            self._firsts[line] = (first, at)
            self._changed[_first_name(line)] = orjson.dumps(
                {"first": first, "line": line, "at": at}
            )

    def _first(self, line: _Line) -> Pending:
        return self._pending[next(iter(self._lines[line]))]

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


def _outcome(
    pending: Pending, judged: Judgement, at: datetime, chance: float
) -> tuple[Outcome, str, datetime | None]:
    """Return what became of the notice, why, and when it is tried again."""
    if judged.verdict is Verdict.DELIVERED:
        return Outcome.DELIVERED, judged.reason, None
    if judged.verdict is Verdict.GIVE_UP:
        return Outcome.GIVEN_UP, judged.reason, None
    pause = wait(
        pending.attempts,
        at - (pending.first_at or at),
        pending.notice.incident.severity,
        judged.retry_after,
        chance,
    )
    if pause is None:
        why = f"{judged.reason}; given up after attempt {pending.attempts}"
        return Outcome.GIVEN_UP, why, None
    return Outcome.RETRYING, judged.reason, at + pause


def _line(notice: NoticeV1) -> _Line:
    return notice.tenant, notice.incident_id, notice.channel


def _first_name(line: _Line) -> str:
    # JSON, because names may hold any separator; no notice's id begins so.
    return orjson.dumps(["first", *line]).decode()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
