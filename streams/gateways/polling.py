"""
Polling of health endpoints, each at its own pace.

One endpoint that hangs delays no other, and a broker that is away delays no endpoint: results wait for it, the oldest
make room where too many wait.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final, Protocol

import httpx
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.contract import Contract
from schemas.telemetry import HealthV1
from schemas.topics import HEALTH, TopicDeclaration
from streams.errors import Unavailable
from streams.gateways import clock
from streams.gateways.probes import BODY_BYTES, Answer, NoAnswer, Probe, judge
from streams.gateways.producer import Publisher
from streams.settings import Settings

log = logging.getLogger(__name__)

#: Results that wait for the broker; at 15 s a probe, a day of one probe or an hour of two dozen.
WAITING: Final = 6_000
#: Results that are published together.
BATCH: Final = 200
#: Pauses between attempts to reach the broker.
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(seconds=30)
#: How long results may take to leave once the end is asked for; SIGTERM allows 5 s for everything.
LEAVES_WITHIN: Final = timedelta(seconds=2)
#: How long the connection to the broker may take to close.
GOODBYE_WITHIN: Final = timedelta(seconds=2)


class Publishes(Protocol):
    """What takes messages to their topic."""

    async def send_all(self, topic: TopicDeclaration, messages: Sequence[Contract]) -> None:
        """Publish, or raise ``Unavailable``."""


class Polling:
    """Asks all probes and publishes what they say, until it is stopped."""

    def __init__(self, probes: Sequence[Probe], settings: Settings) -> None:
        self._probes = probes
        self._settings = settings
        self._waiting: deque[HealthV1] = deque()
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        #: Why nothing is published; None where it is.
        self._missing: str | None = f"no broker answers at {settings.broker}"
        self._checked: set[tuple[str, str]] = set()
        self.registry = CollectorRegistry()
        self._results = Counter(
            "tocsin_probe_results",
            "Results of health checks.",
            ["service", "check", "status"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "tocsin_probe_latency_seconds",
            "Seconds that health checks took.",
            ["service", "check"],
            registry=self.registry,
        )
        self._published = Counter(
            "tocsin_probe_published", "Results the broker confirmed.", registry=self.registry
        )
        self._dropped = Counter(
            "tocsin_probe_dropped",
            "Results that made room because the broker was away.",
            registry=self.registry,
        )
        queue = Gauge(
            "tocsin_probe_waiting", "Results that wait for the broker.", registry=self.registry
        )
        queue.set_function(lambda: len(self._waiting))

    def unready(self) -> str | None:
        """Say what is missing to do the work; None where nothing is."""
        if self._missing is not None:
            return self._missing
        unasked = len(self._probes) - len(self._checked)
        return f"{unasked} of {len(self._probes)} probes were never asked" if unasked else None

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until *stop* is set, then let results leave that still wait."""
        async with httpx.AsyncClient(
            # Health endpoints are asked where they are, not where a proxy would look for them.
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=len(self._probes)),
            headers={"User-Agent": "tocsin-probe"},
        ) as client:
            tasks = [asyncio.create_task(self._poll(probe, client)) for probe in self._probes]
            leaving = asyncio.create_task(self._publish())
            stopping = asyncio.create_task(stop.wait())
            try:
                # A task that ends by itself has failed: that is our bug, and it ends the process.
                await asyncio.wait([*tasks, leaving, stopping], return_when=asyncio.FIRST_COMPLETED)
                await _end(tasks)
                if self._waiting and self._missing is None and not leaving.done():
                    await self._let_leave()
            finally:
                await _end([*tasks, leaving, stopping])
        if self._waiting:
            log.error("results lost count=%s reason=broker away at the end", len(self._waiting))
        for task in (*tasks, leaving):
            if not task.cancelled() and (fault := task.exception()):
                raise fault

    # -- asking -----------------------------------------------------------------------------------

    async def _poll(self, probe: Probe, client: httpx.AsyncClient) -> None:
        loop = asyncio.get_running_loop()
        every = probe.every.total_seconds()
        due = loop.time()
        while True:
            self._keep(await check(probe, client))
            self._checked.add((probe.service, probe.name))
            # At fixed moments, so that a slow answer stretches no period; moments that passed are left out.
            passed = max(0, int((loop.time() - due) / every))
            due += every * (passed + 1)
            await asyncio.sleep(due - loop.time())

    def _keep(self, result: HealthV1) -> None:
        self._results.labels(result.service, result.check, result.status).inc()
        if result.latency is not None:
            self._latency.labels(result.service, result.check).observe(
                result.latency.total_seconds()
            )
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self._dropped.inc()
        self._waiting.append(result)
        self._news.set()

    # -- publishing -------------------------------------------------------------------------------

    async def _publish(self) -> None:
        pause = FIRST_PAUSE
        away = False
        while True:
            try:
                async with Publisher(self._settings, source="probe") as publisher:
                    self._missing = None
                    if away:
                        log.info("broker back waiting=%s", len(self._waiting))
                    away, pause = False, FIRST_PAUSE
                    await self._hand_on(publisher)
            except Unavailable as error:
                self._missing = str(error)
                if not away:
                    log.warning("broker away reason=%s", error)
                away = True
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _hand_on(self, publisher: Publishes) -> None:
        while True:
            while self._waiting:
                batch = list(islice(self._waiting, BATCH))
                await publisher.send_all(HEALTH, batch)
                self._published.inc(len(batch))
                sent = {id(result) for result in batch}
                # Some of them may have made room for newer ones meanwhile.
                while self._waiting and id(self._waiting[0]) in sent:
                    self._waiting.popleft()
            self._left.set()
            self._news.clear()
            await self._news.wait()
            self._left.clear()

    async def _let_leave(self) -> None:
        self._left.clear()
        self._news.set()
        try:
            async with asyncio.timeout(LEAVES_WITHIN.total_seconds()):
                await self._left.wait()
        except TimeoutError:
            return  # What is lost then is counted and said by the caller.


async def check(probe: Probe, client: httpx.AsyncClient) -> HealthV1:
    """Ask one endpoint once; whatever it does is a result."""
    loop = asyncio.get_running_loop()
    at, begun = clock.now(), loop.time()
    answer = await _ask(probe, client)
    return judge(probe, answer, at, timedelta(seconds=loop.time() - begun))


async def _ask(probe: Probe, client: httpx.AsyncClient) -> Answer | NoAnswer:
    limit = probe.limit.total_seconds()
    headers = {name: value.get_secret_value() for name, value in probe.headers.items()}
    try:
        # httpx limits each read; an endpoint that trickles would never reach that limit.
        async with (
            asyncio.timeout(limit),
            client.stream("GET", probe.url, headers=headers, timeout=limit) as response,
        ):
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part[: BODY_BYTES - len(body)]
                if len(body) >= BODY_BYTES:
                    break
            return Answer(response.status_code, bytes(body))
    except (TimeoutError, httpx.TimeoutException):
        return NoAnswer(f"no answer within {limit:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # The text of these can hold the address with its credentials.
        return NoAnswer(f"no answer: {_cause(error)}")


def _cause(error: BaseException) -> str:
    known = {
        "ConnectError": "the connection was refused or the host is unknown",
        "RemoteProtocolError": "the connection ended before the answer did",
        "ReadError": "the connection broke",
    }
    return known.get(type(error).__name__, type(error).__name__)


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        # Saying goodbye to a broker that is away can take longer than there is time: it is then told again.
        _, waiting = await asyncio.wait(waiting, timeout=GOODBYE_WITHIN.total_seconds())
