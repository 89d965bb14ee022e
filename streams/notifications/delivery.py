"""
What is not settled: the notices of one partition, from the first sight to the last receipt.

A notice that was delivered or given up is remembered for a while, so that a repeat is not sent again. Notices of one incident to
one channel stand in one line and go in order: an update never overtakes the message that it updates. Lines do not wait for each other.
What may not go out yet is merged with what follows it. A channel that fails is replaced by its fallback.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson

from schemas import limits
from schemas.notices import NoticeV1, Outcome, Purpose, ReceiptV1
from streams.notifications.backoff import wait
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.fallbacks import Fallback, Fallbacks
from streams.notifications.ids import entry_name
from streams.notifications.reminders import Line, Reminders, line_of
from streams.notifications.times import TimeInterval
from streams.notifications.waiting import PATIENT, Groups, minute_after, muted

#: How long a settled notice is remembered. Repeats come within seconds of a crash; a week outlasts any outage of ours, and is what a
#: person who replays a topic by hand can still do without calling anybody a second time.
REMEMBERED: Final = timedelta(days=7)


@dataclass(slots=True)
class Pending:
    """A notice that is not settled."""

    notice: NoticeV1
    attempts: int = 0
    #: When the first attempt had ended.
    first_at: datetime | None = None
    #: When it may be tried; None as soon as possible.
    retry_at: datetime | None = None
    #: Whether its channel's fallback was told.
    fell_back: bool = False


@dataclass(frozen=True, slots=True)
class Attempted:
    """How one attempt ended."""

    judgement: Judgement
    channel_kind: str
    took: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """What the policy says of deliveries."""

    intervals: Sequence[TimeInterval] = ()
    fallbacks: Mapping[str, Fallback] = field(default_factory=dict)
    #: Channels that may stand in for any that names no other.
    substitutes: Sequence[str] = ()
    #: Sorts of channels, by name.
    kinds: Mapping[str, str] = field(default_factory=dict)


class Deliveries:
    """The notices of one partition."""

    def __init__(self, rules: Rules | None = None) -> None:
        self._fallbacks = Fallbacks()
        self.follow(rules or Rules())
        self._pending: dict[str, Pending] = {}
        #: Each line's notices, in order; a line without any is not here.
        self._lines: dict[Line, dict[str, None]] = {}
        #: Lines whose first notice may be tried. Those of which one is under way are in neither.
        self._ready: dict[Line, None] = {}
        self._waiting: list[tuple[datetime, Line]] = []
        self._under_way: set[str] = set()
        self._settled: dict[str, datetime] = {}
        #: By what id each receiver knows the first message about an incident, and when it last took one.
        self._firsts: dict[Line, tuple[str, datetime]] = {}
        self._groups = Groups()
        self._reminders = Reminders()
        self._receipts: list[ReceiptV1] = []
        self._follow_ups: list[NoticeV1] = []
        self._changed: dict[str, bytes | None] = {}
        self._forgotten_at: datetime | None = None

    def follow(self, rules: Rules) -> None:
        """Keep to other *rules* from now on."""
        self._rules = rules
        self._fallbacks.follow(rules.fallbacks, rules.substitutes)

    # -- what comes in ----------------------------------------------------------------------------

    def accept(self, notice: NoticeV1) -> bool:
        """Take in a notice; False where it is known."""
        if notice.notice_id in self._pending or notice.notice_id in self._settled:
            return False
        goes_at = self._groups.goes_at(notice)
        if notice.purpose is Purpose.RESOLUTION:
            self._reminders.stop(line_of(notice))
        held = self._held(notice)
        if held is not None and notice.purpose in PATIENT and held.notice.purpose in PATIENT:
            self._merge(held, notice, goes_at)
            return True
        if held is not None:
            # What calls somebody waits for nothing, and does not overtake.
            self._release(held, None)
        self._stand(Pending(notice, retry_at=goes_at))
        self._keep(notice.notice_id)
        return True

    def receipts(self) -> list[ReceiptV1]:
        """Return the receipts of notices that ended without an attempt since the last call."""
        ended, self._receipts = self._receipts, []
        return ended

    def follow_ups(self) -> list[NoticeV1]:
        """Return the notices that follow from what was settled since the last call: fallbacks of what was given up."""
        following, self._follow_ups = self._follow_ups, []
        return following

    # -- time -------------------------------------------------------------------------------------

    def due(self, at: datetime) -> list[Pending]:
        """Return what may be tried at *at*: the first of each line, unless it waits, is mute or under way."""
        while self._waiting and self._waiting[0][0] <= at:
            moment, line = heapq.heappop(self._waiting)
            # A line that was merged or released meanwhile has another time.
            if line in self._lines and self._first(line).retry_at == moment:
                self._make_ready(line)
        for line in list(self._ready):
            pending = self._first(line)
            if not pending.attempts and muted(pending.notice.timing, self._rules.intervals, at):
                pending.retry_at = minute_after(at)
                del self._ready[line]
                heapq.heappush(self._waiting, (pending.retry_at, line))
        return [self._first(line) for line in self._ready]

    def tick(self, at: datetime) -> Iterator[NoticeV1]:
        """Yield the notices that follow from the time: reminders, and what a failing channel's fallback is told."""
        self._forget(at)
        for reminder in self._reminders.due(at):
            if line_of(reminder) not in self._lines:
                yield reminder
        for channel, why in self._fallbacks.overdue(at):
            for pending in self._pending.values():
                held = not pending.attempts and pending.retry_at and pending.retry_at > at
                if pending.notice.channel == channel and not pending.fell_back and not held:
                    yield from self._fall_back(pending, why, at)

    def overdue(self, at: datetime, after: timedelta) -> dict[str, int]:
        """Return how many notices each channel owes since *after* or longer."""
        owed: dict[str, int] = {}
        for pending in self._pending.values():
            since = pending.first_at or pending.retry_at or pending.notice.occurred_at
            if at - since >= after:
                owed[pending.notice.channel] = owed.get(pending.notice.channel, 0) + 1
        return owed

    # -- attempts ---------------------------------------------------------------------------------

    def first(self, notice: NoticeV1) -> str | None:
        """Return the receiver's own id of the first message about the incident; None where it gave none."""
        found = self._firsts.get(line_of(notice))
        return found[0] if found else None

    def started(self, notice_id: str) -> None:
        """Note that an attempt is under way; a crash forgets it, and the notice is tried again."""
        del self._ready[line_of(self._pending[notice_id].notice)]
        self._under_way.add(notice_id)

    def settle(
        self, notice_id: str, attempted: Attempted, at: datetime, chance: float
    ) -> ReceiptV1:
        """
        Take in how an attempt that was ``started`` ended at *at*, and return its receipt.

        *chance*, from 0 to 1, spreads the retries.
        """
        pending = self._pending[notice_id]
        notice, judged = pending.notice, attempted.judgement
        self._under_way.discard(notice_id)
        pending.attempts += 1
        pending.first_at = pending.first_at or at
        outcome, reason, retry_at = _outcome(pending, judged, at, chance)
        self._fallbacks.note(notice.channel, outcome, at)
        if outcome is Outcome.RETRYING and retry_at:
            pending.retry_at = retry_at
            heapq.heappush(self._waiting, (retry_at, line_of(notice)))
        else:
            self._end(pending, outcome, reason, judged.provider_id, at)
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

    # -- state ------------------------------------------------------------------------------------

    def changes(self) -> Mapping[str, bytes | None]:
        """Return the entries that changed since the last call; None where one is gone."""
        changed, self._changed = self._changed, {}
        return {
            **changed,
            **self._groups.changes(),
            **self._reminders.changes(),
            **self._fallbacks.changes(),
        }

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what ``changes`` returned, accumulated."""
        kept = []
        for name, raw in entries.items():
            said = orjson.loads(raw)
            if "settled_at" in said:
                self._settled[name] = datetime.fromisoformat(said["settled_at"])
            elif "first" in said:
                tenant, incident_id, channel = said["line"]
                at = datetime.fromisoformat(said["at"])
                self._firsts[tenant, incident_id, channel] = (said["first"], at)
            elif self._fallbacks.restore(said):
                pass
            elif "open" in said:
                self._groups.restore(name, said)
            elif "count" in said:
                self._reminders.restore(said)
            else:
                pending = Pending(
                    NoticeV1.model_validate(said["notice"]),
                    said["attempts"],
                    _moment(said["first_at"]),
                    _moment(said["retry_at"]),
                    said.get("fell_back", False),
                )
                kept.append(pending)
        # Entries come back in any order; the steps of one moment are numbered.
        for pending in sorted(kept, key=_order):
            self._stand(pending)

    # -- lines ------------------------------------------------------------------------------------

    def _stand(self, pending: Pending) -> None:
        """Put a notice at the end of its line."""
        notice = pending.notice
        line = line_of(notice)
        self._pending[notice.notice_id] = pending
        notices = self._lines.setdefault(line, {})
        notices[notice.notice_id] = None
        if len(notices) == 1:
            self._line_up(line)

    def _line_up(self, line: Line) -> None:
        """Let the first of *line* go, at its time."""
        pending = self._first(line)
        if pending.retry_at is None:
            self._make_ready(line)
        else:
            heapq.heappush(self._waiting, (pending.retry_at, line))

    def _make_ready(self, line: Line) -> None:
        if self._first(line).notice.notice_id not in self._under_way:
            self._ready[line] = None

    def _leave(self, pending: Pending) -> None:
        """Take a notice out of its line; where it was the first, the next one may go."""
        notice_id, line = pending.notice.notice_id, line_of(pending.notice)
        was_first = self._first(line) is pending
        del self._pending[notice_id]
        del self._lines[line][notice_id]
        if was_first:
            self._ready.pop(line, None)
        if not self._lines[line]:
            del self._lines[line]
        elif was_first:
            self._line_up(line)

    def _first(self, line: Line) -> Pending:
        return self._pending[next(iter(self._lines[line]))]

    # -- merging ----------------------------------------------------------------------------------

    def _held(self, notice: NoticeV1) -> Pending | None:
        """Return the last of the line of *notice*, where it has not gone out and may not yet."""
        ids = self._lines.get(line_of(notice))
        if not ids:
            return None
        last = self._pending[next(reversed(ids))]
        waits = last.retry_at is not None and last.retry_at > notice.occurred_at
        tried = last.attempts or last.notice.notice_id in self._under_way
        return last if waits and not tried else None

    def _merge(self, held: Pending, notice: NoticeV1, goes_at: datetime | None) -> None:
        """Tell what is *held* and *notice* as one."""
        before = held.notice
        begins = before.purpose is Purpose.INITIAL
        if begins and notice.purpose is Purpose.RESOLUTION:
            over = "it was over before anybody was told"
            self._leave(held)
            self._settle_untold(before, over, notice.occurred_at)
            self._settle_untold(notice, over, notice.occurred_at)
            return
        told = before if begins else notice
        held.notice = before.model_copy(
            update={
                "occurred_at": told.occurred_at,
                "step": told.step,
                "purpose": told.purpose,
                "reason": told.reason,
                "update": f"{before.update}\n{notice.update}".strip()[: limits.TEXT_LENGTH],
                "next_update_at": notice.next_update_at,
                "timing": notice.timing,
                "incident": notice.incident,
            }
        )
        if goes_at is None or (held.retry_at and goes_at < held.retry_at):
            self._release(held, goes_at)
        self._keep(before.notice_id)
        self._settle_untold(notice, f"told together with {before.notice_id}", notice.occurred_at)

    def _release(self, held: Pending, goes_at: datetime | None) -> None:
        """Let what was held go at another time."""
        held.retry_at = goes_at
        self._keep(held.notice.notice_id)
        line = line_of(held.notice)
        if self._first(line) is held:
            self._line_up(line)

    def _settle_untold(self, notice: NoticeV1, reason: str, at: datetime) -> None:
        self._settled[notice.notice_id] = at
        self._keep(notice.notice_id)
        self._receipts.append(
            ReceiptV1(
                occurred_at=at,
                notice_id=notice.notice_id,
                tenant=notice.tenant,
                incident_id=notice.incident_id,
                purpose=notice.purpose,
                channel=notice.channel,
                channel_kind=self._rules.kinds.get(notice.channel, "unknown"),
                attempt=1,
                outcome=Outcome.MERGED,
                reason=reason[: limits.LINE_LENGTH],
                requested_at=notice.occurred_at,
                took=timedelta(0),
            )
        )

    # -- ends -------------------------------------------------------------------------------------

    def _end(
        self,
        pending: Pending,
        outcome: Outcome,
        reason: str,
        provider_id: str | None,
        at: datetime,
    ) -> None:
        notice = pending.notice
        self._leave(pending)
        self._settled[notice.notice_id] = at
        self._reminders.told(notice, at)
        if outcome is Outcome.DELIVERED:
            self._note_first(line_of(notice), provider_id, at)
        elif not pending.fell_back:
            why = f"{notice.channel} gave up: {reason}"
            self._follow_ups.extend(self._fall_back(pending, why, at))

    def _fall_back(self, pending: Pending, why: str, at: datetime) -> Iterator[NoticeV1]:
        """Yield what another channel is told instead, if there is one that was not tried before."""
        notice = self._fallbacks.instead(pending.notice, why, at)
        if notice is not None:
            pending.fell_back = True
            if pending.notice.notice_id in self._pending:
                self._keep(pending.notice.notice_id)
            yield notice

    def _note_first(self, line: Line, provider_id: str | None, at: datetime) -> None:
        known = self._firsts.get(line)
        first = known[0] if known else provider_id
        if first is not None:
            self._firsts[line] = (first, at)
            self._changed[entry_name("first", *line)] = orjson.dumps(
                {"first": first, "line": line, "at": at}
            )

    def _forget(self, at: datetime) -> None:
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
            self._changed[entry_name("first", *line)] = None
        self._groups.forget(before)
        self._fallbacks.forget(before)

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
                "fell_back": pending.fell_back,
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


def _order(pending: Pending) -> tuple[datetime, int]:
    return pending.notice.occurred_at, pending.notice.incident.sequence


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
