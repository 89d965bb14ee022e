"""When a broker is ready: its port is open, and it answers an admin's question."""

import asyncio
from contextlib import closing, suppress
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.broker_access import BrokerAccess
from streams.errors import Unavailable
from streams.gateways.connecting import client
from streams.laptop.children import Child

#: Pause between two looks at a port.
_LOOK_EVERY: Final = 0.05
_CONNECTS_WITHIN: Final = 2.0


async def wait_for_answer(access: BrokerAccess, within: float, child: Child | None = None) -> None:
    """
    Wait until the broker answers, while *child* runs.

    Raises:
        Unavailable: It ended, or took longer; the text has the last lines of its log.
    """
    answering = asyncio.ensure_future(_until_answering(access))
    ended = None if child is None else asyncio.ensure_future(child.wait())
    tasks = [task for task in (answering, ended) if task is not None]
    try:
        done, _ = await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if answering in done:
        # What went wrong in asking is our bug, not the broker's.
        answering.result()
        return
    if child is None:
        message = f"no broker answers at {access.broker} within {within:g} s"
        raise Unavailable(message)
    reason = (
        f"the {child.name} ended with code {child.code} while it started"
        if ended in done
        else f"the {child.name} did not answer within {within:g} s"
    )
    lines = [f"  {line}" for line in child.last_lines()]
    raise Unavailable("\n".join([f"{reason}; the end of {child.log}:", *lines]))


async def _until_answering(access: BrokerAccess) -> None:
    while True:
        # aiokafka logs every refused connection; a bare one says nothing.
        if await _connects(access.broker):
            with suppress(KafkaError, OSError):
                await _lists_topics(access)
                return
        await asyncio.sleep(_LOOK_EVERY)


async def _connects(bootstrap: str) -> bool:
    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    try:
        async with asyncio.timeout(_CONNECTS_WITHIN):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    with closing(writer):
        return True


async def _lists_topics(access: BrokerAccess) -> None:
    admin = AIOKafkaAdminClient(**client(access), client_id="tocsin-ready")
    try:
        await admin.start()
        await admin.list_topics()
    finally:
        with suppress(KafkaError, OSError):
            await admin.close()
