"""How much of a request is read, for how long, and how often: more is refused before it costs anything."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

from fastapi import HTTPException, Request, status

#: No provider sends more (Slack's payloads and PagerDuty's events are a few KiB).
BODY_BYTES: Final = 256 * 1024
#: No provider takes longer to send it.
BODY_WITHIN: Final = timedelta(seconds=10)
#: How many requests of one address are heard at once, and each second after that: a storm's webhooks are fewer.
BURST: Final = 100
EACH_SECOND: Final = 20.0
#: Addresses that are remembered.
_ADDRESSES: Final = 10_000
#: Bits of an IPv6 address that belong to one customer of a network.
_NETWORK_BITS: Final = 64


async def bounded_body(request: Request) -> bytes:
    """Return the body of *request*; see ``read_body``."""
    return await read_body(request, BODY_BYTES)


async def read_body(
    request: Request, at_most: int, take: Callable[[int], None] | None = None
) -> bytes:
    """
    Return the body of *request*; *take* is told of its size as it grows.

    Raises:
        HTTPException: 413, it is larger than *at_most*; 408, it does not come; 400, whoever asked left.
    """
    too_large = HTTPException(
        status.HTTP_413_CONTENT_TOO_LARGE, f"at most {at_most} bytes are read"
    )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > at_most:
        raise too_large
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(BODY_WITHIN.total_seconds()):
            while more:
                came = await request.receive()
                if came["type"] == "http.disconnect":
                    # Nobody hears it.
                    raise HTTPException(status.HTTP_400_BAD_REQUEST, "the body is not whole")
                chunk = came.get("body", b"")
                more = came.get("more_body", False)
                if take is not None:
                    take(len(chunk))
                body += chunk
                if len(body) > at_most:
                    raise too_large
    except TimeoutError:
        message = f"the body must come within {BODY_WITHIN.total_seconds():g} s"
        raise HTTPException(status.HTTP_408_REQUEST_TIMEOUT, message) from None
    return bytes(body)


@dataclass(slots=True)
class _Account:
    left: float
    at: datetime


class Rate:
    """How often each address may ask."""

    def __init__(self, burst: int = BURST, each_second: float = EACH_SECOND) -> None:
        self._burst = burst
        self._each_second = each_second
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def wait(self, address: str, at: datetime) -> timedelta:
        """Return how long *address*, which asks at *at*, must wait; nothing where it is heard."""
        whose = _network(address)
        account = self._accounts.pop(whose, None) or _Account(self._burst, at)
        passed = max(0.0, (at - account.at).total_seconds())
        account.left = min(self._burst, account.left + passed * self._each_second)
        account.at = max(at, account.at)
        self._accounts[whose] = account
        if len(self._accounts) > _ADDRESSES:
            self._accounts.popitem(last=False)
        if account.left < 1:
            return timedelta(seconds=(1 - account.left) / self._each_second)
        account.left -= 1
        return timedelta(0)


def limited(rate: Rate, now: Callable[[], datetime]) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that refuses what comes more often than *rate*, with 429."""

    async def check(request: Request) -> None:
        wait = rate.wait(request.client.host if request.client else "", now())
        if wait:
            raise HTTPException(
                status.HTTP_429_TOO_MANY_REQUESTS,
                "that is too often",
                {"Retry-After": str(math.ceil(wait.total_seconds()))},
            )

    return check


def _network(address: str) -> str:
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if not isinstance(read, IPv6Address):
        return str(read)
    return str(int(read) >> _NETWORK_BITS)
