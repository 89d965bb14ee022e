"""
``notify``: from an alert on its topic to a request at its receivers, and what one bad receiver does to the others.

A whole fresh installation with webhooks to one server in this process. Each alert opens an incident of its own; the time runs from before
the alert is published until a receiver has the request. What a scenario could not deliver goes on being tried during the next. Alerts come one after the other, so nothing waits for anything else but for the
two machines that measure and are measured; then many at once, for notices a second.
"""

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import click
import yaml

from schemas.alerts import AlertState, AlertV1
from schemas.topics import ALERTS
from streams.gateways.clock import now
from streams.gateways.producer import Publisher
from streams.laptop.benches.figures import Figures
from streams.laptop.demo.installation import Installation, InstallationFailed
from streams.laptop.receivers import HANG, Answer, HttpReceiver, Posted

#: Seconds from an alert to its receivers, unloaded.
TARGET_P99: Final = 1.0
#: p99 of healthy receivers beside one that hangs, in proportion to ten healthy ones.
TARGET_RATIO: Final = 1.2
_READY_WITHIN: Final = timedelta(seconds=120)
_ARRIVES_WITHIN: Final = 60.0
#: Receivers of each scenario, and how its first one answers; None as well as the others.
SCENARIOS: Final[Mapping[str, tuple[int, Answer | None]]] = {
    "1 receiver": (1, None),
    "100 receivers": (100, None),
    # Side by side, because other work on the machine comes and goes.
    "10 receivers": (10, None),
    "10 receivers, 1 hangs": (10, HANG),
    "10 receivers, 1 answers 429": (10, Answer(429, b"", {"Retry-After": "30"})),
    "10 receivers, 1 answers 500": (10, Answer(500)),
}
#: The one that is compared with ten healthy ones.
_HUNG: Final = "10 receivers, 1 hangs"
_HEALTHY: Final = "10 receivers"
_FIFTHS: Final = 5
#: Warms connections and code up; not counted.
_WARM_UP: Final = 3
_SECRET: Final = "a-shared-secret-of-the-measurement"  # noqa: S105 - of receivers that live for one run


async def measure(broker: str, alerts: int, burst: int, every: float) -> None:
    """
    Print what it takes to tell people, scenario by scenario.

    Raises:
        InstallationFailed: It did not come up, or a notice did not arrive.
    """
    figures = Figures()
    inbox = Inbox()
    async with HttpReceiver(inbox.take) as web:
        with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
            policy = Path(folder) / "policy"
            policy.mkdir()
            (policy / "policy.yaml").write_text(yaml.safe_dump(_policy(web.url)))
            installation = Installation(
                Path(folder) / "state",
                broker=broker,
                given={"TOCSIN_POLICY": str(policy)},
                hear=lambda line: click.echo(line, err=True),
            )
            async with installation:
                settings = await installation.ready(_READY_WITHIN)
                async with Publisher(settings, source="bench") as publisher:
                    run = _Run(inbox, publisher, figures)
                    found = {}
                    for number, name in enumerate(SCENARIOS):
                        found[name] = await run.one_by_one(number, name, alerts, every)
                    await run.at_once(burst)
    figures.judge(
        "alert to received p99, 1 receiver", found["1 receiver"]["p99"], at_most=TARGET_P99
    )
    figures.judge(
        "healthy p99 of the middle fifth while one hangs / all healthy",
        found[_HUNG]["steady"] / found[_HEALTHY]["steady"],
        at_most=TARGET_RATIO,
    )
    figures.close()


class Inbox:
    """When each receiver was first told of each alert."""

    def __init__(self) -> None:
        self.arrived: dict[str, dict[str, float]] = defaultdict(dict)
        self.news = asyncio.Event()

    def take(self, posted: Posted) -> Answer:
        """Note a request, and answer it as its scenario says."""
        at = asyncio.get_running_loop().time()
        _, number, receiver = posted.path.strip("/").split("/")
        alert = posted.json()["data"]["notice"]["incident"]["summary"]
        self.arrived[alert].setdefault(receiver, at)
        self.news.set()
        answer = list(SCENARIOS.values())[int(number)][1]
        return answer if answer is not None and receiver == "0" else Answer(204, b"")

    async def until(self, alerts: Sequence[str], receivers: Sequence[str]) -> None:
        """
        Wait until each of *receivers* was told of each of *alerts*.

        Raises:
            InstallationFailed: It takes too long.
        """
        wanted = set(receivers)
        try:
            async with asyncio.timeout(_ARRIVES_WITHIN):
                while not all(wanted <= self.arrived[alert].keys() for alert in alerts):
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            missing = sum(len(wanted - self.arrived[alert].keys()) for alert in alerts)
            message = f"{missing} notices did not arrive within {_ARRIVES_WITHIN:g} s"
            raise InstallationFailed(message) from None


