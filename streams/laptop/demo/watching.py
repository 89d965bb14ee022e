"""Sees what the pipeline says on its public topics, from outside, as any consumer could."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from schemas.alerts import AlertV1
from schemas.contract import Unreadable
from schemas.lifecycle import StepV1
from schemas.notices import NoticeV1, ReceiptV1
from schemas.telemetry import HealthV1
from schemas.topics import (
    ALERTS,
    HEALTH,
    LIFECYCLE,
    NOTICES,
    RECEIPTS,
    TopicDeclaration,
    dead_letter_topics,
)
from streams.errors import TocsinError
from streams.gateways import clock
from streams.gateways.connecting import client, no_broker
from streams.settings import Settings

T = TypeVar("T")

_WATCHED: Final = (HEALTH, ALERTS, LIFECYCLE, NOTICES, RECEIPTS)
_POLL_MS: Final = 200


class NotSeen(TocsinError):
    """What should have happened did not, in time."""


@dataclass
class Seen:
    """What was seen so far, each message once."""

    healths: list[HealthV1] = field(default_factory=list)
    steps: list[StepV1] = field(default_factory=list)
    alerts: list[AlertV1] = field(default_factory=list)
    notices: list[NoticeV1] = field(default_factory=list)
    receipts: list[ReceiptV1] = field(default_factory=list)
    #: Dead-letter topic and reason of what was put aside.
    dead: list[str] = field(default_factory=list)
    #: When each event was seen, by its id.
    at: dict[str, datetime] = field(default_factory=dict)

    def take(self, topic: TopicDeclaration, value: bytes | None, at: datetime) -> None:
        """Remember one record; a repeat of an event is one event."""
        try:
            message = topic.contract.from_wire(value)
        except Unreadable as error:
            self.dead.append(f"{topic.name}: {error}")
            return
        known = f"{topic.name} {message.event_id}"
        if known in self.at:
            return
        self.at[known] = at
        kept: dict[TopicDeclaration, list[Any]] = {
            HEALTH: self.healths,
            ALERTS: self.alerts,
            LIFECYCLE: self.steps,
            NOTICES: self.notices,
            RECEIPTS: self.receipts,
        }
        kept[topic].append(message)

    def seen_at(self, step: StepV1) -> datetime:
        """Return when *step* was seen."""
        return self.at[f"{LIFECYCLE.name} {step.event_id}"]


class Watch:
    """Reads the public topics while its block runs."""

    def __init__(self, settings: Settings) -> None:
        self.seen = Seen()
        self._settings = settings
        self._topics = {settings.topic(topic.name): topic for topic in _WATCHED}
        self._dead = {settings.topic(name) for name in dead_letter_topics()}
        self._news = asyncio.Condition()
        self._consumer = AIOKafkaConsumer(
            *self._topics,
            *self._dead,
            **client(settings),
            client_id="tocsin-demo",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_POLL_MS,
        )
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise await no_broker(self._settings, error) from None
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, KafkaError):
                await self._reading
        await self._consumer.stop()

    async def until(self, what: str, find: Callable[[Seen], T | None], within: timedelta) -> T:
        """
        Wait until *find* finds something among what was seen, and return it.

        Raises:
            NotSeen: It did not within that time; the text says what was waited for and what was seen instead.
        """
        found: list[T] = []

        def there() -> bool:
            if self._reading is not None and self._reading.done():
                self._reading.result()
            result = find(self.seen)
            if result is not None:
                found.append(result)
            return bool(found)

        try:
            async with asyncio.timeout(within.total_seconds()), self._news:
                await self._news.wait_for(there)
        except TimeoutError:
            message = f"{what} within {within.total_seconds():g} s; seen: {summary(self.seen)}"
            raise NotSeen(message) from None
        return found[0]

    async def _read(self) -> None:
        while True:
            fetched: dict[Any, list[Any]] = await self._consumer.getmany(timeout_ms=_POLL_MS)
            at = clock.now()
            for record in (record for records in fetched.values() for record in records):
                if record.topic in self._dead:
                    reason = dict(record.headers).get("tocsin_reason", b"").decode(errors="replace")
                    self.seen.dead.append(f"{record.topic}: {reason}")
                else:
                    self.seen.take(self._topics[record.topic], record.value, at)
            if fetched:
                async with self._news:
                    self._news.notify_all()


def summary(seen: Seen) -> str:
    """Return in one line what was seen, the latest last."""
    healths = {f"{health.check} {health.status}": None for health in seen.healths[-8:]}
    parts = [
        f"{len(seen.healths)} health results" + (f" ({', '.join(healths)})" if healths else ""),
        f"alerts {', '.join(f'{a.rule} {a.state}' for a in seen.alerts[-8:]) or 'none'}",
        f"steps {', '.join(step.kind for step in seen.steps[-12:]) or 'none'}",
        f"{len(seen.notices)} notices",
        "receipts "
        + (
            ", ".join(
                f"{each.channel} {each.purpose} {each.outcome}" for each in seen.receipts[-8:]
            )
            or "none"
        ),
    ]
    if seen.dead:
        parts.append(f"dead letters {'; '.join(seen.dead[-3:])}")
    return "; ".join(parts)
