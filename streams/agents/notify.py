"""
Hop 3: notices in, messages out, receipts.

What is not settled is state: a notice is journaled before its first attempt, its outcome before the receipt goes out. An
attempt runs beside the others, so a slow channel holds up nobody.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from schemas.notices import NoticeV1, Outcome
from schemas.ticks import TickV1
from schemas.topics import NOTICES, POLICIES, RECEIPTS, TICKS, TopicDeclaration
from streams.agents import metrics
from streams.agents.app import HopApp
from streams.agents.checkpoints import Slice
from streams.agents.governed import desk_of
from streams.agents.hop import Hop
from streams.agents.outgoing import Outgoing, outgoing
from streams.gateways.clock import now
from streams.gateways.couriers import Couriers
from streams.notifications.channel import Verdict
from streams.notifications.delivery import Attempted, Deliveries, Rules
from streams.notifications.fallbacks import Fallback
from streams.notifications.pacing import Pace
from streams.notifications.substitutes import substitutes
from streams.policy import Policy

log = logging.getLogger(__name__)

NAME = "notify"
# Ticks open a partition without notices, so that what an outage left behind goes out at once.
INPUTS = (NOTICES, POLICIES, TICKS)

#: Seconds between two looks at what is due again.
LOOK_EVERY: Final = 1.0
#: Seconds that attempts under way may take when the worker is asked to stop.
FINISH_WITHIN: Final = 3.0
#: After this long an undelivered notice is counted as owed.
OWED_AFTER: Final = timedelta(minutes=2)


class NotifyDesk:
    """One partition of what is not settled."""

    def __init__(
        self, deliveries: Deliveries, wake: Callable[[], None], use: Callable[[Policy], None]
    ) -> None:
        self.deliveries = deliveries
        self._wake = wake
        self._use = use

    def hear(self, topic: TopicDeclaration, record: Any) -> Iterable[Outgoing]:
        """Take in one notice; see ``Desk.hear``."""
        del topic
        if self.deliveries.accept(NoticeV1.from_wire(record.value)):
            self._wake()
        return [outgoing(RECEIPTS, receipt, source=NAME) for receipt in self.deliveries.receipts()]

    def tick(self, tick: TickV1) -> Iterable[Outgoing]:
        """Let time pass: remind, fall back, forget."""
        return [
            outgoing(NOTICES, notice, source=NAME)
            for notice in self.deliveries.tick(tick.occurred_at)
        ]

    def changes(self) -> Mapping[str, bytes | None]:
        """Return what changed since the last call."""
        return self.deliveries.changes()

    def restore(self, entries: Mapping[str, bytes]) -> None:
        """Take what was not settled."""
        self.deliveries.restore(entries)
        self._wake()

    def use(self, policy: Policy) -> None:
        """Make the next attempts of this worker under *policy*: all partitions are given the same one."""
        self.deliveries.follow(delivery_rules(policy))
        self._use(policy)


def delivery_rules(policy: Policy) -> Rules:
    """Return what *policy* says of deliveries."""
    return Rules(
        intervals=policy.time_intervals,
        # One that is not set up delivers nothing by intention: only what its author names stands in for it.
        fallbacks={
            name: Fallback(channel.fallback, channel.fallback_after)
            for name, channel in policy.channels.items()
            # What people outside are to hear is not for ours to be told at any hour.
            if channel.fallback or (channel.missing() is None and not channel.outward)
        },
        substitutes=substitutes(policy.channels, policy.routes),
        kinds={name: channel.kind for name, channel in policy.channels.items()},
    )


class Notifier:
    """Makes the attempts that are due, for all partitions of this worker."""

    hop: Hop

    def __init__(self, app: HopApp, courier: Couriers, policy: Policy) -> None:
        self._courier = courier
        self._pace = Pace()
        self._channels: Sequence[str] = ()
        self.use(policy)
        self._measured_at = 0.0
        self._news = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        #: Attempts that ended and are not settled; a slice that was revoked takes its own with it.
        self._outcomes: WeakKeyDictionary[Slice, list[tuple[str, Attempted]]] = WeakKeyDictionary()
        #: Whether no attempt may begin any more.
        self._stopping = False
        #: Whether what is still under way is left to whoever has the partition next: the producer is about to be closed.
        self._given_back = False
        self._app = app
        self._chance = secrets.SystemRandom()
        app.on_before_shutdown.connect(self._on_shutdown)
        app.task(self._keep_delivering)

    def wake(self) -> None:
        """Look at what is due now."""
        self._news.set()

    def use(self, policy: Policy) -> None:
        """Make attempts under *policy* from now on."""
        self._courier.use(policy)
        self._show(tuple(policy.channels))
        self._pace.follow({name: channel.pace() for name, channel in policy.channels.items()})

    async def _keep_delivering(self) -> None:
        while not self._stopping:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            for partition, piece in list(self.hop.slices.items()):
                await self._deliver(partition, piece)
            self._measure()

    def _measure(self) -> None:
        at = asyncio.get_running_loop().time()
        if at < self._measured_at + LOOK_EVERY:
            return
        self._measured_at = at
        owed: Counter[str] = Counter()
        for piece in self.hop.slices.values():
            owed.update(self._deliveries(piece).overdue(now(), OWED_AFTER))
        for channel in self._channels:
            metrics.OWED.labels(channel).set(owed[channel])

    def _show(self, channels: Sequence[str]) -> None:
        """Show figures of *channels*, and no longer those of others."""
        for channel in set(self._channels) - set(channels):
            metrics.OWED.remove(channel)
            for outcome in Outcome:
                metrics.ATTEMPTS.remove(channel, outcome)
        for channel in channels:
            for outcome in Outcome:
                metrics.ATTEMPTS.labels(channel, outcome)
        self._channels = tuple(channels)

    async def _deliver(self, partition: int, piece: Slice) -> None:
        deliveries = self._deliveries(piece)
        if self._stopping or not deliveries.due(now()):
            return
        # A notice is in the journal before its first attempt: a crash forgets none.
        await piece.flush()
        if self._stopping or piece.failed:
            return
        at = now()
        due = [pending.notice for pending in deliveries.due(at)]
        for notices in self._pace.take(due, at):
            for notice in notices:
                deliveries.started(notice.notice_id)
            first = deliveries.first(notices[0])
            task = asyncio.create_task(self._attempt(partition, piece, notices, first))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    async def _attempt(
        self, partition: int, piece: Slice, notices: Sequence[NoticeV1], first: str | None
    ) -> None:
        if len(notices) == 1:
            attempted = await self._courier.attempt(notices[0], first)
        else:
            attempted = await self._courier.attempt_digest(notices)
        if self._given_back or piece.failed or self.hop.slices.get(partition) is not piece:
            # Stopped, failed or revoked meanwhile: whoever has the partition now tries again, under the same idempotency key.
            log.warning("outcome dropped notice=%s", notices[0].notice_id)
            return
        ended = [(notice.notice_id, attempted) for notice in notices]
        self._outcomes.setdefault(piece, []).extend(ended)
        await piece.decide(lambda: self._settle(piece))
        if first is not None and attempted.judgement.verdict is Verdict.DELIVERED:
            await self._courier.refresh(notices[0], first)

    def _settle(self, piece: Slice) -> Iterable[Outgoing]:
        """Return the receipts of all attempts that ended: one journal entry serves those that ended during the last one."""
        ended, self._outcomes[piece] = self._outcomes[piece], []
        for notice_id, attempted in ended:
            receipt = self._deliveries(piece).settle(
                notice_id, attempted, now(), self._chance.random()
            )
            metrics.ATTEMPTS.labels(receipt.channel, receipt.outcome).inc()
            log.info(
                "attempt notice=%s channel=%s outcome=%s attempt=%s reason=%s",
                receipt.notice_id,
                receipt.channel,
                receipt.outcome,
                receipt.attempt,
                receipt.reason,
            )
            yield outgoing(RECEIPTS, receipt, source=NAME)
        for notice in self._deliveries(piece).follow_ups():
            log.warning("fallback notice=%s channel=%s", notice.notice_id, notice.channel)
            yield outgoing(NOTICES, notice, source=NAME)

    @staticmethod
    def _deliveries(piece: Slice) -> Deliveries:
        return desk_of(piece.desk, NotifyDesk).deliveries

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._news.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            # Nothing is lost: the notice is in the journal.
            if self._given_back:
                log.warning("attempt given back fault=%s", type(fault).__name__)
                return
            # But the fault is ours.
            log.error("attempt failed", exc_info=fault)
            self._crashing = asyncio.ensure_future(self._app.crash(fault))

    async def _on_shutdown(self, _app: Any, **_: Any) -> None:
        self._stopping = True
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=FINISH_WITHIN)
        self._given_back = True