class _Run:
    """Publishes alerts and waits for what they bring."""

    def __init__(self, inbox: Inbox, publisher: Publisher, figures: Figures) -> None:
        self._inbox = inbox
        self._publisher = publisher
        self._figures = figures
        self._sequence = 0

    async def one_by_one(
        self, number: int, name: str, alerts: int, every: float
    ) -> dict[str, float]:
        """Tell the latencies of one scenario, and return what is judged."""
        loop = asyncio.get_running_loop()
        count, bad = SCENARIOS[name]
        healthy = [str(each) for each in range(count) if bad is None or each]
        took: list[float] = []
        for turn in range(alerts + _WARM_UP):
            alert = self._alert(number)
            began = loop.time()
            await self._publisher.send_all(ALERTS, [alert])
            await self._inbox.until([alert.summary], healthy)
            arrived = self._inbox.arrived.pop(alert.summary)
            if turn >= _WARM_UP:
                took.extend(arrived[receiver] - began for receiver in healthy)
            await asyncio.sleep(every)
        more = {"receivers": count, "alerts": alerts, "samples": len(took)}
        self._figures.tell(f"alert to received p50, {name}", _quantile(took, 0.5), "s", **more)
        p99 = _quantile(took, 0.99)
        self._figures.tell(f"alert to received p99, {name}", p99, "s", **more)
        steady = _steady(took)
        self._figures.tell(f"alert to received p99 of the middle fifth, {name}", steady, "s")
        return {"p99": p99, "steady": steady}

    async def at_once(self, burst: int) -> None:
        """Tell notices a second: many alerts at once, ten receivers each."""
        number = list(SCENARIOS).index(_HEALTHY)
        count, _ = SCENARIOS[_HEALTHY]
        receivers = [str(each) for each in range(count)]
        alerts = [self._alert(number) for _ in range(burst)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._publisher.send_all(ALERTS, alerts)
        names = [alert.summary for alert in alerts]
        await self._inbox.until(names, receivers)
        ended = max(at for name in names for at in self._inbox.arrived[name].values())
        notices = burst * count
        self._figures.tell("notices", notices / (ended - began), "1/s", notices=notices)

    def _alert(self, scenario: int) -> AlertV1:
        self._sequence += 1
        name = f"{scenario}-{self._sequence}"
        at = now()
        return AlertV1(
            occurred_at=at,
            fingerprint=f"{self._sequence:016x}",
            sequence=self._sequence,
            state=AlertState.FIRING,
            rule="bench",
            # The worst severity waits for nothing.
            severity=1,
            service="bench",
            labels={"scenario": str(scenario)},
            group_key=f"bench/{name}",
            summary=name,
            reason="measured",
            started_at=at,
        )


def _policy(url: str) -> dict[str, object]:
    channels = {}
    routes = []
    for number, (count, _) in enumerate(SCENARIOS.values()):
        names = [f"s{number}-{each}" for each in range(count)]
        channels.update(
            {
                name: {
                    "kind": "webhook",
                    "url": f"{url}/{os.getpid()}/{number}/{each}",
                    "secret": _SECRET,
                    "answers_within": "10s",
                }
                for each, name in enumerate(names)
            }
        )
        routes.append({"matchers": {"scenario": str(number)}, "channels": names})
    return {"channels": channels, "routes": routes}


def _quantile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that *part* of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(round(part * len(ordered) + 0.5) - 1, 0)]


def _steady(took: Sequence[float]) -> float:
    """Return the middle one of the p99s of the run's fifths: what other work does to one moment is not the receiver's doing."""
    size = len(took) // _FIFTHS or 1
    parts = [took[start : start + size] for start in range(0, size * _FIFTHS, size)]
    return sorted(_quantile(part, 0.99) for part in parts if part)[len(parts) // 2]
