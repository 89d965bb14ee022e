"""The courier changes with the policy; what was begun is finished as it was begun."""

import asyncio
from datetime import timedelta
from typing import Any

from streams.gateways.couriers import Couriers
from streams.notifications.channel import Judgement, Verdict
from streams.notifications.delivery import Attempted
from streams.policy import Policy
from tests.told import notice


class Recording:
    """A courier that delivers when it is let."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.let = asyncio.Event()
        self.started = self.stopped = 0
        self.refreshed: list[str] = []

    async def start(self) -> None:
        await asyncio.sleep(0)
        self.started += 1

    async def stop(self) -> None:
        self.stopped += 1

    async def attempt(self, given: Any, first: Any = None) -> Attempted:
        await self.let.wait()
        return Attempted(Judgement(Verdict.DELIVERED, self.name), "recording", timedelta(0))

    async def attempt_digest(self, given: Any) -> Attempted:
        return await self.attempt(given)

    async def refresh(self, given: Any, first: str) -> None:
        self.refreshed.append(self.name)


def couriers() -> tuple[Couriers, list[Recording], list[Policy]]:
    made: list[Recording] = []
    policies = [Policy(), Policy()]

    def make(policy: Policy) -> Any:
        number = next(at for at, each in enumerate(policies) if each is policy)
        made.append(Recording(f"policy {number}"))
        return made[-1]

    return Couriers(make, policies[0]), made, policies


async def test_what_was_begun_is_finished_by_the_courier_that_began_it() -> None:
    """A page would be cut off in the middle, or sent under two policies."""
    running, made, (_, second) = couriers()
    await running.start()
    begun = asyncio.create_task(running.attempt(notice()))
    await asyncio.sleep(0)
    running.use(second)
    next_one, another = (asyncio.create_task(running.attempt(notice())) for _ in range(2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert [each.started for each in made] == [1, 1]
    assert made[0].stopped == 0

    made[0].let.set()
    assert (await begun).judgement.reason == "policy 0"
    assert made[0].stopped == 1
    made[1].let.set()
    assert {(await each).judgement.reason for each in (next_one, another)} == {"policy 1"}
    assert made[1].stopped == 0
    await running.stop()
    assert [each.stopped for each in made] == [1, 1]


async def test_a_courier_without_work_is_stopped_at_once() -> None:
    """Connections of all policies of a year would stay open."""
    running, made, (_, second) = couriers()
    await running.start()
    running.use(second)
    running.use(second)
    for each in (*made,):
        each.let.set()
    attempt = asyncio.create_task(running.attempt(notice()))
    for _ in range(5):
        await asyncio.sleep(0)
    made[1].let.set()
    await attempt
    assert [(each.started, each.stopped) for each in made] == [(1, 1), (1, 0)]


async def test_everything_goes_through_the_courier_in_force() -> None:
    """A digest, or a thread brought up to date, would go out under a policy that was replaced."""
    running, made, (_, second) = couriers()
    await running.start()
    running.use(second)
    made_for_all = [each async for each in _all_ways(running, made)]
    assert made_for_all == ["policy 1", "policy 1"]
    await running.stop()


async def _all_ways(running: Couriers, made: list[Recording]) -> Any:
    digest = asyncio.create_task(running.attempt_digest([notice()]))
    for _ in range(5):
        await asyncio.sleep(0)
    made[-1].let.set()
    yield (await digest).judgement.reason
    await running.refresh(notice(), "first")
    yield made[-1].refreshed[0]
