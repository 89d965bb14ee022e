"""Records on their way to the broker, and the one producer of a hop."""

from base64 import b64decode, b64encode
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from schemas import cloudevents
from schemas.contract import Contract
from schemas.topics import TopicDeclaration
from streams.gateways.connecting import client
from streams.gateways.topics import LARGE_BYTES
from streams.settings import Settings

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be sent. ``topic`` is the name without the installation's prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    #: None where the key decides.
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers

    def to_json(self) -> list[Any]:
        """Return it as JSON values."""
        return [
            self.topic,
            _text(self.key),
            _text(self.value),
            [[name, _text(value)] for name, value in self.headers],
        ]

    @classmethod
    def from_json(cls, parts: list[Any]) -> Self:
        """Return what ``to_json`` was made from."""
        topic, key, value, headers = parts
        return cls(
            topic,
            _bytes(key),
            _bytes(value),
            tuple((name, _bytes(each)) for name, each in headers),
        )


def outgoing(topic: TopicDeclaration, message: Contract, *, source: str) -> Outgoing:
    """Return *message* as a record of *topic*, with the CloudEvents headers of the hop called *source*."""
    return Outgoing(
        topic.name,
        topic.key_of(message),
        message.to_wire(),
        tuple(cloudevents.headers(message, source=source)),
    )


async def handed_over(
    producer: AIOKafkaProducer, settings: Settings, records: Sequence[Outgoing]
) -> list[Awaitable[RecordMetadata]]:
    """Give *records* to *producer*, in order for each key, and return what ends once the broker has confirmed each."""
    return [
        await producer.send(
            settings.topic(record.topic),
            key=record.key,
            value=record.value,
            partition=record.partition,
            headers=list(record.headers),
        )
        for record in records
    ]


class Emitter:
    """
    The producer of one worker.

    ``send`` returns when the broker has confirmed every record, so that a caller can rely on what it sent.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connected: AIOKafkaProducer | None = None

    @property
    def _producer(self) -> AIOKafkaProducer:
        if self._connected is None:
            message = "the producer was used before it was started"
            raise RuntimeError(message)
        return self._connected

    async def start(self) -> None:
        """Connect."""
        self._connected = AIOKafkaProducer(
            **client(self._settings),
            client_id="tocsin",
            acks="all",
            # The broker drops what the producer repeats after a lost answer.
            enable_idempotence=self._settings.idempotent,
            linger_ms=int(self._settings.linger.total_seconds() * 1000),
            max_request_size=LARGE_BYTES,
            compression_type="lz4",
        )
        await self._connected.start()

    async def stop(self) -> None:
        """Send what is buffered and disconnect."""
        if self._connected is not None:
            await self._connected.stop()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send *records*, in order for each key, and wait until the broker has confirmed all of them."""
        for confirmation in await handed_over(self._producer, self._settings, records):
            await confirmation

    async def append(
        self, topic: str, partition: int, values: Sequence[tuple[bytes, bytes | None]]
    ) -> list[RecordMetadata]:
        """Send keys and values to one partition, in order, and wait until the broker has confirmed them."""
        name = self._settings.topic(topic)
        waiting = [
            await self._producer.send(name, key=key, value=value, partition=partition)
            for key, value in values
        ]
        return [await confirmation for confirmation in waiting]


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
