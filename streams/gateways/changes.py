"""Publishing of changes by whoever deploys, flips flags or configures."""

from collections.abc import Sequence

from schemas.changes import ChangeV1
from schemas.topics import CHANGES
from streams.gateways.producer import Publisher
from streams.settings import Settings


async def publish(settings: Settings, changes: Sequence[ChangeV1], *, source: str) -> None:
    """
    Publish *changes*; one that was published before is the same change.

    Raises:
        Unavailable: The broker did not confirm them all.
    """
    async with Publisher(settings, source=source) as publisher:
        await publisher.send_all(CHANGES, changes)
