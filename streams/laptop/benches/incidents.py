"""
``incidents``: what it costs to make incidents of a storm of alerts, in one process and without a broker.

Alerts go as bytes into the incidents hop, and steps, incidents and notices come out as bytes; what the journal would hold is written down as
well. Services stand in six layers, each needing two of the layer below. Costs grow with alerts; they do not grow with the
incidents that are open, nor with the alerts that an incident has: the last figures show that. Seconds are seconds of processor time, so
that what else the machine does changes little.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from time import process_time
from typing import Final

from schemas.alerts import AlertState, AlertV1
from schemas.ticks import TickV1
from schemas.topics import ALERTS, LIFECYCLE, NOTICES
from streams.agents.collecting import collect_rarely
from streams.agents.incidents import IncidentsDesk
from streams.agents.outgoing import Outgoing
from streams.correlation.catalogue import Service
from streams.laptop.benches.figures import Figures
from streams.notifications.routing import Route
from streams.policy import Policy

#: Alerts a second that one process must place.
TARGET: Final = 20_000.0
#: By how much an alert may cost more in a storm ten times as large, or beside 10,000 open incidents.
GROWTH: Final = 1.5
SERVICES: Final = 1_000
LAYERS: Final = 6
#: Alerts that arrive in one second of the storm.
_A_SECOND: Final = 20_000
#: Alerts that arrive in one second where latency is measured: half of what is aimed at.
_CALM: Final = 10_000
#: Incidents that are open at each of the last figures.
_OPEN: Final = (100, 1_000, 10_000)
_MEASURED: Final = 2_000
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Record:
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    timestamp: int = -1


@dataclass(frozen=True)
class Second:
    """What one second of a storm came to."""

    alerts: int
    took: float
    made: list[Outgoing]


class Storm:
    """One incidents hop, fed by the second."""

    def __init__(self, policy: Policy) -> None:
        self._desk = IncidentsDesk.under(policy)
        self._now = _BEGAN
        self._offset = 0

    def second(self, alerts: Sequence[bytes]) -> Second:
        """Take in the alerts of one second, and the tick after them."""
        begun = process_time()
        for value in alerts:
            self._desk.hear(ALERTS, _Record(ALERTS.name, 0, self._offset, b"default", value))
            self._offset += 1
        self._now += timedelta(seconds=1)
        made = list(self._desk.tick(TickV1(occurred_at=self._now, partition=0)))
        self._desk.changes()
        return Second(len(alerts), process_time() - begun, made)


def measure() -> None:
    """Print what storms cost."""
    collect_rarely()
    figures = Figures()
    costs = {count: _storm(figures, count) for count in (10_000, 100_000)}
    figures.judge("alerts/s, 100,000 alerts", 1 / costs[100_000], at_least=TARGET)
    figures.judge(
        "cost of an alert, 100,000 to 10,000", costs[100_000] / costs[10_000], at_most=GROWTH
    )
    _latency(figures)
    by_open = _growth(figures)
    figures.judge(
        f"cost of an alert, {_OPEN[-1]} to {_OPEN[0]} open incidents",
        by_open[-1] / by_open[0],
        at_most=GROWTH,
    )
    figures.close()


def layered(count: int = SERVICES, layers: int = LAYERS) -> dict[str, Service]:
    """Return a catalogue in which each service needs two of the layer below, the same each time."""
    chance = random.Random(layers)  # noqa: S311 - it guards nothing
    names = [f"service-{number:04}" for number in range(count)]
    by_layer = [
        names[layer * count // layers : (layer + 1) * count // layers] for layer in range(layers)
    ]
    catalogue = {name: Service() for name in by_layer[0]}
    for below, layer in pairwise(by_layer):
        for name in layer:
            needed = tuple(sorted(chance.sample(below, min(2, len(below)))))
            catalogue[name] = Service(depends_on=needed)
    return catalogue


def alerts(services: Sequence[str], *, begin: int = 0) -> Iterator[bytes]:
    """Yield alerts without end, each of another fingerprint, over *services* in turn."""
    number = begin
    while True:
        service = services[number % len(services)]
        yield AlertV1(
            occurred_at=_BEGAN,
            fingerprint=f"{number:016x}",
            sequence=number + 1,
            state=AlertState.FIRING,
            rule=f"rule-{number % 7}",
            severity=1 + number % 4,
            service=service,
            labels={"instance": f"i-{number % 5_000}"},
            group_key=f"{service}/production",
            summary=f"{service} does not answer",
            reason="http_error_ratio 0.87 > 0.05, for 5s",
            started_at=_BEGAN,
        ).to_wire()
        number += 1


def _policy() -> Policy:
    routes = (Route(severities=(1, 2), channels=("pager",)), Route(channels=("chat",)))
    return Policy(services=layered(), routes=routes)


def _storm(figures: Figures, count: int) -> float:
    """Tell what a storm of *count* alerts comes to; return seconds for each."""
    policy = _policy()
    storm, left = Storm(policy), list(islice(alerts(list(policy.services)), count))
    seconds = []
    while left:
        now, left = left[:_A_SECOND], left[_A_SECOND:]
        seconds.append(storm.second(now))
    took = sum(each.took for each in seconds)
    made = [record for each in seconds for record in each.made]
    name = f"storm of {count}"
    figures.tell(f"{name}: alerts/s", count / took, "alerts/s", services=SERVICES, layers=LAYERS)
    figures.tell(f"{name}: incidents", _opened(made), "incidents")
    figures.tell(f"{name}: steps", _count(made, LIFECYCLE.name), "steps")
    figures.tell(f"{name}: notices", _count(made, NOTICES.name), "notices")
    figures.tell(f"{name}: written", sum(each.size for each in made) / count, "bytes/alert")
    return took / count


def _latency(figures: Figures) -> None:
    """Tell how long an alert takes to its incident where alerts arrive evenly at half the speed that is aimed at."""
    policy = _policy()
    storm, source = Storm(policy), alerts(list(policy.services))
    free, waits = 0.0, []
    for number in range(5):
        second = storm.second(list(islice(source, _CALM)))
        # Read while they arrive; placed after the tick, once what came before is done.
        free = max(number + 1.0, free) + second.took
        waits += [free - (number + place / _CALM) for place in range(_CALM)]
    waits.sort()
    for share in (50, 99):
        wait = waits[len(waits) * share // 100]
        figures.tell(
            f"alert to incident, p{share}",
            wait,
            "s",
            arriving=_CALM,
            note="a tick comes each second",
        )


def _growth(figures: Figures) -> list[float]:
    """Tell what an alert costs beside more and more open incidents; return seconds for each."""
    policy = Policy()
    storm, opened, costs = Storm(policy), 0, []
    for count in _OPEN:
        while opened < count:
            several = min(1_000, count - opened)
            names = [f"lonely-{number}" for number in range(opened, opened + several)]
            storm.second(list(islice(alerts(names, begin=opened), several)))
            opened += several
        chance = random.Random(count)  # noqa: S311 - it guards nothing
        # As many incidents get one more alert each at every figure, and an idle tick is counted with it.
        names = [f"lonely-{number}" for number in chance.sample(range(count), 100)]
        batches = [
            list(islice(alerts(names, begin=10**6 * count + 100 * number), 100))
            for number in range(_MEASURED // 100)
        ]
        took = sum(storm.second(batch).took for batch in batches)
        costs.append(took / _MEASURED)
        figures.tell(f"an alert beside {count} open incidents", costs[-1] * 1e6, "us")
    return costs


def _opened(made: Sequence[Outgoing]) -> int:
    return sum(
        record.topic == LIFECYCLE.name and b'"kind":"opened"' in (record.value or b"")
        for record in made
    )


def _count(made: Sequence[Outgoing], topic: str) -> int:
    return sum(record.topic == topic for record in made)
