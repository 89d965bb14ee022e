"""Sets the stage for the story, and clears it away however the story ends."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from streams.errors import TocsinError
from streams.gateways.producer import Publisher
from streams.laptop.demo.history import History
from streams.laptop.demo.inbox import inbox
from streams.laptop.demo.installation import Installation
from streams.laptop.demo.policy import write_policy
from streams.laptop.demo.reporting import Reporting
from streams.laptop.demo.service import SERVICE, shop
from streams.laptop.demo.story import Ending, Story
from streams.laptop.demo.telling import Telling
from streams.laptop.demo.traffic import keep_using
from streams.laptop.demo.watching import Watch

#: How long everything may take to come up; the first time, the machine reads it all from disk.
_READY_WITHIN: Final = timedelta(seconds=120)


async def perform(
    broker: str, *, telling: Telling, keep: Callable[[Ending], None] | None = None
) -> Ending:
    """
    Play the demo in a new folder on free ports.

    Where *keep* is given it is told how the story ended, and everything stays up until Ctrl-C.

    Raises:
        TocsinError: Something was expected and did not happen.
    """
    _end_on_sigterm()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    try:
        async with AsyncExitStack() as stage:
            return await _play(stage, folder, broker, telling, keep)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _play(
    stage: AsyncExitStack,
    folder: Path,
    broker: str,
    telling: Telling,
    keep: Callable[[Ending], None] | None,
) -> Ending:
    telling.chapter("Setting the stage")
    receivers = await stage.enter_async_context(inbox())
    reporting = Reporting(SERVICE)
    service = await stage.enter_async_context(shop(folder, reporting))
    telling.said(
        f"a service answers at {service.url}, receivers at {', '.join(receivers.addresses())}"
    )

    policy = write_policy(folder / "policy")
    installation = await stage.enter_async_context(
        Installation(
            folder / "state",
            broker=broker,
            given={
                **receivers.environment(),
                "SHOP_URL": service.url,
                "TOCSIN_POLICY": str(policy),
            },
            hear=telling.quoted,
        )
    )
    with telling.waiting("tocsin up"):
        settings = await installation.ready(_READY_WITHIN)
    telling.said("`tocsin up` is ready")

    watch = await stage.enter_async_context(Watch(settings))
    publisher = await stage.enter_async_context(Publisher(settings, source=SERVICE))
    await stage.enter_async_context(_meanwhile(reporting.keep_publishing(publisher)))
    await stage.enter_async_context(_meanwhile(keep_using(service.url)))
    history = History(settings, installation.passwords)
    story = Story(
        installation=installation,
        watch=watch,
        shop=service,
        inbox=receivers,
        history=history,
        telling=telling,
    )
    try:
        ending = await story.play()
    except TocsinError:
        # Its folder is about to go: what its parts said is what helps.
        installation.listen()
        for line in installation.complaints():
            telling.quoted(line)
        raise
    if keep is not None:
        telling.chapter("Still running")
        for what, where in {
            "service": service.url,
            "broker": settings.broker,
            "warehouse": history.address,
            "receivers": ", ".join(receivers.addresses()),
            "state and logs": str(folder),
            "commands": f"TOCSIN_STATE={installation.state} tocsin incident list --all",
        }.items():
            telling.quoted(f"{what}: {where}")
        telling.quoted("Ctrl-C stops everything and removes the folder")
        keep(ending)
        await asyncio.Event().wait()
    return ending


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do *work* while the block runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _end_on_sigterm() -> None:
    """Let SIGTERM end the story as Ctrl-C does: everything that was started is ended."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
