"""
``notify``: from an alert on its topic to a request at its receivers, and what one bad receiver does to the others.

A whole fresh installation with webhooks to one server in this process. Each alert opens an incident of its own; the time runs from before
the alert is published until a receiver has the request. Alerts come one after the other with pauses of chance, so that they meet each moment
between two ticks; then many at once, for notices a second.

What a receiver that hangs does to the others is measured on the same ten, who are well and not well by turns: each turn is compared with the one before
it, because other work on the machine comes and goes. In its bad turn the first takes every request and says nothing until its time
limit; the next turn begins when it has got all that it missed.
"""

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

import click
import yaml

from schemas.alerts import AlertState, AlertV1
from schemas.topics import ALERTS
from streams.gateways.clock import now
from streams.gateways.producer import Publisher
from streams.laptop.benches.figures import Figures
from streams.laptop.benches.folders import scratch
from streams.laptop.demo.installation import Installation, InstallationFailed
from streams.laptop.receivers import HANG, Answer, HttpReceiver, Posted

#: Seconds from an alert to its receivers, unloaded.
TARGET_P99: Final = 1.0
#: Median of healthy receivers while another one hangs, in proportion to theirs while it does not.
TARGET_RATIO: Final = 1.2
_READY_WITHIN: Final = timedelta(seconds=120)
_ARRIVES_WITHIN: Final = 60.0
#: Receivers of each scenario, and how its first one answers; None as well as the others.
SCENARIOS: Final[Mapping[str, tuple[int, Answer | None]]] = {
    "1 receiver": (1, None),
    "10 receivers": (10, None),
    "100 receivers": (100, None),
    "10 receivers, 1 answers 429": (10, Answer(429, b"", {"Retry-After": "30"})),
    "10 receivers, 1 answers 500": (10, Answer(500)),
    # Its first one hangs by turns.
    "10 receivers, by turns": (10, None),
}
_TURNS: Final = "10 receivers, by turns"
_MANY: Final = "10 receivers"
#: Pairs of turns: all well, then one that hangs.
_PAIRS: Final = 6
#: How long a receiver that hangs is waited for.
_HANGS_FOR: Final = "2s"
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
        with scratch() as folder:
            policy = folder / "policy"
            policy.mkdir()
            (policy / "policy.yaml").write_text(yaml.safe_dump(_policy(web.url)))
            installation = Installation(
                folder / "state",
                broker=broker,
                given={"TOCSIN_POLICY": str(policy)},
                hear=lambda line: click.echo(line, err=True),
            )
            async with installation:
                settings = await installation.ready(_READY_WITHIN)
                async with Publisher(settings, source="bench") as publisher:
                    run = _Run(inbox, publisher, figures)
                    found = {}
                    for name in SCENARIOS:
                        if name != _TURNS:
                            found[name] = await run.one_by_one(name, alerts, every)
                    ratio = await run.by_turns(alerts, every, web.release)
                    await run.at_once(burst)
    for name in ("1 receiver", _MANY, "100 receivers"):
        figures.judge(f"alert to received p99, {name}", found[name], at_most=TARGET_P99)
    figures.judge("healthy p50, one hangs / none hangs", ratio, at_most=TARGET_RATIO)
    figures.close()


class Inbox:
    """When each receiver was first told of each alert."""

    def __init__(self) -> None:
        self.arrived: dict[str, dict[str, float]] = defaultdict(dict)
        #: Whether the first of those that are well by turns is not.
        self.hangs = False
        #: Whom each alert was told to and who answered.
        self._took: dict[str, set[str]] = defaultdict(set)
        self.news = asyncio.Event()

    def take(self, posted: Posted) -> Answer:
        """Note a request, and answer it as its scenario says."""
        at = asyncio.get_running_loop().time()
        _, number, receiver = posted.path.strip("/").split("/")
        alert = posted.json()["data"]["notice"]["incident"]["summary"]
        self.arrived[alert].setdefault(receiver, at)
        name, (_, bad) = list(SCENARIOS.items())[int(number)]
        answer = Answer(204, b"") if bad is None or receiver != "0" else bad
        if self.hangs and name == _TURNS and receiver == "0":
            answer = HANG
        else:
            self._took[alert].add(receiver)
        self.news.set()
        return answer

    def forget(self, alert: str) -> dict[str, float]:
        """Forget an alert, and return when each receiver was told of it."""
        self._took.pop(alert, None)
        return self.arrived.pop(alert)

    async def until(self, alerts: Sequence[str], receivers: Sequence[str]) -> None:
        """
        Wait until each of *receivers* was told of each of *alerts*, and was not silent.

        Raises:
            InstallationFailed: It takes too long.
        """
        wanted = set(receivers)
        try:
            async with asyncio.timeout(_ARRIVES_WITHIN):
                while not all(wanted <= self._took[alert] for alert in alerts):
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            missing = sum(len(wanted - self._took[alert]) for alert in alerts)
            message = f"{missing} notices did not arrive within {_ARRIVES_WITHIN:g} s"
            raise InstallationFailed(message) from None


