"""Publishing for edges that are no hop: probes, commands, the demo."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

from schemas.contract import Contract
from schemas.topics import TopicDeclaration
from streams.agents.outgoing import Outgoing, handed_over, outgoing
from streams.errors import Rejected, Unavailable
from streams.gateways.connecting import client, no_broker
from streams.settings import Settings

#: How long a connection or a confirmation may take.
ANSWERS_WITHIN: Final = timedelta(seconds=10)
#: How long the goodbye may take once something failed.
_GIVES_UP_WITHIN: Final = timedelta(seconds=1)
_TOLD_AGAIN_AFTER: Final = timedelta(milliseconds=100)


class Publisher:
    """
    A connection to the broker that publishes contracts.

    ``source`` names the part of the installation that speaks, in the CloudEvents headers.
    Used as ``async with Publisher(settings, source="probe") as publisher``.
    """

    def __init__(
        self, settings: Settings, *, source: str, within: timedelta = ANSWERS_WITHIN
    ) -> None:
        self._settings = settings
        self._source = source
        self._within = within
        # The partitioner is the default one: murmur2 over the key, as Java clients and Faust choose.
        self._producer = AIOKafkaProducer(
            **client(settings),
            client_id=f"tocsin-{source}",
            acks="all",
            enable_idempotence=settings.idempotent,
            linger_ms=int(settings.linger / timedelta(milliseconds=1)),
            compression_type="lz4",
            # What the broker has not confirmed by then is not tried again behind the caller's back.
            request_timeout_ms=int(within / timedelta(milliseconds=1)),
        )

    async def __aenter__(self) -> Self:
        """
        Connect.

        Raises:
            Unavailable: No broker answers.
        """
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                await self._producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await self._producer.stop()
            raise await no_broker(self._settings, error) from None
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send what is buffered and disconnect; after a failure, without waiting for a broker that is away."""
        limit = self._within if kind is None else _GIVES_UP_WITHIN
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self._producer.stop()
        except (KafkaError, TimeoutError, OSError):
            await self._abandon()

    async def _abandon(self) -> None:
        """Disconnect without waiting for what is under way, which is all that ``stop`` knows."""
        sending = self._producer._sender.sender_task  # noqa: SLF001 - there is no other way to it
        while sending is not None and not sending.done():
            # Told once, it waits for each request that is under way; told again, it leaves.
            sending.cancel()
            await asyncio.wait([sending], timeout=_TOLD_AGAIN_AFTER.total_seconds())
        await self._producer.client.close()

    async def send(self, topic: TopicDeclaration, message: Contract) -> None:
        """
        Publish *message* and wait until the broker has confirmed it.

        Raises:
            Unavailable: The broker did not confirm it in time; it may have taken it all the same.
        """
        await self.send_all(topic, [message])

    async def send_all(self, topic: TopicDeclaration, messages: Sequence[Contract]) -> None:
        """
        Publish *messages*, in order for each key, and wait until the broker has confirmed all of them.

        Raises:
            Unavailable: The broker did not confirm them all in time; it may have taken any of them.
        """
        await self.send_records(
            [
                replace(
                    outgoing(topic, message, source=self._source),
                    partition=self._partition(topic, message),
                )
                for message in messages
            ]
        )

    async def send_records(self, records: Sequence[Outgoing]) -> None:
        """
        Publish *records*, in order for each key, and wait until the broker has confirmed all of them.

        Raises:
            Unavailable: The broker did not confirm them all in time; it may have taken any of them.
            Rejected: One is larger than the broker takes; it may have taken any of the others.
        """
        names = sorted({self._settings.topic(record.topic) for record in records})
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                # Waited for together: with a linger, one by one would take a linger each.
                confirmations = await handed_over(self._producer, self._settings, records)
                await asyncio.gather(*confirmations)
        except MessageSizeTooLargeError:
            said = (
                f"value: is larger than the broker takes on {', '.join(names)}: send less at a time"
            )
            raise Rejected(said) from None
        except (KafkaError, TimeoutError, OSError) as error:
            said = f"the broker did not confirm a message on {', '.join(names)} ({type(error).__name__})"
            raise Unavailable(said) from None

    def _partition(self, topic: TopicDeclaration, message: Contract) -> int | None:
        """Return the partition of *message* where something else than its key chooses it."""
        place = topic.place_of(message)
        return None if place is None else partition_of(place, self._settings.partitions)


class LatePublisher:
    """A publisher that may begin before its broker does: *connect* is called when it is first used, until it succeeds."""

    def __init__(self, connect: Callable[[], Awaitable[Publisher]]) -> None:
        self._connect = connect
        self._connected: Publisher | None = None
        self._connecting = asyncio.Lock()

    async def send(self, topic: TopicDeclaration, message: Contract) -> None:
        """
        Publish *message* and wait until the broker has confirmed it.

        Raises:
            Unavailable: No broker answers, or it did not confirm it in time; it may have taken it all the same.
        """
        await (await self._publisher()).send(topic, message)

    async def send_records(self, records: Sequence[Outgoing]) -> None:
        """Publish *records*; see ``send``, and ``Publisher.send_records``."""
        await (await self._publisher()).send_records(records)

    async def _publisher(self) -> Publisher:
        async with self._connecting:
            if self._connected is None:
                self._connected = await self._connect()
        return self._connected


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that records with *key* go to: as the default partitioner of Kafka's clients chooses."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
