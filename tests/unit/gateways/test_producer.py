"""A publisher that begins before its broker does."""

import asyncio
from types import TracebackType
from typing import Any, Self

import pytest

from streams.errors import Unavailable
from streams.gateways.producer import LatePublisher


class Broker:
    """Is away until it is there, and remembers who connected and what they sent."""

    def __init__(self, *, there: bool) -> None:
        self.there = there
        self.connections: list[Connection] = []

    def __call__(self) -> "Connection":
        self.connections.append(Connection(self))
        return self.connections[-1]


class Connection:
    """One publisher: it can be used once."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.sent: list[Any] = []
        self.ended = False

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        if not self._broker.there:
            message = "no broker answers"
            raise Unavailable(message)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended = True

    async def send(self, _: Any, message: Any) -> None:
        self.sent.append(message)


async def test_a_broker_that_comes_later_is_found_by_the_next_message() -> None:
    """The board would have to be started again, by somebody who notices."""
    broker = Broker(there=False)
    async with LatePublisher(broker) as publisher:  # type: ignore[arg-type]
        assert broker.connections == []
        for _ in range(2):
            with pytest.raises(Unavailable, match="no broker answers"):
                await publisher.send("topic", "lost")  # type: ignore[arg-type]
        broker.there = True
        await asyncio.gather(*(publisher.send("topic", n) for n in range(3)))  # type: ignore[arg-type]
        first, second, used = broker.connections
        assert (first.sent, second.sent, used.sent) == ([], [], [0, 1, 2])
        assert not used.ended
    assert [each.ended for each in broker.connections] == [False, False, True]