class _Run:
    """Publishes alerts and waits for what they bring."""

    def __init__(self, inbox: Inbox, publisher: Publisher, figures: Figures) -> None:
        self._inbox = inbox
        self._publisher = publisher
        self._figures = figures
        self._sequence = 0
        #: The same in every run.
        self._chance = random.Random(7)  # noqa: S311 - pauses, no secrets

    async def one_by_one(self, name: str, alerts: int, every: float) -> float:
        """Tell the latencies of one scenario, and return their p99."""
        count, bad = SCENARIOS[name]
        healthy = [str(each) for each in range(count) if bad is None or each]
        await self._timed(name, healthy, _WARM_UP, every)
        took, _ = await self._timed(name, healthy, alerts, every)
        return self._tell(name, took, receivers=count, alerts=alerts)

    async def by_turns(self, alerts: int, every: float, release: Callable[[], None]) -> float:
        """Tell the latencies of the same receivers while another one is well, and while it hangs; return how their medians compare."""
        count, _ = SCENARIOS[_TURNS]
        healthy = [str(each) for each in range(1, count)]
        each_turn = max(alerts // 3, 1)
        await self._timed(_TURNS, healthy, _WARM_UP, every)
        well: list[float] = []
        beside: list[float] = []
        ratios: list[float] = []
        for _ in range(_PAIRS):
            before, _ = await self._timed(_TURNS, healthy, each_turn, every)
            self._inbox.hangs = True
            during, names = await self._timed(_TURNS, healthy, each_turn, every, keep=True)
            self._inbox.hangs = False
            release()
            await self._inbox.until(names, ["0"])
            for name in names:
                self._inbox.forget(name)
            ratios.append(_quantile(during, 0.5) / _quantile(before, 0.5))
            well.extend(before)
            beside.extend(during)
        self._tell("9 receivers beside one that is well", well, turns=_PAIRS)
        self._tell("9 receivers beside one that hangs", beside, turns=_PAIRS)
        ratio = _quantile(ratios, 0.5)
        self._figures.tell("healthy p50, one hangs / none hangs", ratio, "", of_each_pair=ratios)
        return ratio

    async def _timed(
        self, name: str, healthy: Sequence[str], alerts: int, every: float, *, keep: bool = False
    ) -> tuple[list[float], list[str]]:
        """Return how long each of *healthy* waited for each alert, and the alerts; they are forgotten unless they are to be kept."""
        loop = asyncio.get_running_loop()
        number = list(SCENARIOS).index(name)
        took: list[float] = []
        told = []
        for _ in range(alerts):
            alert = self._alert(number)
            began = loop.time()
            await self._publisher.send_all(ALERTS, [alert])
            await self._inbox.until([alert.summary], healthy)
            arrived = self._inbox.arrived[alert.summary]
            took.extend(arrived[receiver] - began for receiver in healthy)
            told.append(alert.summary)
            if not keep:
                self._inbox.forget(alert.summary)
            await asyncio.sleep(self._chance.uniform(0, 2 * every))
        return took, told

    def _tell(self, name: str, took: Sequence[float], **more: int) -> float:
        p99 = _quantile(took, 0.99)
        for part, value in (("p50", _quantile(took, 0.5)), ("p99", p99)):
            self._figures.tell(
                f"alert to received {part}, {name}", value, "s", samples=len(took), **more
            )
        return p99

    async def at_once(self, burst: int) -> None:
        """Tell notices a second: many alerts at once, ten receivers each."""
        number = list(SCENARIOS).index(_MANY)
        count, _ = SCENARIOS[_MANY]
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
    for number, (scenario, (count, _)) in enumerate(SCENARIOS.items()):
        names = [f"s{number}-{each}" for each in range(count)]
        channels.update(
            {
                name: {
                    "kind": "webhook",
                    "url": f"{url}/{os.getpid()}/{number}/{each}",
                    "secret": _SECRET,
                    "answers_within": _HANGS_FOR if scenario == _TURNS else "10s",
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
