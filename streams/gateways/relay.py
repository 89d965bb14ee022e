"""
Sends by the apprise library, which waits where it stands and cannot be interrupted.

Each message has a thread that may outlive its time limit, and holds its place until it ends: a service that hangs takes no more than
its share, and a worker that is asked to stop does not wait for it.
"""

import asyncio
import logging
import threading
from typing import Final

import apprise

from streams.notifications.channel import Judgement, Verdict
from streams.notifications.relaying import Relayed

# What it logs can hold addresses, and an address its password.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

_NAME: Final = "tocsin"


class Relay:
    """The threads of one channel."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._asset = apprise.AppriseAsset(app_id=_NAME, app_desc=_NAME, async_mode=False)

    async def send(self, message: Relayed, within: float) -> Judgement:
        """
        Send *message*, and say how it ended.

        Raises:
            TimeoutError: The service has not answered *within* so many seconds.
        """
        sender = apprise.Apprise(asset=self._asset)
        if not sender.add(message.address.get_secret_value()):
            return Judgement(Verdict.GIVE_UP, "apprise knows no service for the channel's address")
        if self._free == 0:
            return Judgement(Verdict.TRY_AGAIN, "earlier messages still hang in apprise")
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[bool | None] = loop.create_future()

        def settle(sent: bool | None) -> None:  # noqa: FBT001 - called back with one value
            self._free += 1
            if not ended.done():
                ended.set_result(sent)

        def run() -> None:
            sent: bool | None = None
            try:
                answered = sender.notify(
                    body=message.body,
                    title=message.title,
                    notify_type=apprise.NotifyType(message.urgency),
                    body_format=apprise.NotifyFormat.TEXT,
                )
                sent = bool(answered)
            finally:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(settle, sent)

        self._free -= 1
        threading.Thread(target=run, daemon=True, name="apprise").start()
        async with asyncio.timeout(within):
            sent = await ended
        if sent:
            return Judgement(Verdict.DELIVERED, "sent by apprise")
        return Judgement(Verdict.TRY_AGAIN, "apprise could not send it")
