"""Policies as the log has them: put one in force, look at what is, and at what was."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from aiokafka.errors import KafkaError

from schemas.contract import Unreadable
from schemas.policies import PolicyV1
from schemas.topics import POLICIES
from streams.agents.outgoing import Emitter, outgoing
from streams.errors import Unavailable
from streams.gateways.connecting import no_broker
from streams.gateways.looking import READ_WITHIN, read_all, reading
from streams.gateways.producer import ANSWERS_WITHIN
from streams.settings import Settings

SOURCE: Final = "policy"


@dataclass(frozen=True)
class History:
    """What was published for each partition, the oldest first."""

    by_partition: tuple[tuple[PolicyV1, ...], ...]

    @property
    def latest(self) -> PolicyV1 | None:
        """The policy that was published last; None where none was."""
        ends = [each[-1] for each in self.by_partition if each]
        return max(ends, key=lambda each: each.occurred_at, default=None)

    @property
    def releases(self) -> list[PolicyV1]:
        """Each policy that was published, once, the oldest first."""
        found = {
            (each.occurred_at, each.sha256): each
            for partition in reversed(self.by_partition)
            for each in partition
        }
        return [found[key] for key in sorted(found)]

    def holds_everywhere(self, sha256: str) -> bool:
        """Whether that policy is the last one of every partition."""
        return all(each and each[-1].sha256 == sha256 for each in self.by_partition)


async def published(settings: Settings, *, within: timedelta = READ_WITHIN) -> History:
    """
    Return what was published, as far as the log still has it.

    Raises:
        Unavailable: The broker does not answer in time.
    """
    found: dict[int, list[PolicyV1]] = defaultdict(list)

    def take(record: Any) -> None:
        try:
            found[record.partition].append(PolicyV1.from_wire(record.value))
        except Unreadable:
            return  # A newer release may write what this one cannot read.

    async with reading(settings, [settings.topic(POLICIES.name)]) as consumer:
        await read_all(consumer, take, since=None, within=within)
    return History(tuple(tuple(found[number]) for number in range(settings.partitions)))


async def publish(settings: Settings, messages: Sequence[PolicyV1]) -> None:
    """
    Write *messages*, each to its own partition, and wait until the broker has confirmed all of them.

    Raises:
        Unavailable: The broker did not confirm them all; published again, the same policy does no harm.
    """
    emitter = Emitter(settings)
    try:
        async with asyncio.timeout(ANSWERS_WITHIN.total_seconds()):
            await emitter.start()
            await emitter.send(
                [
                    replace(outgoing(POLICIES, each, source=SOURCE), partition=each.partition)
                    for each in messages
                ]
            )
    except (KafkaError, OSError, TimeoutError) as error:
        raise await no_broker(settings, error) from None
    except AssertionError as error:
        # What the client says of a partition that is not there.
        message = f"the topic {settings.topic(POLICIES.name)} has fewer partitions than TOCSIN_PARTITIONS={settings.partitions}"
        raise Unavailable(message) from error
    finally:
        await emitter.stop()
