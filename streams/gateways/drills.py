"""A drill: an incident that is marked as an exercise, through the real path to real receivers, and what became of it."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from schemas.commands import Declare
from schemas.contract import Unreadable
from schemas.notices import NoticeV1, Outcome, ReceiptV1
from schemas.topics import COMMANDS, LIFECYCLE, NOTICES, RECEIPTS
from streams.gateways.incidents import Done, Result, Unanswered, result_of
from streams.gateways.looking import fetched, reading
from streams.gateways.producer import Publisher
from streams.settings import Settings

#: How long nothing new may come, once everybody was told, before the drill is over. Where somebody is called in another's place, it
#: comes within a moment of the giving up.
QUIET: Final = timedelta(seconds=2)


@dataclass
class Followed:
    """What is told of one incident, and what became of it."""

    tenant: str
    incident_id: str
    notices: dict[str, NoticeV1] = field(default_factory=dict)
    #: The latest receipt of each notice.
    receipts: dict[str, ReceiptV1] = field(default_factory=dict)

    def hear(self, message: NoticeV1 | ReceiptV1) -> bool:
        """Take in *message*; False where it is about another incident."""
        if (message.tenant, message.incident_id) != (self.tenant, self.incident_id):
            return False
        if isinstance(message, NoticeV1):
            self.notices[message.notice_id] = message
            return True
        known = self.receipts.get(message.notice_id)
        if known is None or known.attempt <= message.attempt:
            self.receipts[message.notice_id] = message
        return True

    def open(self) -> list[str]:
        """Return the ids of notices of which the end is not known."""
        return [
            notice_id
            for notice_id in self.notices
            if notice_id not in self.receipts
            or self.receipts[notice_id].outcome is Outcome.RETRYING
        ]


async def exercise(
    settings: Settings, command: Declare, *, source: str, within: timedelta
) -> tuple[Result, Followed]:
    """
    Declare an incident, and follow what is told of it until everybody was told or given up, or the time is over.

    Raises:
        Unavailable: The broker does not answer.
    """
    names = {settings.topic(NOTICES.name): NoticeV1, settings.topic(RECEIPTS.name): ReceiptV1}
    dead = settings.topic(COMMANDS.dead)
    result: Result = Unanswered(within)
    early: list[NoticeV1 | ReceiptV1] = []
    followed = Followed(command.tenant, "")
    async with reading(settings, [settings.topic(LIFECYCLE.name), dead, *names]) as consumer:
        await consumer.seek_to_end()
        async with Publisher(settings, source=source) as publisher:
            await publisher.send(COMMANDS, command)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + within.total_seconds()
        heard_at = loop.time()
        while loop.time() < ends_at:
            for record in await fetched(consumer):
                if record.topic in names:
                    early.extend(_read(names[record.topic], record))
                elif isinstance(result, Unanswered):
                    result = result_of(record, command.command_id, dead=dead) or result
                    heard_at = loop.time()
            if isinstance(result, Done):
                followed.incident_id = result.step.incident_id
                # What was told before its step was read: the topics do not wait for each other.
                news = [message for message in early if followed.hear(message)]
                heard_at = loop.time() if news else heard_at
                early = []
                quiet = loop.time() - heard_at > QUIET.total_seconds()
                if quiet and not followed.open():
                    break
            elif not isinstance(result, Unanswered):
                break
    return result, followed


def _read(contract: Any, record: Any) -> list[Any]:
    try:
        return [contract.from_wire(record.value)]
    except Unreadable:
        return []
