"""People who use the demo's service: they order, look, and try again whatever happens."""

import asyncio
from contextlib import suppress
from itertools import cycle
from typing import Final

import httpx

#: Seconds between two requests.
EVERY: Final = 1.0
_ITEMS: Final = ("tea", "two cups", "a kettle", "honey")


async def keep_using(url: str) -> None:
    """Send requests to the service at *url*, one after another, until it is cancelled."""
    items = cycle(_ITEMS)
    async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as client:
        while True:
            # They come back whatever happens.
            with suppress(httpx.HTTPError):
                await client.post("/api/orders", content=next(items))
            await asyncio.sleep(EVERY)
