"""A publisher that begins before its broker does."""

import asyncio
from typing import Any

import pytest

from streams.errors import Unavailable
from streams.gateways.producer import LatePublisher


class Broker:
    """Is away until it is there, and remembers who connected and what they sent."""

    def __init__(self) -> None:
        self.there = False
        self.asked = 0
        self.sent: list[Any] = []

    async def connect(self) -> "Broker":
        self.asked += 1
        await asyncio.sleep(0)
        if not self.there:
            message = "no broker answers"
            raise Unavailable(message)
        return self

    async def send(self, _: Any, message: Any) -> None:
        self.sent.append(message)


async def test_a_broker_that_comes_later_is_found_by_the_next_message() -> None:
    """The board would have to be started again, by somebody who notices."""
    broker = Broker()
    publisher: Any = LatePublisher(broker.connect)  # type: ignore[arg-type]
    assert broker.asked == 0
    for _ in range(2):
        with pytest.raises(Unavailable, match="no broker answers"):
            await publisher.send("topic", "lost")
    broker.there = True
    await asyncio.gather(*(publisher.send("topic", number) for number in range(3)))
    assert (broker.asked, broker.sent) == (3, [0, 1, 2])
