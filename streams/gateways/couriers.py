"""
The courier of the policy in force, and those that finish what they began under the one before.

An attempt keeps the channels that it began with. A courier that is no longer asked is stopped after its last attempt.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from schemas.notices import NoticeV1
from streams.gateways.courier import Courier
from streams.notifications.delivery import Attempted
from streams.policy import Policy


class Couriers:
    """Sends notices, under a policy that can be replaced."""

    def __init__(self, make: Callable[[Policy], Courier], policy: Policy) -> None:
        self._make: Final = make
        #: What is in force for new attempts, and the courier that was made for it.
        self._policy = policy
        self._made_for: Policy | None = None
        self._courier: Courier | None = None
        self._under_way: Counter[Courier] = Counter()
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Make ready; nothing is connected yet."""
        await self._current()

    async def stop(self) -> None:
        """Close all connections."""
        for courier in {*self._under_way, *([self._courier] if self._courier else [])}:
            await courier.stop()
        self._under_way.clear()
        self._courier = self._made_for = None

    def use(self, policy: Policy) -> None:
        """Make attempts under *policy* from now on."""
        self._policy = policy

    async def attempt(self, notice: NoticeV1, first: str | None = None) -> Attempted:
        """Try to deliver *notice* once, and say how it ended; see ``Courier.attempt``."""
        async with self._busy() as courier:
            return await courier.attempt(notice, first)

    async def attempt_digest(self, notices: Sequence[NoticeV1]) -> Attempted:
        """Try once to tell all of *notices* in one message; see ``Courier.attempt_digest``."""
        async with self._busy() as courier:
            return await courier.attempt_digest(notices)

    async def refresh(self, notice: NoticeV1, first: str) -> None:
        """Bring an incident's first message up to date; see ``Courier.refresh``."""
        async with self._busy() as courier:
            await courier.refresh(notice, first)

    @asynccontextmanager
    async def _busy(self) -> AsyncIterator[Courier]:
        courier = await self._current()
        self._under_way[courier] += 1
        try:
            yield courier
        finally:
            self._under_way[courier] -= 1
            if not self._under_way[courier]:
                del self._under_way[courier]
                if courier is not self._courier:
                    await courier.stop()

    async def _current(self) -> Courier:
        async with self._changing:
            if self._courier is None or self._made_for is not self._policy:
                before, policy = self._courier, self._policy
                courier = self._make(policy)
                await courier.start()
                self._courier, self._made_for = courier, policy
                if before is not None and not self._under_way[before]:
                    await before.stop()
            return self._courier
